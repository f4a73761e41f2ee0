/** The data plane as the control thread sees it: opens the sockets, starts the two workers, hears what they report. */
import { Worker } from 'node:worker_threads';
import type { Clock } from '../net/clock.js';
import { createPacketCounters, createVnetCounters, PACKET_COUNTERS, V, VNET_IDS } from './counters.js';
import { EngineCounter, type LanSocket, type NativeAddon, type TunSocket, type UdpSocket } from './engine.js';
import { ControlWord, type WorkerInput, type WorkerMessage, WorkerWord } from './worker-message.js';

export type WorkerName = 'lan-to-tunnel' | 'tunnel-to-lan';

const MAX_PEERS = 4096;
/** RFC 8200 §5: what every path carries; in use until a peer is up and its inner MTU is known. */
const MIN_MTU_BYTES = 1280;
/** 64 small packets fit a batch; a LAN slot holds a whole super-packet. */
const LAN_SLOTS = 32;
const TUNNEL_SLOTS = 64;
const SLOT_BYTES = 66_560;
/** A worker's loop allocates nothing; the default would let what its start leaves behind grow to 48 MB. */
const YOUNG_GENERATION_MB = 4;
const STOP_LIMIT_MS = 700;

export interface PlaneClient {
  readonly peer: number;
  readonly vnet: number;
}

export interface PlaneOptions {
  readonly clock: Clock;
  readonly native: NativeAddon;
  readonly lans: readonly LanSocket[];
  /** Numbered behind the LANs. */
  readonly tuns: readonly TunSocket[];
  readonly udp: readonly UdpSocket[];
  readonly lanVnets: WorkerInput['lanVnets'];
  readonly lanAddresses: WorkerInput['lanAddresses'];
  readonly vnets: readonly number[];
  readonly table: SharedArrayBuffer;
  readonly macs: SharedArrayBuffer;
  readonly selfPeer: number;
  readonly relays: SharedArrayBuffer;
  readonly clients: readonly PlaneClient[];
  readonly onMessage: (message: WorkerMessage) => void;
  /** A worker died: the daemon must not go on half-working. */
  readonly onFailure: (worker: WorkerName, error: Error) => void;
}

/** Super-packets count as one; bytes are those of the inner packets. */
export interface VnetTraffic {
  readonly packetsToTunnel: number;
  readonly bytesToTunnel: number;
  readonly packetsToLan: number;
  readonly bytesToLan: number;
}

interface Running {
  readonly name: WorkerName;
  readonly worker: Worker;
  readonly wakeupFd: number;
  readonly packets: Float64Array;
  readonly vnets: Float64Array;
  readonly engine: BigUint64Array;
  readonly words: Int32Array;
  thread: number;
  state: 'running' | 'stopped';
}

export class DataPlane {
  readonly #options: PlaneOptions;
  readonly #peerMtu = new Int32Array(new SharedArrayBuffer(MAX_PEERS * 4)).fill(MIN_MTU_BYTES);
  readonly #control = new Int32Array(new SharedArrayBuffer(ControlWord.count * 4));
  /** By peer: a WireGuard client's vnet, 0 for routers. */
  readonly #clientVnets = new Int32Array(new SharedArrayBuffer(MAX_PEERS * 4));
  readonly #vnets = new Uint8Array(new SharedArrayBuffer(VNET_IDS));
  readonly #workers: Running[] = [];

  constructor(options: PlaneOptions) {
    this.#options = options;
    this.setVnets(options.vnets);
    this.setClients(options.clients);
  }

  /** Starts the worker that hears the other routers; data packets wait for `serve`. */
  async startTunnel(): Promise<void> {
    await this.#startWorker('tunnel-to-lan', 'tunnel', TUNNEL_SLOTS);
  }

  /** Tables are complete: data packets may pass, and the LAN is read. */
  async serve(): Promise<void> {
    Atomics.store(this.#control, ControlWord.serving, 1);
    await this.#startWorker('lan-to-tunnel', 'lan', LAN_SLOTS);
  }

  /** Packets of other vnets are dropped from now on. */
  setVnets(ids: readonly number[]): void {
    const known = new Set(ids);
    for (let id = 0; id < VNET_IDS; id++) this.#vnets[id] = known.has(id) ? 1 : 0;
  }

  /** Peers that are WireGuard clients from now on; all others are routers. A new one has no session yet. */
  setClients(clients: readonly PlaneClient[]): void {
    const vnets = new Map(clients.map(({ peer, vnet }) => [peer, vnet]));
    for (let peer = 0; peer < MAX_PEERS; peer++) {
      const vnet = vnets.get(peer) ?? 0;
      if (this.#clientVnets[peer] === vnet) continue;
      this.#peerMtu[peer] = vnet === 0 ? MIN_MTU_BYTES : 0;
      this.#clientVnets[peer] = vnet;
    }
  }

  /** The number is another router's now, or nobody's: what its path carries has to be learned again. */
  forgetPeerMtu(peer: number): void {
    this.#peerMtu[peer] = MIN_MTU_BYTES;
  }

  setPeerMtu(peer: number, mtuBytes: number): void {
    this.#peerMtu[peer] = mtuBytes;
  }

  peerMtu(peer: number): number {
    return this.#peerMtu[peer] ?? 0;
  }

  /** A MAC was learned: let the workers look at what they hold. Those that hold nothing are left alone. */
  wakeHolding(): void {
    for (const { wakeupFd, words } of this.#workers) {
      if (Atomics.load(words, WorkerWord.holding) === 1) this.#options.native.wake(wakeupFd);
    }
  }

  workers(): readonly { name: WorkerName; state: 'running' | 'stopped'; packets: number }[] {
    return this.#workers.map(({ name, state, engine }) => {
      const index =
        name === 'lan-to-tunnel' ? EngineCounter.lanFramesReceived : EngineCounter.tunnelDatagramsReceived;
      return { name, state, packets: Number(engine[index] ?? 0n) };
    });
  }

