/** What other routers say about nodes: checked, put into the directory, and acted upon where it concerns this LAN. */
import type { Ip } from '../../net/ip.js';
import type { Mac } from '../../net/mac.js';
import { Prefix } from '../../net/prefix.js';
import type {
  ClaimMessage,
  ClaimReason,
  ClaimResultMessage,
  MoveClaim,
  StaleMessage,
} from '../../protocol/table-message.js';
import type { NodeRecord, RouterId, VnetId } from '../../tables/model.js';
import { compareRecords } from '../../tables/record.js';
import type { Context } from '../context.js';
import type { DuplicateSuppression } from '../duplicate-suppression.js';
import type { SeenTrigger } from '../ports.js';
import type { UpdateBatcher } from '../sync/update-batcher.js';
import type { Departed, Departure } from './departure.js';
import type { Verification } from './verification.js';

/** A record that changed the directory, and the one that it displaced. */
interface Change {
  readonly before: NodeRecord | undefined;
  readonly record: NodeRecord;
}

/** From whom a message is, and what it says of the moves in it. */
interface Origin {
  readonly from: RouterId;
  readonly trigger: SeenTrigger;
  readonly isObjection: boolean;
  /** When it arrived. */
  readonly startedMs: number;
  /** Says that an address which `from` has claimed back answers here too. */
  readonly object: (record: NodeRecord) => void;
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

interface Claimed {
  readonly move: MoveClaim;
  readonly origin: Origin;
}

/** Tables and neighbours are told. What can wait until the claimer is, too: journal, log, disk, and asking the node. */
interface Accepted {
  readonly results: readonly Result[];
  readonly report: () => void;
}

export interface AcceptanceParts {
  readonly updates: UpdateBatcher;
  readonly departure: Departure;
  readonly verification: Verification;
  readonly freeze: DuplicateSuppression;
  /** The node's announcements here are not to be believed for a moment. */
  readonly hold: (vnet: VnetId, mac: Mac) => void;
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
    const { messenger } = this.#context.ports;
    const startedMs = this.#context.clock.nowMs();
    const answer = (results: readonly Result[]): void => {
      if (results.length > 0) messenger.send(from, { type: 'claimResult', claimId, results });
    };
    const object = ({ vnet, ip, seq }: NodeRecord): void =>
      answer([{ vnet, ip, verdict: 'objection', reason: 'node-answers-here', seq }]);
    const accept = (claimed: readonly Claimed[]): void => {
      const { results, report } = this.#accept(claimed);
      answer(results);
      report();
    };
    const now: Claimed[] = [];
    for (const move of moves) {
      const isObjection = move.objection === true;
      const origin = { from, trigger: move.trigger, isObjection, startedMs, object };
      const doubtful = isObjection ? [] : move.records.filter((record) => this.#mustBeVerified(from, record));
      if (doubtful.length === 0) {
        now.push({ move, origin });
        continue;
      }
      this.#parts.verification.precede(
        doubtful,
        () => answer(this.#refuse(from, move)),
        () => accept([{ move, origin }]),
      );
    }
    accept(now);
  }

  /** All the tables, then ARP for each node. */
  #accept(claimed: readonly Claimed[]): Accepted {
    const judged = claimed.map(({ move, origin }) => {
      const { from, isObjection } = origin;
      return {
        move,
        origin,
        judgements: move.records.map((record) => this.#judge(from, record, isObjection)),
      };
    });
    const reports = judged.map(({ move, origin, judgements }) => {
      const report = this.#actOn(judgements, origin);
      return (): void => {
        report();
        this.#reportRefusals(origin.from, move, judgements);
      };
    });
    return {
      results: judged.flatMap(({ judgements }) => judgements.map(resultOf)),
      report: () => {
        for (const report of reports) report();
      },
    };
  }

  /** The node answers here. Others may have believed the claim. */
  #refuse(from: RouterId, move: MoveClaim): Result[] {
    const { counters, ports } = this.#context;
    for (const record of move.records) {
      const { vnet, ip, mac, seq } = record;
      this.#reassert(record);
      counters.count('claims_refused_node-answers-here');
      ports.event({
        event: 'claim_refused',
        vnet,
        ip,
        by: this.#context.self,
        reason: 'node-answers-here',
        seq,
      });
      if (this.#context.directory.here(vnet, ip)?.mac !== mac) {
        ports.event({ event: 'duplicate_address', vnet, ip, mac, other: from });
      }
    }
    return move.records.map(({ vnet, ip, seq }) => ({
      vnet,
      ip,
      verdict: 'refused',
      reason: 'node-answers-here',
      seq,
    }));
  }

  /** What would be refused anyway need not be. */
  #mustBeVerified(from: RouterId, record: NodeRecord): boolean {
    if (this.#obstacleTo(from, record) !== undefined) return false;
    const own = this.#context.directory.get(record.vnet, record.ip);
    return (
      own !== undefined && compareRecords(record, own) > 0 && this.#parts.verification.mustPrecede(record)
    );
  }

