/**
 * Is a node that another router claims really gone from where it was?
 *
 * `optimistic`: the claim is acted on at once, and the node's old MAC is asked on this LAN; an answer after it means that
 * the node is here (the claim crossed its return, lost a race, or is false): then it is claimed back by an objection. The
 * router whose claim that undoes asks its own LAN, and says so if it gets an answer as well: then there are two, and the
 * node stays frozen where it was.
 * `strict`: the claim is acted on only when three questions were not answered; at routers that do not have the node, when
 * the one that has it says so.
 * `off`: claims are believed. But for one: that of an address for another MAC is never believed unasked.
 */
import type { Ip } from '../../net/ip.js';
import type { ClaimMessage } from '../../protocol/table-message.js';
import type { NodeRecord, RouterId } from '../../tables/model.js';
import { type AddressProbe, ATTENTIVE, QUICK } from '../address-probe.js';
import type { Context } from '../context.js';
import type { Evidence } from '../evidence.js';
import type { HoldersWord, ProbePurpose } from '../follow-up.js';
import type { Move } from '../journal.js';
import type { SeenTrigger } from '../ports.js';
import type { DuplicateSuppression } from '../suppression/duplicate-suppression.js';
import type { Queries } from '../sync/queries.js';

/** Claims that wait, of one router: what is beyond is refused, and may be claimed again. */
const MOST_WAITING_OF_ONE = 256;
/** A router that is asked for a node may be asking the node at that moment: it is asked again, so often and so much later. */
const ASKED_AGAIN = 2;
const ASK_AGAIN_MS = 250;

/** From whom a move is, and what it says of itself. */
export interface Origin {
  readonly from: RouterId;
  readonly trigger: SeenTrigger;
  /** Of a claim; undefined: it is no claim, and nobody waits for an answer. */
  readonly claimId: number | undefined;
  /** The claim of a router that had the node, and got an answer from it after another's claim. */
  readonly isObjection: boolean;
  /** Of an objection: whose claim that was; undefined: nobody's that is known. */
  readonly against: RouterId | undefined;
  /** When it arrived. */
  readonly startedMs: number;
}

/** Records that another router wants to have believed together, and their origin. */
export interface Claimed {
  readonly origin: Origin;
  readonly move: Pick<ClaimMessage['moves'][number], 'vnet' | 'mac' | 'records'>;
}

/** A claim whose questions have been answered. */
export interface Verified {
  readonly claimed: Claimed;
  /** What was asked. */
  readonly doubts: Doubts;
  /** Where the node still is; undefined: it has gone. */
  readonly stillAt: RouterId | undefined;
}

/** What has to be asked before a claim can be believed. */
export interface Doubts {
  /** Nodes of this router's LANs. */
  readonly here: readonly NodeRecord[];
  /** Nodes of other routers, by router. */
  readonly there: ReadonlyMap<RouterId, readonly Ip[]>;
}

interface Pending {
  readonly claimed: Claimed;
  /** Questions that are not answered yet. */
  left: number;
  readonly doubts: Doubts;
  asksLeft: number;
}

export class Verification {
  readonly #context: Context;
  readonly #addressProbe: AddressProbe;
  readonly #queries: Queries;
  readonly #suppression: DuplicateSuppression;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;

  constructor(
    context: Context,
    addressProbe: AddressProbe,
    queries: Queries,
    suppression: DuplicateSuppression,
  ) {
    this.#context = context;
    this.#addressProbe = addressProbe;
    this.#queries = queries;
    this.#suppression = suppression;
  }

