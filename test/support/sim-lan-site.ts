/** One site: a LAN, its VR with real tables and real mobility, and the VR machine's kernel as far as ARP goes. */
import assert from 'node:assert/strict';
import { answer } from '../../src/arp/announce.js';
import { decodeDhcpFrame, isUdpFrame } from '../../src/arp/dhcp/frame.js';
import {
  ArpOperation,
  decodeNeighbourFrame,
  isGratuitous,
  type NeighbourFrame,
} from '../../src/arp/frame.js';
import { linkLocalOf } from '../../src/arp/ipv6.js';
import { Mobility } from '../../src/mobility/mobility.js';
import type { MobilityEvent } from '../../src/mobility/ports.js';
import type { Clock } from '../../src/net/clock.js';
import type { Ip } from '../../src/net/ip.js';
import type { Mac } from '../../src/net/mac.js';
import type { Prefix } from '../../src/net/prefix.js';
import type { TableMessage } from '../../src/protocol/table-message.js';
import { decodeState, encodeState } from '../../src/router/state/state-file.js';
import { Directory, type DirectoryChange } from '../../src/tables/directory.js';
import { ForwardingCompiler } from '../../src/tables/forwarding/forwarding-compiler.js';
import { ForwardingTable } from '../../src/tables/forwarding/forwarding-table.js';
import { Gndt } from '../../src/tables/gndt.js';
import { Hwdt } from '../../src/tables/hwdt.js';
import { Lans } from '../../src/tables/lan.js';
import { LanGrowth } from '../../src/tables/lan-growth.js';
import { LanNodes } from '../../src/tables/lan-nodes.js';
import { LIMITS } from '../../src/tables/limits.js';
import { Lndt } from '../../src/tables/lndt.js';
import type { GndtConfig, LimitsConfig, MobilityConfig, RouterId, VnetId } from '../../src/tables/model.js';
import { MeteredClock } from './metered-clock.js';
import { type LanPort, SimLan } from './sim-lan.js';
import type { WanEnd } from './sim-lan-wan.js';

/** What a site needs of the WAN; `SimWan` and `SimLinkWan` fit. */
export interface Wan {
  join(id: RouterId, end: WanEnd): void;
  leave?(id: RouterId): void;
  /** Router `id` does not know `peer` any more. */
  part?(id: RouterId, peer: RouterId): void;
  send(from: RouterId, to: RouterId, message: TableMessage): void;
  upPeers(of: RouterId): readonly RouterId[];
}

export interface SiteOptions {
  readonly id: RouterId;
  readonly vnet: VnetId;
  readonly mac: Mac;
  /** The gateway machine's own: one, or one of each family. */
  readonly addresses: readonly Ip[];
  readonly gndt: GndtConfig;
  readonly authorised: readonly Prefix[];
  readonly mobility: MobilityConfig;
  /** Of the forwarding table; default 512. */
  readonly slots?: number;
  /** The gateway machine's kernel has IPv6 on the LAN, as it has by itself. */
  readonly hasLinkLocal?: boolean;
  /** Where they are not `SIM_LIMITS`. */
  readonly limits?: Partial<LimitsConfig>;
}

/** As router.json has them by default. */
export const SIM_LIMITS: LimitsConfig = {
  nodesPerLan: LIMITS.nodesPerLan.default,
  nodesPerRouter: LIMITS.nodesPerRouter.default,
  nodes: LIMITS.nodes.default,
};

export class SimSite implements LanPort, WanEnd {
  readonly id: RouterId;
  readonly name: string;
  readonly lan: SimLan;
  /** Those of the router that runs now; new ones after `boot`. */
  directory!: Directory;
  gndt!: Gndt;
  lndt!: Lndt;
  hwdt!: Hwdt;
  table!: ForwardingTable;
  lans!: Lans;
  mobility!: Mobility;
  readonly events: MobilityEvent[] = [];
  readonly options: SiteOptions;
  readonly #clock: MeteredClock;
  #gndtConfig: GndtConfig;
  #compiler!: ForwardingCompiler;
  readonly #wan: Wan;
  saves = 0;
  isUp = false;
  #saving = false;
  /** Told of every change of the directory of the router that runs now. */
  watch: ((site: SimSite, change: DirectoryChange) => void) | undefined;
  /** directory.json */
  disk = encodeState([]);

  constructor(clock: Clock, wan: Wan, options: SiteOptions) {
    const { id } = options;
    this.#wan = wan;
    this.#clock = new MeteredClock(clock);
    this.options = options;
    this.#gndtConfig = options.gndt;
    this.id = id;
    this.name = id;
    this.lan = new SimLan(`lan of ${id}`, clock);
    this.boot();
  }

  /** `kill -9`: nothing is said any more, on either side. */
  crash(): void {
    if (!this.isUp) return;
    this.isUp = false;
    this.mobility.stop();
    this.lan.detach(this);
    this.#wan.leave?.(this.id);
  }

  /** Timers that the router has waiting, by name. */
  get timers(): ReadonlyMap<string, number> {
    return this.#clock.waiting;
  }