  /** Records that a router sends of itself. Those that are beaten are told to it. */
  records(from: RouterId, records: readonly NodeRecord[]): void {
    const judgements = records.map((record) => this.#judge(from, record));
    const startedMs = this.#context.clock.nowMs();
    this.#actOn(judgements, { from, trigger: 'records', isObjection: false, startedMs, object: () => {} })();
    const beaten: StaleMessage['records'][number][] = [];
    for (const { record, reason, winner } of judgements) {
      this.#context.counters.count(reason === '' ? 'records_accepted' : `records_${reason}`);
      if (winner === undefined || record.state === 'withdrawn') continue;
      beaten.push({ vnet: winner.vnet, ip: winner.ip, seq: winner.seq, router: winner.router });
    }
    if (beaten.length > 0) this.#context.ports.messenger.send(from, { type: 'stale', records: beaten });
  }

  #judge(from: RouterId, record: NodeRecord, isObjection = false): Judgement {
    const { vnet, ip } = record;
    const { directory } = this.#context;
    const reason = this.#obstacleTo(from, record, isObjection);
    if (reason !== undefined) {
      if (reason === 'not-allowed' || reason === 'frozen') this.#reassert(record);
      return { record, reason, winner: undefined, change: undefined };
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

  #obstacleTo(from: RouterId, record: NodeRecord, isObjection = false): ClaimReason | undefined {
    const { vnet, ip, mac } = record;
    const { gndt, directory, lndt, self } = this.#context;
    if (record.router !== from || from === self) return 'not-yours';
    if (gndt.networkOf(vnet, ip) === undefined) return 'unknown-network';
    if (!gndt.mayClaim(vnet, ip, from)) return 'not-allowed';
    const own = directory.here(vnet, ip);
    if (own?.router !== self || record.state !== 'here') return undefined;
    if (own.mac !== mac && gndt.isHome(vnet, ip)) {
      const pin = lndt.entryFor(vnet, Prefix.host(ip))?.mac;
      if (pin !== undefined && pin !== mac) return 'not-allowed';
    }
    // The claim that froze it may be the one that is undone.
    if (isObjection && directory.previous(vnet, ip) === from) return undefined;
    // Two that froze it at once: the order of records decides, or they would refuse each other for ever.
    if (record.frozen === true && compareRecords(record, own) > 0) return undefined;
    return this.#parts.freeze.isFrozen(own) ? 'frozen' : undefined;
  }

  /** Others may have accepted what is refused here: a higher number puts the node back where it was, everywhere. */
  #reassert(refused: NodeRecord): void {
    const own = this.#context.directory.here(refused.vnet, refused.ip);
    if (own?.router !== this.#context.self || refused.state !== 'here') return;
    const seq = Math.max(own.seq, refused.seq + 1);
    if (seq === own.seq) return;
    this.#parts.updates.publish(this.#context.directory.originate(own.vnet, own.ip, own.mac, seq));
  }

  /** Node by node: all addresses of a MAC move together, one event. Returns what can wait. */
  #actOn(judgements: readonly Judgement[], origin: Origin): () => void {
    const nodes = new Map<string, Change[]>();
    for (const { change } of judgements) {
      if (change === undefined) continue;
      const key = `${change.record.vnet}|${change.record.mac}`;
      const changes = nodes.get(key);
      if (changes === undefined) nodes.set(key, [change]);
      else changes.push(change);
    }
    const reports = [...nodes.values()].map((changes) => this.#nodeChanged(changes, origin));
    return () => {
      for (const report of reports) report();
    };
  }

  /** In a burst the neighbours are told of the node when it pauses: by then all the tables are right. */
  #nodeChanged(changes: readonly Change[], origin: Origin): () => void {
    const { burst, clock, ports } = this.#context;
    const tablesMs = clock.nowMs();
    const moved = changes.filter((change) => isMove(change, origin.trigger));
    const left = changes.filter((change) => this.#hasLeft(change));
    const waits = left.length > 0 && burst.joined();
    if (left.length > 0) this.#parts.departure.left(departedOf(left));
    if (left.length > 0 && !waits) this.#parts.departure.redirect(departedOf(left));
    const saidMs = clock.nowMs();
    return () => {
      const move = moved.length > 0 && !origin.isObjection ? this.#noteMove(moved, origin) : undefined;
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
    };
  }

  /** It was on this LAN, or it is native to it and has just become known to be away. */
  #hasLeft({ before, record }: Change): boolean {
    if (record.state !== 'here') return false;
    if (before?.router === this.#context.self) return true;
    return before?.state !== 'here' && this.#context.gndt.isHome(record.vnet, record.ip);
  }

  #nodeLeft({ before, record }: Change, origin: Origin): void {
    if (before?.router !== this.#context.self) return;
    this.#forgetBindings(before);
    if (before.state !== 'here') return;
    if (origin.isObjection) {
      this.#parts.hold(before.vnet, before.mac);
      this.#parts.verification.claimUndone(before, origin.from, () => origin.object(record));
    } else if (origin.trigger === 'records' || !this.#parts.verification.isAskedFirst(before, record)) {
      this.#parts.verification.nodeLeft(before, origin.from);
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

/** Changes of one node; at least one. */
function departedOf(left: readonly Change[]): Departed {
  const [first] = left;
  if (first === undefined) throw new Error('a node that has left has at least one address');
  return { vnet: first.record.vnet, mac: first.record.mac, ips: left.map(({ record }) => record.ip) };
}

function resultOf({ record, reason, winner }: Judgement): Result {
  const { vnet, ip } = record;
  const verdict = reason === '' ? 'accepted' : 'refused';
  return { vnet, ip, verdict, reason, seq: winner?.seq ?? record.seq };
}
