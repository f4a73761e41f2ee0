/**
 * What table updates cost a full-rate flow: one iperf3 run both ways, during which the updates go on and stand still in
 * turn, so that both are measured with the same processes, tables and neighbours on the machine.
 */
import { readFileSync } from 'node:fs';
import { pause, waitFor } from '../../test/lab/wait.js';
import { median } from './measure.js';
import { progressLine } from './run.js';
import { HOST_B, type Topology } from './topology.js';

/** Seconds of one phase; its first is left out, in which the last phase's effects end. */
const PHASE_SECONDS = 8;
const PORT = '5201';

export interface WithAndWithout {
  readonly phases: number;
  /** Mbit/s, both directions together: medians of the seconds of all phases. */
  readonly withMbit: number;
  readonly withoutMbit: number;
  /** With over without. This is judged. */
  readonly ratio: number;
  /** Of each second that counts. */
  readonly seconds: readonly Second[];
}

/** One second of iperf3's. */
export interface Second {
  /** Since iperf3's start. */
  readonly second: number;
  readonly mbit: number;
  readonly updates: boolean;
}

interface IperfIntervals {
  readonly intervals: readonly {
    readonly sum: { readonly start: number; readonly bits_per_second: number };
    readonly sum_bidir_reverse?: { readonly bits_per_second: number };
  }[];
}

/** Which seconds count, and as what: phases take turns, the first with updates. */
export function secondsOf(iperf: IperfIntervals, phases: number): Second[] {
  return iperf.intervals.flatMap(({ sum, sum_bidir_reverse }) => {
    const second = Math.round(sum.start);
    const phase = Math.floor(second / PHASE_SECONDS);
    if (phase >= phases || second % PHASE_SECONDS === 0) return [];
    const bits = sum.bits_per_second + (sum_bidir_reverse?.bits_per_second ?? 0);
    return [{ second, mbit: bits / 1e6, updates: phase % 2 === 0 }];
  });
}

export function compare(seconds: readonly Second[], phases: number): WithAndWithout {
  const of = (updates: boolean): number =>
    median(seconds.filter((each) => each.updates === updates).map(({ mbit }) => mbit));
  const [withMbit, withoutMbit] = [of(true), of(false)];
  return { phases, withMbit, withoutMbit, ratio: withMbit / withoutMbit, seconds };
}

/** @param turn makes the updates go on, or stand still; they go on at first and at the end */
export async function withAndWithout(
  topology: Topology,
  pairs: number,
  turn: () => void,
): Promise<WithAndWithout> {
  const phases = pairs * 2;
  const seconds = phases * PHASE_SECONDS;
  topology.start('ha', 'phases', [
    'iperf3',
    '-c',
    HOST_B,
    '-p',
    PORT,
    '-t',
    String(seconds),
    '--bidir',
    '-J',
  ]);
  for (let phase = 0; phase < phases; phase++) {
    progressLine(`phase ${phase + 1}/${phases}: ${phase % 2 === 0 ? 'with' : 'without'} updates`);
    await pause(PHASE_SECONDS * 1000);
    turn();
  }
  progressLine('');
  const text = (): string => readFileSync(topology.logFile('phases'), 'utf8').trim();
  await waitFor('iperf3 has ended', () => text().endsWith('}'), 20_000);
  return compare(secondsOf(JSON.parse(text()) as IperfIntervals, phases), phases);
}
