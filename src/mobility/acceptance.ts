/** What other routers say about nodes: checked, put into the directory, and acted upon where it concerns this LAN. */
import type { Ip } from '../net/ip.js';
import type {
  ClaimMessage,
  ClaimReason,
  ClaimResultMessage,
  MoveClaim,
  StaleMessage,
} from '../tables/message.js';
import type { NodeRecord, RouterId } from '../tables/model.js';
import type { Context } from './context.js';
import type { Departure } from './departure.js';
import type { Outbox } from './outbox.js';
import type { SeenTrigger } from './ports.js';
import type { Verification } from './verification.js';

/** A record that changed the directory, and the one that it displaced. */
interface Change {
  readonly before: NodeRecord | undefined;
  readonly record: NodeRecord;
}

interface Judgement {
  readonly record: NodeRecord;
  /** Empty: accepted (now, or before). */
  readonly reason: ClaimReason;
  /** For `stale`: what beats it. */
  readonly winner: NodeRecord | undefined;
  readonly change: Change | undefined;
}

type Result = ClaimResultMessage['results'][number];

export class Acceptance {
  readonly #context: Context;
  readonly #outbox: Outbox;
  readonly #departure: Departure;
  readonly #verification: Verification;

  constructor(context: Context, outbox: Outbox, departure: Departure, verification: Verification) {
    this.#context = context;
    this.#outbox = outbox;
    this.#departure = departure;
    this.#verification = verification;
  }

