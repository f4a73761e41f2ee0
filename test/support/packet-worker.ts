/** A packet worker that decides over one packet at a time, with an engine that is only memory, for tests. */
import { C, createPacketCounters, type PacketCounter, V } from '../../src/dataplane/counters.js';
import { LanForwarder } from '../../src/dataplane/lan-forwarder.js';
import { RelayTable } from '../../src/dataplane/relay-table.js';
import { TunnelForwarder } from '../../src/dataplane/tunnel-forwarder.js';
import { WorkerContext } from '../../src/dataplane/worker-context.js';
import {
  ControlWord,
  type WorkerInput,
  type WorkerMessage,
  WorkerWord,
} from '../../src/dataplane/worker-message.js';
import { Ip } from '../../src/net/ip.js';
import { type Mac, macHigh, macLow, ZERO_MAC } from '../../src/net/mac.js';
import { Prefix } from '../../src/net/prefix.js';
import { ForwardingTable } from '../../src/tables/forwarding-table.js';
import { MacTable } from '../../src/tables/mac-table.js';
import type { NetworkConfig, RouterEntry } from '../../src/tables/model.js';
import { MemoryEngine } from './memory-engine.js';
import type { SimClock } from './sim-clock.js';

const MOST_PEERS = 16;
const MOST_VNETS = 16;

export interface PacketWorkerOptions {
  readonly clock: SimClock;
  /** This router's number. */
  readonly self: number;
  /** The router's MAC on its one LAN, of vnet 1. */
  readonly mac: Mac;
  /** Inner MTU to every peer. */
  readonly mtuBytes: number;
  /** What is not as a router with one LAN and nothing in its tables has it. */
  readonly given?: Partial<WorkerInput>;
}

export class PacketWorker {
  readonly engine = new MemoryEngine();
  readonly posted: WorkerMessage[] = [];
  readonly clock: SimClock;
  readonly counters = createPacketCounters();
  readonly control = new Int32Array(new SharedArrayBuffer(ControlWord.count * 4));
  readonly peerMtu = new Int32Array(new SharedArrayBuffer(MOST_PEERS * 4));
  readonly context: WorkerContext;
  readonly #mac: Mac;
  readonly #lan: LanForwarder;
  readonly #tunnel: TunnelForwarder;

  constructor(options: PacketWorkerOptions) {
    this.clock = options.clock;
    this.#mac = options.mac;
    this.peerMtu.fill(options.mtuBytes);
    Atomics.store(this.control, ControlWord.serving, 1);
    this.context = new WorkerContext(
      this.engine,
      { ...this.#input(options), ...options.given },
      (message) => void this.posted.push(message),
      () => this.clock.nowMs(),
    );
    this.#lan = new LanForwarder(this.context);
    this.#tunnel = new TunnelForwarder(this.context);
  }

  /** A frame from the LAN. */
  frame(from: Mac, packet: Uint8Array, to = this.#mac): void {
    this.#decide(() => this.engine.putFrame(0, from, packet, to), this.#lan);
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

  counted(name: PacketCounter): number {
    return this.counters[C[name]] ?? 0;
  }

  /** What was sent for the packet before is forgotten. */
  #decide(put: () => void, forwarder: { decide(descriptor: number): void }): void {
    this.engine.sent.length = 0;
    put();
    forwarder.decide(0);
    this.engine.send(0, 1);
  }

  #input({ self, mac }: PacketWorkerOptions): WorkerInput {
    const lan = { fd: 3, index: 0, macHigh: macHigh(mac), macLow: macLow(mac), mtuBytes: 1500 };
    return {
      engine: {
        role: 'lan',
        lans: [{ ...lan, vnetHeader: true }],
        tuns: [],
        udp: [],
        wakeupFd: -1,
        slots: 0,
        slotBytes: 0,
        counters: new SharedArrayBuffer(8),
      },
      lanVnets: [1, 1],
      tunsFrom: 1,
      lanAddresses: [{ v4: undefined, v6: undefined }],
      vnets: new Uint8Array(new SharedArrayBuffer(65_536)).fill(1, 1, 2).buffer as SharedArrayBuffer,
      table: ForwardingTable.create().memory,
      macs: MacTable.create(16).memory,
      selfPeer: self,
      relays: RelayTable.create(MOST_PEERS).memory,
      clientVnets: new SharedArrayBuffer(MOST_PEERS * 4),
      peerMtu: this.peerMtu.buffer as SharedArrayBuffer,
      counters: this.counters.buffer as SharedArrayBuffer,
      vnetCounters: new SharedArrayBuffer(MOST_VNETS * V.count * 8),
      control: this.control.buffer as SharedArrayBuffer,
      words: new SharedArrayBuffer(4 * WorkerWord.count),
    };
  }
}

/** A network of vnet 1, as gndt.json's. */
export function networkOf(prefix: string, router: string, gateway?: string): NetworkConfig {
  return {
    vnet: 1,
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
