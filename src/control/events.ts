/**
 * The events of the router as the control API gives them out: the last ones kept, and those to come, to any number
 * of slow clients. The router's side only ever puts an event into arrays of bounded length.
 */
import type { Writable } from 'node:stream';
import type { EventSource, EventView } from './api.js';

/** Events that `GET /v1/events` can show. */
export const RECENT_EVENTS = 1000;
/** Events that wait for one slow client; older ones are dropped and counted. */
export const FOLLOWER_BUFFER = 1000;
/** Clients that follow at one time: half of all connections, so that other calls always find one. */
export const MAX_FOLLOWERS = 32;

/** Lines handed to the socket at a time, so that what it holds stays small beside the buffer. */
const LINES_PER_WRITE = 100;

export class EventLog {
  readonly #recent: EventView[] = [];
  readonly #followers = new Set<Follower>();
  readonly #unsubscribe: () => void;

  constructor(source: EventSource) {
    this.#unsubscribe = source.subscribe((event) => this.#take(event));
  }

  /** Oldest first. */
  recent(): readonly EventView[] {
    return [...this.#recent];
  }

  get followers(): number {
    return this.#followers.size;
  }

  /** Writes every event from now on to `sink`, a JSON line each, until it closes. */
  follow(sink: Writable): void {
    const follower = new Follower(sink);
    this.#followers.add(follower);
    sink.once('close', () => {
      follower.stop();
      this.#followers.delete(follower);
    });
  }

  /** Ends every follower's stream. */
  close(): void {
    this.#unsubscribe();
    for (const follower of this.#followers) follower.finish();
  }

  #take(event: EventView): void {
    this.#recent.push(event);
    if (this.#recent.length > RECENT_EVENTS) this.#recent.shift();
    for (const follower of this.#followers) follower.offer(event);
  }
}

/** One client. Writes in a later turn of the event loop, as far as the client reads. */
class Follower {
  readonly #sink: Writable;
  #waiting: EventView[] = [];
  #dropped = 0;
  #lastDroppedAt = '';
  #scheduled = false;
  #blocked = false;
  #stopped = false;

  constructor(sink: Writable) {
    this.#sink = sink;
  }

  offer(event: EventView): void {
    if (this.#stopped) return;
    this.#waiting.push(event);
    if (this.#waiting.length > FOLLOWER_BUFFER) {
      this.#lastDroppedAt = this.#waiting.shift()?.at ?? '';
      this.#dropped++;
    }
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    this.#waiting = [];
  }

  finish(): void {
    if (this.#stopped) return;
    if (!this.#blocked) this.#flush();
    this.stop();
    this.#sink.end();
  }

  #schedule(): void {
    if (this.#scheduled || this.#blocked) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    while (!this.#blocked && !this.#stopped && this.#waiting.length > 0) {
      const text = this.#gap() + this.#waiting.splice(0, LINES_PER_WRITE).map(lineOf).join('');
      if (!this.#sink.write(text)) this.#waitForRoom();
    }
  }

  #waitForRoom(): void {
    this.#blocked = true;
    this.#sink.once('drain', () => {
      this.#blocked = false;
      this.#flush();
    });
  }

  /** The line that stands where events are missing; its time is that of the last one missing. */
  #gap(): string {
    if (this.#dropped === 0) return '';
    const line = lineOf({ at: this.#lastDroppedAt, event: 'events_dropped', count: this.#dropped });
    this.#dropped = 0;
    return line;
  }
}

function lineOf(event: EventView): string {
  return `${JSON.stringify(event)}\n`;
}
