/**
 * Asks the other routers, each once, a few at a time; parts that do not come are asked for again. Ends when all have answered, or
 * at the time that was given; who has not told everything by then is missing, and so is, with what it has told, who has told what
 * does not count.
 */
import type { Clock, Timer } from '../../net/clock.js';
import {
  TRAFFIC_PARTS_AT_ONCE,
  type TrafficAskMessage,
  type TrafficPartMessage,
  type TrafficRow,
} from '../../protocol/traffic-message.js';
import type { RouterId } from '../../tables/model.js';
import { type Told, toldOf } from '../gather.js';
import type { Question } from '../query.js';

/** Routers that are asked at the same time: what they have told in part is all that has to be kept of them. */
const AT_ONCE = 32;
const RETRY_MS = 400;
/** Times that a router is asked again without anything new from it; then the next one has its turn. */
const MOST_TRIES = 5;
/** Of one answer; an honest one has no more. */
const MOST_ROWS = 8_192;

export interface AskingContext {
  readonly clock: Clock;
  readonly say: (to: RouterId, message: TrafficAskMessage) => void;
  /** A new one at each call. */
  readonly nextQueryId: () => number;
}

export interface Heard {
  /** Called for each router that has answered, once. */
  readonly told: (router: RouterId, told: Told) => void;
  /** At the end. Who has told what does not count is in both. */
  readonly done: (missing: readonly RouterId[]) => void;
}

/** A router that has not told everything yet. */
interface Pending {
  readonly router: RouterId;
  readonly rows: Map<number, readonly TrafficRow[]>;
  rowCount: number;
  parts: number | undefined;
  periods: number;
  tries: number;
  /** All that it has told counts. */
  isSound: boolean;
  timer: Timer | undefined;
}

export class Asking {
  readonly #context: AskingContext;
  readonly #question: Question;
  readonly #heard: Heard;
  readonly #queryId: number;
  readonly #toAsk: RouterId[];
  readonly #pending = new Map<RouterId, Pending>();
  readonly #missing: RouterId[] = [];
  readonly #limit: Timer;
  #isDone = false;

  constructor(
    context: AskingContext,
    question: Question,
    routers: readonly RouterId[],
    withinMs: number,
    heard: Heard,
  ) {
    this.#context = context;
    this.#question = question;
    this.#heard = heard;
    this.#queryId = context.nextQueryId();
    this.#toAsk = [...routers];
    this.#limit = context.clock.after('traffic-query', withinMs, () => this.stop());
    this.#next();
  }

  /** The question, when an answer of that router to it is awaited. */
  questionTo(from: RouterId, queryId: number): Question | undefined {
    return queryId === this.#queryId && this.#pending.has(from) ? this.#question : undefined;
  }

  /** Has passed the gate. @param isWhole the gate has taken nothing out of it */
  received(from: RouterId, message: TrafficPartMessage, isWhole = true): void {
    const pending = this.#pending.get(from);
    if (pending === undefined || message.queryId !== this.#queryId) return;
    // It has made its answer anew: what was told before belongs to another one.
    if (pending.parts !== undefined && pending.parts !== message.parts) pending.rows.clear();
    pending.parts = message.parts;
    pending.periods = message.periods;
    pending.isSound &&= isWhole;
    if (pending.rows.has(message.part)) return;
    pending.rows.set(message.part, message.rows);
    pending.rowCount += message.rows.length;
    pending.tries = 0;
    if (pending.rowCount > MOST_ROWS) {
      this.#missing.push(from);
      this.#end(pending);
      return;
    }
    if (pending.rows.size === message.parts) this.#complete(pending);
    else if (pending.rows.size % TRAFFIC_PARTS_AT_ONCE === 0) this.#ask(pending);
  }

  /** Now: who has not told everything is missing. */
  stop(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#limit.cancel();
    for (const { router, timer } of this.#pending.values()) {
      timer?.cancel();
      this.#missing.push(router);
    }
    this.#missing.push(...this.#toAsk.splice(0));
    this.#pending.clear();
    this.#heard.done(this.#missing.sort());
  }

  #next(): void {
    while (this.#pending.size < AT_ONCE) {
      const router = this.#toAsk.shift();
      if (router === undefined) break;
      const pending: Pending = {
        router,
        rows: new Map(),
        rowCount: 0,
        parts: undefined,
        periods: 0,
        tries: 0,
        isSound: true,
        timer: undefined,
      };
      this.#pending.set(router, pending);
      this.#ask(pending);
    }
    if (this.#pending.size === 0) this.stop();
  }

  #ask(pending: Pending): void {
    pending.timer?.cancel();
    const first = firstMissing(pending);
    pending.timer = this.#context.clock.after('traffic-ask', RETRY_MS, () => this.#again(pending));
    this.#context.say(pending.router, {
      type: 'trafficAsk',
      queryId: this.#queryId,
      ...this.#question,
      first,
    });
  }

  #again(pending: Pending): void {
    if (this.#isDone) return;
    pending.tries++;
    if (pending.tries < MOST_TRIES) {
      this.#ask(pending);
      return;
    }
    this.#missing.push(pending.router);
    this.#end(pending);
  }

  #complete(pending: Pending): void {
    const { router, periods, rows, isSound } = pending;
    if (!isSound) this.#missing.push(router);
    const all = [...rows].sort(([a], [b]) => a - b).flatMap(([, some]) => some);
    this.#heard.told(router, toldOf(periods, all));
    this.#end(pending);
  }

  #end(pending: Pending): void {
    pending.timer?.cancel();
    this.#pending.delete(pending.router);
    this.#next();
  }
}

function firstMissing({ rows }: Pending): number {
  let part = 0;
  while (rows.has(part)) part++;
  return part;
}
