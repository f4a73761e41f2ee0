/**
 * A day of sites whose machines talk and are moved: by the advice, by other rules, and not at all. In the manner of VMPlaceS,
 * simulated; who talks with whom, loads and migrations follow from the seed (bench/advice/world.ts).
 *   scripts/bench advice [--sites 8] [--hosts 8] [--nodes 512] [--hours 24] [--seeds 1,2,3] [--json FILE]
 * What is judged is in bench/advice/judge.ts; exit code 1 if it does not hold.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Command } from 'commander';
import { projectRoot } from '../test/lab/daemon.js';
import { type Day, runDay } from './advice/day.js';
import { bytesOf, type Judgement, judge } from './advice/judge.js';
import { POLICIES } from './advice/policies.js';
import { measureSpeed } from './advice/speed.js';
import { describeMachine, machineLine } from './lib/machine.js';
import { table } from './lib/table.js';

const SPEED = { machines: 1_000, sites: 50, runs: 10 };

interface Options {
  readonly sites: string;
  readonly hosts: string;
  readonly nodes: string;
  readonly hours: string;
  readonly seeds: string;
  readonly json?: string;
}

const DEPLOYED = ['evenly', 'by application'] as const;
const HEAD = [
  'policy',
  'bytes GB',
  'of nothing',
  'traffic GB',
  'migration GB',
  'moves',
  'flaps',
  'overload %',
  'stood still s',
];

function row(day: Day, nothing: Day): string[] {
  const gb = (bytes: number): string => Math.round(bytes / 1e9).toLocaleString('en');
  return [
    day.policy,
    gb(bytesOf(day)),
    `${Math.round((100 * bytesOf(day)) / bytesOf(nothing))} %`,
    gb(day.trafficBytes),
    gb(day.migrationBytes),
    String(day.moves),
    String(day.flaps),
    (100 * day.overloadShare).toFixed(2),
    day.downtimeSeconds.toFixed(0),
  ];
}

const judgedRow = ({ what, worst, atMost, holds }: Judgement): string[] => [
  what,
  worst.toFixed(2),
  String(atMost),
  holds ? 'yes' : 'NO',
];

function main(options: Options): void {
  const machine = describeMachine();
  console.log(machineLine(machine));
  const startedAt = new Date().toISOString();
  const { sites, hosts, nodes, hours } = options;
  const seeds = options.seeds.split(',').map(Number);
  const worlds = DEPLOYED.flatMap((deployed) =>
    seeds.map((seed) => {
      const size = {
        sites: Number(sites),
        hostsPerSite: Number(hosts),
        nodes: Number(nodes),
        seed,
        deployed,
      };
      const days = Object.keys(POLICIES).map((policy) => runDay(policy, size, Number(hours)));
      const nothing = days.find(({ policy }) => policy === 'nothing') as Day;
      console.log(`\n${sites} sites, ${nodes} nodes deployed ${deployed}, ${hours} h, seed ${seed}`);
      console.log(
        table(
          HEAD,
          days.map((day) => row(day, nothing)),
        ),
      );
      return { ...size, hours: Number(hours), days };
    }),
  );
  const speed = measureSpeed(SPEED.machines, SPEED.sites, SPEED.runs);
  const { ms, processorMs, pairs } = speed;
  console.log(
    `\n${speed.machines} machines, ${speed.sites} sites, ${pairs} pairs: ${ms.median.toFixed(0)} ms, at most ${ms.max.toFixed(0)}; processor time ${processorMs.median.toFixed(0)}, at most ${processorMs.max.toFixed(0)}`,
  );
  const judgements = judge(worlds, speed);
  console.log(`\n${table(['judged', 'worst', 'at most', 'holds'], judgements.map(judgedRow))}`);
  if (!judgements.every(({ holds }) => holds)) process.exitCode = 1;
  const file = options.json ?? `${projectRoot}bench/results/advice.json`;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ startedAt, machine, worlds, speed, judgements }, undefined, 1)}\n`);
  console.log(`\nwritten: ${file}`);
}

await new Command('advice')
  .description('a day of sites whose machines move by the advice, by other rules, and not at all, simulated')
  .option('--sites <n>', 'how many sites', '8')
  .option('--hosts <n>', 'hosts a site; each takes 9 nodes', '8')
  .option('--nodes <n>', 'how many nodes, all together', '512')
  .option('--hours <n>', 'how long', '24')
  .option('--seeds <n,…>', 'a world each', '1,2,3')
  .option('--json <file>', 'where the results go (default: bench/results/advice.json)')
  .action(main)
  .parseAsync();
