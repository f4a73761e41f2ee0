/** `vinectl migrations`: each move with what happened when. */
import type { MigrationView } from '../../control/api.js';
import { age, milliseconds, time } from '../../control/units.js';
import { clean, type Look } from './text.js';

const VERDICT_STYLES = { claiming: 'yellow', accepted: 'green', refused: 'red', undone: 'red' } as const;

export function showMigrations(moves: readonly MigrationView[], look: Look): string {
  if (moves.length === 0) return `${look.paint('dim', 'no moves')}\n`;
  return moves.map((move) => showMigration(move, look)).join('\n');
}

export function showMigration(move: MigrationView, { paint, nowMs }: Look): string {
  const verdict =
    paint(VERDICT_STYLES[move.verdict], move.verdict) + (move.reason && `: ${clean(move.reason)}`);
  const path = clean(`${move.from ?? 'unknown'} -> ${move.to}`);
  return [
    `${paint('bold', clean(move.ips.join(', ')))}  ${path}  ${verdict}\n`,
    clean(
      `  mac ${move.mac}, vnet ${move.vnet}, seq ${move.seq}, trigger ${move.trigger}, seen as ${move.role}`,
    ),
    `\n  ${time(move.startedAt)}, ${age(move.startedAt, nowMs)}\n`,
    timeLine(move.steps),
    blackout(move),
  ].join('');
}

function timeLine(steps: MigrationView['steps']): string {
  const times = steps.map(({ atUs }) => `+${milliseconds(atUs)}`);
  const width = Math.max(0, ...times.map((text) => text.length));
  return steps.map(({ step }, i) => `  ${times[i]?.padStart(width)} ms  ${clean(step)}\n`).join('');
}

function blackout({ blackoutUs }: MigrationView): string {
  if (blackoutUs === null) return '';
  return `  estimated blackout, without the hypervisor's pause: ${milliseconds(blackoutUs)} ms\n`;
}
