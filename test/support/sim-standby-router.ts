/** One router of a site that may have two: real tables, real mobility, wired to the WAN as src/router/connections.ts does it. */
import { answer } from '../../src/arp/announce.js';
import { ArpOperation, decodeNeighbourFrame, isGratuitous } from '../../src/arp/frame.js';
import { Mobility } from '../../src/mobility/mobility.js';
import type { MobilityEvent } from '../../src/mobility/ports.js';
import type { Clock } from '../../src/net/clock.js';
import type { Ip } from '../../src/net/ip.js';
import type { Mac } from '../../src/net/mac.js';
import type { Prefix } from '../../src/net/prefix.js';
import type { TableMessage } from '../../src/protocol/table-message.js';
import { PartnerLink } from '../../src/router/pair/partner-link.js';
import { SiteMessenger } from '../../src/router/pair/site-messenger.js';
import { Sites } from '../../src/router/pair/sites.js';
import { decodeState, encodeState } from '../../src/router/state/state-file.js';
import { Directory } from '../../src/tables/directory.js';
import { ForwardingCompiler } from '../../src/tables/forwarding/forwarding-compiler.js';
import { ForwardingTable } from '../../src/tables/forwarding/forwarding-table.js';
import { Gndt } from '../../src/tables/gndt.js';
import { Hwdt } from '../../src/tables/hwdt.js';
import { Lans } from '../../src/tables/lan.js';
import { LanGrowth } from '../../src/tables/lan-growth.js';
import { LanNodes } from '../../src/tables/lan-nodes.js';
import { Lndt } from '../../src/tables/lndt.js';
import type { GndtConfig, LimitsConfig, MobilityConfig, RouterId, VnetId } from '../../src/tables/model.js';
import { MeteredClock } from './metered-clock.js';
import type { LanPort, SimLan } from './sim-lan.js';
import { SIM_LIMITS } from './sim-lan-site.js';
import type { SimWan, WanEnd } from './sim-lan-wan.js';

export interface RouterOptions {
  readonly id: RouterId;
  readonly vnet: VnetId;
  readonly mac: Mac;
  readonly address: Ip;
  /** Of a site of two. */
  readonly gateway?: readonly Ip[];
  readonly vrid?: number;
  readonly gndt: GndtConfig;
  readonly authorised: readonly Prefix[];
  readonly mobility: MobilityConfig;
  readonly limits?: Partial<LimitsConfig>;
}

/** Subscriptions that have begun and not ended. */
function counted<Listener extends (...args: never[]) => void>(
  subscribe: (listener: Listener) => () => void,
  count: { now: number },
): (listener: Listener) => () => void {
  return (listener) => {
    const stop = subscribe(listener);
    count.now++;
    let isOver = false;
    return () => {
      if (!isOver) count.now--;
      isOver = true;
      stop();
    };
  };
}

export class StandbyRouter implements LanPort, WanEnd {
  readonly options: RouterOptions;
  readonly name: string;
  readonly lan: SimLan;
  directory!: Directory;
  gndt!: Gndt;
  lndt!: Lndt;
  hwdt!: Hwdt;
  lans!: Lans;
  table!: ForwardingTable;
  mobility!: Mobility;
  sites!: Sites;
  events: MobilityEvent[] = [];
  isUp = false;
  isActive = false;
  /** Frames and messages that have left. */
  said = 0;
  /** What mobility has subscribed to. */
  subscriptions = { now: 0 };
  readonly #clock: Clock;
  /** Mobility's. */
  readonly #metered: MeteredClock;
  readonly #wan: SimWan;
  #disk = encodeState([]);
  #term = 0;

  constructor(clock: Clock, wan: SimWan, lan: SimLan, options: RouterOptions) {
    this.options = options;
    this.name = options.id;
    this.lan = lan;
    this.#clock = clock;
    this.#metered = new MeteredClock(clock);
    this.#wan = wan;
    this.boot();
    wan.join(options.id, this);
  }

  get id(): RouterId {
    return this.options.id;
  }

