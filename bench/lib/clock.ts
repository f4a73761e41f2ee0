/**
 * When the machine's processors ran below half of their usual speed, as test/lab/clock.c saw it: hosts of virtual
 * machines lower the clock now and then, and nothing else tells a guest. What was measured meanwhile says nothing about
 * the program.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { createInterface } from 'node:readline';
import { projectRoot } from '../../test/lab/daemon.js';
import { within } from '../../test/lab/wait.js';

/** Unix milliseconds with a fraction. */
export interface LowClock {
  readonly fromMs: number;
  readonly untilMs: number;
  /** How many times slower at worst. */
  readonly factor: number;
}

export interface ClockReport {
  /** What the fixed work of lab-clock took each processor at its usual speed: compares runs and machines. */
  readonly usualNs: readonly number[];
  readonly watchedMs: number;
  /** In which at least one processor was slow. */
  readonly lowMs: number;
  readonly times: number;
  readonly worstFactor: number;
}

/** It takes two seconds to know the usual speed. */
const START_LIMIT_MS = 30_000;
const END_LIMIT_MS = 10_000;

const usualLine = /^usual \d+ (\d+)$/;
const lowLine = /^low \d+ (\d+\.\d+) (\d+\.\d+) (\d+\.\d+)$/;

/** A processor's slow time from a line of lab-clock; undefined of its other lines. */
export function parseLow(line: string): LowClock | undefined {
  const [, fromMs, untilMs, factor] = (lowLine.exec(line) ?? []).map(Number);
  if (fromMs === undefined || untilMs === undefined || factor === undefined) return undefined;
  return { fromMs, untilMs, factor };
}

/** Several processors' slow times as the times in which at least one was slow. */
export function united(lows: readonly LowClock[]): LowClock[] {
  const all: LowClock[] = [];
  for (const low of [...lows].sort((a, b) => a.fromMs - b.fromMs)) {
    const last = all.at(-1);
    if (last === undefined || low.fromMs > last.untilMs) all.push(low);
    else
      all[all.length - 1] = {
        fromMs: last.fromMs,
        untilMs: Math.max(last.untilMs, low.untilMs),
        factor: Math.max(last.factor, low.factor),
      };
  }
  return all;
}

/** Milliseconds of the window in which at least one processor was slow. */
export function lowWithin(lows: readonly LowClock[], fromMs: number, untilMs: number): number {
  return united(lows)
    .map((low) => Math.max(0, Math.min(low.untilMs, untilMs) - Math.max(low.fromMs, fromMs)))
    .reduce((sum, ms) => sum + ms, 0);
}

export class ClockWatch {
  private readonly seen: LowClock[] = [];
  private readonly usualNs: number[] = [];
  private readonly startedMs = Date.now();
  private hasEnded = false;

  private constructor(private readonly child: ChildProcess) {}

  /** Resolves when it knows every processor's usual speed, after two seconds. */
  static start(): Promise<ClockWatch> {
    const child = spawn(`${projectRoot}build/lab-clock`, { stdio: ['ignore', 'pipe', 'inherit'] });
    const watch = new ClockWatch(child);
    let unknown = cpus().length;
    const knows = new Promise<ClockWatch>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (status) => {
        watch.hasEnded = true;
        reject(new Error(`lab-clock ended: ${status}`));
      });
      createInterface({ input: child.stdout }).on('line', (line) => {
        const low = parseLow(line);
        if (low !== undefined) watch.seen.push(low);
        else {
          const [, usual] = usualLine.exec(line) ?? [];
          if (usual !== undefined) watch.usualNs.push(Number(usual));
          if (--unknown === 0) resolve(watch);
        }
      });
    });
    return within("lab-clock knows every processor's usual speed", knows, START_LIMIT_MS);
  }

  /** Those that are over. */
  get lows(): readonly LowClock[] {
    return this.seen;
  }

  /** Throws when it has not watched until now: slow times may then have been missed. */
  async stop(): Promise<ClockReport> {
    if (this.hasEnded) throw new Error('lab-clock ended during the run: nothing can be judged');
    const watchedMs = Date.now() - this.startedMs;
    const closed = once(this.child, 'close');
    this.child.kill('SIGTERM');
    await within('lab-clock ends', closed, END_LIMIT_MS);
    const lows = united(this.seen);
    return {
      usualNs: this.usualNs,
      watchedMs,
      lowMs: Math.round(lows.reduce((sum, { fromMs, untilMs }) => sum + untilMs - fromMs, 0)),
      times: lows.length,
      worstFactor: Math.max(1, ...lows.map(({ factor }) => factor)),
    };
  }
}
