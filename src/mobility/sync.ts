/** Keeping directories alike: digests when a peer comes up and every 30 s, the missing records in answer. */
import type { DigestMessage, HasMessage, StaleMessage } from '../tables/message.js';
import type { RouterId } from '../tables/model.js';
import type { Context } from './context.js';
import type { Migration } from './migration.js';
import type { Outbox } from './outbox.js';
import { Recall } from './recall.js';

const DIGEST_INTERVAL_MS = 30_000;

export class Sync {
  readonly #context: Context;
  readonly #outbox: Outbox;
  readonly #migration: Migration;
  readonly #recall: Recall;

  constructor(context: Context, outbox: Outbox, migration: Migration) {
    this.#context = context;
    this.#outbox = outbox;
    this.#migration = migration;
    this.#recall = new Recall(context, outbox);
  }

  start(): void {
    this.#context.timers.after('digest', DIGEST_INTERVAL_MS, () => {
      for (const peer of this.#context.ports.messenger.upPeers()) this.compareWith(peer);
      this.#context.directory.expire();
      this.start();
    });
  }

  /** Tells a router what is known here of *its* records; it answers with what is missing. */
  compareWith(peer: RouterId): void {
    const { highestStamp, count, hash } = this.#context.directory.digest(peer);
    this.#context.ports.messenger.send(peer, { type: 'digest', highestStamp, count, hash });
  }

  digest(from: RouterId, message: DigestMessage): void {
    this.#recall.compare(from, message.highestStamp);
    this.#outbox.sendTo(from, this.#context.directory.missing(message));
  }

  /** Some of this router's own records, which it has forgotten; false if the message is no answer to that question. */
  recalled(message: HasMessage): boolean {
    return this.#recall.answered(message);
  }

  /** Own records are beaten at `from`. Those that are the router's own, from before it lost its state, too. */
  stale(message: StaleMessage): void {
    for (const { vnet, ip, seq } of message.records) {
      this.#context.counters.count('records_beaten');
      this.#migration.beatenElsewhere(vnet, ip, seq);
    }
  }
}
