/** `scripts/bench throughput`: vined, the kernel and every installed peer over one topology, side by side in one run. */
import { existsSync, writeFileSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import { run } from '../test/lab/shell.js';
import type { Carrier } from './lib/carrier.js';
import { accepted, startChurn } from './lib/load.js';
import { describeMachine, machineLine } from './lib/machine.js';
import { type BusyLoad, type Figures, measure, measureBusy, prepare } from './lib/measure.js';
import { KERNEL, PEERS } from './lib/peers.js';
import { medians, type Row, ratiosOf, type ThroughputReport, table } from './lib/report.js';
import { outputFile, progressLine, restoreSysctls, writeSysctl } from './lib/run.js';
import { judge, verdictTable } from './lib/targets.js';
import { Topology } from './lib/topology.js';
import { notSupported, OURS } from './lib/vine.js';

interface Options {
  readonly peers?: string;
  readonly ours: string;
  readonly kernel: string;
  readonly install: boolean;
  readonly seconds: number;
  readonly repeat: number;
  readonly routes: number;
  readonly json?: string;
}

/** What the table of figures to reach asks for. */
const ROUTES = 100_000;
const UPDATES_PER_SECOND = 1000;
const SOCKET_LIMITS = ['net.core.rmem_max', 'net.core.wmem_max'];
const SOCKET_LIMIT_BYTES = 8_388_608;
const INSTALL_LIMIT_MS = 600_000;

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
      `of ${PEERS.map(({ name }) => name).join(', ')}; "none"; default: all installed`,
    )
    .option('--ours <names>', `of ${OURS.map(({ name }) => name).join(', ')}`, 'vine,vine-aes,vine-tcp')
    .option('--kernel <names>', `of ${KERNEL.map(({ name }) => name).join(', ')}`, 'kernel,vxlan')
    .option('--install', 'install the missing peers with apt-get, one by one', false)
    .option('--seconds <n>', 'length of each transfer', positive, 4)
    .option('--repeat <n>', 'repetitions of everything; the median counts', positive, 3)
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

const onPath = (program: string): boolean =>
  `${process.env.PATH}:/usr/sbin:/sbin`.split(':').some((directory) => existsSync(`${directory}/${program}`));

async function install(carrier: Carrier): Promise<void> {
  if (carrier.needs === undefined || onPath(carrier.needs.program)) return;
  console.log(`installing ${carrier.needs.package}`);
  const command = [
    'apt-get',
    'install',
    '-y',
    '--no-install-recommends',
    ...carrier.needs.package.split(' '),
  ];
  const installing = ['env', 'DEBIAN_FRONTEND=noninteractive', ...command];
  const { status, stderr } = await run(installing, { timeoutMs: INSTALL_LIMIT_MS });
  if (status !== 0) console.error(`! ${carrier.needs.package} could not be installed: ${stderr.trim()}`);
}

/** Why a carrier cannot be measured here; undefined when it can. */
async function obstacle(carrier: Carrier): Promise<string | undefined> {
  if (carrier.needs !== undefined && !onPath(carrier.needs.program))
    return `${carrier.needs.program} is not installed (--install, or apt-get install ${carrier.needs.package})`;
  const own = OURS.find(({ name }) => name === carrier.name);
  if (own === undefined) return undefined;
  const topology = new Topology({ forwarding: false, third: false });
  try {
    return (await notSupported(topology, own.settings)) || undefined;
  } finally {
    topology.close();
  }
}

async function versionOf(carrier: Carrier): Promise<string> {
  const name = carrier.needs?.package.split(' ')[0];
  if (name === undefined) return carrier.kind === 'ours' ? 'this checkout' : 'kernel';
  const { stdout } = await run(['dpkg-query', '--status', name]);
  return /^Version: (.*)$/m.exec(stdout)?.[1] ?? 'unknown';
}

async function measureOnce(
  carrier: Carrier,
  label: string,
  { seconds, routes }: Pick<Options, 'seconds' | 'routes'>,
): Promise<Figures> {
  const churns = carrier.churns === true && routes > 0;
  const topology = new Topology({ forwarding: carrier.kernelForwards, third: churns });
  const progress = (what: string): void => progressLine(`${label}: ${what}`);
  try {
    progress('setting up');
    const pids = await carrier.up(topology);
    await prepare(topology);
    const figures = await measure(topology, pids, seconds, progress);
    if (!churns) return figures;
    const load: BusyLoad = {
      start: () => startChurn(topology, routes, UPDATES_PER_SECOND),
      updates: () => accepted(topology, 'ra'),
    };
    return { ...figures, ...(await measureBusy(topology, pids, seconds, load, progress)) };
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}\n${topology.logs()}`, {
      cause: error,
    });
  } finally {
    topology.close();
  }
}

async function main(): Promise<void> {
  const options = parseOptions();
  const wanted = [
    ...pick(KERNEL, options.kernel),
    ...pick(PEERS, options.peers),
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
  const runs = new Map<string, Figures[]>();
  // Repetitions outermost: what drifts on the machine meets all of them alike.
  for (let round = 1; round <= options.repeat; round++) {
    for (const carrier of carriers) {
      const label = `[${round}/${options.repeat}] ${carrier.name}`;
      try {
        const figures = await measureOnce(carrier, label, options);
        runs.set(carrier.name, [...(runs.get(carrier.name) ?? []), figures]);
        progressLine('');
        console.log(
          `${label}: ${figures.tcp1Mbit.toFixed(0)} Mbit/s, ${figures.udp4mKpps?.toFixed(0) ?? '–'} k/s`,
        );
      } catch (error) {
        progressLine('');
        console.error(`! ${label}: ${error instanceof Error ? error.message : error}`);
        missing.push({ name: carrier.name, why: `round ${round} failed` });
      }
    }
  }
  restoreSysctls();
  const rows: Row[] = [];
  for (const carrier of carriers) {
    const own = runs.get(carrier.name);
    if (own === undefined) continue;
    const { name, kind, detail } = carrier;
    rows.push({ name, kind, detail, version: await versionOf(carrier), runs: own, median: medians(own) });
  }
  const report: ThroughputReport = {
    benchmark: 'throughput',
    at: new Date().toISOString(),
    seconds: options.seconds,
    repeat: options.repeat,
    routes: options.routes,
    machine,
    rows,
    ratios: ratiosOf(rows),
    verdicts: judge(rows),
    missing,
  };
  const file = outputFile(options.json, 'throughput');
  writeFileSync(file, `${JSON.stringify(report, undefined, 2)}\n`);
  console.log(
    `\n${table(report)}\n\nFigures to reach (medians)\n${verdictTable(report.verdicts)}\n\nwritten to ${file}`,
  );
  if (rows.every(({ kind }) => kind !== 'ours') && options.ours !== 'none') process.exitCode = 1;
}

await main();
