/**
 * Moves of nodes between sites with real kernels: who knows when, what is lost, and whether the time budget holds.
 *   scripts/bench migration [--delays 0,5,25,50] [--moves 20] [--consecutive 100] [--burst 50] [--silent 20]
 *                           [--json FILE] [--qemu]
 * One node goes to and fro under a 1 kHz probe in both directions and two TCP connections; times are taken from the
 * switches' wires. With --qemu the node is a real guest, migrated by QEMU.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Command } from 'commander';
import { projectRoot } from '../test/lab/daemon.js';
import { Lab } from '../test/lab/lab.js';
import { moverName } from '../test/lab/plan.js';
import { ClockWatch } from './lib/clock.js';
import { describeMachine, machineLine } from './lib/machine.js';
import { endAtStandstill } from './lib/standstill.js';
import { isUndisturbed } from './migration/budget.js';
import { runGuests } from './migration/guests.js';
import { type Measured, report } from './migration/report.js';
import { type BurstResult, burst, Series, type SeriesResult } from './migration/series.js';
import { type SilentResult, silentMoves } from './migration/silent.js';

interface Options {
  readonly delays: string;
  readonly moves: string;
  readonly consecutive: string;
  readonly consecutiveDelay: string;
  readonly burst: string;
  readonly silent: string;
  readonly silentDelay: string;
  readonly json?: string;
  readonly qemu?: boolean;
}

const isTerminal = process.stderr.isTTY === true;
const say = (text: string): void => console.log(text);

let labNow: Lab | undefined;
const standstill = endAtStandstill(() => labNow);

/** On a terminal one line that changes; else nothing. */
const progress = (text: string): void => {
  standstill.reached(text);
  if (isTerminal) process.stderr.write(`\r\u001b[K${text}`);
};

async function withLab<T>(delayMs: number, moreVms: number, body: (lab: Lab) => Promise<T>): Promise<T> {
  progress(`delay ${delayMs} ms: a lab of three sites and ${1 + moreVms} nodes that move`);
  const lab = await Lab.up({ topology: 'three-site', wanDelayMs: delayMs, maxMoves: 1000, moreVms });
  labNow = lab;
  try {
    progress(`delay ${delayMs} ms: traffic`);
    return await body(lab);
  } catch (error) {
    console.error(lab.report());
    throw error;
  } finally {
    await lab.down();
    labNow = undefined;
  }
}

function series(delayMs: number, moves: number, clock: ClockWatch): Promise<SeriesResult> {
  return withLab(delayMs, 0, (lab) =>
    new Series(lab, delayMs, clock).run(moves, (done) => progress(`delay ${delayMs} ms: move ${done}`)),
  );
}

/** One burst is one figure: so many in which the processors kept their clock, and at most three times as many. */
const BURSTS = 3;
const MOST_BURSTS = 9;

async function bursts(delayMs: number, nodes: number, clock: ClockWatch): Promise<BurstResult[]> {
  const names = Array.from({ length: nodes }, (_, i) => moverName(i));
  const results: BurstResult[] = [];
  while (nodes > 0 && results.filter(isUndisturbed).length < BURSTS && results.length < MOST_BURSTS) {
    progress(`${nodes} nodes at once: time ${results.length + 1}`);
    results.push(await withLab(delayMs, nodes, (lab) => burst(lab, delayMs, names, clock)));
  }
  return results;
}

function inSilence(delayMs: number, moves: number): Promise<SilentResult | undefined> {
  if (moves === 0) return Promise.resolve(undefined);
  return withLab(delayMs, 0, (lab) =>
    silentMoves(lab, delayMs, moves, (done) => progress(`in silence: move ${done}`)),
  );
}

async function measure(options: Options): Promise<Measured> {
  const [moves, many, nodes, delayMs] = [
    options.moves,
    options.consecutive,
    options.burst,
    options.consecutiveDelay,
  ].map(Number) as [number, number, number, number];
  const clock = await ClockWatch.start();
  const results: SeriesResult[] = [];
  if (moves > 0)
    for (const delay of options.delays.split(',')) results.push(await series(Number(delay), moves, clock));
  const consecutive = many > 0 ? await series(delayMs, many, clock) : undefined;
  const together = await bursts(delayMs, nodes, clock);
  const silent = await inSilence(Number(options.silentDelay), Number(options.silent));
  progress('');
  return { moves, many, series: results, consecutive, bursts: together, silent, clock: await clock.stop() };
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
    : report(await measure(options), say);
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
  .option('--silent <n>', 'moves that nobody announces; 0: none', '20')
  .option('--silent-delay <ms>', 'their one-way delay', '20')
  .option('--json <file>', 'where the results go (default: bench/results/)')
  .option('--qemu', 'real guests, migrated by QEMU')
  .action(main);
await program.parseAsync();
standstill.end();
