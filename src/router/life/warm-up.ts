/**
 * Walks the path of a move, end to end, on scratch tables, before the router is made. The first move would otherwise
 * pay for compiling that path: some 10 to 30 ms at each router, longer than all the rest of it takes.
 * Two routers that exist only here hand a node to and fro; frames and control messages go through the real codecs.
 *
 * What is made here for the parts to work with has its properties in the order in which the router's own has them, and
 * times are no whole numbers: V8 keeps what it has learned of each place in the code by the kind of the objects there, and
 * a field that has held whole numbers only is one of another kind.
 */
import type { DhcpFrame } from '../../arp/dhcp/frame.js';
import { decodeNeighbourFrame, encodeNeighbourFrame, type NeighbourFrame } from '../../arp/frame.js';
import { ALL_NODES, groupMac, linkLocalOf } from '../../arp/ipv6.js';
import type { LanSocket } from '../../dataplane/engine.js';
import { Mobility } from '../../mobility/mobility.js';
import type { Clock, Timer } from '../../net/clock.js';
import { Ip } from '../../net/ip.js';
import { BROADCAST_MAC, type Mac } from '../../net/mac.js';
import { Prefix } from '../../net/prefix.js';
import { ControlCodec } from '../../protocol/control-codec.js';
import { isTableMessage } from '../../protocol/control-message.js';
import { split } from '../../protocol/split.js';
import type { TableMessage } from '../../protocol/table-message.js';
import { Directory } from '../../tables/directory.js';
import { ForwardingCompiler } from '../../tables/forwarding/forwarding-compiler.js';
import { ForwardingTable } from '../../tables/forwarding/forwarding-table.js';
import { Gndt } from '../../tables/gndt.js';
import { Hwdt } from '../../tables/hwdt.js';
import { type Lan, Lans } from '../../tables/lan.js';
import { Lndt } from '../../tables/lndt.js';
import type { GndtConfig, RouterId } from '../../tables/model.js';
import { Counters } from '../../tunnel/counters.js';
import { Channel } from '../../tunnel/link/channel.js';
import { RttEstimator } from '../../tunnel/link/rtt.js';
import { DEFAULT_TIMES } from '../../tunnel/times.js';
import { LanRescue } from '../lan/lan-rescue.js';
import { LocalRecords } from '../state/local-records.js';
import { acknowledgement, rebinding, rebinding6, reply6, type ScratchClient } from './warm-dhcp.js';

/**
 * About 0.15 s of the start. Measured, three starts each, 5 ms one-way delay, a busy 2-core machine:
 * first ARP of the first move at the destination 6.6 to 12.9 ms without, 2.1 to 5.1 ms with; at the source 20.7 to
 * 25.4 ms without, 7.7 to 12.6 ms with.
 */
const MOVES = 50;
/** Longer than anything that follows a move: the last round of ARP, and the question whether the node is really gone. */
const BETWEEN_MS = 10_000;
const VNET = 1;
const HOSTS = 8;
const IDS = ['x', 'y'] as const;
const NODE = macOf(0, 1);
/** Of each visit. */
const QUESTIONS = 4;
const NODE_V6 = Ip.v6(0xfd000000, 0, 0, 1);

/** V8 forgets what it has learned of a kind of object when the last one is gone. */
const kept: ScratchSite[] = [];

/** What was gone through, both routers together. */
export interface WarmedUp {
  readonly claimed: number;
  /** Questions of the visiting node that were answered from memory. */
  readonly answered: number;
}

/** Nothing waits, no timer is set. */
export function warmUp(wallMs: number): WarmedUp {
  const time = new ScratchTime(wallMs);
  const sites = new Map<RouterId, ScratchSite>();
  const codec = new ControlCodec();
  for (const [n, id] of IDS.entries()) sites.set(id, new ScratchSite(id, n, time.clock, codec));
  for (const [id, site] of sites) {
    for (const [other, far] of sites) if (other !== id) site.connect(other, far);
  }
  for (const site of sites.values()) site.populate();
  for (let move = 0; move < MOVES; move++) {
    sites.get(IDS[move % 2 === 0 ? 1 : 0])?.announce(move);
    time.pass(BETWEEN_MS);
    if (move % 2 === 0) askToStay(sites, move);
  }
  const moves = [...sites.values()].flatMap(({ mobility }) => mobility.moves());
  const claimed = moves.filter(({ role }) => role === 'destination').length;
  const answered = sites.get(IDS[1])?.mobility.counters().mobility_dhcp_answered ?? 0;
  for (const site of sites.values()) site.mobility.stop();
  kept.push(...sites.values());
  return { claimed, answered };
}

