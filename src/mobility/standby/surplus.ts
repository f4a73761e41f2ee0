/**
 * Records that this standby has and the active router has not: of before a restart, or of a time when it was active itself
 * and could tell nobody. They would come up as its word when it takes over. When the active router has sent all that it has
 * of a site, what was not among it is surplus; it is dropped when it was so for a while, since a router that has just begun
 * may not have heard of it yet.
 */
import type { Clock } from '../../net/clock.js';
import type { SiteDigest } from '../../protocol/table-message.js';
import type { Directory } from '../../tables/directory.js';
import type { NodeRecord, SiteId } from '../../tables/model.js';
import { nodeKey } from '../../tables/node-key.js';
import { addHash, compareRecords, hashRecord } from '../../tables/record.js';

/** The next answer with all records of a site comes 10 s after the one before. */
const SURPLUS_AFTER_MS = 5_000;

interface Suspect {
  readonly record: NodeRecord;
  readonly sinceMs: number;
}

export class Surplus {
  readonly #directory: Directory;
  readonly #clock: Pick<Clock, 'nowMs'>;
  /** What the active router has sent of each site since it was asked, by address. */
  #received = new Map<SiteId, Map<string, NodeRecord>>();
  /** What all records of a site come to, of those sites that have not come to it yet. */
  #whole = new Map<SiteId, SiteDigest>();
  readonly #suspects = new Map<SiteId, ReadonlyMap<string, Suspect>>();

  constructor(directory: Directory, clock: Pick<Clock, 'nowMs'>) {
    this.#directory = directory;
    this.#clock = clock;
  }

  /** The active router is asked anew. */
  asked(): void {
    this.#received = new Map();
    this.#whole = new Map();
  }

  /** It has sent a record, which is in the directory now. */
  received(record: NodeRecord): void {
    const { vnet, ip, router } = record;
    const received = this.#received.get(router);
    if (received === undefined) this.#received.set(router, new Map([[nodeKey(vnet, ip), record]]));
    else received.set(nodeKey(vnet, ip), record);
  }

  /** It has sent all of a site; messages may overtake each other. */
  whole(digest: SiteDigest): void {
    this.#whole.set(digest.site, digest);
  }

  /** What has turned out to be surplus. */
  take(): readonly NodeRecord[] {
    const surplus: NodeRecord[] = [];
    for (const [site, digest] of this.#whole) {
      const received = this.#received.get(site) ?? new Map<string, NodeRecord>();
      if (received.size < digest.count || !this.#isWhole(received, digest)) continue;
      this.#whole.delete(site);
      surplus.push(...this.#surplusOf(site, received));
    }
    return surplus;
  }

  /** Are these, as far as they are in the directory, all that the active router has? */
  #isWhole(received: ReadonlyMap<string, NodeRecord>, { count, hash }: SiteDigest): boolean {
    let [has, sum] = [0, 0];
    for (const record of received.values()) {
      const current = this.#directory.get(record.vnet, record.ip);
      if (current === undefined || compareRecords(current, record) !== 0) continue;
      has++;
      sum = addHash(sum, hashRecord(record), 1);
    }
    return has === count && sum === hash;
  }

  #surplusOf(site: SiteId, received: ReadonlyMap<string, NodeRecord>): readonly NodeRecord[] {
    const nowMs = this.#clock.nowMs();
    const before = this.#suspects.get(site);
    const suspects = new Map<string, Suspect>();
    const surplus: NodeRecord[] = [];
    for (const record of this.#directory.of(site)) {
      const key = nodeKey(record.vnet, record.ip);
      const known = received.get(key);
      if (known !== undefined && compareRecords(known, record) === 0) continue;
      const suspect = before?.get(key);
      const isSame = suspect !== undefined && compareRecords(suspect.record, record) === 0;
      const sinceMs = isSame ? suspect.sinceMs : nowMs;
      if (nowMs - sinceMs >= SURPLUS_AFTER_MS) surplus.push(record);
      else suspects.set(key, { record, sinceMs });
    }
    this.#suspects.set(site, suspects);
    return surplus;
  }
}