  /** Claims that wait for an answer. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Asks for the nodes where they are; the outcome comes by `probed` and `confirmed`. False: too many of them wait. */
  begin(claimed: Claimed, doubts: Doubts): boolean {
    const { here, there } = doubts;
    let waiting = 0;
    for (const { claimed: other } of this.#pending.values()) {
      if (other.origin.from === claimed.origin.from) waiting++;
    }
    if (waiting >= MOST_WAITING_OF_ONE) return false;
    const id = ++this.#lastId;
    this.#pending.set(id, { claimed, left: here.length + there.size, doubts, asksLeft: ASKED_AGAIN });
    for (const { vnet, ip, mac } of here) {
      const purpose = { for: 'verification', id } as const;
      if (this.#addressProbe.ask({ vnet, ip, mac, probes: QUICK, purpose })) continue;
      this.#pending.delete(id);
      return false;
    }
    for (const router of there.keys()) this.#askThere(id, router);
    return true;
  }

  /** An own node was asked. Returns the claim when nothing is left to be asked. */
  probed(id: number, evidence: Evidence | undefined): Verified | undefined {
    if (evidence !== undefined) return this.#contradicted(id, this.#context.self);
    const verified = this.#answered(id);
    if (verified !== undefined) this.#context.counters.count('departures_verified');
    return verified;
  }

  /** The router that has the node was asked; what it does not say while it is up is taken for no. */
  confirmed(id: number, holder: RouterId, word: HoldersWord): Verified | undefined {
    const pending = this.#pending.get(id);
    if (pending === undefined) return undefined;
    if (word === 'has-it' && pending.asksLeft-- > 0) {
      this.#context.timers.after('confirmation', ASK_AGAIN_MS, () => this.#askThere(id, holder));
      return undefined;
    }
    if (word === 'has-it') return this.#contradicted(id, holder);
    if (word === 'has-it-not' || !this.#context.ports.messenger.upPeers().includes(holder)) {
      return this.#answered(id);
    }
    this.#pending.delete(id);
    return { ...pending, stillAt: holder };
  }

  /** What routers have claimed that are no members any more is not believed. */
  membersGone(): void {
    const { gndt } = this.#context;
    for (const [id, { claimed }] of this.#pending) {
      if (gndt.peerIndex(claimed.origin.from) < 0) this.#pending.delete(id);
    }
  }

  /**
   * @param record the own record that has just been displaced by one of router `to`
   * @param isCrossed by one that did not know of the own claim
   */
  nodeLeft(record: NodeRecord, to: RouterId, isCrossed: boolean): void {
    if (this.#context.config.verify === 'off') return;
    const { vnet, ip, mac } = record;
    const purpose = { for: 'departure', record, to, isCrossed } as const;
    this.#addressProbe.ask({ vnet, ip, mac, probes: ATTENTIVE, purpose });
  }

  /** A node that left was asked. True: it answers here, and is to be claimed back. */
  departureProbed(
    { record, to, isCrossed }: Extract<ProbePurpose, { readonly for: 'departure' }>,
    evidence: Evidence | undefined,
  ): boolean {
    const { vnet, ip, mac } = record;
    const { journal, counters } = this.#context;
    if (evidence === undefined) {
      journal.latest(vnet, mac)?.stepOnce('verified');
      counters.count('departures_verified');
      return false;
    }
    if (this.#context.isHere(vnet, ip)) return false;
    if (!evidence.isAnswer || isCrossed) {
      // It speaks by itself: it may have come back, so this says nothing against the one that had it meanwhile.
      this.#context.follow({ do: 'consider', evidence });
      return false;
    }
    counters.count('claims_contradicted');
    journal.latest(vnet, mac)?.step('contradicted');
    // They were claimed together, and go back together.
    for (const other of this.#context.directory.byMac(vnet, mac)) {
      if (other.router === to) this.#suppression.contradicted(vnet, other.ip, to, this.#context.self);
    }
    return true;
  }

  /** The node has been claimed back. @param move by which the claimer had it, if it still did */
  claimedBack({ vnet, ip, mac }: NodeRecord, to: RouterId, move: Move | undefined): void {
    move?.judge('undone', 'it answers here');
    this.#context.ports.event({ event: 'move_undone', vnet, ip, mac, other: to });
  }

  /** The router that had the node has undone this router's claim of it: does it answer here too? */
  claimUndone(record: NodeRecord, { from: by, claimId }: Origin, seq: number): void {
    const { vnet, ip, mac } = record;
    const move = this.#context.journal.latest(vnet, mac);
    move?.stepOnce('undone');
    move?.judge('undone', `it answers at ${by}`);
    this.#context.ports.event({ event: 'move_undone', vnet, ip, mac, other: by });
    if (claimId === undefined) return;
    const purpose = { for: 'undone', record, by, claimId, seq } as const;
    this.#addressProbe.ask({ vnet, ip, mac, probes: QUICK, purpose });
  }

  #askThere(id: number, router: RouterId): void {
    const pending = this.#pending.get(id);
    const ips = pending?.doubts.there.get(router);
    if (pending === undefined || ips === undefined) return;
    const purpose = { for: 'verification', id } as const;
    if (this.#queries.confirm(pending.claimed.move.vnet, ips, router, purpose)) return;
    this.#context.follow({ do: 'confirmed', id, holder: router, word: 'silent' });
  }

  #answered(id: number): Verified | undefined {
    const pending = this.#pending.get(id);
    if (pending === undefined || --pending.left > 0) return undefined;
    this.#pending.delete(id);
    return { ...pending, stillAt: undefined };
  }

  #contradicted(id: number, stillAt: RouterId): Verified | undefined {
    const pending = this.#pending.get(id);
    if (pending === undefined) return undefined;
    this.#pending.delete(id);
    this.#context.counters.count('claims_contradicted');
    return { ...pending, stillAt };
  }
}