/**
 * The node visits the second site, and asks by broadcast to keep its address. Its first questions go to its home server,
 * whose answer is remembered, the others are answered at once: that has to be faster than another server's refusal.
 */
function askToStay(sites: ReadonlyMap<RouterId, ScratchSite>, move: number): void {
  const [home, away] = IDS.map((id) => sites.get(id));
  const router = macOf(0, 0xffff);
  for (let n = 0; n < QUESTIONS; n++) {
    const xid = move * QUESTIONS + n;
    away?.hearDhcp(rebinding(CLIENT, xid));
    home?.hearDhcp(acknowledgement(CLIENT, router, xid));
    away?.hearDhcp(rebinding6(CLIENT, xid));
    home?.hearDhcp(reply6(router, xid));
  }
}

class ScratchSite {
  readonly mobility: Mobility;
  readonly #number: number;
  readonly #lan: Lan;
  readonly #clock: Clock;
  readonly #link: ScratchLink;

  constructor(id: RouterId, number: number, clock: Clock, codec: ControlCodec) {
    this.#number = number;
    this.#clock = clock;
    this.#lan = {
      index: 0,
      interface: 'none',
      vnet: VNET,
      mac: macOf(number, 0xffff),
      addresses: [addressOf(number, 254), linkLocalOf(macOf(number, 0xffff))],
    };
    const gndt = new Gndt(CONFIG, id);
    const directory = new Directory(id, clock);
    const hwdt = new Hwdt(clock);
    const entries = networksOf(number).map((prefix) => ({ vnet: VNET, prefix, mac: undefined }));
    const lndt = new Lndt(entries, gndt, directory);
    const tables = { gndt, directory, hwdt, lndt };
    const lans = new Lans([this.#lan]);
    const table = ForwardingTable.create({ slots: 64 });
    new ForwardingCompiler({ ...tables, clock, table, lans, tuns: [] }).rebuild();
    const native = { setRescue: () => {} };
    new LanRescue({ native, clock, gndt, directory, lans, lanSockets: [NO_SOCKET], hub: { emit: () => {} } });
    new LocalRecords(gndt, directory);
    const others = IDS.filter((other) => other !== id);
    this.#link = new ScratchLink(clock, codec);
    this.mobility = new Mobility({
      ...tables,
      lans,
      limits: { nodesPerLan: 4_096, nodesPerRouter: 16_384, nodes: 131_072 },
      growth: { mayAdd: () => true },
      config: { verify: 'optimistic', maxMoves: MOVES, moveWindowSeconds: 1 },
      ports: {
        clock,
        messenger: { send: (_to, message) => this.#link.send(message), upPeers: () => others },
        sendFrame: (_lan, frame) => void decodeNeighbourFrame(frame),
        event: () => {},
        moveJudged: () => {},
        saveState: () => {},
      },
    });
  }

  connect(other: RouterId, far: ScratchSite): void {
    this.#link.connect(far.#link, (message) => this.mobility.message(other, message));
  }

  /** Its neighbours, and at the first site the node. */
  populate(): void {
    for (let host = 2; host < HOSTS; host++) {
      this.#say(macOf(this.#number, host), addressOf(this.#number, host));
    }
    if (this.#number === 0) this.#nodeSpeaks();
  }

  /** The node is here now: by RARP, gratuitous ARP and neighbour advertisement in turn. */
  announce(move: number): void {
    if (move % 4 < 2) this.#hear({ ...this.#frame(NODE, UNSPECIFIED), kind: 'rarp', operation: 3 });
    this.#nodeSpeaks();
  }

  hearDhcp(frame: DhcpFrame | undefined): void {
    if (frame !== undefined) this.mobility.dhcpSeen(0, frame, this.#clock.nowMs());
  }

  #nodeSpeaks(): void {
    this.#say(NODE, addressOf(0, 1));
    this.#hear(advertisementOf(NODE, NODE_V6));
  }

  #say(mac: Mac, ip: Ip): void {
    this.#hear(this.#frame(mac, ip));
  }

  #frame(mac: Mac, ip: Ip): Extract<NeighbourFrame, { kind: 'arp' | 'rarp' }> {
    return {
      kind: 'arp',
      operation: 1,
      ethernetSource: mac,
      ethernetDestination: BROADCAST_MAC,
      senderMac: mac,
      senderIp: ip,
      targetMac: mac,
      targetIp: ip,
    };
  }

  #hear(frame: NeighbourFrame): void {
    const decoded = decodeNeighbourFrame(encodeNeighbourFrame(frame));
    if (typeof decoded !== 'string') this.mobility.frameSeen(0, decoded, this.#clock.nowMs());
  }
}

/** One end of a control link: the real channel and codec, with no session below. */
class ScratchLink {
  readonly #codec: ControlCodec;
  readonly #channel: Channel;
  #far: ScratchLink | undefined;
  #hear: (message: TableMessage) => void = () => {};

