/**
 * The packet workers of one direction as the control thread holds them: they share the frames or datagrams by flow, the
 * router's limits on what they may hand up, and the inbox that it comes to. Everything else is each one's own.
 */
import type { Clock } from '../../net/clock.js';
import { createBudgets } from '../budget/budgets.js';
import type { LanSocket, NativeAddon, SharedPort, TunSocket, UdpSocket } from '../engine.js';
import { type Punt, Tally } from '../punt/punt.js';
import { PuntInbox } from '../punt/punt-inbox.js';
import { createPuntRing } from '../punt/punt-ring.js';
import { type WorkerInput, WorkerWord } from '../worker-input.js';
import { type Direction, PlaneWorker, type WorkerName } from './plane-worker.js';

export interface PlaneListener {
  /** A worker has handed something up; in slices, between which other things happen. */
  punt(punt: Punt): void;
  /** A worker died: the daemon must not go on half-working. */
  failed(worker: WorkerName, error: Error): void;
}

export interface WorkerGroupOptions {
  readonly direction: Direction;
  /** How many. */
  readonly workers: number;
  readonly clock: Clock;
  readonly native: NativeAddon;
  readonly engine: Pick<WorkerInput['engine'], 'lanRoles' | 'slots' | 'slotBytes'>;
  readonly lans: readonly LanSocket[];
  readonly tuns: readonly TunSocket[];
  readonly udp: readonly UdpSocket[];
  readonly shared: Omit<
    WorkerInput,
    'engine' | 'counters' | 'vnetCounters' | 'words' | 'puntsDone' | 'puntsPassed' | 'budgets'
  >;
  readonly listener: PlaneListener;
}

export class WorkerGroup {
  readonly workers: readonly PlaneWorker[];
  readonly #inbox: PuntInbox;

  constructor(options: WorkerGroupOptions) {
    const { direction, clock, native, listener, workers } = options;
    const tallies = (): SharedArrayBuffer => new SharedArrayBuffer(Tally.count * 4);
    const shared = {
      ...options.shared,
      puntsDone: tallies(),
      puntsPassed: tallies(),
      ...(workers > 1 ? { budgets: createBudgets() } : {}),
    };
    const ways = Array.from({ length: workers }, () => {
      const words = new Int32Array(new SharedArrayBuffer(WorkerWord.count * 4));
      return { words, ring: createPuntRing() };
    });
    this.#inbox = new PuntInbox({
      clock,
      sources: ways.map(({ words, ring }) => ({
        ring,
        bell: words.subarray(WorkerWord.bell, WorkerWord.bell + 1),
      })),
      done: new Int32Array(shared.puntsDone),
      work: (punt) => listener.punt(punt),
    });
    this.workers = ways.map(
      (way, index) =>
        new PlaneWorker({
          ...way,
          name: nameOf(direction, index, workers),
          direction,
          clock,
          native,
          engine: engineOf(options, index),
          shared,
          rung: () => this.#inbox.rung(),
          failed: (name, error) => listener.failed(name, error),
        }),
    );
  }

  /** Settles when all are in their loops, or one cannot be. */
  async started(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.started()));
  }

  /** Their stop word is set. */
  async stop(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.stop()));
    this.#inbox.stop();
  }
}

function nameOf(direction: Direction, index: number, workers: number): WorkerName {
  return workers === 1 ? direction : `${direction}-${index + 1}`;
}

/** TUN ports and TCP connections have one queue: the first worker's. */
function engineOf(
  { direction, workers, engine, lans, tuns, udp }: WorkerGroupOptions,
  index: number,
): Omit<WorkerInput['engine'], 'wakeupFd' | 'counters' | 'flows'> {
  const role = direction === 'lan-to-tunnel' ? 'lan' : 'tunnel';
  return {
    ...engine,
    role,
    lans: lans.map((port) => partOf(port, index)),
    tuns: tuns.map((port) => partOf(port, index)),
    udp: udp.map((port) => partOf(port, index)),
    streams: role === 'tunnel' && index === 0,
    ...(workers > 1 ? { number: index + 1 } : {}),
  };
}

function partOf<Port extends SharedPort>(port: Port, index: number): Port {
  const receiveFd = port.receivers?.[index];
  if (receiveFd !== undefined) return { ...port, receiveFd };
  return index === 0 ? port : { ...port, receiveFd: -1 };
}
