/** `vinectl advice`: which moves, what each saves, what it costs, when it has paid for itself. */

import type { AdviceStepView, AdviceView, AdvisedMoveView } from '../../control/advice-view.js';
import { adviceNotes } from '../../control/advice-view.js';
import { bytes, duration } from '../../control/units.js';
import type { Amount } from '../../traffic/advice/input.js';
import { type Column, clean, type Look, table } from './text.js';

interface Row {
  readonly number: number;
  readonly step: AdviceStepView;
  readonly move: AdvisedMoveView;
  readonly isFirst: boolean;
}

export function showAdvice(report: AdviceView, { paint }: Look): string {
  const rows = report.steps.flatMap((step, i) =>
    step.moves.map((move, j): Row => ({ number: i + 1, step, move, isFirst: j === 0 })),
  );
  return [
    `${paint('bold', sumOf(report))}\n`,
    rows.length === 0 ? '' : '\n',
    table(rows, columnsOf(report), paint, 'no move pays'),
    ...['', ...adviceNotes(report)].map((line) => `${clean(line)}\n`),
  ].join('');
}

function sumOf({ now, after, steps, objective }: AdviceView): string {
  const first = `between sites ${bytes(Math.round(now.bytes))} a day`;
  if (steps.length === 0) return first;
  const share =
    objective === 'traffic' ? '' : `, ${lessOf(now, after)} of what is asked about (${objective})`;
  return `${first}; with these moves ${bytes(Math.round(after.bytes))}${share}`;
}

function lessOf(now: Amount, after: Amount): string {
  const share = now.value === 0 ? 0 : 1 - after.value / now.value;
  return `${(100 * share).toFixed(1)} % less`;
}

/** What a step has as a whole stands in the line of its first move. */
function columnsOf({ objective, now }: AdviceView): Column<Row>[] {
  const step = (title: string, text: (step: AdviceStepView) => string): Column<Row> => ({
    title,
    right: true,
    text: ({ step: of, isFirst }) => (isFirst ? text(of) : ''),
  });
  const money = (value: number): string => value.toFixed(2);
  return [
    { title: '#', right: true, text: ({ number, isFirst }) => (isFirst ? String(number) : '') },
    { title: 'NODE', text: ({ move }) => move.ips.join(', ') },
    { title: 'VNET', text: ({ move }) => move.vnet },
    { title: 'FROM', text: ({ move }) => move.from },
    { title: 'TO', text: ({ move }) => move.to },
    step('SAVES A DAY', ({ saves }) => bytes(Math.round(saves.bytes))),
    step('OF ALL', ({ saves }) => `${((100 * saves.value) / now.value).toFixed(1)} %`),
    ...(objective === 'cost' ? [step('SAVED', ({ saves }) => money(saves.value))] : []),
    step('COSTS ONCE', ({ costs }) =>
      objective === 'cost' ? money(costs.value) : bytes(Math.round(costs.bytes)),
    ),
    step('PAID BACK AFTER', ({ paidBackSeconds }) => duration(paidBackSeconds * 1000)),
    { title: 'TAKES', right: true, text: ({ move }) => duration(move.seconds * 1000) },
    {
      title: 'STANDS STILL',
      right: true,
      text: ({ move }) => stillOf(move),
      style: ({ move }) => styleOf(move),
    },
  ];
}

const stillOf = ({ downtimeSeconds, assumed }: AdvisedMoveView): string =>
  `${(downtimeSeconds * 1000).toFixed(0)} ms${assumed ? '*' : ' '}`;
const styleOf = ({ converges }: AdvisedMoveView): 'red' | undefined => (converges ? undefined : 'red');
