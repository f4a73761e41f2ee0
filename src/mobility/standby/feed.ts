/**
 * The active router's part in keeping the standby's directory like its own: every change goes to the partner, gathered for a
 * moment; and what the partner lacks, or has otherwise, as it says by its digests.
 */
import { KeyedRateLimit, onceIn, type Rate, RateLimit } from '../../net/rate-limit.js';
import type { PartnerMessage, SiteDigest } from '../../protocol/table-message.js';
import { chunks } from '../../tables/chunks.js';
import type { DirectoryChange } from '../../tables/directory.js';
import type { NodeRecord, SiteId } from '../../tables/model.js';
import { nodeKey } from '../../tables/node-key.js';
import { addHash, hashRecord, isDisowned } from '../../tables/record.js';
import type { Context } from '../context.js';
import type { PartnerPort } from '../ports.js';
import { Repeats } from '../sync/repeats.js';
import { RECORDS_PER_MESSAGE } from '../sync/update-batcher.js';

/** A burst of changes within this time is one message. */
const GATHER_MS = 2;
/**
 * Records of one site in answers: while they are few a session may come and go 200 times, and 5 times a second then; with the
 * most that there may be three times, and every 13 s.
 */
const ANSWERS: Rate = { perSecond: 10_000, burst: 400_000 };
/** An answer costs as much as so many records, at least. */
const ANSWER_RECORDS = 2_000;
/** All tombstones are looked at. */
const EXPIRY_INTERVAL_MS = 1_000;
/** Messages of answers in one go, and the time until the next: 51,200 records a second. */
const MOST_AT_ONCE = 32;
const PAUSE_MS = 10;

export class PartnerFeed {
  readonly #context: Context;
  readonly #partner: PartnerPort;
  #waiting = new Map<string, NodeRecord>();
  readonly #unequal = new Repeats<SiteId>();
  readonly #answers: KeyedRateLimit<SiteId>;
  readonly #expiries: RateLimit;
  /** What is left to be sent of the answers, in their order. */
  readonly #left = new Map<SiteId, Iterator<PartnerMessage>>();
  #isAnswering = false;

  constructor(context: Context, partner: PartnerPort) {
    this.#context = context;
    this.#partner = partner;
    this.#answers = new KeyedRateLimit(context.clock, ANSWERS);
    this.#expiries = new RateLimit(context.clock, onceIn(EXPIRY_INTERVAL_MS));
    context.atEnd(context.directory.subscribe((change) => this.#changed(change)));
  }

  /** What the standby knows of sites: of those that differ it is sent the records. */
  compared(digests: readonly SiteDigest[]): void {
    for (const digest of digests) this.#compare(digest);
    if (!this.#isAnswering && this.#left.size > 0) this.#goOn();
  }

  /** The standby has begun anew, or lost what was said to it: what was told in vain is told again. */
  partnerUp(): void {
    this.#unequal.clear();
  }

  /** Sends what waits now. */
  flush(): void {
    const records = [...this.#waiting.values()];
    this.#waiting = new Map();
    if (!this.#partner.isUp()) return;
    for (const part of chunks(records, RECORDS_PER_MESSAGE)) {
      this.#send({ type: 'partnerRecords', records: part });
    }
  }

  #changed({ after }: DirectoryChange): void {
    const { directory, timers } = this.#context;
    const { vnet, ip } = after;
    // Of a change within a change the inner one is heard first. Of what went with a member nothing needs to be said.
    const record = directory.get(vnet, ip) ?? (isDisowned(after) ? after : undefined);
    if (record === undefined) return;
    if (this.#waiting.size === 0) timers.after('partner records', GATHER_MS, () => this.flush());
    this.#waiting.set(nodeKey(vnet, ip), record);
  }

  #compare(theirs: SiteDigest): void {
    const { site } = theirs;
    let { hash, count } = this.#context.directory.digest(site);
    // The standby has dropped a tombstone a moment before this router does.
    if (hash !== theirs.hash && this.#expiries.allow()) {
      this.#context.directory.expire();
      ({ hash, count } = this.#context.directory.digest(site));
    }
    if (hash === theirs.hash && count === theirs.count) {
      this.#unequal.forget(site);
      return;
    }
    if (this.#left.has(site)) return;
    if (this.#unequal.isRepeated(site, `${hash} ${count} ${theirs.hash} ${theirs.count}`)) return;
    const cost = Math.min(Math.max(count, ANSWER_RECORDS), ANSWERS.burst);
    if (!this.#answers.allow(site, cost)) {
      // A later digest is answered.
      this.#unequal.forget(site);
      return;
    }
    this.#context.counters.count('partner_answers');
    this.#left.set(site, this.#answerTo(theirs));
  }

  /** Only the newer records if the standby has the others; else all, and what they come to then. */
  *#answerTo(theirs: SiteDigest): Generator<PartnerMessage> {
    const { site, highestStamp, count, hash } = theirs;
    const { directory } = this.#context;
    const all = directory.of(site);
    const older = all.filter(({ stamp }) => stamp <= highestStamp);
    const isOlderKnown = older.length === count && hashOf(older) === hash;
    const lacked = isOlderKnown ? all.filter(({ stamp }) => stamp > highestStamp) : all;
    for (const records of chunks(lacked, RECORDS_PER_MESSAGE)) yield { type: 'partnerRecords', records };
    if (!isOlderKnown) yield { type: 'partnerWhole', site, ...directory.digest(site) };
  }

  #goOn(): void {
    this.#isAnswering = false;
    if (!this.#partner.isUp()) this.#left.clear();
    let messages = 0;
    for (const [site, answer] of this.#left) {
      for (let next = answer.next(); next.done !== true; next = answer.next()) {
        this.#send(next.value);
        if (++messages < MOST_AT_ONCE) continue;
        this.#isAnswering = true;
        this.#context.timers.after('partner answers', PAUSE_MS, () => this.#goOn());
        return;
      }
      this.#left.delete(site);
    }
  }

  #send(message: PartnerMessage): void {
    this.#partner.send(message);
    if (message.type !== 'partnerRecords') return;
    this.#context.counters.count('partner_records_sent', message.records.length);
  }
}

function hashOf(records: readonly NodeRecord[]): number {
  return records.reduce((sum, record) => addHash(sum, hashRecord(record), 1), 0);
}
