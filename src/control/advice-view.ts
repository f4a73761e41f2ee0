/** An advice as `vinectl advice --json` prints it and the page gets it, and what is said below it in both. */
import { count } from './units.js';

/** `bytes`, and the same in the objective's unit. */
export interface AmountView {
  readonly bytes: number;
  readonly value: number;
}

export interface AdvisedMoveView {
  readonly vnet: string;
  readonly ips: readonly string[];
  readonly mac: string;
  readonly from: string;
  readonly to: string;
  /** Of its migration. */
  readonly bytes: number;
  readonly seconds: number;
  readonly downtimeSeconds: number;
  readonly converges: boolean;
  /** Its memory or dirty rate is what is taken for granted. */
  readonly assumed: boolean;
}

export interface AdviceStepView {
  readonly kind: 'move' | 'swap' | 'group';
  readonly moves: readonly AdvisedMoveView[];
  /** A day. */
  readonly saves: AmountView;
  /** Once. */
  readonly costs: AmountView;
  readonly paidBackSeconds: number;
}

export interface AdviceView {
  readonly objective: 'traffic' | 'latency' | 'cost';
  /** Of every `value`. */
  readonly unit: string;
  readonly horizonSeconds: number;
  /** The traffic that it is made from. */
  readonly traffic: {
    readonly from: string;
    readonly to: string;
    readonly partial: boolean;
    readonly shareOfBytes: number;
  };
  /** A day's, between sites. */
  readonly now: AmountView;
  readonly after: AmountView;
  readonly steps: readonly AdviceStepView[];
  /** Machines that would gain too. */
  readonly later: number;
  /** Why machines stay that may not be moved, and how many do. */
  readonly staying: readonly { readonly why: string; readonly machines: number }[];
  readonly notes: readonly string[];
}

/** What is to be known of it, a sentence each. A time that is marked with `*` is of a machine of which much is assumed. */
export function adviceNotes({ steps, later, staying, notes, traffic }: AdviceView): string[] {
  const moves = steps.flatMap((step) => step.moves);
  const said: string[] = [];
  if (moves.some(({ assumed }) => assumed))
    said.push('* memory or dirty rate are assumed: say in advice.json what they are ("machines")');
  for (const { ips } of moves.filter(({ converges }) => !converges))
    said.push(
      `${ips[0]} writes to its memory faster than it can be sent: it would be stopped early, and stand still`,
    );
  if (moves.length > 0)
    said.push(
      'traffic within a LAN is counted only where exporters or sensors tell of it: machines that must stay beside others of their LAN belong in advice.json ("together")',
    );
  if (later > 0) said.push(`${count(later)} more machines would gain: ask again when these have moved`);
  for (const { why, machines } of staying)
    said.push(`${count(machines)} ${machines === 1 ? 'machine stays' : 'machines stay'}: ${why}`);
  for (const note of notes) said.push(`note: ${note}`);
  said.push(`traffic from ${traffic.from} to ${traffic.to}`);
  return said;
}
