/** An own record is put above those of others that are refused here, because others may have accepted them. */
import { KeyedRateLimit, type Rate } from '../../net/rate-limit.js';
import type { NodeRecord } from '../../tables/model.js';
import { nodeKey } from '../../tables/node-key.js';
import type { Authority } from '../authority.js';
import type { Context } from '../context.js';
import type { UpdateBatcher } from '../sync/update-batcher.js';

/** Of one node: lies that are told to several routers are answered at once, those that are repeated twice a second. */
const REASSERTIONS: Rate = { perSecond: 2, burst: 4 };
/** Own nodes for which that waits. */
const MOST_OWED = 4_096;

type Refused = Pick<NodeRecord, 'vnet' | 'ip' | 'seq' | 'router'>;

/** A refused record above which an own one is to be put. */
interface Owed {
  readonly refused: Refused;
  readonly isObjection: boolean;
}

export class Reassertion {
  readonly #context: Context;
  readonly #authority: Authority;
  readonly #updates: UpdateBatcher;
  readonly #limit: KeyedRateLimit;
  /** By node: the highest of the refused records above which its own is yet to be put. */
  readonly #owed = new Map<string, Owed>();

  constructor(context: Context, authority: Authority, updates: UpdateBatcher) {
    this.#context = context;
    this.#authority = authority;
    this.#updates = updates;
    this.#limit = new KeyedRateLimit(context.clock, REASSERTIONS);
  }

  /**
   * A higher number puts the node back where it was, everywhere.
   * @param isObjection the others are to refuse the claimer too
   */
  above(refused: Refused, isObjection: boolean): void {
    const { directory, self } = this.#context;
    const { vnet, ip, seq, router } = refused;
    const own = directory.here(vnet, ip);
    if (own?.router !== self) return;
    // Its own, from before it lost its state, may be just as high.
    if (router === self ? seq < own.seq : !isHigher(refused, own)) return;
    if (!this.#authority.isWithinReach(refused)) return;
    if (!this.#limit.allow(nodeKey(vnet, ip))) {
      this.#later({ refused, isObjection });
      return;
    }
    if (isObjection && router !== self)
      this.#context.follow({ do: 'object', vnet, ip, seq: seq + 1, against: router });
    else this.#updates.publish(directory.originate(vnet, ip, own.mac, seq + 1));
  }

  /** Above the highest of those that are refused until then. */
  #later(later: Owed): void {
    const { vnet, ip } = later.refused;
    const key = nodeKey(vnet, ip);
    const owed = this.#owed.get(key);
    if (owed === undefined && this.#owed.size >= MOST_OWED) return;
    if (owed === undefined || isHigher(later.refused, owed.refused)) this.#owed.set(key, later);
    if (owed !== undefined) return;
    this.#context.timers.after('reassert', this.#limit.remainingMs(key), () => {
      const highest = this.#owed.get(key);
      this.#owed.delete(key);
      if (highest !== undefined) this.above(highest.refused, highest.isObjection);
    });
  }
}

/** Of records of two routers: see `compareRecords`. */
function isHigher(a: Refused, b: Refused): boolean {
  return a.seq !== b.seq ? a.seq > b.seq : a.router > b.router;
}
