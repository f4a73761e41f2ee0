/** The evenly paced probe (test/lab/probe.c) between two nodes, and what its record says about each move. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../test/lab/daemon.js';
import type { Lab } from '../../test/lab/lab.js';
import { waitFor } from '../../test/lab/wait.js';
import { linesSince, placeIn } from '../lib/growing-file.js';

/** One packet that arrived; Unix milliseconds with a fraction. */
export interface Arrival {
  readonly number: number;
  readonly sentMs: number;
  readonly receivedMs: number;
}

export interface Outage {
  /** Packets sent in the window that never arrived. */
  readonly lost: number;
  /** Longest time between two arrivals. */
  readonly gapMs: number;
}

export const PROBES_PER_SECOND = 1_000;
const program = `${projectRoot}build/lab-probe`;
let nextPort = 7_000;

export function parseArrivals(text: string): Arrival[] {
  const arrivals: Arrival[] = [];
  // The last line may be half written.
  for (const line of text.split('\n').slice(0, -1)) {
    const [number, sentUs, receivedUs] = line.split(' ').map(Number);
    if (receivedUs === undefined || Number.isNaN(receivedUs)) continue;
    arrivals.push({ number: number ?? 0, sentMs: (sentUs ?? 0) / 1000, receivedMs: receivedUs / 1000 });
  }
  return arrivals;
}

/**
 * Packets lost among those sent from `fromMs` to `untilMs`. A lost packet was sent, at the pace of the others, between
 * the two that frame it. Reordered packets are not lost.
 */
export function outage(arrivals: readonly Arrival[], fromMs: number, untilMs: number): Outage {
  const inWindow = arrivals
    .filter(({ sentMs }) => sentMs >= fromMs && sentMs < untilMs)
    .sort((a, b) => a.number - b.number);
  const [first, last] = [inWindow[0], inWindow.at(-1)];
  if (first === undefined || last === undefined) return { lost: Number.NaN, gapMs: Number.NaN };
  const distinct = new Set(inWindow.map(({ number }) => number)).size;
  const times = inWindow.map(({ receivedMs }) => receivedMs).sort((a, b) => a - b);
  let gapMs = 0;
  for (const [i, at] of times.entries()) gapMs = Math.max(gapMs, at - (times[i - 1] ?? at));
  return { lost: last.number - first.number + 1 - distinct, gapMs };
}

export class EvenProbe {
  private constructor(
    readonly name: string,
    private readonly file: string,
  ) {}

  /** Resolves when packets arrive. It runs as long as the lab. */
  static async open(lab: Lab, from: string, to: string, toAddress: string): Promise<EvenProbe> {
    const port = String(nextPort++);
    const file = join(lab.directory, `probe-${from}-${to}-${port}.txt`);
    lab.start(`receive-${port}`, to, [program, 'receive', toAddress, port], file);
    const rate = String(PROBES_PER_SECOND);
    const log = join(lab.directory, 'probe.log');
    lab.start(`send-${port}`, from, [program, 'send', toAddress, port, rate], log);
    const probe = new EvenProbe(`${from} → ${to}`, file);
    await waitFor(`probe ${probe.name} arrives`, () => probe.arrivals().length > 0);
    return probe;
  }

  arrivals(): Arrival[] {
    return parseArrivals(readFileSync(this.file, 'utf8'));
  }

  /** A place in the record, for `since`. */
  get recordedBytes(): number {
    return placeIn(this.file);
  }

  /** What was recorded from that place on, for runs whose whole record is too long to be read again and again. */
  since(recordedBytes: number): Arrival[] {
    return parseArrivals(linesSince(this.file, recordedBytes));
  }
}
