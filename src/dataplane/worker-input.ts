/** What a packet worker and the control thread have in common: what it is given at its start, and shared memory. */
import type { EngineOptions } from './engine.js';

/** What a worker says of itself. */
export type WorkerMessage =
  /** It is in its loop. `thread` is the kernel's number for it (gettid), 0 when it cannot be told. */
  | { readonly type: 'running'; readonly thread: number }
  /** It has left its loop because it was asked to. */
  | { readonly type: 'stopped' };

/** Everything that a worker is given at its start. */
export interface WorkerInput {
  readonly engine: EngineOptions;
  /** vnet of each LAN and behind them of each TUN port, by index. */
  readonly lanVnets: readonly number[];
  /** Indexes from here on are TUN ports. */
  readonly tunsFrom: number;
  /** The `LanAddressTable`. */
  readonly lanAddresses: SharedArrayBuffer;
  /** By LAN index: it has gateway addresses, so its hosts send here what is for the outside world. */
  readonly gatewayLans: readonly boolean[];
  /** Uint8Array by vnet id: 1 for those that exist, for overlay packets of unknown ones. */
  readonly vnets: SharedArrayBuffer;
  readonly table: SharedArrayBuffer;
  /** The `MacTable` of MACs that the directory places at other VRs. */
  readonly macs: SharedArrayBuffer;
  /** `NodeActivity`: its counts, and its numbers by MAC. */
  readonly activity: SharedArrayBuffer;
  readonly activityMacs: SharedArrayBuffer;
  /** This router's own number among peers, and its site's. */
  readonly selfPeer: number;
  readonly selfSite: number;
  /** `SitePeers`. */
  readonly sitePeers: SharedArrayBuffer;
  /** The `RelayTable`. */
  readonly relays: SharedArrayBuffer;
  /** Int32Array by peer index: the vnet of a WireGuard client, 0 for a router. */
  readonly clientVnets: SharedArrayBuffer;
  /** Int32Array: inner MTU by peer index; 0 for a WireGuard client without a session. */
  readonly peerMtu: SharedArrayBuffer;
  /** Float64Array of PACKET_COUNTERS. */
  readonly counters: SharedArrayBuffer;
  /** Float64Array of `V.count` per vnet id. */
  readonly vnetCounters: SharedArrayBuffer;
  /** Int32Arrays by `Tally`, of the workers of this direction: punts that the control thread has worked on, and that they have passed. */
  readonly puntsDone: SharedArrayBuffer;
  readonly puntsPassed: SharedArrayBuffer;
  /** Of `createBudgets`, when there are several workers of this direction. */
  readonly budgets?: SharedArrayBuffer;
  /** `PeerShares`. */
  readonly puntShares: SharedArrayBuffer;
  /** Int32Array of `ControlWord`. */
  readonly control: SharedArrayBuffer;
  /** Int32Array of `WorkerWord`, this worker's own. */
  readonly words: SharedArrayBuffer;
}

/** The worker's `workerData`. */
export interface WorkerStart {
  readonly input: WorkerInput;
  /** The way up (`PuntPort`), and the wake-up by which it is told that something is in it. */
  readonly puntRing: SharedArrayBuffer;
  readonly bellFd: number;
}

export const WorkerWord = {
  /** Its turns round the loop, wrapping; the engine counts them (`EngineFlows.turns`). The watchdog looks at it. */
  turns: 0,
  /** 1: it holds packets whose node's MAC is not known, and wants to be woken when one is learned. */
  holding: 1,
  /** The bell of `PuntPort`. */
  bell: 2,
  count: 3,
} as const;

export const ControlWord = {
  /** 1: leave the loop. The engine looks at it too (`EngineFlows.stop`). */
  stop: 0,
  /** 1: tables are complete, data packets may be forwarded. */
  serving: 1,
  count: 2,
} as const;
