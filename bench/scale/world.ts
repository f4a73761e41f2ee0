/**
 * Many routers of the real tables, mobility and control codec on a simulated clock and network. All nodes are known to
 * every full router; the rest of the routers only answer claims, where the records of all would not fit into memory.
 */
import { decodeNeighbourFrame, encodeNeighbourFrame } from '../../src/arp/frame.js';
import { Mobility } from '../../src/mobility/mobility.js';

import type { Clock, Timer } from '../../src/net/clock.js';
import { Ip } from '../../src/net/ip.js';
import { BROADCAST_MAC, type Mac } from '../../src/net/mac.js';
import { Prefix } from '../../src/net/prefix.js';
import { ControlCodec } from '../../src/protocol/control-codec.js';
import type { ClaimMessage, TableMessage } from '../../src/protocol/table-message.js';
import { Directory } from '../../src/tables/directory.js';
import { ForwardingCompiler } from '../../src/tables/forwarding/forwarding-compiler.js';
import { ForwardingTable } from '../../src/tables/forwarding/forwarding-table.js';
import { Gndt } from '../../src/tables/gndt.js';
import { Hwdt } from '../../src/tables/hwdt.js';
import { Lans } from '../../src/tables/lan.js';
import { Lndt } from '../../src/tables/lndt.js';
import type { GndtConfig, NodeRecord, RouterId } from '../../src/tables/model.js';
import { SimClock } from '../../test/support/sim-clock.js';
import { randomOf } from '../../test/support/sim-lan-wan.js';

const VNET = 1;
/** A /22 each; a site has as many as it needs. */
const ADDRESSES_PER_NETWORK = 1024;
export const MOST_PER_NETWORK = 1000;
const UNSPECIFIED = Ip.of('0.0.0.0');
/** Of the simulated WAN, one way: each pair of routers has its own, from 5 to 50 ms. */
export const MOST_DELAY_MS = 50;
const LEAST_DELAY_MS = 5;
/** WireGuard's header and tag, UDP and IPv4. */
const DATAGRAM_OVERHEAD_BYTES = 16 + 16 + 8 + 20;

export interface WorldSize {
  readonly routers: number;
  readonly nodes: number;
  /** With tables; the first ones. */
  readonly full: number;
  /** Nodes in one network at most: a node that moves is told of all of them, by ARP. */
  readonly perNetwork: number;
}

export class ScaleWorld {
  readonly clock = new SimClock();
  readonly size: WorldSize;
  readonly sites: readonly ScaleSite[];
  readonly ids: readonly RouterId[];
  readonly random = randomOf(1);
  readonly #networks: number;
  readonly #codec = new ControlCodec();
  readonly #byId: ReadonlyMap<RouterId, number>;
  messages = 0;
  bytes = 0;

  constructor(size: WorldSize) {
    this.size = size;
    this.#networks = Math.max(size.routers, Math.ceil(size.nodes / size.perNetwork));
    this.ids = Array.from({ length: size.routers }, (_, n) => `vr-${n}`);
    this.#byId = new Map(this.ids.map((id, n) => [id, n]));
    const config = this.#config();
    this.sites = this.ids.slice(0, size.full).map((id) => new ScaleSite(id, config, this));
  }

