/**
 * Claims on their way to the other routers, and who has answered them. The first goes at once; those that follow it
 * within 2 ms go together, and while a burst of announcements is being read those of 5 ms: a message costs its sender and
 * its receiver more than what is in it.
 */
import type { Ip } from '../../net/ip.js';
import { KeyedRateLimit, onceIn, type Rate } from '../../net/rate-limit.js';
import type { ClaimResultMessage, MoveClaim } from '../../protocol/table-message.js';
import type { NodeRecord, RouterId, VnetId } from '../../tables/model.js';
import { nodeKey } from '../../tables/node-key.js';
import type { Context } from '../context.js';
import type { Move } from '../journal.js';
import type { Candidate } from './candidate.js';

const GATHER_MS = 2;
/** While a burst is being read, and no timer runs, nobody's claim waits longer. */
const MOST_GATHER_MS = 5;
/** Claims are acknowledged or their peers go down long before; a contradiction comes within a second. */
const KEPT_MS = 60_000;
/** A claim and its answer take less than this. */
const CROSSING_MS = 1_000;
const CROSSING_INTERVAL_MS = 60_000;
/** Who has a node raises its number at once when lies about it are told: more than once while a claim of it is under way. */
const RAISED: Rate = { perSecond: 1_000 / CROSSING_INTERVAL_MS, burst: 4 };

export type ClaimResult = ClaimResultMessage['results'][number];

/** One node's claim to one router or several. */
export interface SentClaim {
  /** `proposal`: nothing has changed yet, the router that has the node is asked to agree. */
  readonly kind: 'claim' | 'proposal';
  readonly candidate: Candidate;
  readonly records: readonly NodeRecord[];
  readonly move: Move;
}

/** A claim that a router has answered in full; without results it went down before. */
export interface AnsweredClaim {
  readonly claim: SentClaim;
  readonly by: RouterId;
  readonly results: readonly ClaimResult[] | undefined;
}

interface Open {
  readonly claim: SentClaim;
  readonly results: Map<string, ClaimResult>;
}

interface Gathering {
  readonly sinceMs: number;
  readonly claims: SentClaim[];
}

interface Message {
  readonly to: RouterId;
  readonly claims: readonly SentClaim[];
  readonly sentMs: number;
  open: readonly Open[];
}

export class Claims {
  readonly #context: Context;
  readonly #messages = new Map<number, Message>();
  /** By router: what waits for the end of the moment in which claims are gathered. */
  readonly #gathering = new Map<RouterId, Gathering>();
  readonly #crossings: KeyedRateLimit;
  readonly #raised: KeyedRateLimit;
  #lastId: number;

  constructor(context: Context) {
    this.#context = context;
    this.#crossings = new KeyedRateLimit(context.clock, onceIn(CROSSING_INTERVAL_MS));
    this.#raised = new KeyedRateLimit(context.clock, RAISED);
    // Not from 0: a late answer to a claim made before a restart must not be taken for one to a new claim.
    this.#lastId = Math.floor(context.clock.wallMs()) % 0x4000_0000;
  }

