/** The data plane as the control thread sees it: starts the workers of both directions, hears what they report. */
import type { Clock } from '../net/clock.js';
import { ForwardingTable } from '../tables/forwarding/forwarding-table.js';
import { ENGINE_COUNTERS, PACKET_COUNTERS, V, VNET_IDS } from './counters.js';
import {
  EngineCounter,
  type LanSocket,
  MAX_PEERS,
  type NativeAddon,
  type TunSocket,
  type UdpSocket,
} from './engine.js';
import type { Flow, FlowCounts } from './flows/flow-harvest.js';
import { flowsInUse } from './flows/flow-memory.js';
import { LEAST_MTU_BYTES } from './forward/packet.js';
import { PeerShares } from './punt/peer-shares.js';
import type { Direction, PlaneWorker, WorkerName } from './worker/plane-worker.js';
import { type PlaneListener, WorkerGroup, type WorkerGroupOptions } from './worker/worker-group.js';
import { ControlWord, type WorkerInput } from './worker-input.js';

/** RFC 8200 §5: what every path carries; in use until a peer is up and its inner MTU is known. */
const MIN_MTU_BYTES = 1280;
/** What an IPv4 header can state. */
const MOST_MTU_BYTES = 65_535;
/** 64 small packets fit a batch; a LAN slot holds a whole super-packet. */
const LAN_SLOTS = 32;
const TUNNEL_SLOTS = 64;
const SLOT_BYTES = 66_560;

export interface PlaneClient {
  readonly peer: number;
  readonly vnet: number;
}

export interface PlaneOptions {
  readonly clock: Clock;
  readonly native: NativeAddon;
  /** Packet workers of each direction. */
  readonly workers: number;
  readonly lans: readonly LanSocket[];
  /** Numbered behind the LANs. */
  readonly tuns: readonly TunSocket[];
  readonly udp: readonly UdpSocket[];
  readonly lanVnets: WorkerInput['lanVnets'];
  readonly lanAddresses: WorkerInput['lanAddresses'];
  readonly gatewayLans: WorkerInput['gatewayLans'];
  readonly lanRoles: WorkerInput['engine']['lanRoles'];
  readonly vnets: readonly number[];
  readonly table: SharedArrayBuffer;
  readonly macs: SharedArrayBuffer;
  readonly activity: WorkerInput['activity'];
  readonly activityMacs: WorkerInput['activityMacs'];
  readonly selfPeer: number;
  readonly selfSite: number;
  readonly sitePeers: WorkerInput['sitePeers'];
  readonly relays: SharedArrayBuffer;
  readonly clients: readonly PlaneClient[];
}

export interface WorkerView {
  readonly name: WorkerName;
  readonly state: 'running' | 'stopped';
  readonly packets: number;
  /** Its flow memory: entries in use, packets forwarded by it, packets that entered JavaScript, those of them whose entry was outdated. */
  readonly flows: {
    readonly entries: number;
    readonly hits: number;
    readonly misses: number;
    readonly stale: number;
    readonly replaced: number;
  };
}

/** Super-packets count as one; bytes are those of the inner packets. */
export interface VnetTraffic {
  readonly packetsToTunnel: number;
  readonly bytesToTunnel: number;
  readonly packetsToLan: number;
  readonly bytesToLan: number;
}

export class DataPlane {
  readonly #options: PlaneOptions;
  /** Its version is what remembered decisions are good for. */
  readonly #table: ForwardingTable;
  readonly #peerMtu = new Int32Array(new SharedArrayBuffer(MAX_PEERS * 4)).fill(MIN_MTU_BYTES);
  readonly #control = new Int32Array(new SharedArrayBuffer(ControlWord.count * 4));
  /** By peer: a WireGuard client's vnet, 0 for routers. */
  readonly #clientVnets = new Int32Array(new SharedArrayBuffer(MAX_PEERS * 4));
  readonly #puntShares = PeerShares.create();
  readonly #vnets = new Uint8Array(new SharedArrayBuffer(VNET_IDS));
  readonly #groups: WorkerGroup[] = [];

  constructor(options: PlaneOptions) {
    this.#options = options;
    this.#table = ForwardingTable.attach(options.table);
    this.setVnets(options.vnets);
    this.setClients(options.clients);
  }

  /** Starts those that hear the other routers; data packets wait for `serve`. */
  async startTunnel(listener: PlaneListener): Promise<void> {
    await this.#startWorkers('tunnel-to-lan', TUNNEL_SLOTS, listener);
  }

