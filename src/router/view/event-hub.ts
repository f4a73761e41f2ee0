/**
 * One place through which every event goes: to the log, and to those who follow `GET /v1/events`. A peer or a LAN can set
 * off events as fast as it sends; of each kind so many are told, and the rest is summed up.
 */
import type { Logger } from 'pino';
import type { EventView } from '../../control/api.js';
import type { Clock, Timer } from '../../net/clock.js';
import { DeclaredCounters } from '../../net/counters.js';
import { KeyedRateLimit, type Rate } from '../../net/rate-limit.js';

export type EventLevel = 'info' | 'warn' | 'error';
export type EventFields = Readonly<Record<string, string | number | boolean | null | readonly string[]>>;

/** Events of one kind: more than fifty nodes that move at once, less than costs the control thread a hundredth. */
const BUDGET: Rate = { perSecond: 20, burst: 100 };
/** Kinds are names in the code. */
const MOST_KINDS = 256;
const SUMMARY_MS = 10_000;

export const EVENT_COUNTERS = { events_suppressed: 'event' } as const;

interface Suppressed {
  count: number;
  /** The first one's fields. */
  readonly sample: string;
}

export class EventHub {
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #listeners = new Set<(event: EventView) => void>();
  readonly #budget: KeyedRateLimit;
  readonly #counts = new DeclaredCounters(EVENT_COUNTERS);
  /** By kind, since the last summary. */
  #suppressed = new Map<string, Suppressed>();
  #timer: Timer | undefined;

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
    this.#budget = new KeyedRateLimit(clock, BUDGET, MOST_KINDS);
  }

  /**
   * `event` is a stable name, `message` a constant sentence; what varies is in the fields, which may be made only when
   * they are told.
   * @param atMs Unix milliseconds, of an event that is told later; the log's own time is that of the line
   */
  emit(
    level: EventLevel,
    event: string,
    message: string,
    fields: EventFields | (() => EventFields) = {},
    atMs?: number,
  ): void {
    if (this.admit(event, fields)) this.tell(level, event, message, fields, atMs);
  }

  /** Takes one event's place in the budget of its kind. False: it is counted, and not to be told. */
  admit(event: string, fields: EventFields | (() => EventFields)): boolean {
    if (this.#budget.allow(event)) return true;
    this.#counts.count('events_suppressed');
    const known = this.#suppressed.get(event);
    if (known !== undefined) known.count++;
    else this.#suppressed.set(event, { count: 1, sample: textOf(fieldsIn(fields)) });
    this.#timer ??= this.#clock.after('events-suppressed', SUMMARY_MS, () => this.#summarize());
    return false;
  }

  /** Of one that was admitted. */
  tell(
    level: EventLevel,
    event: string,
    message: string,
    fields: EventFields | (() => EventFields),
    atMs = this.#clock.wallMs(),
  ): void {
    const values = fieldsIn(fields);
    this.#log[level]({ event, ...values }, message);
    const view: EventView = { at: new Date(atMs).toISOString(), event, ...values };
    for (const listener of this.#listeners) listener(view);
  }

  /** Calls `listener` for every event until the returned function is called. */
  subscribe(listener: (event: EventView) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  counters(): Readonly<Record<string, number>> {
    return this.#counts.counters();
  }

  /** What was suppressed until now is told. */
  stop(): void {
    this.#summarize();
  }

  #summarize(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const suppressed = this.#suppressed;
    this.#suppressed = new Map();
    for (const [of, { count, sample }] of suppressed) {
      const fields = { of, count, sample };
      this.tell('warn', 'events_suppressed', 'there were more events of one kind than are told', fields);
    }
  }
}

function fieldsIn(fields: EventFields | (() => EventFields)): EventFields {
  return typeof fields === 'function' ? fields() : fields;
}

function textOf(fields: EventFields): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
}
