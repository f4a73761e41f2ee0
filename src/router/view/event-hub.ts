/** One place through which every event goes: to the log, and to those who follow `GET /v1/events`. */
import type { Logger } from 'pino';
import type { EventView } from '../../control/api.js';
import type { Clock } from '../../net/clock.js';

export type EventLevel = 'info' | 'warn' | 'error';
export type EventFields = Readonly<Record<string, string | number | boolean | null | readonly string[]>>;

export class EventHub {
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #listeners = new Set<(event: EventView) => void>();

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  /**
   * `event` is a stable name, `message` a constant sentence; what varies is in the fields.
   * @param atMs Unix milliseconds, of an event that is told later; the log's own time is that of the line
   */
  emit(
    level: EventLevel,
    event: string,
    message: string,
    fields: EventFields = {},
    atMs = this.#clock.wallMs(),
  ): void {
    this.#log[level]({ event, ...fields }, message);
    const view: EventView = { at: new Date(atMs).toISOString(), event, ...fields };
    for (const listener of this.#listeners) listener(view);
  }

  /** Calls `listener` for every event until the returned function is called. */
  subscribe(listener: (event: EventView) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
