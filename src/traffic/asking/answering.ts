/**
 * Answers other routers' questions: one after the other, each in slices between which other things happen. An answer is kept
 * for a while, since what was lost of it is asked for again.
 */
import { BoundedMap } from '../../net/bounded-map.js';
import type { Clock } from '../../net/clock.js';
import {
  TRAFFIC_PARTS_AT_ONCE,
  type TrafficAskMessage,
  type TrafficPartMessage,
  type TrafficRow,
} from '../../protocol/traffic-message.js';
import type { RouterId } from '../../tables/model.js';
import { rowsOf, slice, type Told } from '../gather.js';
import { mostOf, type TrafficCounters } from './authority.js';
import { partsOf } from './parts.js';

/** Answers that are kept: one an asker. */
const KEPT_ANSWERS = 16;
const KEPT_MS = 10_000;
const MOST_WAITING = 64;

export interface AnsweringContext {
  readonly clock: Clock;
  readonly counters: TrafficCounters;
  /** Counts what there is by now, and begins to answer. */
  readonly gather: (question: TrafficAskMessage) => Generator<number, Told>;
  readonly say: (to: RouterId, message: TrafficPartMessage) => void;
}

interface Answer {
  readonly queryId: number;
  readonly periods: number;
  readonly parts: readonly (readonly TrafficRow[])[];
  readonly madeMs: number;
}

export class Answering {
  readonly #context: AnsweringContext;
  readonly #answers = new BoundedMap<RouterId, Answer>(KEPT_ANSWERS);
  /** The latest question of each. */
  readonly #waiting = new Map<RouterId, TrafficAskMessage>();
  #isAtWork = false;

  constructor(context: AnsweringContext) {
    this.#context = context;
  }

  /** The question has passed the gate. */
  asked(from: RouterId, question: TrafficAskMessage): void {
    const known = this.#answers.get(from);
    const { clock, counters } = this.#context;
    if (known?.queryId === question.queryId && clock.nowMs() - known.madeMs < KEPT_MS) {
      this.#send(from, known, question.first);
      return;
    }
    if (!this.#waiting.has(from) && this.#waiting.size >= MOST_WAITING) {
      counters.count('traffic_questions_dropped_queue_full');
      return;
    }
    // Asked again while it waits: from the beginning, all the same.
    this.#waiting.set(from, question);
    this.#work();
  }

  #work(): void {
    if (this.#isAtWork) return;
    for (const [from, question] of this.#waiting) {
      this.#isAtWork = true;
      this.#slice(from, question, this.#context.gather(question));
      return;
    }
  }

  #slice(from: RouterId, question: TrafficAskMessage, work: Generator<number, Told>): void {
    const told = slice(work);
    if (told !== undefined) {
      this.#answered(from, question, told);
      return;
    }
    this.#context.clock.after('traffic-answer', 0, () => this.#slice(from, question, work));
  }

  #answered(from: RouterId, question: TrafficAskMessage, told: Told): void {
    const { clock, counters } = this.#context;
    const parts = partsOf(this.#possible(question, rowsOf(told)));
    const answer = { queryId: question.queryId, periods: told.periods, parts, madeMs: clock.nowMs() };
    this.#answers.set(from, answer);
    counters.count('traffic_questions_answered');
    this.#isAtWork = false;
    // A newer one may have come meanwhile.
    if (this.#waiting.get(from)?.queryId === question.queryId) this.#waiting.delete(from);
    this.#send(from, answer, question.first);
    this.#work();
  }

  /** What an exporter has told may be beyond what the others can believe of this router. */
  #possible(question: TrafficAskMessage, rows: readonly TrafficRow[]): TrafficRow[] {
    const most = mostOf(question);
    return rows.map((row) => {
      if (row.bytes <= most.bytes && row.packets <= most.packets) return row;
      this.#context.counters.count('traffic_rows_held_down');
      return {
        ...row,
        bytes: Math.min(row.bytes, most.bytes),
        packets: Math.min(row.packets, most.packets),
      };
    });
  }

  #send(to: RouterId, { queryId, periods, parts }: Answer, first: number): void {
    for (let part = first; part < Math.min(parts.length, first + TRAFFIC_PARTS_AT_ONCE); part++)
      this.#context.say(to, {
        type: 'trafficPart',
        queryId,
        part,
        parts: parts.length,
        periods,
        rows: parts[part] ?? [],
      });
  }
}