  /** To a router that is up. */
  send(to: RouterId, claim: SentClaim): void {
    const gathering = this.#gathering.get(to);
    if (gathering === undefined) {
      this.#transmit(to, [claim]);
      this.#gather(to);
      return;
    }
    gathering.claims.push(claim);
    if (this.#context.clock.nowMs() - gathering.sinceMs >= MOST_GATHER_MS) this.#flush(to, gathering);
  }

  /**
   * Has the router not answered a claim of the node yet that it was sent a moment ago? Then what it says of the node has
   * crossed that claim. One that never answers has that excuse once a minute.
   * @param isRaised it is a new number of the router where the node had rested: four times at once
   */
  crosses(router: RouterId, vnet: VnetId, ip: Ip, isRaised: boolean): boolean {
    const sinceMs = this.#context.clock.nowMs() - CROSSING_MS;
    const isOf = (record: NodeRecord): boolean => record.vnet === vnet && record.ip.equals(ip);
    // An objection is no claim of a node that has come.
    const isMove = ({ candidate, records }: SentClaim): boolean =>
      candidate.objection !== true && records.some(isOf);
    for (const { to, sentMs, open } of this.#messages.values()) {
      if (to !== router || sentMs < sinceMs || !open.some(({ claim }) => isMove(claim))) continue;
      return (isRaised ? this.#raised : this.#crossings).allow(`${router}|${nodeKey(vnet, ip)}`);
    }
    return false;
  }

  /** The claims that this router was sent under the number, within the last minute; none if there are none. */
  sentTo(to: RouterId, claimId: number): readonly SentClaim[] {
    const message = this.#messages.get(claimId);
    return message?.to === to ? message.claims : [];
  }

  /** Results may come in parts, and out of order. Returns the claims of which all are there now. */
  result(from: RouterId, { claimId, results }: ClaimResultMessage): readonly AnsweredClaim[] {
    const message = this.#messages.get(claimId);
    if (message?.to !== from) return [];
    const byNode = new Map(results.map((result) => [nodeKey(result.vnet, result.ip), result]));
    const done: Open[] = [];
    for (const open of message.open) {
      for (const { vnet, ip } of open.claim.records) {
        const result = byNode.get(nodeKey(vnet, ip));
        if (result !== undefined) open.results.set(nodeKey(vnet, ip), result);
      }
      if (open.results.size === open.claim.records.length) done.push(open);
    }
    message.open = message.open.filter((open) => !done.includes(open));
    // The router whose claim an objection undoes may say later that the node answers there as well.
    const isObjection = message.claims.some(({ candidate }) => candidate.objection === true);
    if (message.open.length === 0 && !isObjection) this.#messages.delete(claimId);
    return done.map(({ claim, results: all }) => ({ claim, by: from, results: [...all.values()] }));
  }

  /** Returns the claims that it has not answered: it will hear of them when tables are compared. */
  peerDown(router: RouterId): readonly AnsweredClaim[] {
    const waiting = this.#gathering.get(router)?.claims.splice(0) ?? [];
    const lost = [...this.#messages].filter(([, { to }]) => to === router);
    for (const [id] of lost) this.#messages.delete(id);
    const claims = [...lost.flatMap(([, { open }]) => open.map(({ claim }) => claim)), ...waiting];
    return claims.map((claim) => ({ claim, by: router, results: undefined }));
  }

  /** Another router speaks for that site: it is told what the one before has not answered, under a number of its own. */
  sayAgain(to: RouterId): void {
    const lost = [...this.#messages].filter(([, message]) => message.to === to);
    for (const [claimId, { open }] of lost) {
      if (open.length === 0) continue;
      this.#messages.delete(claimId);
      this.#transmit(
        to,
        open.map(({ claim }) => claim),
      );
    }
  }

  #gather(to: RouterId): void {
    const gathering = { sinceMs: this.#context.clock.nowMs(), claims: [] };
    this.#gathering.set(to, gathering);
    this.#context.timers.after('claims', GATHER_MS, () => {
      if (this.#gathering.get(to) === gathering) this.#flush(to, gathering);
    });
  }

  /** Sends what has come together; the next moment begins unless that is nothing. */
  #flush(to: RouterId, { claims }: Gathering): void {
    this.#gathering.delete(to);
    if (claims.length === 0) return;
    this.#transmit(to, claims);
    this.#gather(to);
  }

  #transmit(to: RouterId, claims: readonly SentClaim[]): void {
    const { clock, timers, ports, counters } = this.#context;
    const claimId = this.#nextId();
    this.#messages.set(claimId, {
      to,
      claims,
      sentMs: clock.nowMs(),
      open: claims.map((claim) => ({ claim, results: new Map() })),
    });
    const moves = claims.map(({ candidate, records }): MoveClaim => {
      const { lan, mac, trigger, detectedMs, objection, against } = candidate;
      const sinceDetectionUs = Math.max(0, Math.round((clock.nowMs() - detectedMs) * 1000));
      const move = { vnet: lan.vnet, mac, records, trigger, sinceDetectionUs };
      if (objection !== true) return move;
      return { ...move, objection, ...(against !== undefined && { against }) };
    });
    ports.messenger.send(to, { type: 'claim', claimId, moves });
    counters.count('claims_sent', claims.length);
    for (const { kind, move } of claims) {
      if (kind === 'claim') move.stepOnce('claim_sent');
      else move.step(`asked:${to}`);
    }
    timers.after('claim', KEPT_MS, () => this.#messages.delete(claimId));
  }

  #nextId(): number {
    this.#lastId = (this.#lastId + 1) % 0x8000_0000;
    return this.#lastId;
  }
}