  /** Another gndt.json, as a reload takes it. Routers that are in it no more are neither heard nor told anything. */
  reconfigure(config: GndtConfig): void {
    this.#gndtConfig = config;
    if (!this.isUp) return;
    const gone = this.gndt.otherRouters().filter(({ id }) => !config.routers.some((left) => left.id === id));
    const up = this.#wan.upPeers(this.id);
    const nowMs = this.#clock.nowMs();
    const plan = this.gndt.plan(config, nowMs);
    assert(typeof plan !== 'string');
    this.gndt.adopt(plan, nowMs);
    this.lndt.adopt(this.lndt.entries);
    const dropped = this.directory.keepMembers(this.gndt.siteIds);
    this.#compiler.reconfigure();
    this.mobility.reconfigure(this.options.mobility);
    for (const { id } of gone) {
      this.#wan.part?.(this.id, id);
      if (up.includes(id)) this.mobility.peerDown(id);
    }
    this.mobility.membersGone(dropped);
  }

  loseDisk(): void {
    this.disk = encodeState([]);
  }

  /** The router begins, with what is on its disk. `Mobility.start` follows when it has heard its peers. */
  boot(startsLater = false): void {
    const { id, vnet, addresses } = this.options;
    const [clock, wan] = [this.#clock, this.#wan];
    this.isUp = true;
    this.lan.attach(this);
    this.directory = new Directory(id, clock);
    this.gndt = new Gndt(this.#gndtConfig, id);
    this.directory.load(decodeState(this.disk).records);
    this.directory.keepMembers(this.gndt.siteIds);
    const entries = this.options.authorised.map((prefix) => ({ vnet, prefix, mac: undefined }));
    this.lndt = new Lndt(entries, this.gndt, this.directory);
    this.hwdt = new Hwdt(clock);
    this.table = ForwardingTable.create({ slots: this.options.slots ?? 512 });
    const { mac } = this.options;
    const its = this.options.hasLinkLocal === true ? [...addresses, linkLocalOf(mac)] : addresses;
    this.lans = new Lans([{ index: 0, interface: 'lan0', vnet, mac, addresses: its }]);
    const { gndt, lndt, hwdt, directory, table, lans } = this;
    this.#compiler = new ForwardingCompiler({
      gndt,
      lndt,
      hwdt,
      directory,
      table,
      clock,
      lans,
    });
    this.#compiler.rebuild();
    const ports = {
      clock,
      messenger: {
        send: (to: RouterId, message: TableMessage): void => wan.send(id, to, message),
        upPeers: (): readonly RouterId[] => wan.upPeers(id).filter((peer) => this.#knows(peer)),
      },
      sendFrame: (_lan: number, frame: Uint8Array): void => this.lan.send(this, frame),
      event: (event: MobilityEvent): void => {
        this.events.push(event);
      },
      saveState: (): void => {
        this.saves++;
        this.#save();
      },
    };
    const config = this.options.mobility;
    const later = startsLater ? { startsLater } : {};
    const limits = { ...SIM_LIMITS, ...this.options.limits };
    const growth = new LanGrowth(clock, new LanNodes(id, directory, hwdt), limits.nodesPerLan);
    const tables = { gndt, lndt, hwdt, directory, limits, growth };
    this.mobility = new Mobility({ ...tables, lans, ports, config, ...later });
    const { mobility } = this;
    directory.subscribe((change) => {
      this.watch?.(this, change);
      if (this.#saving) return;
      this.#saving = true;
      clock.after('save', 500, () => {
        this.#saving = false;
        if (this.mobility === mobility) this.#save();
      });
    });
    wan.join(id, this);
  }

  #save(): void {
    const { directory, gndt } = this;
    const kept = [...directory.all()].filter(
      ({ vnet, ip, router }) => router === this.id || gndt.isHome(vnet, ip),
    );
    this.disk = encodeState(kept.map((record) => directory.saved(record)));
  }

  frame(bytes: Uint8Array): void {
    if (!this.isUp) return;
    if (isUdpFrame(bytes)) {
      const dhcp = decodeDhcpFrame(bytes);
      if (typeof dhcp !== 'string') this.mobility.dhcpSeen(0, dhcp, this.#clock.nowMs());
      return;
    }
    const frame = decodeNeighbourFrame(bytes);
    if (typeof frame === 'string') return;
    this.#kernel(frame);
    this.mobility.frameSeen(0, frame, this.#clock.nowMs());
  }

  message(from: RouterId, message: TableMessage): void {
    if (this.#knows(from)) this.mobility.message(from, message);
  }

  peerUp(peer: RouterId): void {
    if (this.#knows(peer)) this.mobility.peerUp(peer);
  }

  peerDown(peer: RouterId): void {
    this.mobility.peerDown(peer);
  }

  /** The tunnel has sessions with members only. */
  #knows(router: RouterId): boolean {
    return this.gndt.peerIndex(router) >= 0;
  }

  /** The gateway machine's kernel answers for its own address. */
  #kernel(frame: NeighbourFrame): void {
    const target = questionedBy(frame);
    if (target === undefined || !this.options.addresses.some((own) => own.equals(target))) return;
    if (frame.kind === 'arp' || frame.kind === 'ns')
      this.lan.send(this, answer(frame, this.options.mac, this.options.mac));
  }
}

function questionedBy(frame: NeighbourFrame): Ip | undefined {
  if (frame.kind === 'ns') return frame.source.isUnspecified ? undefined : frame.target;
  if (frame.kind !== 'arp' || frame.operation !== ArpOperation.request || isGratuitous(frame))
    return undefined;
  return frame.targetIp;
}
