/** `vinectl doctor`. */
import type { FindingView } from '../../control/api.js';
import { clean, type Look } from './text.js';

const STYLES = { ok: 'green', warning: 'yellow', error: 'red' } as const;
const WIDTH = 'warning'.length;

/** One line a finding; what to do about it is on the next. */
export function showFindings(findings: readonly FindingView[], { paint }: Look): string {
  const lines = findings.map(({ check, level, subject, message, remedy }) => {
    const head = `${paint(STYLES[level], level)}${' '.repeat(WIDTH - level.length)}`;
    const todo = remedy === '' ? '' : `${' '.repeat(WIDTH)}  → ${clean(remedy)}\n`;
    return `${head}  ${clean(check)} ${paint('bold', clean(subject))}: ${clean(message)}\n${todo}`;
  });
  const count = (level: string): number => findings.filter((finding) => finding.level === level).length;
  const [errors, warnings] = [count('error'), count('warning')];
  const verdict =
    errors + warnings === 0 ? 'nothing wrong' : `${plural(errors, 'error')}, ${plural(warnings, 'warning')}`;
  return `${lines.join('')}${verdict}\n`;
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