  constructor(clock: Clock, codec: ControlCodec) {
    this.#codec = codec;
    this.#channel = new Channel({
      clock,
      times: DEFAULT_TIMES,
      rtt: new RttEstimator(),
      counters: new Counters(),
      output: {
        transmit: (envelope) => {
          this.#far?.receive(codec.encode(envelope));
          return true;
        },
      },
    });
  }

  connect(far: ScratchLink, hear: (message: TableMessage) => void): void {
    this.#far = far;
    this.#hear = hear;
    this.#channel.peerBegan(far.#channel.epoch);
  }

  send(message: TableMessage): void {
    for (const part of split(message)) this.#channel.send(part);
  }

  receive(payload: Uint8Array): void {
    const decoded = this.#codec.decode(payload);
    if (typeof decoded === 'string') return;
    const { envelope } = decoded;
    this.#channel.acknowledged(envelope);
    if (this.#channel.isNew(envelope) && envelope.body !== undefined && isTableMessage(envelope.body)) {
      this.#hear(envelope.body);
    }
    this.#channel.flushAcks();
  }
}

/** Time that passes when it is told to; what falls due is run on the way. */
class ScratchTime {
  readonly clock: Clock;
  #nowMs = 0.5;
  #pending: Pending[] = [];

  constructor(wallMs: number) {
    this.clock = {
      nowMs: () => this.#nowMs,
      wallMs: () => wallMs + this.#nowMs,
      after: (_name, delayMs, action) => this.#after(delayMs, action),
    };
  }

  pass(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const next = this.#pending.reduce<Pending | undefined>(
        (first, one) =>
          one.dueMs <= endMs && (first === undefined || one.dueMs < first.dueMs) ? one : first,
        undefined,
      );
      if (next === undefined) break;
      this.#pending = this.#pending.filter((other) => other !== next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.action();
    }
    this.#nowMs = endMs;
  }

  #after(delayMs: number, action: () => void): Timer {
    const timer = { dueMs: this.#nowMs + delayMs, action };
    this.#pending.push(timer);
    return {
      cancel: () => {
        this.#pending = this.#pending.filter((other) => other !== timer);
      },
    };
  }
}

interface Pending {
  readonly dueMs: number;
  readonly action: () => void;
}

const CLIENT: ScratchClient = { mac: NODE, ip: addressOf(0, 1), server: addressOf(0, 2) };
const UNSPECIFIED = Ip.of('0.0.0.0');
const NO_SOCKET: LanSocket = { fd: -1, index: 0, macHigh: 0, macLow: 0, mtuBytes: 1500, vnetHeader: false };

function macOf(site: number, host: number): Mac {
  return (0x020000000000 + site * 0x10000 + host) as Mac;
}

function addressOf(site: number, host: number): Ip {
  return Ip.v4(0x0a000000 + site * 0x100 + host);
}

function networksOf(site: number): Prefix[] {
  return [
    Prefix.containing(addressOf(site, 0), 24),
    Prefix.containing(Ip.v6(0xfd000000 + site, 0, 0, 0), 64),
  ];
}

function advertisementOf(mac: Mac, ip: Ip): NeighbourFrame {
  return {
    kind: 'na',
    ethernetSource: mac,
    ethernetDestination: groupMac(ALL_NODES),
    source: ip,
    destination: ALL_NODES,
    target: ip,
    targetMac: mac,
    override: true,
    solicited: false,
    router: false,
  };
}

const CONFIG: GndtConfig = {
  vnets: [{ name: 'none', id: VNET, subnet: undefined }],
  routers: IDS.map((id) => ({ id, publicKey: new Uint8Array(32), endpoints: [], relay: false })),
  networks: IDS.flatMap((router, n) =>
    networksOf(n).map((prefix) => ({ vnet: VNET, prefix, router, gateway: undefined, allow: undefined })),
  ),
  cipher: 'chacha20-poly1305',
  nodes: [],
};
