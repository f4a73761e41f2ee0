/**
 * Moves of nodes between sites with real kernels: who knows when, what is lost, and whether the time budget holds.
 *   scripts/bench migration [--delays 0,5,25,50] [--moves 20] [--consecutive 100] [--burst 50] [--json FILE] [--qemu]
 * One node goes to and fro under a 1 kHz probe in both directions and two TCP connections; times are taken from the
 * switches' wires. With --qemu the node is a real guest, migrated by QEMU.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Command } from 'commander';
import { projectRoot } from '../test/lab/daemon.js';
import { Lab } from '../test/lab/lab.js';
import { moverName } from '../test/lab/plan.js';
import { histogram } from './lib/distribution.js';
import { describeMachine, machineLine } from './lib/machine.js';
import { table } from './lib/table.js';
import { burstCheck, type Check, checksOf, summarise, summaryHead, summaryRow } from './migration/budget.js';
import { runGuests } from './migration/guests.js';
import { type BurstResult, burst, Series, type SeriesResult } from './migration/series.js';

interface Options {
  readonly delays: string;
  readonly moves: string;
  readonly consecutive: string;
  readonly consecutiveDelay: string;
  readonly burst: string;
  readonly json?: string;
  readonly qemu?: boolean;
}

const isTerminal = process.stderr.isTTY === true;
const say = (text: string): void => console.log(text);
/** On a terminal one line that changes; else nothing. */
const progress = (text: string): void => {
  if (isTerminal) process.stderr.write(`\r\u001b[K${text}`);
};

async function withLab<T>(delayMs: number, moreVms: number, body: (lab: Lab) => Promise<T>): Promise<T> {
  const lab = await Lab.up({ topology: 'three-site', wanDelayMs: delayMs, maxMoves: 1000, moreVms });
  try {
    return await body(lab);
  } catch (error) {
    console.error(lab.report());
    throw error;
  } finally {
    await lab.down();
  }
}

function series(delayMs: number, moves: number): Promise<SeriesResult> {
  return withLab(delayMs, 0, (lab) =>
    new Series(lab, delayMs).run(moves, (done) => progress(`delay ${delayMs} ms: move ${done} of ${moves}`)),
  );
}

function sayChecks(title: string, checks: readonly Check[]): void {
  say(`\n${title}`);
  const rows = checks.map(({ what, measured, limit, holds }) => [
    what,
    measured,
    limit,
    holds ? 'holds' : 'FAILS',
  ]);
  say(table(['time budget', 'measured', 'limit', ''], rows).replace(/^/gm, '  '));
}

function sayDistribution({ moves }: SeriesResult): void {
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

interface Results {
  readonly series: readonly SeriesResult[];
  readonly consecutive: SeriesResult | undefined;
  readonly bursts: readonly BurstResult[];
}

/** One burst is one figure, and the machine has its moods. */
const BURSTS = 3;

async function measure(options: Options): Promise<Results> {
  const results: SeriesResult[] = [];
  if (Number(options.moves) > 0)
    for (const delay of options.delays.split(','))
      results.push(await series(Number(delay), Number(options.moves)));
  const [many, nodes, delayMs] = [options.consecutive, options.burst, options.consecutiveDelay].map(Number);
  const consecutive = many ? await series(delayMs ?? 0, many) : undefined;
  progress('a burst of moves');
  const names = Array.from({ length: nodes ?? 0 }, (_, i) => moverName(i));
  const bursts: BurstResult[] = [];
  while (names.length > 0 && bursts.length < BURSTS)
    bursts.push(await withLab(delayMs ?? 0, names.length, (lab) => burst(lab, delayMs ?? 0, names)));
  progress('');
  return { series: results, consecutive, bursts };
}

function report({ series, consecutive, bursts }: Results): object {
  const [burst] = bursts;
  const summaries = series.map(summarise);
  const long = consecutive && summarise(consecutive);
  say(
    '\nMilliseconds: median / p99 / highest. Times from the first announcement on the wire; losses and gaps beyond',
  );
  say("the node's own pause + the one-way delay.");
  say(table(summaryHead, [...summaries, ...(long ? [long] : [])].map(summaryRow)));
  for (const summary of summaries) sayChecks(`One-way delay ${summary.delayMs} ms`, checksOf(summary, false));
  if (consecutive && long) {
    sayChecks(`${long.moves} consecutive moves, one-way delay ${long.delayMs} ms`, checksOf(long, true));
    sayDistribution(consecutive);
  }
  if (burst)
    sayChecks(`${bursts.length} bursts, one-way delay ${burst.delayMs} ms`, [burstCheck(burst, bursts)]);
  const checks = [
    ...summaries.flatMap((summary) =>
      checksOf(summary, false).map((one) => ({ delayMs: summary.delayMs, ...one })),
    ),
    ...(long
      ? checksOf(long, true).map((one) => ({ delayMs: long.delayMs, consecutive: true, ...one }))
      : []),
    ...(burst ? [{ delayMs: burst.delayMs, ...burstCheck(burst, bursts) }] : []),
  ];
  return {
    summaries,
    consecutive: long,
    bursts,
    checks,
    moves: series,
    consecutiveMoves: consecutive?.moves,
  };
}

async function main(options: Options): Promise<void> {
  const machine = describeMachine();
  say(machineLine(machine));
  const startedAt = new Date().toISOString();
  const results = options.qemu
    ? await runGuests({
        delays: options.delays.split(',').map(Number),
        moves: Number(options.moves),
        say,
        progress,
      })
    : report(await measure(options));
  const file = options.json ?? `${projectRoot}bench/results/migration${options.qemu ? '-qemu' : ''}.json`;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ startedAt, machine, ...results }, undefined, 1)}\n`);
  say(`\nwritten: ${file}`);
}

const program = new Command('migration')
  .description('moves of nodes between sites: who knows when, and what is lost')
  .option('--delays <ms,…>', 'one-way delays of the WAN', '0,5,25,50')
  .option('--moves <n>', 'moves at each delay', '20')
  .option('--consecutive <n>', 'moves of the long run; 0: none', '100')
  .option('--consecutive-delay <ms>', 'its one-way delay, and the burst’s', '5')
  .option('--burst <n>', 'nodes that move at the same instant; 0: none', '50')
  .option('--json <file>', 'where the results go (default: bench/results/)')
  .option('--qemu', 'real guests, migrated by QEMU')
  .action(main);
await program.parseAsync();
