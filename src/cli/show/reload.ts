/** `vinectl reload`: what has changed, a line each. */
import type { ChangeView, ReloadView } from '../../control/api.js';
import { time } from '../../control/units.js';
import { clean, type Look } from './text.js';

const SIGNS = { added: '+', removed: '-', changed: '~' } as const;
const STYLES = { added: 'green', removed: 'red', changed: 'yellow' } as const;

export function showReload(reload: ReloadView, dryRun: boolean, { paint }: Look): string {
  const line = ({ change, thing, name, detail }: ChangeView): string => {
    const what = clean(thing === 'setting' ? name : `${thing} ${name}`);
    return `${paint(STYLES[change], `${SIGNS[change]} ${what}`)}${detail === '' ? '' : `  ${clean(detail)}`}\n`;
  };
  const warnings = reload.warnings.map((text) => `${paint('yellow', 'warning')}: ${clean(text)}\n`);
  return [...reload.changes.map(line), ...warnings, `${outcome(reload, dryRun)}\n`].join('');
}

function outcome({ applied, changes, confirmBefore }: ReloadView, dryRun: boolean): string {
  const things = `${changes.length} ${changes.length === 1 ? 'change' : 'changes'}`;
  if (changes.length === 0 && confirmBefore === null) return 'nothing differs from what the router runs with';
  if (dryRun) return `${things}, nothing applied (dry run)`;
  const done = applied ? `${things} applied` : 'nothing differs from what the router runs with';
  return confirmBefore === null
    ? done
    : `${done}; undone at ${time(confirmBefore)} unless "vinectl confirm" comes before`;
}
