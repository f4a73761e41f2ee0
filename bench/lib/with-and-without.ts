/**
 * What table updates cost a full-rate flow: one iperf3 run both ways, during which the updates go on and stand still in
 * turn, so that both are measured with the same processes, tables and neighbours on the machine.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { pause, waitFor } from '../../test/lab/wait.js';
import { cpuSeconds, mean, median } from './measure.js';
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
  /** With over without. */
  readonly ratio: number;
  /**
   * The same for each processor that the source of the updates leaves to others: it is a router of another site, which has
   * no part of a gateway's processors. This is judged.
   */
  readonly ratioWithoutSource: number;
  /** Processors in use, means of the phases. */
  readonly cores: { readonly routers: Cores; readonly source: Cores };
  /** Of each second that counts. */
  readonly seconds: readonly Second[];
}

export interface Cores {
  readonly with: number;
  readonly without: number;
}

/** What makes the updates, and who is measured. */
export interface UpdateSource {
  /** Makes the updates go on, or stand still; they go on at first and at the end. */
  readonly turn: () => void;
  readonly pid: number;
  readonly routers: readonly number[];
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

/** @param processors of the machine */
export function compare(
  seconds: readonly Second[],
  phases: number,
  cores: WithAndWithout['cores'],
  processors: number,
): WithAndWithout {
  const of = (updates: boolean): number =>
    median(seconds.filter((each) => each.updates === updates).map(({ mbit }) => mbit));
  const [withMbit, withoutMbit] = [of(true), of(false)];
  const ratio = withMbit / withoutMbit;
  const left = (processors - cores.source.without) / (processors - cores.source.with);
  return { phases, withMbit, withoutMbit, ratio, ratioWithoutSource: ratio * left, cores, seconds };
}

/** Processors in use by `pids`, phase by phase: call it at the end of each. */
function coresByPhase(pids: readonly number[]): { readonly next: () => void; readonly means: () => Cores } {
  const used: number[] = [];
  let [before, beforeMs] = [cpuSeconds(pids), performance.now()];
  const next = (): void => {
    const [now, nowMs] = [cpuSeconds(pids), performance.now()];
    used.push(((now - before) / (nowMs - beforeMs)) * 1000);
    [before, beforeMs] = [now, nowMs];
  };
  const of = (parity: number): number => mean(used.filter((_, phase) => phase % 2 === parity));
  return { next, means: () => ({ with: of(0), without: of(1) }) };
}

export async function withAndWithout(
  topology: Topology,
  pairs: number,
  source: UpdateSource,
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
  const [routers, own] = [coresByPhase(source.routers), coresByPhase([source.pid])];
  for (let phase = 0; phase < phases; phase++) {
    progressLine(`phase ${phase + 1}/${phases}: ${phase % 2 === 0 ? 'with' : 'without'} updates`);
    await pause(PHASE_SECONDS * 1000);
    routers.next();
    own.next();
    source.turn();
  }
  progressLine('');
  const text = (): string => readFileSync(topology.logFile('phases'), 'utf8').trim();
  await waitFor('iperf3 has ended', () => text().endsWith('}'), 20_000);
  const cores = { routers: routers.means(), source: own.means() };
  const counted = secondsOf(JSON.parse(text()) as IperfIntervals, phases);
  return compare(counted, phases, cores, availableParallelism());
}
