/**
 * The two routers of a site, one of which is struck again and again with real kernels: how long nothing passes.
 *   scripts/bench failover [--kills 100] [--handovers 20] [--flows 100] [--seed N] [--delay 5] [--faults kill,stop,lan,wan]
 *                          [--json FILE]
 * A 1 kHz probe goes both ways through the pair, and TCP connections of which every byte is checked. Each fault hits the
 * router that is active then; it is undone, and the pair whole again, before the next.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import { projectRoot } from '../test/lab/daemon.js';
import { Lab } from '../test/lab/lab.js';
import { type Fault, faults as knownFaults } from '../test/lab/pair.js';
import { randomOf } from '../test/support/sim-lan-wan.js';
import { Failover } from './failover/bench.js';
import { shuffled } from './failover/order.js';
import { type HandOver, type Measured, report, type Switch } from './failover/report.js';
import { ClockWatch } from './lib/clock.js';
import { describeMachine, machineLine } from './lib/machine.js';
import { progressLine } from './lib/run.js';
import { endAtStandstill } from './lib/standstill.js';

interface Options {
  readonly kills: string;
  readonly handovers: string;
  readonly flows: string;
  readonly seed: string;
  readonly delay: string;
  readonly faults: string;
  readonly json?: string;
}

const say = (text: string): void => console.log(text);

let labNow: Lab | undefined;
const standstill = endAtStandstill(() => labNow);

const progress = (text: string): void => {
  standstill.reached(text);
  progressLine(text);
};

function faultsOf(text: string): Fault[] {
  return text.split(',').map((word) => {
    const fault = knownFaults.find((known) => known === word);
    if (fault === undefined) throw new Error(`no fault "${word}"; there are: ${knownFaults.join(', ')}`);
    return fault;
  });
}

/** Goes on after what could not be measured, and says so at the end. */
async function attempt<T>(
  failover: Failover,
  what: string,
  logs: string,
  problems: string[],
  body: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await body();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const kept = await failover.recover(logs, what.replaceAll(/[^a-z0-9]+/g, '-'));
    problems.push(`${what}: ${why}; logs: ${kept}`);
    progress(`${what}: ${why}`);
    return undefined;
  }
}

async function measure(options: Options, clock: ClockWatch, seed: number): Promise<Measured> {
  const random = randomOf(seed);
  const faults = faultsOf(options.faults);
  const order = shuffled(faults, Number(options.kills), random);
  const [switches, handOvers, problems]: [Switch[], HandOver[], string[]] = [[], [], []];
  const logs = join(tmpdir(), `vine-failover-${process.pid}`);
  progress('a lab of three routers');
  const lab = await Lab.up({ topology: 'pair', wanDelayMs: Number(options.delay) });
  labNow = lab;
  try {
    progress(`traffic: two probes and ${options.flows} connections`);
    const failover = await Failover.open(lab, Number(options.flows), clock, random);
    for (const [i, fault] of order.entries()) {
      const done = await attempt(failover, `switch ${i + 1} ${fault}`, logs, problems, () =>
        failover.strike(fault),
      );
      if (done === undefined) continue;
      switches.push(done);
      const { struck, outageMs, resets } = done;
      progress(
        `switch ${i + 1} of ${order.length}: ${fault} of ${struck}, ${outageMs.toFixed(0)} ms, ${resets} broken`,
      );
    }
    for (let i = 1; i <= Number(options.handovers); i++) {
      const done = await attempt(failover, `hand-over ${i}`, logs, problems, () => failover.handOver());
      if (done === undefined) continue;
      handOvers.push(done);
      progress(
        `hand-over ${i}: ${done.lost} lost, ${done.duplicated} duplicated, ${done.gapMs.toFixed(0)} ms`,
      );
    }
    await failover.finish();
  } catch (error) {
    console.error(lab.report());
    throw error;
  } finally {
    await lab.down();
    labNow = undefined;
  }
  progressLine('');
  return { faults, switches, handOvers, problems };
}

async function main(options: Options): Promise<void> {
  const machine = describeMachine();
  const seed = Number(options.seed);
  say(machineLine(machine));
  say(`seed ${seed}, one-way delay of the WAN ${options.delay} ms, ${options.flows} connections`);
  const startedAt = new Date().toISOString();
  const clock = await ClockWatch.start();
  const measured = await measure(options, clock, seed);
  const clockReport = await clock.stop();
  const results = report(measured, say);
  const file = options.json ?? `${projectRoot}bench/results/failover.json`;
  mkdirSync(dirname(file), { recursive: true });
  const { delay, flows } = options;
  const run = { startedAt, machine, seed, delayMs: Number(delay), flows: Number(flows), clock: clockReport };
  writeFileSync(file, `${JSON.stringify({ ...run, ...results }, undefined, 1)}\n`);
  say(`\nwritten: ${file}`);
}

const program = new Command('failover')
  .description('the two routers of a site, one of which is struck again and again')
  .option('--kills <n>', 'faults, as many of each kind', '100')
  .option('--handovers <n>', 'hand-overs as an operator orders them', '20')
  .option('--flows <n>', 'TCP connections through the pair', '100')
  .option('--seed <n>', 'order and moments of the faults', String(Math.floor(Math.random() * 1_000_000)))
  .option('--delay <ms>', 'one-way delay of the WAN', '5')
  .option('--faults <kind,…>', knownFaults.join(', '), 'kill,stop,lan,wan')
  .option('--json <file>', 'where the results go (default: bench/results/failover.json)')
  .action(main);
await program.parseAsync();
standstill.end();
