/** Keeping directories alike: digests when a peer comes up and every 30 s, the missing records in answer. */

import type { DigestMessage, StaleMessage } from '../../protocol/table-message.js';
import { chunks } from '../../tables/chunks.js';
import type { RouterId } from '../../tables/model.js';
import type { Context } from '../context.js';
import type { Migration } from '../destination/migration.js';
import { RECORDS_PER_MESSAGE, type UpdateBatcher } from './update-batcher.js';

const DIGEST_INTERVAL_MS = 30_000;

export class AntiEntropy {
  readonly #context: Context;
  readonly #updates: UpdateBatcher;
  readonly #migration: Migration;
  /** Routers whose digest differs, the state in which it does, and how often that was seen. */
  readonly #unequal = new Map<RouterId, { readonly state: string; readonly times: number }>();

  constructor(context: Context, updates: UpdateBatcher, migration: Migration) {
    this.#context = context;
    this.#updates = updates;
    this.#migration = migration;
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
    const { directory, self, ports } = this.#context;
    const own = directory.digest(self);
    if (own.hash === message.hash && own.count === message.count) {
      this.#unequal.delete(from);
      return;
    }
    if (this.#isRepeated(from, `${own.hash} ${own.count} ${message.hash} ${message.count}`)) return;
    // Asked first: what comes back may beat what is sent.
    if (message.count > 0 && !directory.explains(message)) ports.messenger.send(from, { type: 'recall' });
    this.#updates.sendTo(from, directory.missing(message));
  }

  /** What is known here of the records of a router that has lost them. */
  recall(from: RouterId): void {
    const { directory, ports, counters } = this.#context;
    for (const records of chunks(directory.of(from), RECORDS_PER_MESSAGE)) {
      ports.messenger.send(from, { type: 'returned', records });
      counters.count('records_returned', records.length);
    }
  }

  /**
   * Nothing has changed since it was told the last time: it refuses something (its gndt.json is another one). It is told
   * again at twice the distance each time.
   */
  #isRepeated(from: RouterId, state: string): boolean {
    const known = this.#unequal.get(from);
    const times = known?.state === state ? known.times + 1 : 1;
    this.#unequal.set(from, { state, times });
    return !Number.isInteger(Math.log2(times));
  }

  /** Own records are beaten at `from`. Those that are the router's own, from before it lost its state, too. */
  stale(message: StaleMessage): void {
    for (const { vnet, ip, seq } of message.records) {
      this.#context.counters.count('records_beaten');
      this.#migration.beatenElsewhere(vnet, ip, seq);
    }
  }
}