  addressOf(node: number): Ip {
    const network = node % this.#networks;
    return Ip.v4(0x0a000000 + network * ADDRESSES_PER_NETWORK + 1 + Math.floor(node / this.#networks));
  }

  macOf(node: number): Mac {
    return (0x525400000000 + node) as Mac;
  }

  homeOf(node: number): RouterId {
    return this.ids[(node % this.#networks) % this.size.routers] ?? '';
  }

  /** Every full router learns every node, as by the records of its home router. */
  populate(): void {
    const records: NodeRecord[] = Array.from({ length: this.size.nodes }, (_, node) => ({
      vnet: VNET,
      ip: this.addressOf(node),
      mac: this.macOf(node),
      router: this.homeOf(node),
      seq: 1,
      state: 'here',
      stamp: node + 1,
    }));
    for (const site of this.sites) site.directory.load(records);
  }

  /** Through the codec and the simulated WAN; who only answers, answers at once. */
  send(from: RouterId, to: RouterId, message: TableMessage): void {
    const payload = this.#encode(message);
    const number = this.#byId.get(to) ?? 0;
    const delayMs = this.delayMs(this.#byId.get(from) ?? 0, number);
    const site = this.sites[number];
    if (site !== undefined) {
      this.clock.after('message', delayMs, () => site.receive(from, this.#codec, payload));
    } else if (message.type === 'claim') {
      const answer = acceptAll(message);
      this.#encode(answer);
      this.clock.after('message', 2 * delayMs, () => this.#answer(from, to, answer));
    }
  }

  #answer(to: RouterId, from: RouterId, message: TableMessage): void {
    const payload = this.#codec.encode(envelope(message));
    this.sites[this.#byId.get(to) ?? 0]?.receive(from, this.#codec, payload);
  }

  #encode(message: TableMessage): Uint8Array {
    const payload = this.#codec.encode(envelope(message));
    this.messages++;
    this.bytes += payload.length + DATAGRAM_OVERHEAD_BYTES;
    return payload;
  }

  /** The same in both directions, whatever the order of asking. */
  delayMs(a: number, b: number): number {
    const mixed = Math.imul(Math.min(a, b) + 1, 0x9e3779b1) ^ Math.imul(Math.max(a, b) + 1, 0x85ebca77);
    return LEAST_DELAY_MS + ((mixed >>> 8) % 1000) * ((MOST_DELAY_MS - LEAST_DELAY_MS) / 1000);
  }

  #config(): GndtConfig {
    return {
      vnets: [{ name: 'blue', id: VNET, subnet: undefined }],
      routers: this.ids.map((id) => ({ id, publicKey: new Uint8Array(32), endpoints: [], relay: false })),
      networks: Array.from({ length: this.#networks }, (_, network) => ({
        vnet: VNET,
        prefix: Prefix.containing(Ip.v4(0x0a000000 + network * ADDRESSES_PER_NETWORK), 22),
        router: this.ids[network % this.size.routers] ?? '',
        gateway: undefined,
        allow: undefined,
      })),
      cipher: 'chacha20-poly1305',
      nodes: [],
    };
  }
}

/** One router with all its tables. Its work is timed, by what set it off. */
export class ScaleSite {
  readonly id: RouterId;
  readonly directory: Directory;
  readonly mobility: Mobility;
  /** Milliseconds of processor time, and how often. */
  readonly spent = { frames: 0, timers: 0, claims: 0, others: 0 };
  readonly count = { frames: 0, timers: 0, claims: 0, others: 0 };
  framesSent = 0;
  readonly #clock: SimClock;

  constructor(id: RouterId, config: GndtConfig, world: ScaleWorld) {
    this.id = id;
    this.#clock = world.clock;
    const clock = this.#timedClock();
    this.directory = new Directory(id, clock);
    const gndt = new Gndt(config, id);
    const own = config.networks.filter(({ router }) => router === id);
    const entries = own.map(({ vnet, prefix }) => ({ vnet, prefix, mac: undefined }));
    const lndt = new Lndt(entries, gndt, this.directory);
    const hwdt = new Hwdt(clock);
    const table = ForwardingTable.create({ slots: 16_384 });
    const mac = 0x020000000001 as Mac;
    const lans = new Lans([{ index: 0, interface: 'lan0', vnet: VNET, mac, addresses: [] }]);
    const { directory } = this;
    new ForwardingCompiler({
      clock,
      gndt,
      lndt,
      hwdt,
      directory,
      table,
      lans,
      tuns: [],
    }).rebuild();
    const others = world.ids.filter((other) => other !== id);
    this.mobility = new Mobility({
      gndt,
      lndt,
      hwdt,
      directory,
      lans,
      limits: { nodesPerLan: 65_536, nodesPerRouter: 131_072, nodes: 131_072 },
      growth: { mayAdd: () => true },
      config: { verify: 'optimistic', maxMoves: 1000, moveWindowSeconds: 180 },
      ports: {
        clock,
        messenger: { send: (to, message) => world.send(id, to, message), upPeers: () => others },
        sendFrame: () => {
          this.framesSent++;
        },
        event: () => {},
        saveState: () => {},
      },
    });
  }

  /** A hypervisor announces the node here. */
  announce(mac: Mac): void {
    const frame = decodeNeighbourFrame(
      encodeNeighbourFrame({
        kind: 'rarp',
        operation: 3,
        ethernetSource: mac,
        ethernetDestination: BROADCAST_MAC,
        senderMac: mac,
        senderIp: UNSPECIFIED,
        targetMac: mac,
        targetIp: UNSPECIFIED,
      }),
    );
    if (typeof frame === 'string') throw new Error(frame);
    this.#timed('frames', () => this.mobility.frameSeen(0, frame, this.#clock.nowMs()));
  }

  receive(from: RouterId, codec: ControlCodec, payload: Uint8Array): void {
    const started = processorMs();
    const decoded = codec.decode(payload);
    if (typeof decoded === 'string') throw new Error(decoded);
    const message = decoded.envelope.body as TableMessage;
    this.mobility.message(from, message);
    const kind = message.type === 'claim' ? 'claims' : 'others';
    this.spent[kind] += processorMs() - started;
    this.count[kind]++;
  }

  #timed(kind: keyof ScaleSite['spent'], action: () => void): void {
    const started = processorMs();
    action();
    this.spent[kind] += processorMs() - started;
    this.count[kind]++;
  }

  #timedClock(): Clock {
    const clock = this.#clock;
    return {
      nowMs: () => clock.nowMs(),
      wallMs: () => clock.wallMs(),
      after: (name, delayMs, action): Timer =>
        clock.after(name, delayMs, () => this.#timed('timers', action)),
    };
  }
}

const envelope = (body: TableMessage) => ({ id: 7, acks: [7], epoch: 1, ackEpoch: 1, oldest: 7, body });

function acceptAll({ claimId, moves }: ClaimMessage): TableMessage {
  const records = moves.flatMap((move) => move.records);
  const results = records.map(({ vnet, ip, seq }) => ({
    vnet,
    ip,
    seq,
    verdict: 'accepted' as const,
    reason: '' as const,
  }));
  return { type: 'claimResult', claimId, results };
}

/** Of this process, all its threads: on a busy machine the clock on the wall would measure the others' work too. */
function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