  /** Tables are complete: data packets may pass, and the LAN is read. */
  async serve(listener: PlaneListener): Promise<void> {
    Atomics.store(this.#control, ControlWord.serving, 1);
    await this.#startWorkers('lan-to-tunnel', LAN_SLOTS, listener);
  }

  /** Packets of other vnets are dropped from now on. */
  setVnets(ids: readonly number[]): void {
    const known = new Set(ids);
    for (let id = 0; id < VNET_IDS; id++) this.#vnets[id] = known.has(id) ? 1 : 0;
    this.#table.touch();
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
    this.#table.touch();
  }

  /** The number is another router's now, or nobody's: what its path carries, and how it behaves, has to be learned again. */
  forgetPeer(peer: number): void {
    this.#peerMtu[peer] = MIN_MTU_BYTES;
    this.#table.touch();
    this.#puntShares.set(peer, 1);
  }

  /** A number that no path has is taken for the nearest that one has. @param mtuBytes 0: a client without a session */
  setPeerMtu(peer: number, mtuBytes: number): void {
    const isAway = mtuBytes === 0 && this.#clientVnets[peer] !== 0;
    const mtu = mtuBytes >= LEAST_MTU_BYTES ? Math.min(mtuBytes, MOST_MTU_BYTES) : LEAST_MTU_BYTES;
    const now = isAway ? 0 : mtu;
    if (this.#peerMtu[peer] === now) return;
    this.#peerMtu[peer] = now;
    this.#table.touch();
  }

  /**
   * How much of what a peer may hand up to the control thread that peer has from now on: 1, the whole, to 0, nothing; for
   * one that misbehaves.
   */
  setControlShare(peer: number, share: number): void {
    this.#puntShares.set(peer, share);
  }

  peerMtu(peer: number): number {
    return this.#peerMtu[peer] ?? 0;
  }

  /** A MAC was learned: let the workers look at what they hold. Those that hold nothing are left alone. */
  wakeHolding(): void {
    for (const worker of this.#workers) worker.wakeHolding();
  }

  workers(): readonly WorkerView[] {
    return this.#workers.map(({ name, direction, state, engine, flows }) => {
      const counted = (index: number): number => Number(engine[index] ?? 0n);
      const received =
        direction === 'lan-to-tunnel'
          ? EngineCounter.lanFramesReceived
          : EngineCounter.tunnelDatagramsReceived;
      const memory = {
        entries: flowsInUse(flows),
        hits: counted(EngineCounter.flowHits),
        misses: counted(EngineCounter.flowMisses),
        stale: counted(EngineCounter.flowStale),
        replaced: counted(EngineCounter.flowsReplaced),
      };
      return { name, state, packets: counted(received), flows: memory };
    });
  }

  /** How often each worker has gone round its loop, wrapping at 32 bits: at least five times a second while it is well. */
  turns(): readonly { name: WorkerName; turns: number }[] {
    return this.#workers.map(({ name, turns }) => ({ name, turns }));
  }

  /** The kernel's thread numbers of the workers that run; 0 when not known. */
  threads(): readonly { name: WorkerName; thread: number }[] {
    return this.#workers
      .filter(({ state }) => state === 'running')
      .map(({ name, thread }) => ({ name, thread }));
  }

  /** What the vnet's packets have come to, over all workers. */
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

  /** Tells what each flow has had since the last time, and how its packets go; in slices, as `FlowHarvest.pass`. */
  *harvest(told: (flow: Flow, counts: FlowCounts) => void): Generator<void> {
    for (const { harvest } of this.#workers) yield* harvest.pass(told);
  }

  /** What was forwarded and is of no flow that could be told, from the start to the last harvest. */
  unattributed(): FlowCounts {
    return this.#workers.reduce(
      (sum, { harvest: { unattributed } }) => ({
        packets: sum.packets + unattributed.packets,
        bytes: sum.bytes + unattributed.bytes,
      }),
      { packets: 0, bytes: 0 },
    );
  }

  /** Sums over all workers, by stable name. */
  counters(): Record<string, number> {
    const result: Record<string, number> = {};
    for (const [index, name] of PACKET_COUNTERS.entries()) {
      result[name] = this.#workers.reduce((sum, { packets }) => sum + (packets[index] ?? 0), 0);
    }
    for (const [index, name] of ENGINE_COUNTERS) {
      result[name] = this.#workers.reduce((sum, { engine }) => sum + Number(engine[index] ?? 0n), 0);
    }
    return result;
  }

  /** Stops all workers. */
  async stop(): Promise<void> {
    Atomics.store(this.#control, ControlWord.stop, 1);
    await Promise.all(this.#groups.map((group) => group.stop()));
  }

  get #workers(): readonly PlaneWorker[] {
    return this.#groups.flatMap(({ workers }) => workers);
  }

  #startWorkers(direction: Direction, slots: number, listener: PlaneListener): Promise<void> {
    const { clock, native, workers, lans, lanRoles, tuns, udp } = this.#options;
    const group = new WorkerGroup({
      direction,
      workers,
      clock,
      native,
      lans,
      tuns,
      udp,
      engine: { lanRoles, slots, slotBytes: SLOT_BYTES },
      shared: this.#shared(),
      listener,
    });
    this.#groups.push(group);
    return group.started();
  }

  #shared(): WorkerGroupOptions['shared'] {
    const { lans, lanVnets, lanAddresses, gatewayLans, table, macs, activity, activityMacs } = this.#options;
    const { selfPeer, selfSite, sitePeers, relays } = this.#options;
    return {
      lanVnets,
      tunsFrom: lans.length,
      lanAddresses,
      gatewayLans,
      vnets: this.#vnets.buffer as SharedArrayBuffer,
      table,
      macs,
      activity,
      activityMacs,
      selfPeer,
      selfSite,
      sitePeers,
      relays,
      clientVnets: this.#clientVnets.buffer as SharedArrayBuffer,
      peerMtu: this.#peerMtu.buffer as SharedArrayBuffer,
      puntShares: this.#puntShares.memory,
      control: this.#control.buffer as SharedArrayBuffer,
    };
  }
}