  /** Timers that mobility has waiting. */
  get timers(): number {
    return [...this.#metered.waiting.values()].reduce((sum, count) => sum + count, 0);
  }

  boot(): void {
    const { id, vnet, mac, address, gateway, vrid, mobility: config } = this.options;
    const clock = this.#clock;
    this.isUp = true;
    this.lan.attach(this);
    this.gndt = new Gndt(this.options.gndt, id);
    const { gndt } = this;
    this.isActive = gndt.partner === undefined;
    this.directory = new Directory(gndt.self, clock);
    this.directory.load(decodeState(this.#disk).records);
    const { directory } = this;
    const entries = this.options.authorised.map((prefix) => ({ vnet, prefix, mac: undefined }));
    this.lndt = new Lndt(entries, gndt, directory);
    this.hwdt = new Hwdt(clock);
    this.lans = new Lans([
      {
        ...{ index: 0, interface: 'lan0', vnet, mac, addresses: [address] },
        ...(gateway === undefined ? {} : { gateway }),
        ...(vrid === undefined ? {} : { vrid }),
      },
    ]);
    const { lndt, hwdt, lans } = this;
    if (!this.isActive) lans.setRole(0, 'standby');
    this.table = ForwardingTable.create({ slots: 512 });
    new ForwardingCompiler({ gndt, lndt, hwdt, directory, table: this.table, clock, lans }).rebuild();
    this.sites = new Sites(gndt);
    const limits = { ...SIM_LIMITS, ...this.options.limits };
    const growth = new LanGrowth(clock, new LanNodes(gndt.self, directory, hwdt), limits.nodesPerLan);
    const count = { now: 0 };
    this.subscriptions = count;
    for (const table of [directory, hwdt, lans] as { subscribe: Directory['subscribe'] }[]) {
      table.subscribe = counted(table.subscribe.bind(table), count);
    }
    lans.followRoles = counted(lans.followRoles.bind(lans), count);
    const tunnel = {
      send: (to: RouterId, message: TableMessage): void => {
        if (!this.isUp) return;
        this.said++;
        this.#wan.send(id, to, message);
      },
      upPeers: (): readonly RouterId[] => this.#wan.upPeers(id),
    };
    const isPair = gndt.partner !== undefined;
    this.mobility = new Mobility({
      ...{ gndt, lndt, hwdt, directory, lans, growth, config, limits },
      ...(isPair ? { standsBy: true } : {}),
      ports: {
        clock: this.#metered,
        messenger: new SiteMessenger(tunnel, gndt, this.sites),
        ...(isPair ? { partner: new PartnerLink(tunnel, gndt) } : {}),
        sendFrame: (_lan, frame) => {
          if (!this.isUp) return;
          this.said++;
          this.lan.send(this, frame);
        },
        event: (event) => void this.events.push(event),
        saveState: () => this.save(),
      },
    });
    this.mobility.start();
  }

  save(): void {
    if (!this.isUp) return;
    const { directory, gndt } = this;
    const kept = [...directory.all()].filter(
      ({ vnet, ip, router }) => router === gndt.self || gndt.isHome(vnet, ip),
    );
    this.#disk = encodeState(kept.map((record) => directory.saved(record)));
  }

  /** `kill -9`. */
  kill(): void {
    this.isUp = false;
    this.isActive = false;
    this.mobility.stop();
    this.lan.detach(this);
  }

  setActive(isActive: boolean): void {
    this.isActive = isActive;
    this.lans.setRole(0, isActive ? 'active' : 'standby');
    this.mobility.setActive(isActive);
  }

  /** It has heard which router of another site is active. News overtake each other: those of the highest term count. */
  follow(router: RouterId, term: number): void {
    if (term <= this.#term) return;
    this.#term = term;
    if (!this.isUp || this.gndt.siteOf(router) === this.gndt.self || this.sites.isActive(router)) return;
    this.sites.setActive(router);
    const isThere = this.#wan.upPeers(this.id).includes(router);
    this.mobility.siteSwitched(this.gndt.siteOf(router), isThere);
  }

  frame(bytes: Uint8Array): void {
    if (!this.isUp) return;
    const frame = decodeNeighbourFrame(bytes);
    if (typeof frame === 'string') return;
    const { address, mac } = this.options;
    const isAsked =
      frame.kind === 'arp' &&
      frame.operation === ArpOperation.request &&
      !isGratuitous(frame) &&
      frame.targetIp.equals(address);
    if (isAsked) this.lan.send(this, answer(frame, mac, mac));
    this.mobility.frameSeen(0, frame, this.#clock.nowMs());
  }

  message(from: RouterId, message: TableMessage): void {
    if (!this.isUp) return;
    if (from === this.gndt.partner) this.mobility.partnerMessage(message);
    else this.mobility.message(this.gndt.siteOf(from), message);
  }

  peerUp(peer: RouterId): void {
    if (!this.isUp) return;
    if (peer === this.gndt.partner) this.mobility.partnerUp();
    else if (this.sites.isActive(peer)) this.mobility.peerUp(this.gndt.siteOf(peer));
  }

  peerDown(peer: RouterId): void {
    if (!this.isUp) return;
    if (peer === this.gndt.partner) this.mobility.partnerDown();
    else if (this.sites.isActive(peer)) this.mobility.peerDown(this.gndt.siteOf(peer));
  }
}
