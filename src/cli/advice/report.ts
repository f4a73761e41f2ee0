/** An advice as `vinectl advice --json` prints it. */
import type { AdviceView, AdvisedMoveView } from '../../control/advice-view.js';
import type { Advice, AdvisedMove, Objective } from '../../traffic/advice/input.js';
import type { Gathered } from './gather.js';

/** Of `value` in an amount. */
export const UNITS: Readonly<Record<Objective, string>> = {
  traffic: 'bytes',
  latency: 'bytes × ms of round trip',
  cost: 'the currency of advice.json',
};

export function reportOf(
  { machines, traffic, links, notes }: Gathered,
  advice: Advice,
  asked: { readonly objective: Objective; readonly horizonSeconds: number },
): AdviceView {
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

function moveOf(
  { machine: position, ...move }: AdvisedMove,
  machines: Gathered['machines'],
): AdvisedMoveView {
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
