/** One packet worker as the control thread holds it: its thread, the memory that only it writes, the end of its way up. */
import { Worker } from 'node:worker_threads';
import type { Clock } from '../../net/clock.js';
import { ForwardingTable } from '../../tables/forwarding/forwarding-table.js';
import { createPacketCounters, createVnetCounters } from '../counters.js';
import { EngineCounter, type NativeAddon, type WakeupWatch } from '../engine.js';
import { FlowHarvest } from '../flows/flow-harvest.js';
import { createFlowMemory } from '../flows/flow-memory.js';
import {
  ControlWord,
  type WorkerInput,
  type WorkerMessage,
  type WorkerStart,
  WorkerWord,
} from '../worker-input.js';

/** A worker's loop allocates nothing; the default would let what its start leaves behind grow to 48 MB. */
const YOUNG_GENERATION_MB = 4;
const STOP_LIMIT_MS = 700;

export type Direction = 'lan-to-tunnel' | 'tunnel-to-lan';
/** The direction, and a number where there are several. */
export type WorkerName = Direction | `${Direction}-${number}`;

/** What is each worker's own. */
type OwnMemory = 'counters' | 'vnetCounters' | 'words';

export interface PlaneWorkerOptions {
  readonly name: WorkerName;
  readonly direction: Direction;
  readonly clock: Clock;
  readonly native: NativeAddon;
  readonly engine: Omit<WorkerInput['engine'], 'wakeupFd' | 'counters' | 'flows'>;
  readonly shared: Omit<WorkerInput, 'engine' | OwnMemory>;
  /** By `WorkerWord`, and the way up: of `createPuntRing`. */
  readonly words: Int32Array;
  readonly ring: SharedArrayBuffer;
  /** Something is in the ring. */
  readonly rung: () => void;
  /** It has died. */
  readonly failed: (worker: WorkerName, error: Error) => void;
}

export class PlaneWorker {
  readonly name: WorkerName;
  readonly direction: Direction;
  readonly packets = createPacketCounters();
  readonly vnets = createVnetCounters();
  readonly engine = new BigUint64Array(new SharedArrayBuffer(EngineCounter.count * 8));
  /** Its flow memory. */
  readonly flows = createFlowMemory();
  readonly harvest = new FlowHarvest(this.flows);
  /** The kernel's number for it; 0 when not known. */
  thread = 0;
  state: 'running' | 'stopped' = 'running';
  readonly #options: PlaneWorkerOptions;
  readonly #words: Int32Array;
  readonly #wakeupFd: number;
  readonly #bellFd: number;
  readonly #worker: Worker;
  #bellWatch: WakeupWatch | undefined;
  #isStopping = false;
  /** The process ends when its threads have, and the engine's loop does when its stop word is set. */
  readonly #endLoop = (): void => {
    Atomics.store(new Int32Array(this.#options.shared.control), ControlWord.stop, 1);
    this.#options.native.wake(this.#wakeupFd);
  };

  constructor(options: PlaneWorkerOptions) {
    this.#options = options;
    this.name = options.name;
    this.direction = options.direction;
    this.#words = options.words;
    this.#wakeupFd = options.native.createWakeup();
    this.#bellFd = options.native.createWakeup();
    const start: WorkerStart = { input: this.#input(), puntRing: options.ring, bellFd: this.#bellFd };
    this.#worker = new Worker(new URL('./worker.js', import.meta.url), {
      workerData: start,
      name: options.name,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
  }

  /** Settles when it is in its loop, or cannot be. */
  started(): Promise<void> {
    return new Promise((resolve, reject) => this.#watch(resolve, reject));
  }

  get turns(): number {
    return Atomics.load(this.#words, WorkerWord.turns);
  }

  /** Makes it look at what it holds, if it holds anything. */
  wakeHolding(): void {
    if (Atomics.load(this.#words, WorkerWord.holding) === 1) this.#options.native.wake(this.#wakeupFd);
  }

  /** Its stop word is set: it finishes its batch. Ends it by force when it does not within the limit. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#options.native.wake(this.#wakeupFd);
    await this.#ended();
    this.#options.native.closeSocket(this.#bellFd);
    this.#options.native.closeSocket(this.#wakeupFd);
  }

  async #ended(): Promise<void> {
    if (this.state === 'stopped') return;
    const ended = new Promise<void>((resolve) => this.#worker.once('exit', () => resolve()));
    const force = this.#options.clock.after(
      'worker-stop',
      STOP_LIMIT_MS,
      () => void this.#worker.terminate(),
    );
    await ended;
    force.cancel();
  }

  #input(): WorkerInput {
    const memoryOf = ({ buffer }: { readonly buffer: ArrayBufferLike }): SharedArrayBuffer =>
      buffer as SharedArrayBuffer;
    const { engine, shared } = this.#options;
    return {
      ...shared,
      engine: {
        ...engine,
        wakeupFd: this.#wakeupFd,
        counters: memoryOf(this.engine),
        flows: {
          memory: this.flows,
          generations: shared.table,
          generationsWord: ForwardingTable.generationsWord,
          packetCounters: memoryOf(this.packets),
          vnetCounters: memoryOf(this.vnets),
          activity: shared.activity,
          stop: shared.control,
          turns: memoryOf(this.#words),
        },
      },
      counters: memoryOf(this.packets),
      vnetCounters: memoryOf(this.vnets),
      words: memoryOf(this.#words),
    };
  }

  #watch(started: () => void, failed: (error: Error) => void): void {
    let isUp = false;
    const fail = (error: Error): void => {
      this.state = 'stopped';
      if (isUp) this.#options.failed(this.name, error);
      else failed(error);
    };
    this.#worker.on('message', (message: WorkerMessage) => {
      switch (message.type) {
        case 'running':
          isUp = true;
          this.thread = message.thread;
          // Not before: nothing is heard of it until whoever waits for its start has gone on.
          this.#bellWatch = this.#options.native.watchWakeup(this.#bellFd, this.#options.rung);
          started();
          break;
        case 'stopped':
          this.state = 'stopped';
      }
    });
    process.once('exit', this.#endLoop);
    this.#worker.on('error', fail);
    this.#worker.on('exit', (code) => {
      process.off('exit', this.#endLoop);
      this.#bellWatch?.close();
      if (this.state === 'running' && !this.#isStopping)
        fail(new Error(`packet worker ${this.name} ended with code ${code}`));
      this.state = 'stopped';
    });
  }
}
