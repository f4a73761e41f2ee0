/** What all decisions of a packet worker look at: the engine's memory, the tables, the packet that is being decided over. */
import type { Clock } from '../../net/clock.js';
import { macLow } from '../../net/mac.js';
import { ForwardingTable, R, ROUTE_WORDS, RouteFlag } from '../../tables/forwarding/forwarding-table.js';
import { MacTable } from '../../tables/forwarding/mac-table.js';
import { ActivityCounts } from '../../tables/forwarding/node-activity.js';
import { SitePeers } from '../../tables/forwarding/site-peers.js';
import { virtualMac } from '../../tables/gateway.js';
import { Budgets } from '../budget/budgets.js';
import { C, V } from '../counters.js';
import { D, DESCRIPTOR_WORDS, type Engine } from '../engine.js';
import { LanAddressTable } from '../lan-addresses.js';
import { LanRoles } from '../lan-roles.js';
import type { AddressWords } from '../punt/punt.js';
import type { WorkerInput } from '../worker-input.js';
import { FlowNotes } from './flow-notes.js';
import { PacketView } from './packet.js';

/** Hops left when a packet enters the overlay (wire.md). */
export const INITIAL_HOPS = 4;
/** The low words of the virtual MACs (`virtualMac`), but for the number; the high ones are 0. */
const VIRTUAL_MAC_4 = macLow(virtualMac(0, 4));
const VIRTUAL_MAC_6 = macLow(virtualMac(0, 6));

export class WorkerContext {
  readonly engine: Engine;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly budgets: Budgets;
  /** By LAN index and behind the LANs by TUN port: its vnet. */
  readonly portVnets: Int32Array;
  /** By LAN index: the gateway machine's own MAC there, as a descriptor has it. */
  readonly ownMacHigh: Int32Array;
  readonly ownMacLow: Int32Array;
  readonly lanAddresses: LanAddressTable;
  readonly lanRoles: LanRoles;
  readonly tunsFrom: number;
  readonly selfPeer: number;
  readonly selfSite: number;
  readonly sitePeers: SitePeers;
  readonly table: ForwardingTable;
  /** MACs that the directory places at other VRs. */
  readonly macsElsewhere: MacTable;
  /** Who is sent packets on our LANs, and who sends any. */
  readonly activity: ActivityCounts;
  readonly peerMtu: Int32Array;
  readonly clientVnets: Int32Array;
  readonly control: Int32Array;
  /** By vnet id: 1 for those that exist. */
  readonly vnets: Uint8Array;
  readonly packet = new PacketView();
  /** What the flow memory is told of it. */
  readonly flow: FlowNotes;
  /** Route of the packet's source and of its destination, as `lookUp` found them. */
  readonly source = new Int32Array(ROUTE_WORDS);
  readonly destination = new Int32Array(ROUTE_WORDS);
  /** By LAN index: the number of its virtual MACs, 0 for none. */
  readonly #vrids: Int32Array;
  readonly #gatewayLans: readonly boolean[];
  readonly #counters: Float64Array;
  readonly #vnetCounters: Float64Array;

  constructor(engine: Engine, input: WorkerInput, clock: Pick<Clock, 'nowMs'>) {
    this.engine = engine;
    this.clock = clock;
    this.budgets = new Budgets(clock, input.budgets);
    this.portVnets = Int32Array.from(input.lanVnets);
    this.ownMacHigh = Int32Array.from(input.engine.lans, ({ macHigh }) => macHigh);
    this.ownMacLow = Int32Array.from(input.engine.lans, ({ macLow }) => macLow);
    this.#vrids = Int32Array.from(input.engine.lans, ({ vrid = 0 }) => vrid);
    this.#gatewayLans = input.gatewayLans;
    this.lanAddresses = LanAddressTable.attach(input.lanAddresses);
    this.lanRoles = LanRoles.attach(input.engine.lanRoles);
    this.tunsFrom = input.tunsFrom;
    this.selfPeer = input.selfPeer;
    this.selfSite = input.selfSite;
    this.sitePeers = SitePeers.attach(input.sitePeers);
    this.table = ForwardingTable.attach(input.table);
    this.macsElsewhere = MacTable.attach(input.macs);
    this.activity = new ActivityCounts(input.activity, input.activityMacs);
    this.peerMtu = new Int32Array(input.peerMtu);
    this.clientVnets = new Int32Array(input.clientVnets);
    this.control = new Int32Array(input.control);
    this.vnets = new Uint8Array(input.vnets);
    this.#counters = new Float64Array(input.counters);
    this.#vnetCounters = new Float64Array(input.vnetCounters);
    this.flow = new FlowNotes(engine);
  }

