/** `scripts/bench throughput`: vined, the kernel and every installed peer over one topology, side by side in one run. */
import { writeFileSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import { projectRoot } from '../test/lab/daemon.js';
import { run } from '../test/lab/shell.js';
import { allPeers, type Carrier, missingPrograms } from './lib/carrier.js';
import { ClockWatch, type LowClock } from './lib/clock.js';
import { accepted, startChurn } from './lib/load.js';
import { describeMachine, machineLine } from './lib/machine.js';
import { type BusyLoad, measure, measureBusy, prepare } from './lib/measure.js';
import type { Figures } from './lib/measured.js';
import { ON_PATH, peerFolders } from './lib/peer-path.js';
import { KERNEL, PEERS } from './lib/peers.js';
import { clockLine, medians, type Row, ratiosOf, type ThroughputReport, table } from './lib/report.js';
import { outputFile, progressLine, restoreSysctls, writeSysctl } from './lib/run.js';
import { judge, verdictTable } from './lib/targets.js';
import { Topology } from './lib/topology.js';
import { figuresOf, type Repetition, tooFew } from './lib/undisturbed.js';
import { notSupported, OURS } from './lib/vine.js';

interface Options {
  readonly peers?: string;
  readonly peerPath?: string;
  readonly ours: string;
  readonly kernel: string;
  readonly install: boolean;
  readonly seconds: number;
  readonly repeat: number;
  readonly slowPings: number;
  readonly routes: number;
  readonly json?: string;
}

/** What the table of figures to reach asks for. */
const ROUTES = 100_000;
const UPDATES_PER_SECOND = 1000;
const SOCKET_LIMITS = ['net.core.rmem_max', 'net.core.wmem_max'];
const SOCKET_LIMIT_BYTES = 8_388_608;
const INSTALL_LIMIT_MS = 600_000;
/** Repetitions that the processors' clock did not disturb are counted; at most so many times as many are made. */
const MOST_TIMES = 2;

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('expected a number above 0');
  return value;
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('expected a whole number from 0');
  return value;
}

function parseOptions(): Options {
  return new Command('scripts/bench throughput')
    .description(
      'TCP, small UDP packets, latency, processor time and memory: vined beside the kernel and its peers',
    )
    .option(
      '--peers <names>',
      `of ${PEERS.map(({ name }) => name).join(', ')}; NAME@FOLDER from a peer folder; "none"; default: all that are there`,
    )
    .option(
      '--peer-path <folders>',
      'folders with peers of other versions (unpacked packages), ":" between them; default: those of scripts/peers',
    )
    .option('--ours <names>', `of ${OURS.map(({ name }) => name).join(', ')}`, 'vine,vine-aes,vine-tcp')
    .option('--kernel <names>', `of ${KERNEL.map(({ name }) => name).join(', ')}`, 'kernel,vxlan')
    .option('--install', 'install the missing peers with apt-get, one by one, and run scripts/peers', false)
    .option('--seconds <n>', 'length of each transfer', positive, 4)
    .option('--repeat <n>', 'repetitions of everything; the median counts', positive, 3)
    .option('--slow-pings <n>', 'pings a second apart, in each repetition; 0 leaves these out', count, 30)
    .option('--routes <n>', 'host routes for the last measurements; 0 leaves these out', count, ROUTES)
    .option('--json <file>', 'where to write the figures (default: bench/results/throughput-TIME.json)')
    .parse()
    .opts<Options>();
}

function pick<T extends { readonly name: string }>(
  all: readonly T[],
  names: string | undefined,
): readonly T[] {
  if (names === undefined) return all;
  if (names === 'none') return [];
  return names.split(',').map((name) => {
    const found = all.find((candidate) => candidate.name === name.trim());
    if (found === undefined)
      throw new Error(`"${name}" is none of ${all.map((candidate) => candidate.name).join(', ')}`);
    return found;
  });
}

async function install(carrier: Carrier): Promise<void> {
  if (carrier.needs === undefined || missingPrograms(carrier).length === 0) return;
  const { packages } = carrier.needs;
  console.log(`installing ${packages.join(' ')}`);
  const command = ['apt-get', 'install', '-y', '--no-upgrade', '--no-install-recommends', ...packages];
  const installing = ['env', 'DEBIAN_FRONTEND=noninteractive', ...command];
  const { status, stderr } = await run(installing, { timeoutMs: INSTALL_LIMIT_MS });
  if (status !== 0) console.error(`! ${packages.join(' ')} could not be installed: ${stderr.trim()}`);
}

/** Those of a later Debian, into a folder of their own. */
async function fetchPeers(): Promise<void> {
  const { status, stdout, stderr } = await run([`${projectRoot}scripts/peers`], {
    timeoutMs: INSTALL_LIMIT_MS,
  });
  if (status !== 0) console.error(`! scripts/peers: ${stdout}${stderr}`);
}

/** Why a carrier cannot be measured here; undefined when it can. */
async function obstacle(carrier: Carrier): Promise<string | undefined> {
  const missing = missingPrograms(carrier);
  if (missing.length > 0) {
    const packages = carrier.needs?.packages.join(' ');
    return `${missing.join(', ')} is not installed (--install, or apt-get install ${packages})`;
  }
  const own = OURS.find(({ name }) => name === carrier.name);
  if (own === undefined) return undefined;
  const topology = new Topology({ forwarding: false, third: false });
  try {
    return (await notSupported(topology, own.settings)) || undefined;
  } finally {
    topology.close();
  }
}

