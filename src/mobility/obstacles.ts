/** What keeps this router from claiming a node that it has seen, for a while: then the node waits, and is asked later. */
import type { Mac } from '../net/mac.js';
import type { NodeRecord, VnetId } from '../tables/model.js';
import { RateLimit } from './bounded.js';
import type { Context } from './context.js';
import type { Evidence } from './evidence.js';
import type { Freeze } from './freeze.js';
import type { Candidate } from './migration.js';
import type { Standby } from './standby.js';

/** After a refusal the node's further announcements are not claimed for this long. */
export const HOLD_MS = 5_000;
export const STALE_WAIT_MS = 300;

export class Obstacles {
  readonly #context: Context;
  readonly #freeze: Freeze;
  readonly #standby: Standby;
  readonly #holds: RateLimit;
  /** Nodes that are proposed to the VR that has them. */
  readonly #proposed = new Set<string>();

  constructor(context: Context, { freeze, standby }: { readonly freeze: Freeze; readonly standby: Standby }) {
    this.#context = context;
    this.#freeze = freeze;
    this.#standby = standby;
    this.#holds = new RateLimit(context.clock, HOLD_MS);
  }

  /** Why the node may not be claimed now; it is asked again when that has passed. */
  to(candidate: Candidate): string | undefined {
    return this.#frozenElsewhere(candidate) ?? this.#heldBack(candidate);
  }

  /** The node's announcements here are not to be believed for a moment. */
  hold(vnet: VnetId, mac: Mac): void {
    this.#holds.begin(holdKey(vnet, mac));
  }

  /** The router that has it is being asked, until the returned function is called. */
  proposed(vnet: VnetId, mac: Mac): () => void {
    const key = holdKey(vnet, mac);
    this.#proposed.add(key);
    return () => void this.#proposed.delete(key);
  }

  /** The holder would refuse an objection too, but for one to the claim by which it has the node. */
  #frozenElsewhere(candidate: Candidate): string | undefined {
    const { directory, self, counters } = this.#context;
    const frozen = candidate.records.find((record) => {
      if (!this.#freeze.isFrozen(record)) return false;
      return candidate.objection === undefined || directory.previous(record.vnet, record.ip) !== self;
    });
    if (frozen === undefined) return undefined;
    counters.count('moves_frozen');
    for (const record of candidate.records) this.#standby.remember(seenAs(candidate, record));
    return `it is frozen at ${frozen.router}`;
  }

  #heldBack(candidate: Candidate): string | undefined {
    if (candidate.objection === true) return undefined;
    const { lan, mac, records } = candidate;
    const key = holdKey(lan.vnet, mac);
    const heldMs = this.#holds.remainingMs(key);
    if (heldMs > 0) {
      for (const record of records) this.#standby.rememberFor(seenAs(candidate, record), heldMs);
      return 'a claim for it was refused a moment ago';
    }
    if (!this.#proposed.has(key)) return undefined;
    // It may be another address of the node, of which this router has just heard.
    for (const record of records) this.#standby.rememberFor(seenAs(candidate, record), STALE_WAIT_MS);
    return 'the router that has it is being asked';
  }
}

/** The candidate's evidence for one of its addresses. */
export function seenAs(
  candidate: Candidate,
  { ip }: NodeRecord,
): Evidence & { readonly ip: NodeRecord['ip'] } {
  const { lan, mac, trigger, source, detectedMs: atMs } = candidate;
  return { lan, mac, ip, trigger, source, atMs };
}

function holdKey(vnet: VnetId, mac: Mac): string {
  return `${vnet}|${mac}`;
}