  /** Adds one to a counter, given by its index (`C`). */
  count(index: number): void {
    this.#counters[index] = (this.#counters[index] ?? 0) + 1;
  }

  /**
   * Counts a packet that leaves as the descriptor says, and tells the flow memory of it.
   * @param counter of `C` @param packets of `V`; its bytes are counted next to it, inner headers included, as one even when
   * the engine will split it @param sent number of the machine that it goes to (`NodeActivity`), −1 for none
   */
  forwarded(descriptor: number, vnet: number, counter: number, packets: number, sent = -1): void {
    const at = vnet * V.count + packets;
    this.count(counter);
    this.#vnetCounters[at] = (this.#vnetCounters[at] ?? 0) + 1;
    this.#vnetCounters[at + 1] = (this.#vnetCounters[at + 1] ?? 0) + this.word(descriptor, D.length);
    this.activity.sentTo(sent);
    this.flow.forwarded(descriptor, vnet, counter, at, sent);
  }

  /** The same for one that the machine itself gets. */
  forwardedToOwn(descriptor: number, vnet: number): void {
    this.count(C.to_gateway);
    this.flow.forwarded(descriptor, vnet, C.to_gateway, -1, -1);
  }

  word(descriptor: number, field: number): number {
    return this.engine.descriptors[descriptor * DESCRIPTOR_WORDS + field] ?? 0;
  }

  setWord(descriptor: number, field: number, value: number): void {
    this.engine.descriptors[descriptor * DESCRIPTOR_WORDS + field] = value;
  }

  /** Finds the routes of the packet's source and destination. */
  lookUp(vnet: number): void {
    const { table, packet: p } = this;
    table.lookup(vnet, p.family, p.source0, p.source1, p.source2, p.source3, this.source);
    table.lookup(
      vnet,
      p.family,
      p.destination0,
      p.destination1,
      p.destination2,
      p.destination3,
      this.destination,
    );
  }

  /** Hosts that believe to be on one link: same network, or both in the vnet's subnet (dataplane.md, "What happens to the IP header"). */
  get sameLink(): boolean {
    const s = this.source;
    const d = this.destination;
    if (s[R.network] === d[R.network]) return true;
    return ((s[R.flags] ?? 0) & (d[R.flags] ?? 0) & RouteFlag.inSubnet) !== 0;
  }

  isTun(port: number): boolean {
    return port >= this.tunsFrom;
  }

  /** Whether the MAC is the gateway machine's own on that LAN, or a virtual one that it is served with. */
  isMacOf(lan: number, high: number, low: number): boolean {
    if (this.ownMacHigh[lan] === high && this.ownMacLow[lan] === low) return true;
    return this.#isVirtualMacOf(lan, high, low);
  }

  #isVirtualMacOf(lan: number, high: number, low: number): boolean {
    const vrid = this.#vrids[lan] ?? 0;
    return vrid !== 0 && high === 0 && (low === VIRTUAL_MAC_4 + vrid || low === VIRTUAL_MAC_6 + vrid);
  }

  /** Whether it is such a MAC on any LAN. */
  isOwnMac(high: number, low: number): boolean {
    for (let lan = 0; lan < this.ownMacHigh.length; lan++) {
      if (this.isMacOf(lan, high, low)) return true;
    }
    return false;
  }

  /**
   * Whether the frame was sent to the router as the gateway of its LAN. Where that has a MAC of its own, a frame to the
   * interface's was sent to the machine, whose kernel may be a router too.
   */
  isForGateway(descriptor: number): boolean {
    const port = this.word(descriptor, D.from);
    if (this.#gatewayLans[port] !== true) return false;
    const [high, low] = [this.word(descriptor, D.dstMacHigh), this.word(descriptor, D.dstMacLow)];
    return this.#vrids[port] === 0 || this.#isVirtualMacOf(port, high, low);
  }

  sourceWords(): AddressWords {
    const p = this.packet;
    return { family: p.family, words: [p.source0, p.source1, p.source2, p.source3] };
  }

  destinationWords(): AddressWords {
    const p = this.packet;
    return { family: p.family, words: [p.destination0, p.destination1, p.destination2, p.destination3] };
  }
}
