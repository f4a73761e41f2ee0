/** What a run of the migration bench says, and what it writes. */
import type { ClockReport } from '../lib/clock.js';
import { histogram } from '../lib/distribution.js';
import { table } from '../lib/table.js';
import { burstCheck, type Check, checksOf, summariesOf, summaryHead, summaryRows } from './budget.js';
import type { BurstResult, SeriesResult } from './series.js';
import { type SilentResult, silentChecks, silentSummary, silentTable } from './silent.js';

type Say = (text: string) => void;

export interface Measured {
  /** Undisturbed moves that were asked for: of each series, and of the long run. */
  readonly moves: number;
  readonly many: number;
  readonly series: readonly SeriesResult[];
  readonly consecutive: SeriesResult | undefined;
  readonly bursts: readonly BurstResult[];
  readonly silent: SilentResult | undefined;
  readonly clock: ClockReport;
}

function sayChecks(say: Say, title: string, checks: readonly Check[]): void {
  say(`\n${title}`);
  const rows = checks.map(({ what, measured, limit, holds }) => [
    what,
    measured,
    limit,
    holds ? 'holds' : 'FAILS',
  ]);
  say(table(['time budget', 'measured', 'limit', ''], rows).replace(/^/gm, '  '));
}

function sayDistribution(say: Say, { moves }: SeriesResult): void {
  for (const [title, of] of [
    ['a1 → node', 'toNode'],
    ['node → a1', 'fromNode'],
  ] as const) {
    say(
      `\n  ${title}: probes lost beyond pause + one-way delay (1 kHz: milliseconds' worth), and how many moves`,
    );
    for (const line of histogram(
      moves.map((move) => move[of].lostMs),
      1,
    ))
      say(`  ${line}`);
  }
}

function sayClock(say: Say, { watchedMs, lowMs, times, worstFactor }: ClockReport): void {
  const share = ((100 * lowMs) / watchedMs).toFixed(1);
  say(`\nThe processors ran below half their usual speed for ${share} % of the run: ${times} times, of`);
  say(
    `${(lowMs / Math.max(1, times)).toFixed(0)} ms on average, down to a ${worstFactor.toFixed(0)}th. The host did that, not this machine's load (test/lab/clock.c).`,
  );
  say(
    'Moves in such a time are not judged by their times, but shown; losses and connections are judged in all.',
  );
}

/** Answers what is to be written. */
export function report(measured: Measured, say: Say): object {
  const { moves, many, series, consecutive, bursts, silent, clock } = measured;
  const summaries = series.map((one) => summariesOf(one, moves));
  const long = consecutive && summariesOf(consecutive, many);
  sayClock(say, clock);
  say(
    '\nMilliseconds: median / p99 / highest. Times from the first announcement on the wire; losses and gaps beyond',
  );
  say("the node's own pause + the one-way delay.");
  say(table(summaryHead, [...summaries, ...(long ? [long] : [])].flatMap(summaryRows)));
  const checks: object[] = [];
  const judge = (title: string, delayMs: number, judged: readonly Check[], isLong = false): void => {
    sayChecks(say, `${title}, one-way delay ${delayMs} ms`, judged);
    checks.push(...judged.map((one) => ({ delayMs, ...(isLong ? { consecutive: true } : {}), ...one })));
  };
  for (const one of summaries) judge(`${moves} moves`, one.all.delayMs, checksOf(one, false));
  if (consecutive && long) {
    judge(`${many} consecutive moves`, long.all.delayMs, checksOf(long, true), true);
    sayDistribution(say, consecutive);
  }
  const [burst] = bursts;
  if (burst) judge('Bursts', burst.delayMs, [burstCheck(burst, bursts)]);
  if (silent) {
    say(`\n${silentTable(silent)}`);
    judge('In silence', silent.delayMs, silentChecks(silent));
  }
  return {
    clock,
    summaries,
    consecutive: long,
    bursts,
    silent: silent && { ...silent, summary: silentSummary(silent) },
    checks,
    moves: series,
    consecutiveMoves: consecutive?.moves,
  };
}
