/** A packet worker that decides over one packet at a time, with an engine that is only memory, for tests. */
import { C, createPacketCounters, type PacketCounter } from '../../src/dataplane/counters.js';
import type { Delivery } from '../../src/dataplane/forward/delivery.js';
import { type Forwarder, PacketPath } from '../../src/dataplane/forward/packet-path.js';
import type { LanRoles } from '../../src/dataplane/lan-roles.js';
import { markDone, type Punt, Tally } from '../../src/dataplane/punt/punt.js';
import { ControlWord, type WorkerInput } from '../../src/dataplane/worker-input.js';
import { Ip } from '../../src/net/ip.js';
import { type Mac, ZERO_MAC } from '../../src/net/mac.js';
import { Prefix } from '../../src/net/prefix.js';
import { ForwardingTable } from '../../src/tables/forwarding/forwarding-table.js';
import type { NetworkConfig, RouterEntry } from '../../src/tables/model.js';
import { FlowShadow } from './flow-shadow.js';
import { MemoryEngine } from './memory-engine.js';
import type { SimClock } from './sim-clock.js';
import { workerInput } from './worker-input.js';

const MOST_PEERS = 16;

export interface PacketWorkerOptions {
  readonly clock: SimClock;
  /** This router's number. */
  readonly self: number;
  /** The router's MAC on its one LAN, of vnet 1. */
  readonly mac: Mac;
  /** Inner MTU to every peer. */
  readonly mtuBytes: number;
  /** Of the virtual MACs that its LAN is served with. */
  readonly vrid?: number;
  readonly lanRoles?: LanRoles;
  /** What is not as a router with one LAN and nothing in its tables has it. */
  readonly given?: Partial<WorkerInput>;
}

export class PacketWorker {
  readonly engine = new MemoryEngine();
  /** What was handed up and not worked off. */
  readonly posted: Punt[] = [];
  /** TCP connections that were turned away. */
  readonly closed: number[] = [];
  /** False: the way up is full. */
  hasRoom = true;
  readonly clock: SimClock;
  readonly counters = createPacketCounters();
  readonly #done = new Int32Array(new SharedArrayBuffer(Tally.count * 4));
  readonly control = new Int32Array(new SharedArrayBuffer(ControlWord.count * 4));
  readonly peerMtu = new Int32Array(new SharedArrayBuffer(MOST_PEERS * 4));
  readonly self: number;
  readonly delivery: Delivery;
  readonly #mac: Mac;
  readonly #lan: Forwarder;
  readonly #tunnel: Forwarder;
  readonly #shadow: FlowShadow;

  constructor(options: PacketWorkerOptions) {
    this.clock = options.clock;
    this.#mac = options.mac;
    this.self = options.self;
    this.peerMtu.fill(options.mtuBytes);
    Atomics.store(this.control, ControlWord.serving, 1);
    const shared = (words: Int32Array | Float64Array): SharedArrayBuffer => words.buffer as SharedArrayBuffer;
    const input = workerInput(
      options.mac,
      {
        lanVnets: [1, 1],
        table: ForwardingTable.create().memory,
        selfPeer: options.self,
        peerMtu: shared(this.peerMtu),
        counters: shared(this.counters),
        control: shared(this.control),
        puntsDone: shared(this.#done),
        ...options.given,
      },
      options.vrid,
      options.lanRoles,
    );
    const ports = {
      punt: (punt: Punt) => this.hasRoom && this.posted.push(punt) > 0,
      closeStream: (stream: number) => void this.closed.push(stream),
    };
    const { lan, tunnel, delivery } = new PacketPath(this.engine, input, ports, this.clock);
    this.delivery = delivery;
    this.#shadow = new FlowShadow(this.engine, input);
    this.#lan = lan;
    this.#tunnel = tunnel;
  }

  /** A frame from a LAN. */
  frame(from: Mac, packet: Uint8Array, to = this.#mac, lan = 0): void {
    this.#decide(() => this.engine.putFrame(lan, from, packet, to), this.#lan);
  }

  /** What the machine itself sends: there are no MACs on a TUN port. */
  frameFromTun(port: number, packet: Uint8Array): void {
    this.#decide(() => this.engine.putFrame(port, ZERO_MAC, packet, ZERO_MAC), this.#lan);
  }

  /** A decrypted message, as it is. */
  message(peer: number, payload: Uint8Array, sessionFlags?: number, session?: number): void {
    this.#decide(() => this.engine.putMessage(peer, payload, sessionFlags, session), this.#tunnel);
  }

  /** An overlay packet. */
  overlay(peer: number, packet: Uint8Array, { hops = 4, vnet = 1, padding = 0 } = {}): void {
    const header = Buffer.from([0x10, hops, vnet >>> 8, vnet & 0xff]);
    this.message(peer, Buffer.concat([header, packet, Buffer.alloc(padding)]));
  }

  /** A handshake message. */
  handshake(bytes: Uint8Array, sourceWord: number, port: number): void {
    this.#decide(() => this.engine.putHandshake(bytes, sourceWord, port), this.#tunnel);
  }

  /** @param event of `StreamEvent` */
  stream(event: number, stream: number): void {
    this.#decide(() => this.engine.putStream(event, stream), this.#tunnel);
  }

  /** The control thread works on the first `count` that were handed up. */
  workOff(count = this.posted.length): Punt[] {
    const punts = this.posted.splice(0, count);
    for (const punt of punts) markDone(this.#done, punt);
    return punts;
  }

  /** Packets that a flow memory would have forwarded. */
  get known(): number {
    return this.#shadow.known;
  }

  counted(name: PacketCounter): number {
    return this.counters[C[name]] ?? 0;
  }

  /** What was sent for the packet before is forgotten. */
  #decide(put: () => void, forwarder: Forwarder): void {
    this.engine.sent.length = 0;
    put();
    this.#shadow.watch(
      () => forwarder.decide(0),
      () => this.posted.length,
    );
    this.engine.send(0, 1);
  }
}

/** A network, as gndt.json's. */
export function networkOf(prefix: string, router: string, gateway?: string, vnet = 1): NetworkConfig {
  return {
    vnet,
    prefix: Prefix.of(prefix),
    router,
    gateway: gateway === undefined ? undefined : Ip.of(gateway),
    allow: undefined,
  };
}

/** A router without endpoint, as gndt.json's. */
export function routerOf(id: string): RouterEntry {
  return { id, publicKey: new Uint8Array(32), endpoints: [], relay: false };
}
