/** Numbers and times for people. */

export { bytes } from '../net/sizes.js';

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** `12 s`, `3 min`, `5 h`, `2 d`: one unit, rounded down; changes unit where two figures would do. */
export function duration(ms: number): string {
  const past = Math.max(0, ms);
  if (past < 2 * MINUTE_MS) return `${Math.floor(past / SECOND_MS)} s`;
  if (past < 2 * HOUR_MS) return `${Math.floor(past / MINUTE_MS)} min`;
  if (past < 2 * DAY_MS) return `${Math.floor(past / HOUR_MS)} h`;
  return `${Math.floor(past / DAY_MS)} d`;
}

/** Two units: `45 s`, `3 min 7 s`, `1 h 5 min`, `4 d 2 h`. */
export function longDuration(ms: number): string {
  const past = Math.max(0, ms);
  const days = Math.floor(past / DAY_MS);
  const hours = Math.floor((past % DAY_MS) / HOUR_MS);
  const minutes = Math.floor((past % HOUR_MS) / MINUTE_MS);
  const seconds = Math.floor((past % MINUTE_MS) / SECOND_MS);
  if (days > 0) return `${days} d ${hours} h`;
  if (hours > 0) return `${hours} h ${minutes} min`;
  if (minutes > 0) return `${minutes} min ${seconds} s`;
  return `${seconds} s`;
}

/** @param at ISO 8601; `never` when null, the text itself when it is not a time */
export function age(at: string | null, nowMs: number): string {
  if (at === null) return 'never';
  const then = Date.parse(at);
  return Number.isNaN(then) ? at : `${duration(nowMs - then)} ago`;
}

/** `2026-11-20 10:19:02Z`: UTC, since routers of one overlay are in many time zones. */
export function time(at: string): string {
  const then = Date.parse(at);
  return Number.isNaN(then) ? at : `${new Date(then).toISOString().slice(0, 19).replace('T', ' ')}Z`;
}

/** As {@link time}, with milliseconds. */
export function preciseTime(at: string): string {
  const then = Date.parse(at);
  return Number.isNaN(then) ? at : new Date(then).toISOString().replace('T', ' ');
}

/** `1,234,567` */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** @param us microseconds; shown in milliseconds, to three places */
export function milliseconds(us: number): string {
  return (us / 1000).toFixed(3);
}

/** `1 step`, `2 steps` */
export function counted(number: number, what: string): string {
  return `${count(number)} ${what}${number === 1 ? '' : 's'}`;
}
