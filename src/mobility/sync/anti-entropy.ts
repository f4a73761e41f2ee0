/** Keeping directories alike: digests when a peer comes up and every 30 s, the missing records in answer. */

import { KeyedRateLimit, onceIn } from '../../net/rate-limit.js';
import type { DigestMessage } from '../../protocol/table-message.js';
import { chunks } from '../../tables/chunks.js';
import type { RouterId } from '../../tables/model.js';
import type { Context } from '../context.js';
import { Repeats } from './repeats.js';
import { RECORDS_PER_MESSAGE, type UpdateBatcher } from './update-batcher.js';

const DIGEST_INTERVAL_MS = 30_000;

/** A router that was asked for what it has kept answers within this time. */
const RECALL_OPEN_MS = 30_000;
/** An answer with all that there is, to one router. */
const FULL_ANSWER_INTERVAL_MS = 10_000;

export class AntiEntropy {
  readonly #context: Context;
  readonly #updates: UpdateBatcher;
  /** Routers whose digest differs. */
  readonly #unequal = new Repeats<RouterId>();
  /** Until when each router may give back what it has kept. */
  readonly #recalled = new Map<RouterId, number>();
  /** The last digest of each router that has to wait for its answer. */
  readonly #deferred = new Map<RouterId, DigestMessage>();
  readonly #returnsDeferred = new Set<RouterId>();
  readonly #fullAnswers: KeyedRateLimit<RouterId>;
  readonly #fullReturns: KeyedRateLimit<RouterId>;

  constructor(context: Context, updates: UpdateBatcher) {
    this.#context = context;
    this.#updates = updates;
    this.#fullAnswers = new KeyedRateLimit(context.clock, onceIn(FULL_ANSWER_INTERVAL_MS));
    this.#fullReturns = new KeyedRateLimit(context.clock, onceIn(FULL_ANSWER_INTERVAL_MS));
  }

  start(): void {
    this.#context.timers.after('digest', DIGEST_INTERVAL_MS, () => {
      for (const peer of this.#context.ports.messenger.upPeers()) this.compareWith(peer);
      this.#context.directory.expire();
      this.start();
    });
  }

  /** It may have begun anew: what it was told before it may not know any more. */
  peerUp(peer: RouterId): void {
    this.#unequal.forget(peer);
    this.compareWith(peer);
  }

  /** Tells a router what is known here of *its* records; it answers with what is missing. */
  compareWith(peer: RouterId): void {
    const { highestStamp, count, hash } = this.#context.directory.digest(peer);
    this.#context.ports.messenger.send(peer, { type: 'digest', highestStamp, count, hash });
  }

  digest(from: RouterId, message: DigestMessage): void {
    const { directory, self, ports } = this.#context;
    const own = directory.digest(self);
    if (own.hash === message.hash && own.count === message.count) {
      this.#unequal.forget(from);
      return;
    }
    if (this.#unequal.isRepeated(from, `${own.hash} ${own.count} ${message.hash} ${message.count}`)) return;
    const isExplained = directory.explains(message);
    if (!isExplained && !this.#fullAnswers.allow(from)) {
      this.#answerLater(from, message);
      return;
    }
    // Asked first: what comes back may beat what is sent.
    if (message.count > 0 && !isExplained) {
      this.#recalled.set(from, this.#context.clock.nowMs() + RECALL_OPEN_MS);
      ports.messenger.send(from, { type: 'recall' });
    }
    this.#updates.sendTo(from, directory.lackedBy(message));
  }

  /** All that there is was told a moment ago; the digest that came last is looked at again when it may be told anew. */
  #answerLater(from: RouterId, message: DigestMessage): void {
    this.#context.counters.count('full_answers_deferred');
    this.#unequal.forget(from);
    const isWaiting = this.#deferred.has(from);
    this.#deferred.set(from, message);
    if (isWaiting) return;
    this.#context.timers.after('full answer', this.#fullAnswers.remainingMs(from), () => {
      const latest = this.#deferred.get(from);
      this.#deferred.delete(from);
      if (latest !== undefined) this.digest(from, latest);
    });
  }

  /** Another router speaks for that site: it knows what it knows, and has been told nothing yet. */
  forget(site: RouterId): void {
    this.#unequal.forget(site);
    this.#fullAnswers.forget(site);
    this.#fullReturns.forget(site);
  }

  #returnLater(to: RouterId): void {
    this.#context.counters.count('full_answers_deferred');
    if (this.#returnsDeferred.has(to)) return;
    this.#returnsDeferred.add(to);
    this.#context.timers.after('full answer', this.#fullReturns.remainingMs(to), () => {
      this.#returnsDeferred.delete(to);
      this.recall(to);
    });
  }

  /** Was the router asked for what it has kept? */
  hasRecalled(of: RouterId): boolean {
    return this.#context.clock.nowMs() < (this.#recalled.get(of) ?? 0);
  }

  /** What is known here of the records of a router that has lost them. */
  recall(from: RouterId): void {
    const { directory, ports, counters } = this.#context;
    if (!this.#fullReturns.allow(from)) {
      this.#returnLater(from);
      return;
    }
    for (const records of chunks(directory.of(from), RECORDS_PER_MESSAGE)) {
      ports.messenger.send(from, { type: 'returned', records });
      counters.count('records_returned', records.length);
    }
  }
}
