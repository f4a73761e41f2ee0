/** An advice as rows: one a move, what a step has as a whole in the line of its first. */
import type { AdviceView, AdvisedMoveView, AmountView } from '../../advice-view.js';
import { bytes } from '../../units.js';

export interface AdviceRow {
  /** Counted from 1. */
  readonly step: number;
  readonly isFirst: boolean;
  readonly move: AdvisedMoveView;
  readonly saves: string;
  readonly costs: string;
  /** Undefined in all lines of a step but its first. */
  readonly paidBackMs: number | undefined;
}

export function adviceRows(view: AdviceView): AdviceRow[] {
  const amount = ({ bytes: count, value }: AmountView): string => {
    const text = bytes(Math.round(count));
    return view.objective === 'cost' ? `${text}, ${value.toFixed(2)}` : text;
  };
  return view.steps.flatMap(({ moves, saves, costs, paidBackSeconds }, i) =>
    moves.map((move, j): AdviceRow => {
      const isFirst = j === 0;
      return {
        step: i + 1,
        isFirst,
        move,
        saves: isFirst ? amount(saves) : '',
        costs: isFirst ? amount(costs) : '',
        paidBackMs: isFirst ? paidBackSeconds * 1000 : undefined,
      };
    }),
  );
}

export function adviceSum({ now, after, steps, objective }: AdviceView): string {
  const first = `Between sites ${bytes(Math.round(now.bytes))} a day`;
  if (steps.length === 0) return `${first}; no move pays.`;
  const less = now.value === 0 ? 0 : 100 * (1 - after.value / now.value);
  const what = objective === 'traffic' ? '' : ` of what is asked about (${objective})`;
  return `${first}; with these moves ${bytes(Math.round(after.bytes))}, ${less.toFixed(1)} % less${what}.`;
}
