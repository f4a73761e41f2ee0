/** What other routers say about nodes: checked, put into the directory, and acted upon where it concerns this LAN. */
import type { Ip } from '../../net/ip.js';
import type {
  ClaimMessage,
  ClaimReason,
  ClaimResultMessage,
  StaleMessage,
} from '../../protocol/table-message.js';
import type { NodeRecord, RouterId } from '../../tables/model.js';
import type { Authority } from '../authority.js';
import type { Context } from '../context.js';
import type { SeenTrigger } from '../ports.js';
import type { Reports } from '../reports.js';
import type { DuplicateSuppression } from '../suppression/duplicate-suppression.js';
import type { Departed, Departure } from './departure.js';
import type { Change, Judge, Judgement } from './judge.js';
import type { Reassertion } from './reassertion.js';
import type { Claimed, Doubts, Origin, Verification, Verified } from './verification.js';

/** The changes of one node, by one origin: tables are right, and what is urgent has been said. */
interface NodeChange {
  readonly origin: Origin;
  readonly moved: readonly Change[];
  readonly left: readonly Change[];
  /** The neighbours are told when the burst pauses. */
  readonly waits: boolean;
  /** When the tables were right and when the neighbours were told, on the monotonic clock. */
  readonly tablesMs: number;
  readonly saidMs: number;
}

type Result = ClaimResultMessage['results'][number];

export interface AcceptanceParts {
  readonly authority: Authority;
  readonly judge: Judge;
  readonly departure: Departure;
  readonly verification: Verification;
  readonly suppression: DuplicateSuppression;
  readonly reports: Reports;
  readonly reassertion: Reassertion;
}

export class Acceptance {
  readonly #context: Context;
  readonly #parts: AcceptanceParts;

  constructor(context: Context, parts: AcceptanceParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /** A claim: the tables, ARP on this LAN, the answer, and the rest. What has to be verified first is answered later. */
  claim(from: RouterId, { claimId, moves }: ClaimMessage): void {
    const startedMs = this.#context.clock.nowMs();
    const now: Claimed[] = [];
    for (const move of moves) {
      const isObjection = move.objection === true;
      const { trigger, against } = move;
      const claimed = { move, origin: { from, trigger, claimId, isObjection, against, startedMs } };
      if (!this.#mustWait(claimed)) now.push(claimed);
    }
    this.#accept(now);
  }

  /** Records that a router sends of itself. Those that are beaten are told to it. */
  records(from: RouterId, records: readonly NodeRecord[]): void {
    const startedMs = this.#context.clock.nowMs();
    const no = { claimId: undefined, isObjection: false, against: undefined } as const;
    const origin: Origin = { from, trigger: 'records', ...no, startedMs };
    const judgements: Judgement[] = [];
    for (const record of records) {
      const { vnet, mac } = record;
      if (!this.#mustWait({ origin, move: { vnet, mac, records: [record] } })) {
        judgements.push(this.#parts.judge.judge(origin, record));
      }
    }
    for (const change of this.#nodesOf(judgements, origin)) this.#report(change);
    this.#tellBeaten(from, judgements);
  }

  /** What a claim, or a record, waited for has been answered. */
  verified({ claimed, doubts, stillAt }: Verified): void {
    const { origin, move } = claimed;
    if (stillAt === undefined) {
      // The node may have come to another place while it was asked for at the old one.
      if (this.#isCovered(claimed, doubts) || !this.#mustWait(claimed)) this.#accept([claimed]);
      return;
    }
    const { counters, self } = this.#context;
    for (const record of move.records) {
      if (stillAt === self) this.#parts.reassertion.above(record, true);
      if (record.state === 'withdrawn') continue;
      counters.count('claims_refused_node-answers-here');
      this.#parts.reports.refused(origin.from, record, 'node-answers-here', self);
      const isOther = this.#context.directory.here(record.vnet, record.ip)?.mac !== record.mac;
      if (stillAt === self && isOther) {
        const { vnet, ip, mac } = record;
        this.#parts.reports.duplicate(vnet, ip, mac, origin.from);
      }
    }
    this.#answer(
      origin,
      move.records.map((record) => refusal(record, 'node-answers-here')),
    );
  }

  /** All the tables, then ARP for each node, then the answer, and last what can wait until the claimer has it. */
  #accept(claimed: readonly Claimed[]): void {
    const judged = claimed.map(({ move, origin }) => {
      return { origin, judgements: move.records.map((record) => this.#parts.judge.judge(origin, record)) };
    });
    const changes = judged.flatMap(({ judgements, origin }) => this.#nodesOf(judgements, origin));
    const { suppression } = this.#parts;
    // After they were judged: a claim is no ground for an objection that comes with it.
    for (const { move, origin } of claimed) {
      if (origin.claimId === undefined) continue;
      for (const record of move.records) if (record.router === origin.from) suppression.claimed(record);
    }
    const [first] = claimed;
    if (first !== undefined) {
      this.#answer(
        first.origin,
        judged.flatMap(({ judgements }) => judgements.map(resultOf)),
      );
    }
    for (const change of changes) this.#report(change);
    for (const { origin, judgements } of judged) this.#reportRefusals(origin, judgements);
  }

  #answer({ from, claimId }: Origin, results: readonly Result[]): void {
    if (claimId === undefined || results.length === 0) return;
    this.#context.ports.messenger.send(from, { type: 'claimResult', claimId, results });
  }

  /** Must nodes be asked for before this is believed? Then they are, and it is judged when they have answered. */
  #mustWait(claimed: Claimed): boolean {
    const { move, origin } = claimed;
    const doubts = this.#doubtsOf(claimed);
    if (doubts.here.length === 0 && doubts.there.size === 0) return false;
    if (!this.#parts.verification.begin(claimed, doubts)) {
      this.#context.counters.count('claims_not_verified');
      this.#answer(
        origin,
        move.records.map((record) => refusal(record, 'node-answers-here')),
      );
    }
    return true;
  }

  /** Is there nothing that would have to be asked now, and was not? */
  #isCovered(claimed: Claimed, asked: Doubts): boolean {
    const { here, there } = this.#doubtsOf(claimed);
    const askedHere = new Set(asked.here.map(({ ip }) => ip.key));
    return (
      here.every(({ ip }) => askedHere.has(ip.key)) && [...there.keys()].every((id) => asked.there.has(id))
    );
  }

  #doubtsOf({ move, origin }: Claimed): Doubts {
    const here: NodeRecord[] = [];
    const there = new Map<RouterId, Ip[]>();
    for (const record of move.records) {
      const door = this.#parts.authority.door(origin.from, record, origin.isObjection);
      if (door.is === 'ask-here') {
        const own = this.#context.directory.here(record.vnet, record.ip);
        if (own !== undefined) here.push(own);
      } else if (door.is === 'ask-there') {
        there.set(door.router, [...(there.get(door.router) ?? []), record.ip]);
      }
    }
    return { here, there };
  }

