/** What vinectl has of the process that it runs in; tests hand in their own. */
import { spawn } from 'node:child_process';
import { fstatSync } from 'node:fs';
import { constants } from 'node:os';
import type { Writable } from 'node:stream';
import { systemClock } from '../net/system-clock.js';

export interface Io {
  readonly stdin: AsyncIterable<Uint8Array | string>;
  readonly stdout: Writable;
  readonly stderr: Writable;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Standard output is a terminal. */
  readonly isTerminal: boolean;
  /** Standard output is a file that others than its owner may read. */
  readonly isReadableByOthers: boolean;
  /** Unix time. */
  nowMs(): number;
  /** Settles after that time, or at once when `signal` aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /**
   * Has a shell run a command that reads nothing and writes to standard error; its exit status, 128 and the signal's number
   * when a signal has ended it.
   */
  run(command: string): Promise<number>;
  /** Calls `listener` on Ctrl-C instead of ending the process, until the returned function is called. */
  onInterrupt(listener: () => void): () => void;
}

export function processIo(): Io {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // The reader (head, less) has seen enough: that is no error of ours.
    process.exit(error.code === 'EPIPE' ? 0 : 1);
  });
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    isTerminal: process.stdout.isTTY === true,
    get isReadableByOthers() {
      const stat = fstatSync(1);
      return stat.isFile() && (stat.mode & 0o077) !== 0;
    },
    nowMs: () => Date.now(),
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        const timer = systemClock.after('sleep', ms, resolve);
        signal.addEventListener('abort', () => {
          timer.cancel();
          resolve();
        });
      }),
    run: runInShell,
    onInterrupt(listener) {
      process.on('SIGINT', listener);
      process.on('SIGTERM', listener);
      return () => {
        process.off('SIGINT', listener);
        process.off('SIGTERM', listener);
      };
    },
  };
}

export function runInShell(command: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', ['-c', command], { stdio: ['ignore', 2, 2] });
    child.on('error', reject);
    child.on('close', (status, signal) =>
      resolve(status ?? 128 + (signal === null ? 0 : constants.signals[signal])),
    );
  });
}
