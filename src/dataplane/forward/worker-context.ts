/** What both directions share: the engine's memory, the tables, and the few actions that a decision ends in. */
import type { Clock } from '../../net/clock.js';
import { KeyedRateLimit, onceIn, RateLimit } from '../../net/rate-limit.js';
import { ForwardingTable, R, ROUTE_WORDS, RouteFlag, RouteKind } from '../../tables/forwarding-table.js';
import { MacTable } from '../../tables/mac-table.js';
import { C, V } from '../counters.js';
import { Action, D, DESCRIPTOR_WORDS, type Engine } from '../engine.js';
import type { AddressWords, MessageSource, Punt, ReportKind } from '../punt/punt.js';
import { PuntPolicer } from '../punt/punt-policer.js';
import type { WorkerInput } from '../worker-input.js';
import { FlowCache } from './flow-cache.js';
import { HoldQueue } from './hold-queue.js';
import { PacketView } from './packet.js';

/** Hops left when a packet enters the overlay (wire.md). */
export const INITIAL_HOPS = 4;

const ICMP_ERRORS = { perSecond: 100, burst: 100 };
/** Sources and destinations are anybody's to choose, and each report is work for the control thread: so many a second. */
const MOST_SUBJECTS = 1_024;

const NOBODY: AddressWords = { family: 4, words: [0, 0, 0, 0] };

/** What a worker does besides forwarding. */
export interface WorkerPorts {
  /** Hands it up to the control thread. */
  punt(punt: Punt): void;
  /** Ends a TCP connection of the addon's. */
  closeStream(stream: number): void;
}

export class WorkerContext {
  readonly engine: Engine;
  /** By LAN index and behind the LANs by TUN port: its vnet. */
  readonly portVnets: Int32Array;
  /** By LAN index: the gateway machine's own MAC there, as a descriptor has it. */
  readonly ownMacHigh: Int32Array;
  readonly ownMacLow: Int32Array;
  readonly lanAddresses: WorkerInput['lanAddresses'];
  readonly tunsFrom: number;
  readonly selfPeer: number;
  readonly relays: SharedArrayBuffer;
  readonly table: ForwardingTable;
  /** MACs that the directory places at other VRs. */
  readonly macsElsewhere: MacTable;
  readonly counters: Float64Array;
  readonly vnetCounters: Float64Array;
  readonly peerMtu: Int32Array;
  readonly clientVnets: Int32Array;
  readonly control: Int32Array;
  /** By vnet id: 1 for those that exist. */
  readonly vnets: Uint8Array;
  readonly packet = new PacketView();
  /** Route of the packet's source and of its destination, as `lookUp` found them: not to be written to. */
  source: Int32Array = new Int32Array(ROUTE_WORDS);
  destination: Int32Array = new Int32Array(ROUTE_WORDS);
  readonly hold: HoldQueue;
  readonly icmpErrors: RateLimit;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly ports: WorkerPorts;
  readonly policer: PuntPolicer;
  readonly #gateway = new Int32Array(5);
  readonly #gatewayRoute = new Int32Array(ROUTE_WORDS);
  readonly #reports: Readonly<Record<ReportKind, KeyedRateLimit>>;
  readonly #flows: FlowCache;

