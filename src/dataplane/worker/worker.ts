/**
 * A packet worker: one thread per direction, in native code for as long as nothing comes that the engine's flow memory does
 * not know. The engine itself sees the stop word; the main thread also wakes it (a MAC was learned, a stop was asked for).
 */
import { readlinkSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../net/system-clock.js';
import type { Engine } from '../engine.js';
import type { Delivery } from '../forward/delivery.js';
import { type Forwarder, PacketPath } from '../forward/packet-path.js';
import { loadNative } from '../native.js';
import type { Punt } from '../punt/punt.js';
import { PuntPort } from '../punt/punt-port.js';
import { ControlWord, type WorkerMessage, type WorkerStart, WorkerWord } from '../worker-input.js';
import { compactHeap } from './heap.js';
import { takePrecedence } from './precedence.js';
import { decideAll, warmUp } from './warm-up.js';

/** Nothing is due then: only what ends a thread by force waits for the end of a call. */
const WAIT_MS = 10_000;
/** While packets are held for a MAC, the age limit has to be seen in time. */
const WAIT_WITH_HELD_MS = 50;
/** Turns that do not wait, so that what is round the decisions is compiled too (see warm-up.ts); some 20 ms. */
const EARLY_TURNS = 10_000;

const post = (message: WorkerMessage): void => parentPort?.postMessage(message);

function main(start: WorkerStart): void {
  const worker = new PacketWorker(start);
  takePrecedence();
  post({ type: 'running', thread: threadNumber() });
  worker.run();
  post({ type: 'stopped' });
}

class PacketWorker {
  readonly #engine: Engine;
  readonly #words: Int32Array;
  readonly #punts: PuntPort;
  readonly #control: Int32Array;
  readonly #delivery: Delivery;
  readonly #forwarder: Forwarder;

  constructor({ input, puntRing, bellFd }: WorkerStart) {
    const native = loadNative();
    this.#engine = native.createEngine(input.engine);
    this.#words = new Int32Array(input.words);
    const bell = this.#words.subarray(WorkerWord.bell, WorkerWord.bell + 1);
    this.#punts = new PuntPort(puntRing, bell, () => native.wake(bellFd));
    const ports = {
      punt: (punt: Punt) => this.#punts.add(punt),
      closeStream: (stream: number) => native.closeStream(stream),
    };
    const { lan, tunnel, delivery } = new PacketPath(this.#engine, input, ports, systemClock);
    this.#control = new Int32Array(input.control);
    this.#delivery = delivery;
    this.#forwarder = input.engine.role === 'lan' ? lan : tunnel;
    warmUp(this.#engine, input, systemClock);
    compactHeap();
  }

  /** Until it is asked to stop. */
  run(): void {
    for (let early = EARLY_TURNS; Atomics.load(this.#control, ControlWord.stop) === 0; early--) {
      const waitMs = this.#delivery.held > 0 ? WAIT_WITH_HELD_MS : WAIT_MS;
      this.#turn(early > 0 ? 0 : waitMs);
    }
    this.#engine.close();
  }

  #turn(waitMs: number): void {
    const received = this.#engine.receive(waitMs);
    decideAll(this.#forwarder, received);
    this.#punts.flush();
    this.#engine.send(0, received);
    // Said before the table is looked at: what is learned after that look is followed by a wake-up.
    if (this.#delivery.held > 0) Atomics.store(this.#words, WorkerWord.holding, 1);
    this.#delivery.releaseHeld();
    if (this.#delivery.held === 0) Atomics.store(this.#words, WorkerWord.holding, 0);
  }
}

/** By it the control thread asks the kernel how much this thread has worked. */
function threadNumber(): number {
  try {
    return Number(/\d+$/.exec(readlinkSync('/proc/thread-self'))?.[0] ?? 0);
  } catch {
    return 0; // No /proc: the worker works all the same.
  }
}

main(workerData as WorkerStart);
