/** `vinectl events`: one line each, `field=value`. */
import type { EventView } from '../../control/api.js';
import { preciseTime } from '../../control/units.js';
import { clean, type Look } from './text.js';

/** Ends in a line feed. */
export function showEvent({ at, event, ...fields }: EventView, { paint }: Look): string {
  const shown = Object.entries(fields).map(([name, value]) => ` ${clean(name)}=${quoted(value)}`);
  return `${paint('dim', clean(preciseTime(at)))}  ${paint('bold', clean(event))}${shown.join('')}\n`;
}

export function showEvents(events: readonly EventView[], look: Look): string {
  if (events.length === 0) return `${look.paint('dim', 'no events')}\n`;
  return events.map((event) => showEvent(event, look)).join('');
}

function quoted(value: EventView[string]): string {
  const text = Array.isArray(value) ? value.join(',') : String(value);
  return /^[^\s"=]+$/.test(text) ? clean(text) : clean(JSON.stringify(text));
}
