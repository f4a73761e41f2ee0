/**
 * A process that holds labs and stands still keeps its test runner waiting for ever: a signal that has a handler is
 * heard by the main thread alone. Another thread notices that, writes what the kernel knows of this process and of those
 * that it started, and ends it.
 */
import { isMainThread, Worker } from 'node:worker_threads';

const BEAT_MS = 1_000;
/** More than any program of set-up or tear-down may take (shell.ts). */
const STALL_LIMIT_MS = 180_000;

let watching = false;

/** From now on, once a process. Neither its timer nor its thread keeps the process alive. */
export function watchMainThread(limitMs = STALL_LIMIT_MS): void {
  if (watching || !isMainThread) return;
  watching = true;
  const beats = new Int32Array(new SharedArrayBuffer(4));
  setInterval(() => Atomics.add(beats, 0, 1), BEAT_MS).unref();
  const workerData = { beats, limitMs };
  new Worker(new URL('./stall-thread.js', import.meta.url), { workerData, execArgv: [] }).unref();
}
