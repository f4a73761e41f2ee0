/**
 * A packet worker: one thread per direction, blocking in native code. `receive` waits 200 ms at most, so that the stop
 * word is seen; the main thread also wakes it (a MAC was learned, a stop was asked for).
 */
import { readlinkSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../net/system-clock.js';
import type { Engine } from './engine.js';
import { LanForwarder } from './lan-forwarder.js';
import { loadNative } from './native.js';
import { takePrecedence } from './precedence.js';
import { TunnelForwarder } from './tunnel-forwarder.js';
import { decideAll, type Forwarder, warmUp } from './warm-up.js';
import { WorkerContext } from './worker-context.js';
import { ControlWord, type WorkerInput, type WorkerMessage, WorkerWord } from './worker-message.js';

const WAIT_MS = 200;
/** While packets are held for a MAC, the age limit has to be seen in time. */
const WAIT_WITH_HELD_MS = 50;
/** Turns that do not wait, so that what is round the decisions is compiled too (see warm-up.ts); some 20 ms. */
const EARLY_TURNS = 10_000;

function main(input: WorkerInput): void {
  const post = (message: WorkerMessage): void => parentPort?.postMessage(message);
  const engine = loadNative().createEngine(input.engine);
  const context = new WorkerContext(engine, input, post, systemClock.nowMs);
  const forwarder = input.engine.role === 'lan' ? new LanForwarder(context) : new TunnelForwarder(context);
  warmUp(engine, input, systemClock.nowMs);
  takePrecedence();
  post({ type: 'running', thread: threadNumber() });
  loop(engine, context, forwarder, new Int32Array(input.words));
  engine.close();
  post({ type: 'stopped' });
}

function loop(engine: Engine, context: WorkerContext, forwarder: Forwarder, words: Int32Array): void {
  for (let early = EARLY_TURNS; Atomics.load(context.control, ControlWord.stop) === 0; early--) {
    const waitMs = context.hold.size > 0 ? WAIT_WITH_HELD_MS : WAIT_MS;
    turn(engine, context, forwarder, words, early > 0 ? 0 : waitMs);
  }
}

function turn(
  engine: Engine,
  context: WorkerContext,
  forwarder: Forwarder,
  words: Int32Array,
  waitMs: number,
): void {
  Atomics.add(words, WorkerWord.turns, 1);
  const received = engine.receive(waitMs);
  decideAll(forwarder, received);
  engine.send(0, received);
  // Said before the table is looked at: what is learned after that look is followed by a wake-up.
  if (context.hold.size > 0) Atomics.store(words, WorkerWord.holding, 1);
  context.releaseHeld();
  if (context.hold.size === 0) Atomics.store(words, WorkerWord.holding, 0);
}

/** By it the control thread asks the kernel how much this thread has worked. */
function threadNumber(): number {
  try {
    return Number(/\d+$/.exec(readlinkSync('/proc/thread-self'))?.[0] ?? 0);
  } catch {
    return 0; // No /proc: the worker works all the same.
  }
}

main(workerData as WorkerInput);
