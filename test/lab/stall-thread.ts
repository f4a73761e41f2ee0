/** The thread of stall.ts. */
import { readdirSync, readFileSync, writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';

const { beats, limitMs } = workerData as { beats: Int32Array; limitMs: number };
const LOOK_MS = 5_000;
const STDERR = 2;

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').replaceAll('\0', ' ').trim();
  } catch (error) {
    return `(${(error as NodeJS.ErrnoException).code})`; // it has gone, or the kernel does not tell
  }
}

/** What each of its threads waits for. */
function describe(pid: string): string {
  const of = `/proc/${pid}`;
  const threads = readdirSync(`${of}/task`).map((thread) => {
    const at = `${of}/task/${thread}`;
    const state = /^State:\s*(.*)$/m.exec(read(`${at}/status`))?.[1];
    return `  ${thread} ${read(`${at}/comm`)}: ${state}, in ${read(`${at}/wchan`)}, system call ${read(`${at}/syscall`)}`;
  });
  return [`${pid} ${read(`${of}/cmdline`)}`, ...threads].join('\n');
}

function descendants(parent: string): string[] {
  const children = readdirSync('/proc').filter(
    (pid) => /^\d+$/.test(pid) && new RegExp(`^PPid:\\t${parent}$`, 'm').test(read(`/proc/${pid}/status`)),
  );
  return children.flatMap((pid) => [pid, ...descendants(pid)]);
}

let seen = -1;
let sinceMs = performance.now();
setInterval(
  () => {
    const now = Atomics.load(beats, 0);
    if (now !== seen) {
      seen = now;
      sinceMs = performance.now();
    }
    if (performance.now() - sinceMs < limitMs) return;
    const self = String(process.pid);
    const lines = [`the main thread has stood still for ${limitMs / 1000} s; ending this process`];
    for (const pid of [self, ...descendants(self)]) lines.push(describe(pid));
    writeSync(STDERR, `${lines.join('\n')}\n`);
    process.kill(process.pid, 'SIGKILL');
  },
  Math.min(LOOK_MS, limitMs / 4),
);
