/** What docs/operating.md quotes of bench/results/sensor.json. */
import { named } from './figures.js';
import type { Machine } from './machine.js';
import { median } from './measure.js';

export interface Round {
  readonly tcpGbps: number;
  readonly udpLost: number;
  readonly udpPackets: number;
}

export interface WithSensor extends Round {
  /** What the sensor takes of one processor. */
  readonly tcpPercent: number;
  readonly udpPercent: number;
  /** UDP packets that arrived and were not told. */
  readonly missed: number;
}

export interface SensorRun {
  readonly startedAt: string;
  readonly machine: Machine;
  /** UDP packets a second. */
  readonly rate: number;
  /** Of each flow. */
  readonly seconds: number;
  /** Those of one round have one index. */
  readonly without: readonly Round[];
  readonly withSensor: readonly WithSensor[];
}

export function sensorSummary({ rate, seconds, without, withSensor }: SensorRun): string {
  const ratios = withSensor.map(({ tcpGbps }, i) => tcpGbps / (without[i]?.tcpGbps ?? Number.NaN));
  const range = `${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)}`;
  const gbps = median(without.map(({ tcpGbps }) => tcpGbps)).toFixed(1);
  const of = (pick: (round: WithSensor) => number): string => median(withSensor.map(pick)).toFixed(1);
  const missed = withSensor.reduce((sum, round) => sum + round.missed, 0);
  return `TCP over the bridge, ${seconds} s with the sensor and ${seconds} s without in turn, ${withSensor.length} rounds: with it ${median(ratios).toFixed(3)}
of the throughput without (median of the rounds, ${range}; ${gbps} Gbit/s without); the sensor takes ${of(({ tcpPercent }) => tcpPercent)} % of one processor then.
With ${rate} UDP packets a second it takes ${of(({ udpPercent }) => udpPercent)} %, and missed ${missed} of those that arrived; ${lostPercent(withSensor)} % were lost on the way with it,
${lostPercent(without)} % without.`;
}

function lostPercent(rounds: readonly Round[]): string {
  const sum = (pick: (round: Round) => number): number => rounds.reduce((all, round) => all + pick(round), 0);
  return ((100 * sum(({ udpLost }) => udpLost)) / sum(({ udpPackets }) => udpPackets)).toFixed(2);
}

export function sensorFigures(run: SensorRun): string {
  return `\`scripts/bench sensor\`, ${run.startedAt.slice(0, 10)}:
${named(run.machine)}; [bench/results/sensor.json](../bench/results/sensor.json).

${sensorSummary(run)}`;
}