  constructor(engine: Engine, input: WorkerInput, ports: WorkerPorts, clock: Pick<Clock, 'nowMs'>) {
    this.engine = engine;
    this.portVnets = Int32Array.from(input.lanVnets);
    this.ownMacHigh = Int32Array.from(input.engine.lans, ({ macHigh }) => macHigh);
    this.ownMacLow = Int32Array.from(input.engine.lans, ({ macLow }) => macLow);
    this.lanAddresses = input.lanAddresses;
    this.tunsFrom = input.tunsFrom;
    this.selfPeer = input.selfPeer;
    this.relays = input.relays;
    this.table = ForwardingTable.attach(input.table);
    this.macsElsewhere = MacTable.attach(input.macs);
    this.counters = new Float64Array(input.counters);
    this.vnetCounters = new Float64Array(input.vnetCounters);
    this.peerMtu = new Int32Array(input.peerMtu);
    this.clientVnets = new Int32Array(input.clientVnets);
    this.control = new Int32Array(input.control);
    this.vnets = new Uint8Array(input.vnets);
    this.hold = new HoldQueue(engine, clock);
    const reports = (): KeyedRateLimit => new KeyedRateLimit(clock, onceIn(1_000), MOST_SUBJECTS);
    this.#reports = {
      want: reports(),
      clientWanted: reports(),
      redirect: reports(),
      sourceElsewhere: reports(),
    };
    this.icmpErrors = new RateLimit(clock, ICMP_ERRORS);
    this.policer = new PuntPolicer(clock, {
      done: new Int32Array(input.puntsDone),
      shares: new Int32Array(input.puntShares),
    });
    this.#flows = new FlowCache(this.table);
    this.clock = clock;
    this.ports = ports;
  }

  /** Adds one to a counter, given by its index (`C`). */
  count(index: number): void {
    this.counters[index] = (this.counters[index] ?? 0) + 1;
  }

  /** The packet's bytes are counted next to it, inner headers included, as one even when the engine will split it. */
  #countVnet(descriptor: number, vnet: number, packets: number): void {
    const at = vnet * V.count + packets;
    this.vnetCounters[at] = (this.vnetCounters[at] ?? 0) + 1;
    this.vnetCounters[at + 1] = (this.vnetCounters[at + 1] ?? 0) + this.word(descriptor, D.length);
  }

  word(descriptor: number, field: number): number {
    return this.engine.descriptors[descriptor * DESCRIPTOR_WORDS + field] ?? 0;
  }

  setWord(descriptor: number, field: number, value: number): void {
    this.engine.descriptors[descriptor * DESCRIPTOR_WORDS + field] = value;
  }

  /** Finds the routes of the packet's source and destination. */
  lookUp(vnet: number): void {
    const { source, destination } = this.#flows.find(vnet, this.packet);
    this.source = source;
    this.destination = destination;
  }

  /** Hosts that believe to be on one link: same network, or both in the vnet's subnet (dataplane.md, "What happens to the IP header"). */
  get sameLink(): boolean {
    const s = this.source;
    const d = this.destination;
    if (s[R.network] === d[R.network]) return true;
    return ((s[R.flags] ?? 0) & (d[R.flags] ?? 0) & RouteFlag.inSubnet) !== 0;
  }

  /**
   * Fills in an Action.lan toward the node of `route`, or holds the packet while its MAC is asked for.
   * The route must be of kind host or onLink.
   */
  deliver(descriptor: number, vnet: number, route: Int32Array): void {
    if (((route[R.flags] ?? 0) & RouteFlag.authorised) === 0) {
      this.count(C.drop_destination_unauthorised);
      return;
    }
    if (route[R.kind] === RouteKind.onLink) {
      this.#holdFor(descriptor, vnet, this.destinationWords());
      return;
    }
    this.toLan(descriptor, vnet, route);
  }

  /** Sends the packet to the home network's gateway, on its way to the outside world. */
  deliverOutside(descriptor: number, vnet: number, network: number): void {
    if (!this.table.gateway(network - 1, this.#gateway)) {
      this.count(C.drop_no_gateway);
      return;
    }
    const [family, w0, w1, w2, w3] = this.#gateway as unknown as [number, number, number, number, number];
    this.table.lookup(vnet, family === 6 ? 6 : 4, w0, w1, w2, w3, this.#gatewayRoute);
    switch (this.#gatewayRoute[R.kind]) {
      case RouteKind.host:
        this.toLan(descriptor, vnet, this.#gatewayRoute);
        return;
      case RouteKind.onLink:
        this.#holdFor(descriptor, vnet, { family: family === 6 ? 6 : 4, words: [w0, w1, w2, w3] });
        return;
      case RouteKind.own:
        this.toOwn(descriptor, this.#gatewayRoute);
        return;
      default:
        this.count(C.drop_no_gateway);
    }
  }

  /** Whether the packet has come from the network's gateway: its MAC as this router knows it, or this machine itself. */
  isFromGateway(descriptor: number, vnet: number, network: number): boolean {
    if (!this.table.gateway(network - 1, this.#gateway)) return false;
    const [family, w0, w1, w2, w3] = this.#gateway as unknown as [number, number, number, number, number];
    this.table.lookup(vnet, family === 6 ? 6 : 4, w0, w1, w2, w3, this.#gatewayRoute);
    const r = this.#gatewayRoute;
    if (this.isTun(this.word(descriptor, D.from))) return r[R.kind] === RouteKind.own;
    return (
      r[R.kind] === RouteKind.host &&
      r[R.macHigh] === this.word(descriptor, D.srcMacHigh) &&
      r[R.macLow] === this.word(descriptor, D.srcMacLow)
    );
  }

  isTun(port: number): boolean {
    return port >= this.tunsFrom;
  }

  /** Whether the MAC is the gateway machine's own on any LAN. */
  isOwnMac(high: number, low: number): boolean {
    for (let lan = 0; lan < this.ownMacHigh.length; lan++) {
      if (this.ownMacHigh[lan] === high && this.ownMacLow[lan] === low) return true;
    }
    return false;
  }

  /** Hands a packet for one of the machine's own addresses to its kernel, through the vnet's TUN port if it has one. */
  toOwn(descriptor: number, route: Int32Array): void {
    const port = route[R.lan] ?? -1;
    if (!this.isTun(port)) {
      this.count(C.drop_own_address_without_tun);
      return;
    }
    this.setWord(descriptor, D.to, port);
    this.setWord(descriptor, D.action, Action.lan);
    this.count(C.to_gateway);
  }

  toLan(descriptor: number, vnet: number, route: Int32Array): void {
    this.setWord(descriptor, D.to, route[R.lan] ?? 0);
    this.setWord(descriptor, D.outMacHigh, route[R.macHigh] ?? 0);
    this.setWord(descriptor, D.outMacLow, route[R.macLow] ?? 0);
    this.setWord(descriptor, D.action, Action.lan);
    this.count(C.to_lan);
    this.#countVnet(descriptor, vnet, V.packetsToLan);
  }

  /** Sends a packet of the worker's own, from a scratch slot, to a MAC on a LAN at once. */
  replyToLan(slot: number, lan: number, macHigh: number, macLow: number): void {
    this.setWord(slot, D.to, lan);
    this.setWord(slot, D.outMacHigh, macHigh);
    this.setWord(slot, D.outMacLow, macLow);
    this.setWord(slot, D.action, Action.lan);
    this.engine.send(slot, 1);
  }

  /** The same to a WireGuard client that has just sent something. */
  replyToClient(slot: number, peer: number): void {
    this.setWord(slot, D.to, peer);
    this.setWord(slot, D.mtu, this.peerMtu[peer] ?? 0);
    this.setWord(slot, D.action, Action.bare);
    this.engine.send(slot, 1);
  }

  /** To a WireGuard client that connects here. */
  toClient(descriptor: number, peer: number): void {
    const mtu = this.peerMtu[peer] ?? 0;
    if (mtu === 0) {
      this.count(C.drop_client_away);
      if (this.mayReport('clientWanted', peer, 0, NOBODY)) this.ports.punt({ type: 'clientWanted', peer });
      return;
    }
    this.setWord(descriptor, D.to, peer);
    this.setWord(descriptor, D.mtu, mtu);
    this.setWord(descriptor, D.action, Action.bare);
    this.count(C.to_client);
    this.#countVnet(descriptor, this.clientVnets[peer] ?? 0, V.packetsToTunnel);
  }

  toTunnel(descriptor: number, peer: number, vnet: number, hops: number): void {
    this.setWord(descriptor, D.to, peer);
    this.setWord(descriptor, D.vnet, vnet);
    this.setWord(descriptor, D.hops, hops);
    this.setWord(descriptor, D.mtu, this.peerMtu[peer] ?? 0);
    this.setWord(descriptor, D.action, Action.tunnel);
    this.count(C.to_tunnel);
    this.#countVnet(descriptor, vnet, V.packetsToTunnel);
  }

  /** Hands the handshake message of descriptor `i` up; it starts `skip` bytes into what is described. */
  puntHandshake(i: number, skip = 0): void {
    if (this.policer.handshake())
      this.ports.punt({ type: 'handshake', bytes: this.copy(i, skip), source: this.messageSource(i) });
    else this.count(C.drop_handshake_queue_full);
  }

  /** A copy of what descriptor `i` describes: its slot is the engine's again soon. */
  copy(i: number, skip = 0): Uint8Array {
    const offset = this.word(i, D.offset);
    return this.engine.packets.slice(offset + skip, offset + this.word(i, D.length));
  }

  messageSource(i: number): MessageSource {
    const [stream, relay] = [this.word(i, D.sourceStream), this.word(i, D.sourceRelay)];
    return {
      address: {
        family: this.word(i, D.sourceFamily) === 6 ? 6 : 4,
        words: [
          this.word(i, D.sourceWord0),
          this.word(i, D.sourceWord1),
          this.word(i, D.sourceWord2),
          this.word(i, D.sourceWord3),
        ],
      },
      port: this.word(i, D.sourcePort),
      stream: stream === 0 ? undefined : stream - 1,
      relay: relay === 0 ? undefined : relay - 1,
    };
  }

  /** At most once a second for one (peer, vnet, address); a flood of one kind of report does not keep others back. */
  mayReport(kind: ReportKind, peer: number, vnet: number, address: AddressWords): boolean {
    if (!this.#reports[kind].allow(`${peer} ${vnet} ${address.words.join()}`)) return false;
    if (this.policer.report(kind)) return true;
    this.count(C.report_dropped_queue_full);
    return false;
  }

  sourceWords(): AddressWords {
    const p = this.packet;
    return { family: p.family, words: [p.source0, p.source1, p.source2, p.source3] };
  }

  destinationWords(): AddressWords {
    const p = this.packet;
    return { family: p.family, words: [p.destination0, p.destination1, p.destination2, p.destination3] };
  }

  #holdFor(descriptor: number, vnet: number, next: AddressWords): void {
    if (!this.hold.add(descriptor, vnet, next)) {
      this.count(C.drop_hold_queue_full);
      return;
    }
    this.count(C.held);
    if (this.mayReport('want', 0, vnet, next)) this.ports.punt({ type: 'want', vnet, address: next });
  }

  /** Sends what was held and has a MAC now; drops what has waited too long. Called between batches. */
  releaseHeld(): void {
    this.hold.release(this.table, this.#gatewayRoute, (descriptor, route, vnet) => {
      if (route === undefined) this.count(C.drop_unresolved);
      else this.toLan(descriptor, vnet, route);
    });
  }
}