  /** How often each worker has gone round its loop, wrapping at 32 bits: at least five times a second while it is well. */
  turns(): readonly { name: WorkerName; turns: number }[] {
    return this.#workers.map(({ name, words }) => ({ name, turns: Atomics.load(words, WorkerWord.turns) }));
  }

  /** The kernel's thread numbers of the workers that run; 0 when not known. */
  threads(): readonly { name: WorkerName; thread: number }[] {
    return this.#workers
      .filter(({ state }) => state === 'running')
      .map(({ name, thread }) => ({ name, thread }));
  }

  /** What the vnet's packets have come to, over both workers. */
  vnetTraffic(vnet: number): VnetTraffic {
    const sum = (field: number): number =>
      this.#workers.reduce((total, { vnets }) => total + (vnets[vnet * V.count + field] ?? 0), 0);
    return {
      packetsToTunnel: sum(V.packetsToTunnel),
      bytesToTunnel: sum(V.bytesToTunnel),
      packetsToLan: sum(V.packetsToLan),
      bytesToLan: sum(V.bytesToLan),
    };
  }

  /** Sums over both workers, by stable name. */
  counters(): Record<string, number> {
    const result: Record<string, number> = {};
    for (const [index, name] of PACKET_COUNTERS.entries()) {
      result[name] = this.#workers.reduce((sum, { packets }) => sum + (packets[index] ?? 0), 0);
    }
    for (const [key, index] of Object.entries(EngineCounter)) {
      if (key === 'count') continue;
      const name = key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      result[name] = this.#workers.reduce((sum, { engine }) => sum + Number(engine[index] ?? 0n), 0);
    }
    return result;
  }

  /** Stops both workers; they finish their batch. Ends them by force when they don't within the limit. */
  async stop(): Promise<void> {
    Atomics.store(this.#control, ControlWord.stop, 1);
    for (const { wakeupFd } of this.#workers) this.#options.native.wake(wakeupFd);
    await Promise.all(this.#workers.map((running) => this.#awaitEnd(running)));
    for (const { wakeupFd } of this.#workers) this.#options.native.closeSocket(wakeupFd);
  }

  async #awaitEnd(running: Running): Promise<void> {
    if (running.state === 'stopped') return;
    const ended = new Promise<void>((resolve) => running.worker.once('exit', () => resolve()));
    const force = this.#options.clock.after(
      'worker-stop',
      STOP_LIMIT_MS,
      () => void running.worker.terminate(),
    );
    await ended;
    force.cancel();
  }

  #startWorker(name: WorkerName, role: 'lan' | 'tunnel', slots: number): Promise<void> {
    const { native, lans, tuns, udp, lanVnets, lanAddresses, table, macs, selfPeer, relays } = this.#options;
    const packets = createPacketCounters();
    const engine = new BigUint64Array(new SharedArrayBuffer(EngineCounter.count * 8));
    const words = new Int32Array(new SharedArrayBuffer(WorkerWord.count * 4));
    const vnets = createVnetCounters();
    const wakeupFd = native.createWakeup();
    const input: WorkerInput = {
      engine: {
        role,
        lans,
        tuns,
        udp,
        wakeupFd,
        streams: role === 'tunnel',
        slots,
        slotBytes: SLOT_BYTES,
        counters: engine.buffer as SharedArrayBuffer,
      },
      lanVnets,
      tunsFrom: lans.length,
      lanAddresses,
      vnets: this.#vnets.buffer as SharedArrayBuffer,
      table,
      macs,
      selfPeer,
      relays,
      clientVnets: this.#clientVnets.buffer as SharedArrayBuffer,
      peerMtu: this.#peerMtu.buffer as SharedArrayBuffer,
      counters: packets.buffer as SharedArrayBuffer,
      vnetCounters: vnets.buffer as SharedArrayBuffer,
      control: this.#control.buffer as SharedArrayBuffer,
      words: words.buffer as SharedArrayBuffer,
    };
    const worker = new Worker(new URL('./worker.js', import.meta.url), {
      workerData: input,
      name,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    const running: Running = {
      name,
      worker,
      wakeupFd,
      packets,
      vnets,
      engine,
      words,
      thread: 0,
      state: 'running',
    };
    this.#workers.push(running);
    return new Promise((resolve, reject) => this.#watch(running, resolve, reject));
  }

  #watch(running: Running, started: () => void, failed: (error: Error) => void): void {
    let isUp = false;
    const fail = (error: Error): void => {
      running.state = 'stopped';
      if (isUp) this.#options.onFailure(running.name, error);
      else failed(error);
    };
    running.worker.on('message', (message: WorkerMessage) => {
      if (message.type === 'running') {
        isUp = true;
        running.thread = message.thread;
        started();
      } else if (message.type === 'stopped') {
        running.state = 'stopped';
      } else {
        this.#options.onMessage(message);
        if (message.type === 'handshake') Atomics.add(this.#control, ControlWord.handshakesDone, 1);
      }
    });
    running.worker.on('error', fail);
    running.worker.on('exit', (code) => {
      if (running.state === 'running' && Atomics.load(this.#control, ControlWord.stop) === 0) {
        fail(new Error(`packet worker ${running.name} ended with code ${code}`));
      }
      running.state = 'stopped';
    });
  }
}