async function versionOf({ kind, needs }: Carrier): Promise<string> {
  if (needs === undefined) return kind === 'ours' ? 'this checkout' : 'kernel';
  const [name] = needs.packages;
  if (needs.from.origin !== undefined) return needs.from.version(name) ?? 'unknown';
  const { stdout } = await run(['dpkg-query', '--status', name]);
  return /^Version: (.*)$/m.exec(stdout)?.[1] ?? 'unknown';
}

async function measureOnce(
  carrier: Carrier,
  label: string,
  { seconds, slowPings, routes }: Options,
): Promise<Repetition> {
  const churns = carrier.churns === true && routes > 0;
  const topology = new Topology({ forwarding: carrier.kernelForwards, third: churns });
  const progress = (what: string): void => progressLine(`${label}: ${what}`);
  try {
    progress('setting up');
    const pids = await carrier.up(topology);
    await prepare(topology);
    const parts = await measure(topology, pids, { seconds, slowPings }, progress);
    if (!churns) return parts;
    const load: BusyLoad = {
      start: async () => {
        await startChurn(topology, routes, UPDATES_PER_SECOND);
      },
      updates: () => accepted(topology, 'ra'),
    };
    return [...parts, ...(await measureBusy(topology, pids, seconds, load, progress))];
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}\n${topology.logs()}`, {
      cause: error,
    });
  } finally {
    topology.close();
  }
}

/** Runs of one carrier after the other, repetitions outermost: what drifts on the machine meets all of them alike. */
async function measureAll(
  carriers: readonly Carrier[],
  options: Options,
  clock: ClockWatch,
  failed: (name: string, why: string) => void,
): Promise<ReadonlyMap<string, readonly Repetition[]>> {
  const { repeat } = options;
  const runs = new Map<string, Repetition[]>();
  for (let round = 1; round <= repeat * MOST_TIMES; round++) {
    for (const carrier of carriers) {
      const before = runs.get(carrier.name) ?? [];
      if (round > repeat && tooFew(before, clock.lows, repeat).length === 0) continue;
      const label = `[${round}/${repeat}] ${carrier.name}`;
      try {
        const repetition = await measureOnce(carrier, label, options);
        runs.set(carrier.name, [...before, repetition]);
        progressLine('');
        console.log(`${label}: ${inShort(repetition, clock.lows)}`);
      } catch (error) {
        progressLine('');
        console.error(`! ${label}: ${error instanceof Error ? error.message : error}`);
        failed(carrier.name, `round ${round} failed`);
      }
    }
  }
  return runs;
}

function inShort(repetition: Repetition, lows: readonly LowClock[]): string {
  const { tcp1Mbit, udp4mKpps } = figuresOf(repetition, []);
  const left = Object.keys(figuresOf(repetition, lows));
  const out = Object.keys(figuresOf(repetition, [])).filter((figure) => !left.includes(figure));
  const disturbed = out.length === 0 ? '' : `; the processors' clock was low: ${out.join(', ')} left out`;
  return `${tcp1Mbit?.toFixed(0)} Mbit/s, ${udp4mKpps?.toFixed(0) ?? '–'} k/s${disturbed}`;
}

async function rowOf(
  carrier: Carrier,
  repetitions: readonly Repetition[],
  lows: readonly LowClock[],
  asked: number,
): Promise<Row> {
  const judged = repetitions.map((repetition) => figuresOf(repetition, lows));
  return {
    name: carrier.name,
    kind: carrier.kind,
    detail: carrier.detail,
    version: await versionOf(carrier),
    runs: repetitions.map((repetition) => figuresOf(repetition, []) as Figures),
    judged,
    median: medians(judged),
    tooFew: tooFew(repetitions, lows, asked),
  };
}

async function main(): Promise<void> {
  const options = parseOptions();
  if (options.install) await fetchPeers();
  const wanted = [
    ...pick(KERNEL, options.kernel),
    ...pick(allPeers(PEERS, ON_PATH, peerFolders(options.peerPath)), options.peers),
    ...pick(OURS, options.ours),
  ];
  if (options.install) for (const carrier of wanted) await install(carrier);
  const machine = describeMachine();
  console.log(machineLine(machine));
  const missing: { name: string; why: string }[] = [];
  const carriers: Carrier[] = [];
  for (const carrier of wanted) {
    const why = await obstacle(carrier);
    if (why === undefined) carriers.push(carrier);
    else missing.push({ name: carrier.name, why });
  }
  for (const { name, why } of missing) console.error(`! NOT MEASURED: ${name}: ${why}`);
  for (const name of SOCKET_LIMITS) writeSysctl(name, String(SOCKET_LIMIT_BYTES));
  const watch = await ClockWatch.start();
  const runs = await measureAll(carriers, options, watch, (name, why) => missing.push({ name, why }));
  const clock = await watch.stop();
  restoreSysctls();
  const rows: Row[] = [];
  for (const carrier of carriers) {
    const own = runs.get(carrier.name);
    if (own !== undefined) rows.push(await rowOf(carrier, own, watch.lows, options.repeat));
  }
  const report: ThroughputReport = {
    benchmark: 'throughput',
    at: new Date().toISOString(),
    seconds: options.seconds,
    repeat: options.repeat,
    slowPings: options.slowPings,
    routes: options.routes,
    machine,
    clock,
    rows,
    ratios: ratiosOf(rows),
    verdicts: judge(rows),
    missing,
  };
  const file = outputFile(options.json, 'throughput');
  writeFileSync(file, `${JSON.stringify(report, undefined, 2)}\n`);
  console.log(
    `\n${table(report)}\n\nFigures to reach (medians)\n${verdictTable(report.verdicts)}\n\n${clockLine(clock)}\nwritten to ${file}`,
  );
  if (rows.every(({ kind }) => kind !== 'ours') && options.ours !== 'none') process.exitCode = 1;
}

await main();