  /** A claim: the tables first, then ARP on this LAN, then the answer. */
  claim(from: RouterId, message: ClaimMessage): void {
    const results: Result[] = [];
    for (const move of message.moves) {
      const judgements = move.records.map((record) => this.#judge(from, record));
      this.#actOn(judgements, move.trigger);
      results.push(...judgements.map((judgement) => resultOf(judgement)));
      this.#reportRefusals(from, move, judgements);
    }
    this.#context.ports.messenger.send(from, { type: 'claimResult', claimId: message.claimId, results });
  }

  /** Records that a router sends of itself. Those that are beaten are told to it. */
  records(from: RouterId, records: readonly NodeRecord[]): void {
    const judgements = records.map((record) => this.#judge(from, record));
    this.#actOn(judgements, 'records');
    const beaten: StaleMessage['records'][number][] = [];
    for (const { record, reason, winner } of judgements) {
      this.#context.counters.count(reason === '' ? 'records_accepted' : `records_${reason}`);
      if (winner === undefined || record.state === 'withdrawn') continue;
      beaten.push({ vnet: winner.vnet, ip: winner.ip, seq: winner.seq, router: winner.router });
    }
    if (beaten.length > 0) this.#context.ports.messenger.send(from, { type: 'stale', records: beaten });
  }

  #judge(from: RouterId, record: NodeRecord): Judgement {
    const { vnet, ip } = record;
    const { gndt, directory } = this.#context;
    const refuse = (reason: ClaimReason): Judgement => ({
      record,
      reason,
      winner: undefined,
      change: undefined,
    });
    if (record.router !== from || from === this.#context.self) return refuse('not-yours');
    if (gndt.networkOf(vnet, ip) === undefined) return refuse('unknown-network');
    if (!gndt.mayClaim(vnet, ip, from)) {
      this.#reassert(record);
      return refuse('not-allowed');
    }
    const before = directory.get(vnet, ip);
    if (directory.apply(record) === 'applied') {
      return { record, reason: '', winner: undefined, change: { before, record } };
    }
    const winner = directory.get(vnet, ip);
    // A later record of the same router beats it without contradicting it.
    const beaten = winner !== undefined && winner.router !== from;
    return { record, reason: beaten ? 'stale' : '', winner: beaten ? winner : undefined, change: undefined };
  }

  /** Others may have accepted what is refused here: a higher number puts the node back where it was, everywhere. */
  #reassert(refused: NodeRecord): void {
    const own = this.#context.directory.here(refused.vnet, refused.ip);
    if (own?.router !== this.#context.self || refused.state !== 'here') return;
    const seq = Math.max(own.seq, refused.seq + 1);
    if (seq === own.seq) return;
    this.#outbox.publish(this.#context.directory.originate(own.vnet, own.ip, own.mac, seq));
  }

  /** Node by node: all addresses of a MAC move together, one event. */
  #actOn(judgements: readonly Judgement[], trigger: SeenTrigger): void {
    const startedMs = this.#context.clock.nowMs();
    const nodes = new Map<string, Change[]>();
    for (const { change } of judgements) {
      if (change === undefined) continue;
      const key = `${change.record.vnet}|${change.record.mac}`;
      const changes = nodes.get(key);
      if (changes === undefined) nodes.set(key, [change]);
      else changes.push(change);
    }
    for (const changes of nodes.values()) this.#nodeChanged(changes, trigger, startedMs);
  }

  #nodeChanged(changes: readonly Change[], trigger: SeenTrigger, startedMs: number): void {
    const moved = changes.filter((change) => isMove(change, trigger));
    const left = changes.filter((change) => this.#hasLeft(change));
    const [first] = left.length > 0 ? left : moved;
    if (first === undefined) return;
    const { vnet, mac, router: to } = first.record;
    const move = moved.length > 0 ? this.#noteMove(moved, trigger, startedMs) : undefined;
    move?.step('directory');
    if (left.length > 0) {
      const ips = left.map(({ record }) => record.ip);
      this.#departure.redirect({ vnet, mac, ips });
      move?.step('first_arp');
      for (const { before, record } of left) this.#nodeLeft(before, record, to);
      this.#context.ports.saveState();
    }
  }

  /** It was on this LAN, or it is native to it and has just become known to be away. */
  #hasLeft({ before, record }: Change): boolean {
    if (record.state !== 'here') return false;
    if (before?.router === this.#context.self) return true;
    return before?.state !== 'here' && this.#context.gndt.isHome(record.vnet, record.ip);
  }

  #nodeLeft(before: NodeRecord | undefined, record: NodeRecord, to: RouterId): void {
    if (before?.router !== this.#context.self) return;
    this.#context.hwdt.forget(record.vnet, record.ip);
    if (before.state === 'here') this.#verification.nodeLeft(before, to);
  }

  #noteMove(
    moved: readonly Change[],
    trigger: SeenTrigger,
    startedMs: number,
  ): ReturnType<Context['journal']['begin']> {
    const [first] = moved;
    if (first === undefined) throw new Error('a move has at least one record');
    const { vnet, mac, router: to } = first.record;
    const ips: readonly Ip[] = moved.map(({ record }) => record.ip);
    const from = first.before?.router;
    const seq = Math.max(...moved.map(({ record }) => record.seq));
    const role = from === this.#context.self ? 'source' : 'observer';
    const move = this.#context.journal.begin({ vnet, mac, ips, from, to, trigger, seq, role, startedMs });
    move.judge('accepted');
    this.#context.ports.event({ event: 'move_learned', vnet, mac, ips, from, to, seq, trigger });
    this.#context.counters.count('moves_learned');
    return move;
  }

  #reportRefusals(by: RouterId, move: MoveClaim, judgements: readonly Judgement[]): void {
    for (const { record, reason } of judgements) {
      if (reason === '') continue;
      const { vnet, ip, seq } = record;
      this.#context.ports.event({ event: 'claim_refused', vnet, ip, by, reason, seq });
      this.#context.counters.count(`claims_refused_${reason}`);
    }
    if (judgements.every(({ reason }) => reason === ''))
      this.#context.counters.count(`claims_accepted_${move.trigger}`);
  }
}

/** A claim is always about a move; a record is about one when it takes a node from one router to another. */
function isMove({ before, record }: Change, trigger: SeenTrigger): boolean {
  if (record.state !== 'here' || before?.router === record.router) return false;
  return before !== undefined || trigger !== 'records';
}

function resultOf({ record, reason, winner }: Judgement): Result {
  const { vnet, ip } = record;
  const verdict = reason === '' ? 'accepted' : 'refused';
  return { vnet, ip, verdict, reason, seq: winner?.seq ?? record.seq };
}
