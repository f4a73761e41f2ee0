/** What every part of mobility works with. */
import type { Clock } from '../net/clock.js';
import type { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import { TimerGroup } from '../net/timer-group.js';
import { Conduct } from '../protocol/conduct.js';
import type { Directory } from '../tables/directory.js';
import { macsOf } from '../tables/gateway.js';
import type { Gndt } from '../tables/gndt.js';
import type { Hwdt } from '../tables/hwdt.js';
import type { Lan, Lans } from '../tables/lan.js';
import type { Lndt } from '../tables/lndt.js';
import type { LanIndex, LimitsConfig, MobilityConfig, RouterId, VnetId } from '../tables/model.js';
import { nodeKey } from '../tables/node-key.js';
import { Burst } from './burst.js';
import { Counters } from './counters.js';
import type { FollowUp } from './follow-up.js';
import { Journal } from './journal.js';
import type { ActivityView, MobilityPorts } from './ports.js';
import { Missing } from './search/missing.js';

/** The tables, the LANs and the ports, as the router hands them in. */
export interface MobilityDependencies {
  readonly gndt: Gndt;
  readonly lndt: Lndt;
  readonly hwdt: Hwdt;
  readonly directory: Directory;
  readonly lans: Lans;
  readonly ports: MobilityPorts;
  readonly config: MobilityConfig;
  /** How far others can make the tables grow. */
  readonly limits: LimitsConfig;
  readonly growth: Growth;
  /** Which machines of the LANs are sent packets and send none; without it only questions raise doubt. */
  readonly activity?: ActivityView;
  /** What is refused of what others say is noted here. */
  readonly conduct?: Conduct;
  /** Frames cannot be sent or seen before `Mobility.start`. */
  readonly startsLater?: true;
  /** Another router of the site is active; this one is when `Mobility.setActive` says so. */
  readonly standsBy?: true;
}

/** How fast and how far a LAN may make records; `LanGrowth` of the tables fits. */
export interface Growth {
  mayAdd(lan: Lan): boolean;
}

/** What goes on when one `Context` is followed by another. */
export interface Chronicle {
  readonly counters: Counters;
  readonly journal: Journal;
}

export function newChronicle({ ports }: MobilityDependencies): Chronicle {
  const journal = new Journal(ports.clock, (move) => ports.moveJudged?.(move));
  return { counters: new Counters(), journal };
}

/** From the time when this router becomes active to the time when another router of its site does. */
export class Context {
  readonly self: RouterId;
  readonly gndt: Gndt;
  readonly lndt: Lndt;
  readonly hwdt: Hwdt;
  readonly directory: Directory;
  readonly ports: MobilityPorts;
  /** Replaced by a reload: to be read where it is used. */
  config: MobilityConfig;
  limits: LimitsConfig;
  readonly growth: Growth;
  readonly conduct: Conduct;
  readonly clock: Clock;
  readonly timers: TimerGroup;
  readonly counters: Counters;
  readonly journal: Journal;
  readonly burst: Burst;
  /** Own nodes that do not answer. */
  readonly missing = new Missing();
  /** What follows from the frame, message or timer that is being dealt with; the front door does it. */
  readonly #follows: FollowUp[] = [];
  readonly #endings: (() => void)[] = [];
  readonly lans: Lans;
  #ownMacs: ReadonlySet<Mac> = new Set();
  #ownAddresses: ReadonlySet<string> = new Set();

  /** @param turnEnded called when a timer's work is done, so that what follows from it can be done */
  constructor(
    dependencies: MobilityDependencies,
    turnEnded: () => void = () => {},
    { counters, journal }: Chronicle = newChronicle(dependencies),
  ) {
    this.self = dependencies.gndt.self;
    this.gndt = dependencies.gndt;
    this.lndt = dependencies.lndt;
    this.hwdt = dependencies.hwdt;
    this.directory = dependencies.directory;
    this.ports = dependencies.ports;
    this.config = dependencies.config;
    this.clock = dependencies.ports.clock;
    this.limits = dependencies.limits;
    this.growth = dependencies.growth;
    this.conduct = dependencies.conduct ?? new Conduct(this.clock);
    this.timers = new TimerGroup(this.clock, turnEnded);
    this.burst = new Burst(this.clock, this.timers);
    this.counters = counters;
    this.journal = journal;
    this.lans = dependencies.lans;
    this.#noteLans();
    this.atEnd(this.lans.subscribe(() => this.#noteLans()));
  }

  /** To be called at the end: what has subscribed to a table that lives on. */
  atEnd(stop: () => void): void {
    this.#endings.push(stop);
  }

  /** No timer fires any more, and nothing is heard. */
  end(): void {
    this.timers.stop();
    for (const stop of this.#endings.splice(0)) stop();
  }

  follow(followUp: FollowUp): void {
    this.#follows.push(followUp);
  }

  /** The next thing to be done, oldest first; undefined when all is done. */
  nextFollowUp(): FollowUp | undefined {
    return this.#follows.shift();
  }

  lan(index: LanIndex): Lan | undefined {
    return this.lans.get(index);
  }

  lansOf(vnet: VnetId): readonly Lan[] {
    return this.lans.of(vnet);
  }

  /** The LAN on which a node was seen last; the vnet's first one when it was not. */
  lanOfNode(vnet: VnetId, ip: Ip): Lan | undefined {
    const binding = this.hwdt.get(vnet, ip);
    return (binding && this.lan(binding.lan)) ?? this.lansOf(vnet)[0];
  }

  /** Is it the MAC of one of this VR's own LAN interfaces, or one that a LAN is served with? */
  isOwnMac(mac: Mac): boolean {
    return this.#ownMacs.has(mac);
  }

  /** Is it one of the gateway machine's own addresses, or one that the router itself answers for? */
  isOwnAddress(vnet: VnetId, ip: Ip): boolean {
    return this.#ownAddresses.has(nodeKey(vnet, ip));
  }

  /** Does the configuration have it at this router, an own address or a WireGuard client? Nobody needs to be asked. */
  isFixed(vnet: VnetId, ip: Ip): boolean {
    return this.isOwnAddress(vnet, ip) || this.gndt.ownClientAt(vnet, ip) !== undefined;
  }

  /** Does the directory place the address on this VR's LANs? */
  isHere(vnet: VnetId, ip: Ip): boolean {
    return this.directory.here(vnet, ip)?.router === this.self;
  }

  #noteLans(): void {
    const lans = this.lans.current();
    this.#ownMacs = new Set(lans.flatMap(macsOf));
    this.#ownAddresses = new Set(
      lans.flatMap(({ vnet, addresses, gateway = [] }) =>
        [...addresses, ...gateway].map((ip) => nodeKey(vnet, ip)),
      ),
    );
  }

  /** Do nodes at both addresses believe to be on one wide link (single-large-subnet mode)? */
  inSubnet(vnet: VnetId, ip: Ip): boolean {
    return this.gndt.vnet(vnet)?.subnet?.contains(ip) === true;
  }
}
