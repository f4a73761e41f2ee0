/** What keeps this router from claiming a node that it has seen, for a while: then the node waits, and is asked later. */

import type { Mac } from '../../net/mac.js';
import { KeyedRateLimit, onceIn, type Rate } from '../../net/rate-limit.js';
import type { LanIndex, VnetId } from '../../tables/model.js';
import type { Context } from '../context.js';
import type { DuplicateSuppression } from '../suppression/duplicate-suppression.js';
import { type Candidate, seenAs } from './candidate.js';
import type { DeferredClaims } from './deferred-claims.js';

/** After a refusal the node's further announcements are not claimed for this long. */
export const HOLD_MS = 5_000;
export const STALE_WAIT_MS = 300;
/** Addresses that come to one LAN: 50 nodes in a second, each with a few, are a move of a whole cluster. */
const ARRIVALS: Rate = { perSecond: 100, burst: 400 };

export class Obstacles {
  readonly #context: Context;
  readonly #suppression: DuplicateSuppression;
  readonly #deferred: DeferredClaims;
  readonly #holds: KeyedRateLimit;
  readonly #arrivals: KeyedRateLimit<LanIndex>;
  /** Nodes that are proposed to the VR that has them. */
  readonly #proposed = new Set<string>();

  constructor(context: Context, suppression: DuplicateSuppression, deferred: DeferredClaims) {
    this.#context = context;
    this.#suppression = suppression;
    this.#deferred = deferred;
    this.#arrivals = new KeyedRateLimit(context.clock, ARRIVALS);
    this.#holds = new KeyedRateLimit(context.clock, onceIn(HOLD_MS));
  }

  /** Why the node may not be claimed now; it is asked again when that has passed. */
  to(candidate: Candidate): string | undefined {
    return (
      this.#frozenElsewhere(candidate) ??
      this.#heldBack(candidate) ??
      this.#contradicted(candidate) ??
      this.#tooMany(candidate)
    );
  }

  /** The node's announcements here are not to be believed for a moment. */
  hold(vnet: VnetId, mac: Mac): void {
    this.#holds.exhaust(holdKey(vnet, mac));
  }

  /** The router that has it is being asked. */
  proposed(vnet: VnetId, mac: Mac): void {
    this.#proposed.add(holdKey(vnet, mac));
  }

  proposalEnded(vnet: VnetId, mac: Mac): void {
    this.#proposed.delete(holdKey(vnet, mac));
  }

  /** The holder would refuse an objection too, but for one to the claim by which it has the node. */
  #frozenElsewhere(candidate: Candidate): string | undefined {
    const { directory, self, counters } = this.#context;
    const frozen = candidate.records.find((record) => {
      if (!this.#suppression.isFrozen(record)) return false;
      return candidate.objection === undefined || directory.previous(record.vnet, record.ip) !== self;
    });
    if (frozen === undefined) return undefined;
    counters.count('moves_frozen');
    for (const record of candidate.records) this.#deferred.remember(seenAs(candidate, record));
    return `it is frozen at ${frozen.router}`;
  }

  /** The others would refuse it: a claim of this router's was contradicted. */
  #contradicted(candidate: Candidate): string | undefined {
    if (candidate.objection === true) return undefined;
    const { self, counters } = this.#context;
    let longestMs = 0;
    for (const record of candidate.records) {
      const leftMs = this.#suppression.suppressedMs(record.vnet, record.ip, self);
      if (leftMs > 0) this.#deferred.rememberFor(seenAs(candidate, record), leftMs);
      longestMs = Math.max(longestMs, leftMs);
    }
    if (longestMs === 0) return undefined;
    counters.count('moves_suppressed');
    return 'it has answered elsewhere when it was claimed here before';
  }

  /** A LAN can make up announcements of all the nodes that there are; what is real announces itself again. */
  #tooMany({ lan, records, objection }: Candidate): string | undefined {
    if (objection === true || this.#arrivals.allow(lan.index, records.length)) return undefined;
    this.#context.counters.count('moves_too_many');
    return 'its LAN brings too many nodes at once';
  }

  #heldBack(candidate: Candidate): string | undefined {
    if (candidate.objection === true || (this.#holds.size === 0 && this.#proposed.size === 0))
      return undefined;
    const { lan, mac, records } = candidate;
    const key = holdKey(lan.vnet, mac);
    const heldMs = this.#holds.remainingMs(key);
    if (heldMs > 0) {
      for (const record of records) this.#deferred.rememberFor(seenAs(candidate, record), heldMs);
      return 'a claim for it was refused a moment ago';
    }
    if (!this.#proposed.has(key)) return undefined;
    // It may be another address of the node, of which this router has just heard.
    for (const record of records) this.#deferred.rememberFor(seenAs(candidate, record), STALE_WAIT_MS);
    return 'the router that has it is being asked';
  }
}

function holdKey(vnet: VnetId, mac: Mac): string {
  return `${vnet}|${mac}`;
}
