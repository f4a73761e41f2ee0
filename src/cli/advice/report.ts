/** An advice as `vinectl advice --json` prints it. */
import type { Advice, AdviceStep, AdvisedMove, Amount, Objective } from '../../traffic/advice/input.js';
import type { Gathered } from './gather.js';

/** Of `value` in an amount. */
export const UNITS: Readonly<Record<Objective, string>> = {
  traffic: 'bytes',
  latency: 'bytes × ms of round trip',
  cost: 'the currency of advice.json',
};

export interface MoveReport extends Omit<AdvisedMove, 'machine'> {
  readonly vnet: string;
  readonly ips: readonly string[];
  readonly mac: string;
  /** Memory or dirty rate is what advice.json takes for what nobody has said. */
  readonly assumed: boolean;
}

export interface StepReport extends Omit<AdviceStep, 'moves'> {
  readonly moves: readonly MoveReport[];
}

export interface AdviceReport {
  readonly objective: Objective;
  readonly unit: string;
  readonly horizonSeconds: number;
  /** The traffic that it is made from. */
  readonly traffic: {
    readonly from: string;
    readonly to: string;
    readonly partial: boolean;
    readonly shareOfBytes: number;
  };
  /** A day. */
  readonly now: Amount;
  readonly after: Amount;
  readonly steps: readonly StepReport[];
  readonly later: number;
  /** Why machines stay that may not be moved, and how many do. */
  readonly staying: readonly { readonly why: string; readonly machines: number }[];
  readonly notes: readonly string[];
}

export function reportOf(
  { machines, traffic, links, notes }: Gathered,
  advice: Advice,
  asked: { readonly objective: Objective; readonly horizonSeconds: number },
): AdviceReport {
  const { objective, horizonSeconds } = asked;
  const guessed =
    objective === 'latency' && links.guessed
      ? ['round trips between other sites are estimated where advice.json has none (links)']
      : [];
  return {
    objective,
    unit: UNITS[objective],
    horizonSeconds,
    traffic: {
      from: traffic.from,
      to: traffic.to,
      partial: traffic.partial,
      shareOfBytes: traffic.parts[0]?.shareOfBytes ?? 1,
    },
    now: advice.now,
    after: advice.after,
    steps: advice.steps.map((step) => ({ ...step, moves: step.moves.map((move) => moveOf(move, machines)) })),
    later: advice.later,
    staying: stayingOf(machines),
    notes: [...advice.notes, ...notes, ...guessed],
  };
}

function moveOf({ machine: position, ...move }: AdvisedMove, machines: Gathered['machines']): MoveReport {
  const machine = machines[position];
  if (machine === undefined) throw new Error(`no machine ${position}`);
  const { vnetName: vnet, addresses: ips, mac, isAssumed: assumed } = machine;
  return { vnet, ips, mac, ...move, assumed };
}

function stayingOf(machines: Gathered['machines']): { why: string; machines: number }[] {
  const counts = new Map<string, number>();
  for (const { stays } of machines) if (stays !== undefined) counts.set(stays, (counts.get(stays) ?? 0) + 1);
  return [...counts].map(([why, count]) => ({ why, machines: count }));
}
