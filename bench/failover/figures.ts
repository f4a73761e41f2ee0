/** What a switch between a site's two routers cost, from the records of the probes and of the LAN's ports. */
import { percentile } from '../lib/distribution.js';
import type { Arrival } from '../migration/even-probe.js';

/** Of one probe in a window of time. */
export interface ProbeWindow {
  readonly received: number;
  /** Sent between the first and the last that arrived, and never seen. */
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  /** Longest time between two arrivals. */
  readonly gapMs: number;
}

/** Of the packets that were sent from `fromMs` to `untilMs`; NaN where none arrived. `arrivals` as they came. */
export function probeWindow(arrivals: readonly Arrival[], fromMs: number, untilMs: number): ProbeWindow {
  const inWindow = arrivals.filter(({ sentMs }) => sentMs >= fromMs && sentMs < untilMs);
  const seen = new Set<number>();
  let [highest, lowest] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  let [duplicated, reordered, gapMs] = [0, 0, 0];
  let lastMs: number | undefined;
  for (const { number, receivedMs } of inWindow) {
    gapMs = Math.max(gapMs, receivedMs - (lastMs ?? receivedMs));
    lastMs = Math.max(lastMs ?? receivedMs, receivedMs);
    if (seen.has(number)) duplicated++;
    else if (number < highest) reordered++;
    seen.add(number);
    highest = Math.max(highest, number);
    lowest = Math.min(lowest, number);
  }
  const received = seen.size;
  const isEmpty = received === 0;
  return {
    received,
    lost: isEmpty ? Number.NaN : highest - lowest + 1 - received,
    duplicated,
    reordered,
    gapMs: isEmpty ? Number.NaN : gapMs,
  };
}

/** Frames from the virtual MAC that came in by one port of the switch, without a pause; Unix milliseconds. */
export interface PortRun {
  readonly port: string;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly frames: number;
}

/** @param text what lab-ports has printed; its last line may be half written */
export function parsePortRuns(text: string): PortRun[] {
  return text
    .split('\n')
    .slice(0, -1)
    .flatMap((line) => {
      const [port = '', fromUs, untilUs, frames] = line.split(' ');
      if (frames === undefined) return [];
      return [
        { port, fromMs: Number(fromUs) / 1000, untilMs: Number(untilUs) / 1000, frames: Number(frames) },
      ];
    });
}

/** Who sends with pauses no longer than that has not ceased to. */
const PAUSE_MS = 50;

/** Milliseconds in the window in which two ports brought frames from the virtual MAC. */
export function bothActiveMs(runs: readonly PortRun[], fromMs: number, untilMs: number): number {
  const byPort = new Map<string, { fromMs: number; untilMs: number }[]>();
  for (const run of [...runs].sort((a, b) => a.fromMs - b.fromMs)) {
    const times = byPort.get(run.port) ?? [];
    const last = times.at(-1);
    if (last !== undefined && run.fromMs - last.untilMs <= PAUSE_MS)
      last.untilMs = Math.max(last.untilMs, run.untilMs);
    else times.push({ fromMs: run.fromMs, untilMs: run.untilMs });
    byPort.set(run.port, times);
  }
  const [one = [], two = []] = [...byPort.values()];
  let bothMs = 0;
  for (const a of one)
    for (const b of two)
      bothMs += Math.max(0, Math.min(a.untilMs, b.untilMs, untilMs) - Math.max(a.fromMs, b.fromMs, fromMs));
  return bothMs;
}

export interface OutageDistribution {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** Milliseconds, whole: a probe is sent every millisecond. */
export function outageDistribution(values: readonly number[]): OutageDistribution {
  const at = (percent: number): number => Math.round(percentile(values, percent));
  return { count: values.length, p50: at(50), p95: at(95), p99: at(99), max: at(100) };
}