  #tellBeaten(from: RouterId, judgements: readonly Judgement[]): void {
    const beaten: StaleMessage['records'][number][] = [];
    for (const { record, reason, winner } of judgements) {
      this.#context.counters.count(reason === '' ? 'records_accepted' : `records_${reason}`);
      if (winner === undefined || record.state === 'withdrawn') continue;
      beaten.push({ vnet: winner.vnet, ip: winner.ip, seq: winner.seq, router: winner.router });
    }
    if (beaten.length > 0) this.#context.ports.messenger.send(from, { type: 'stale', records: beaten });
  }

  /** Node by node: all addresses of a MAC move together, one event. Their neighbours are told, unless a burst is on. */
  #nodesOf(judgements: readonly Judgement[], origin: Origin): readonly NodeChange[] {
    const nodes = new Map<string, Change[]>();
    for (const { change } of judgements) {
      if (change === undefined) continue;
      const key = `${change.record.vnet}|${change.record.mac}`;
      const changes = nodes.get(key);
      if (changes === undefined) nodes.set(key, [change]);
      else changes.push(change);
    }
    return [...nodes.values()].map((changes) => this.#nodeChanged(changes, origin));
  }

  #nodeChanged(changes: readonly Change[], origin: Origin): NodeChange {
    const { burst, clock } = this.#context;
    const tablesMs = clock.nowMs();
    const moved = changes.filter((change) => isMove(change, origin.trigger));
    const left = changes.filter((change) => this.#hasLeft(change));
    // In a burst the neighbours are told of the node when it pauses: by then all the tables are right.
    const waits = left.length > 0 && burst.joined();
    if (left.length > 0) this.#parts.departure.left(departedOf(left), origin.startedMs);
    if (left.length > 0 && !waits) this.#parts.departure.redirect(departedOf(left));
    return { origin, moved, left, waits, tablesMs, saidMs: clock.nowMs() };
  }

  #report({ origin, moved, left, waits, tablesMs, saidMs }: NodeChange): void {
    const { burst, ports } = this.#context;
    const move =
      moved.length > 0 && !moved.some(({ isObjection }) => isObjection)
        ? this.#noteMove(moved, origin)
        : undefined;
    move?.step('directory', tablesMs);
    if (left.length > 0 && !waits) move?.step('first_arp', saidMs);
    move?.judge('accepted');
    for (const change of left) this.#nodeLeft(change, origin);
    if (left.length > 0) ports.saveState();
    if (!waits) return;
    burst.later(() => {
      this.#parts.departure.redirect(departedOf(left));
      move?.step('first_arp');
    });
  }

  /** It was on this LAN, or it is native to it and has just become known to be away. */
  #hasLeft({ before, record }: Change): boolean {
    if (record.state !== 'here') return false;
    if (before?.router === this.#context.self) return true;
    return before?.state !== 'here' && this.#context.gndt.isHome(record.vnet, record.ip);
  }

  #nodeLeft({ before, record, isObjection, isCrossed }: Change, origin: Origin): void {
    if (before?.router !== this.#context.self) return;
    this.#forgetBindings(before);
    if (before.state !== 'here') return;
    const { verification } = this.#parts;
    if (isObjection) {
      this.#context.follow({ do: 'hold', vnet: before.vnet, mac: before.mac });
      verification.claimUndone(before, origin, record.seq);
    } else if (this.#context.config.verify !== 'strict' && before.mac === record.mac) {
      verification.nodeLeft(before, origin.from, isCrossed);
    }
  }

  /** Its link-local addresses, which have no records, have gone with it. */
  #forgetBindings({ vnet, ip, mac }: NodeRecord): void {
    const { hwdt } = this.#context;
    hwdt.forget(vnet, ip);
    for (const binding of hwdt.byMac(vnet, mac)) if (binding.ip.isLinkLocal) hwdt.forget(vnet, binding.ip);
  }

  #noteMove(
    moved: readonly Change[],
    { trigger, startedMs }: Origin,
  ): ReturnType<Context['journal']['begin']> {
    const [first] = moved;
    if (first === undefined) throw new Error('a move has at least one record');
    const { vnet, mac, router: to } = first.record;
    const ips: readonly Ip[] = moved.map(({ record }) => record.ip);
    const from = first.before?.router;
    const seq = Math.max(...moved.map(({ record }) => record.seq));
    const role = from === this.#context.self ? 'source' : 'observer';
    const move = this.#context.journal.begin({ vnet, mac, ips, from, to, trigger, seq, role, startedMs });
    this.#context.ports.event({ event: 'move_learned', vnet, mac, ips, from, to, seq, trigger });
    this.#context.counters.count('moves_learned');
    return move;
  }

  #reportRefusals({ from, trigger }: Origin, judgements: readonly Judgement[]): void {
    for (const { record, reason } of judgements) {
      if (reason === '') continue;
      this.#parts.reports.refused(from, record, reason, from);
      this.#context.counters.count(`claims_refused_${reason}`);
    }
    if (judgements.every(({ reason }) => reason === '')) {
      this.#context.counters.count(`claims_accepted_${trigger}`);
    }
  }
}

/** A claim is always about a move; a record is about one when it takes a node from one router to another. */
function isMove({ before, record }: Change, trigger: SeenTrigger): boolean {
  if (record.state !== 'here' || before?.router === record.router) return false;
  return before !== undefined || trigger !== 'records';
}

/** Changes of one node; at least one. */
function departedOf(left: readonly Change[]): Departed {
  const [first] = left;
  if (first === undefined) throw new Error('a node that has left has at least one address');
  return { vnet: first.record.vnet, mac: first.record.mac, ips: left.map(({ record }) => record.ip) };
}

function resultOf({ record, reason, winner }: Judgement): Result {
  const { vnet, ip } = record;
  const verdict = reason === '' ? 'accepted' : 'refused';
  if (winner === undefined) return { vnet, ip, verdict, reason, seq: record.seq };
  return { vnet, ip, verdict, reason, seq: winner.seq, router: winner.router };
}

function refusal({ vnet, ip, seq }: NodeRecord, reason: ClaimReason): Result {
  return { vnet, ip, verdict: 'refused', reason, seq };
}
