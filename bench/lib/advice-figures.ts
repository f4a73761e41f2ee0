/** What docs/advice.md quotes of bench/results/advice.json. */

import type { Day } from '../advice/day.js';
import { bytesOf, type Judgement } from '../advice/judge.js';
import type { Speed } from '../advice/speed.js';
import type { WorldSize } from '../advice/world.js';
import { markdown, named } from './figures.js';
import type { Machine } from './machine.js';

export interface AdviceRun {
  readonly startedAt: string;
  readonly machine: Machine;
  readonly worlds: readonly (WorldSize & { readonly hours: number; readonly days: readonly Day[] })[];
  readonly speed: Speed;
  readonly judgements: readonly Judgement[];
}

const HEAD = ['', 'bytes between sites', 'of that migrations', 'moves', 'moves back', 'stood still'];

export function adviceFigures({ startedAt, machine, worlds, speed, judgements }: AdviceRun): string {
  const kinds = [...new Set(worlds.map(({ deployed }) => deployed))];
  const first = worlds[0];
  const seeds = worlds.filter(({ deployed }) => deployed === kinds[0]).map(({ seed }) => seed);
  const parts = [
    `\`scripts/bench advice\`, ${startedAt.slice(0, 10)}: ${first?.sites} sites with ${first?.hostsPerSite} hosts each, ${first?.nodes} nodes, ${first?.hours} hours, seeds ${seeds.join(', ')} (means);
${named(machine)}; [bench/results/advice.json](../bench/results/advice.json).`,
    ...kinds.map((kind) =>
      tableOf(
        kind,
        worlds.filter(({ deployed }) => deployed === kind).map(({ days }) => days),
      ),
    ),
    markdown(['judged', 'worst', 'at most', 'holds'], judgements.map(judgedRow)),
    `${speed.machines} machines at ${speed.sites} sites, ${speed.pairs} pairs, ${speed.ms.count} networks: ${speed.ms.median.toFixed(0)} ms, at most ${speed.ms.max.toFixed(0)}.`,
  ];
  return parts.join('\n\n');
}

function tableOf(deployed: string, days: readonly (readonly Day[])[]): string {
  const policies = (days[0] ?? []).map(({ policy }) => policy);
  const mean = (policy: string, of: (day: Day) => number): number =>
    days.reduce((sum, all) => sum + of(all.find((day) => day.policy === policy) as Day), 0) / days.length;
  const nothing = mean('nothing', bytesOf);
  const rows = policies.map((policy) => [
    policy,
    `${(mean(policy, bytesOf) / 1e12).toFixed(2)} TB (${((100 * mean(policy, bytesOf)) / nothing).toFixed(0)} %)`,
    `${(mean(policy, (day) => day.migrationBytes) / 1e12).toFixed(2)} TB`,
    mean(policy, ({ moves }) => moves).toFixed(0),
    mean(policy, ({ flaps }) => flaps).toFixed(0),
    `${mean(policy, (day) => day.downtimeSeconds).toFixed(0)} s`,
  ]);
  return markdown([`deployed ${deployed}`, ...HEAD.slice(1)], rows);
}

const judgedRow = ({ what, worst, atMost, holds }: Judgement): string[] => [
  what,
  worst.toFixed(2),
  String(atMost),
  holds ? 'yes' : 'NO',
];
