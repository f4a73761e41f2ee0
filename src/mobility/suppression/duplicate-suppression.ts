/**
 * Duplicate suppression (RFC 7432 §15.1), aimed. A claim that was believed and then contradicted (the node answers at the
 * old place) makes that claimer's further claims of the node refused for a while, not everyone's: otherwise a liar, or one
 * LAN with a spoofer, stops a node from moving at all. (One that was verified first has diverted nothing: it costs a
 * question each time.) Only when a second router's claims are contradicted too, or two places answer
 * at the same time, is the node frozen for all. The VR that has it says so in its record, so all routers know; it also
 * ends it, after 180 s or by an operator's word.
 */
import { BoundedMap } from '../../net/bounded-map.js';
import type { Timer } from '../../net/clock.js';
import type { Ip } from '../../net/ip.js';
import type { DirectoryChange } from '../../tables/directory.js';
import type { NodeRecord, RouterId, VnetId } from '../../tables/model.js';
import { nodeKey } from '../../tables/node-key.js';
import type { Context } from '../context.js';
import type { UpdateBatcher } from '../sync/update-batcher.js';
import { type Claimed, type Moved, movesBefore } from './moved.js';

export const FREEZE_MS = 180_000;
/** Others wait so much longer for the holder's word, then stop waiting for it: it may be gone. */
const GRACE_MS = 5_000;
/** For so long a router that has had a node for a moment only is asked for by its holder first. */
const DOUBT_MS = 60_000;
/** A node that has left is asked for a second; the rest is for the WAN. */
const OBJECTION_MS = 5_000;
/** Nodes whose last moves, and whose contradicted claimers, are remembered. */
const REMEMBERED = 4_096;
/** Contradicted claimers of one node: with two of them it is frozen, so more are a crowd. */
const MOST_CLAIMERS = 8;

/** A node that has left is asked for so long; by then who claimed it falsely has been found out. */
const MOMENT_MS = 1_000;
/** A node that has moved so often lately may well be frozen where it is. */
const CREDIBLE_MOVES = 3;

interface Doubt {
  readonly claimer: RouterId;
  readonly by: RouterId;
  readonly untilMs: number;
}

/** Until when a router's claims are refused, as long as the router that contradicted it has the node. */
interface Aim {
  readonly untilMs: number;
  readonly by: RouterId;
}

/** The routers whose claims of a node are refused. */
interface Aims {
  readonly vnet: VnetId;
  readonly ip: Ip;
  readonly claimers: ReadonlyMap<RouterId, Aim>;
}

/** Claims of one router that are refused, because one of them was contradicted. */
export interface Suppressed {
  readonly vnet: VnetId;
  readonly ip: Ip;
  readonly claimer: RouterId;
  readonly leftMs: number;
}

export class DuplicateSuppression {
  readonly #context: Context;
  readonly #updates: UpdateBatcher;
  /** The moves of each node, oldest first; no more than count. To be read by `#moves`. */
  readonly #notedMoves = new BoundedMap<string, readonly Moved[]>(REMEMBERED);
  /** Moves that have not been noted yet, oldest first: nothing that is said now waits for that. */
  readonly #unnoted: (Moved & { readonly key: string })[] = [];
  readonly #aims = new BoundedMap<string, Aims>(REMEMBERED);
  /** A router had the node for a moment, and the one before has it again: nobody has said why. */
  readonly #notedDoubts = new BoundedMap<string, Doubt>(REMEMBERED);
  /** Who has claimed each node lately, oldest first. */
  readonly #claims = new BoundedMap<string, readonly Claimed[]>(REMEMBERED);
  /** Until when each frozen node is. */
  readonly #frozen = new Map<string, { readonly untilMs: number; readonly timer: Timer }>();

  constructor(context: Context, updates: UpdateBatcher) {
    this.#context = context;
    this.#updates = updates;
    context.atEnd(context.directory.subscribe((change) => this.#changed(change)));
    context.atEnd(context.directory.subscribeLater(() => this.#noteMoves()));
    for (const record of context.directory.all()) if (record.frozen === true) this.#begin(record);
  }

  /** May announcements of the node be believed that come from elsewhere? Not for the time being. */
  isFrozen(record: NodeRecord): boolean {
    const { vnet, ip } = record;
    if (!isHeld(record)) return false;
    return this.#context.clock.nowMs() < (this.#frozen.get(nodeKey(vnet, ip))?.untilMs ?? 0);
  }

  /** For how long this router's claims of the node are refused, because one was contradicted; 0: they are not. */
  suppressedMs(vnet: VnetId, ip: Ip, claimer: RouterId): number {
    if (this.#aims.size === 0) return 0;
    const aim = this.#aims.get(nodeKey(vnet, ip))?.claimers.get(claimer);
    if (aim === undefined || this.#context.directory.here(vnet, ip)?.router !== aim.by) return 0;
    return Math.max(0, aim.untilMs - this.#context.clock.nowMs());
  }

  /** Must the router that has the node be asked before this one is believed again? */
  isDoubted(vnet: VnetId, ip: Ip, claimer: RouterId): boolean {
    const doubt = this.#doubts.get(nodeKey(vnet, ip));
    if (doubt?.claimer !== claimer || doubt.untilMs < this.#context.clock.nowMs()) return false;
    return this.#context.directory.here(vnet, ip)?.router === doubt.by;
  }

  /**
   * A claim was contradicted by a router where the node answers. One that is here is frozen if the claims of another
   * router were contradicted too.
   */
  contradicted(vnet: VnetId, ip: Ip, claimer: RouterId, by: RouterId): void {
    const key = nodeKey(vnet, ip);
    const nowMs = this.#context.clock.nowMs();
    const others = [...(this.#aims.get(key)?.claimers ?? [])]
      .filter(([router, aim]) => router !== claimer && aim.untilMs > nowMs)
      .slice(1 - MOST_CLAIMERS);
    const aim = { untilMs: nowMs + FREEZE_MS, by };
    this.#aims.set(key, { vnet, ip, claimers: new Map([...others, [claimer, aim]]) });
    this.#context.counters.count('claimers_suppressed');
    if (this.isContested(vnet, ip)) this.freeze(vnet, ip, claimer);
  }

  /** The claims that are refused now. */
  suppressed(): readonly Suppressed[] {
    const found: Suppressed[] = [];
    for (const { vnet, ip, claimers } of this.#aims.values()) {
      for (const claimer of claimers.keys()) {
        const leftMs = this.suppressedMs(vnet, ip, claimer);
        if (leftMs > 0) found.push({ vnet, ip, claimer, leftMs });
      }
    }
    return found;
  }

  /**
   * Has the router a right to object to the move by which another one has the node? It had the node before, a moment ago,
   * or claimed it (a claim that crossed the other's), and not by one that was contradicted itself.
   */
  mayObject(vnet: VnetId, ip: Ip, by: RouterId): boolean {
    const key = nodeKey(vnet, ip);
    const nowMs = this.#context.clock.nowMs();
    const sinceMs = nowMs - OBJECTION_MS;
    // Whoever contradicted it, and wherever the node is now.
    if ((this.#aims.get(key)?.claimers.get(by)?.untilMs ?? 0) > nowMs) return false;
    if ((this.#moves.get(key)?.at(-1)?.atMs ?? Number.NEGATIVE_INFINITY) < sinceMs) return false;
    return this.#context.directory.previous(vnet, ip) === by && !this.#hadItForAMoment(key, by);
  }

  /** Who has had it for a moment only may have taken it while it was on its way. */
  #hadItForAMoment(key: string, router: RouterId): boolean {
    const [came, left] = (this.#moves.get(key) ?? []).slice(-2);
    if (came === undefined || left === undefined) return false;
    return came.to === router && left.from === router && left.atMs - came.atMs < MOMENT_MS;
  }

  /** Has the router had the node, and lost it to the claimer, who has it no more, all a moment ago? */
  wasTaken(vnet: VnetId, ip: Ip, by: RouterId, claimer: RouterId): boolean {
    const moves = this.#moves.get(nodeKey(vnet, ip)) ?? [];
    const [taken, lost] = moves.slice(-2);
    if (taken === undefined || lost === undefined) return false;
    if (taken.atMs < this.#context.clock.nowMs() - OBJECTION_MS) return false;
    return taken.from === by && taken.to === claimer && lost.from === claimer;
  }

  /** The router claims the node, whether it is believed or not; a claim that comes late may be what a freeze is for. */
  claimed({ vnet, ip, router: claimer, seq }: NodeRecord): void {
    const key = nodeKey(vnet, ip);
    const others = (this.#claims.get(key) ?? []).filter((claim) => claim.claimer !== claimer);
    const claim = { claimer, seq, atMs: this.#context.clock.nowMs() };
    this.#claims.set(key, [...others.slice(1 - MOST_CLAIMERS), claim]);
    const known = this.#context.directory.here(vnet, ip);
    if (known?.frozen === true && !this.#frozen.has(key) && this.#isCredible(known)) this.#begin(known);
  }

  /** Is the router the one that had the node before it came here, and had it not just taken it? */
  restedAt(vnet: VnetId, ip: Ip, router: RouterId): boolean {
    if (this.#context.directory.previous(vnet, ip) !== router) return false;
    const sinceMs = this.#context.clock.nowMs() - OBJECTION_MS;
    return !(this.#moves.get(nodeKey(vnet, ip)) ?? []).some(
      ({ to, atMs }) => to === router && atMs > sinceMs,
    );
  }

  /**
   * The node was lost to a record of the router where it had rested, which did not know of the claim yet. That is no move, and
   * the claim that follows is the same one again.
   */
  crossed(vnet: VnetId, ip: Ip): void {
    const key = nodeKey(vnet, ip);
    const moves = this.#moves.get(key) ?? [];
    this.#moves.set(key, moves.slice(0, moves.at(-2)?.to === this.#context.self ? -2 : -1));
  }

  /** Were the claims of more than one router contradicted here? Then the node is frozen when it is here. */
  isContested(vnet: VnetId, ip: Ip): boolean {
    const nowMs = this.#context.clock.nowMs();
    let claimers = 0;
    for (const { untilMs, by } of this.#aims.get(nodeKey(vnet, ip))?.claimers.values() ?? []) {
      if (untilMs > nowMs && by === this.#context.self) claimers++;
    }
    return claimers > 1;
  }

  /** Would one more move make it too many? */
  isMoveTooMany(vnet: VnetId, ip: Ip): boolean {
    const key = nodeKey(vnet, ip);
    const { maxMoves } = this.#context.config;
    // Nearly always; the node waits.
    if ((this.#moves.get(key)?.length ?? 0) + 1 < maxMoves) return false;
    return this.#trueMoves(key).size + 1 >= maxMoves;
  }

  /** Freezes a node that is here, by its record of now: one with the number of a moment ago would be beaten by that. */
  freeze(vnet: VnetId, ip: Ip, other: RouterId): void {
    const { directory, self, ports } = this.#context;
    const current = directory.here(vnet, ip);
    if (current?.router !== self || current.frozen === true) return;
    this.#updates.publish(directory.originate(vnet, ip, current.mac, current.seq, true));
    this.alarm(current, other);
    ports.saveState();
  }

  alarm({ vnet, ip, mac }: NodeRecord, other: RouterId): void {
    this.#context.counters.count('nodes_frozen');
    this.#context.ports.event({ event: 'node_frozen', vnet, ip, mac, other });
  }

  /** Ends the freeze of a node that is here, and the suppression of its claimers. A string says why not. */
  release(vnet: VnetId, ip: Ip): NodeRecord | string {
    const { directory, self, ports } = this.#context;
    const record = directory.here(vnet, ip);
    if (record === undefined) return `${ip.key} is not known to be anywhere`;
    if (record.frozen !== true && record.router === self && this.#aims.delete(nodeKey(vnet, ip)))
      return record;
    if (record.frozen !== true) return `${ip.key} is not frozen`;
    if (record.router !== self) return `${ip.key} is frozen by ${record.router}: release it there`;
    const released = directory.originate(vnet, ip, record.mac, record.seq, false);
    this.#updates.publish(released);
    this.#context.counters.count('nodes_released');
    ports.event({ event: 'node_released', vnet, ip, mac: record.mac });
    ports.saveState();
    return released;
  }

  /**
   * Routers are no members any more: what they claimed and contradicted counts no longer, and what was frozen here for
   * that is free.
   * @param dropped their records
   */
  membersGone(dropped: readonly NodeRecord[]): void {
    const { gndt } = this.#context;
    const isMember = (router: RouterId): boolean => gndt.peerIndex(router) >= 0;
    const concerned = new Map<string, { readonly vnet: VnetId; readonly ip: Ip }>();
    for (const record of dropped) concerned.set(nodeKey(record.vnet, record.ip), record);
    for (const aims of [...this.#aims.values()]) {
      const key = nodeKey(aims.vnet, aims.ip);
      const left = [...aims.claimers].filter(([claimer, { by }]) => isMember(claimer) && isMember(by));
      if (left.length === aims.claimers.size) continue;
      concerned.set(key, aims);
      if (left.length === 0) this.#aims.delete(key);
      else this.#aims.set(key, { ...aims, claimers: new Map(left) });
    }
    for (const record of this.#context.directory.of(this.#context.self)) {
      const key = nodeKey(record.vnet, record.ip);
      const moves = this.#moves.get(key) ?? [];
      if (!moves.every(({ from, to }) => isMember(from) && isMember(to))) concerned.set(key, record);
    }
    for (const [key, { vnet, ip }] of concerned) {
      this.#moves.delete(key);
      const record = this.#context.directory.here(vnet, ip);
      if (record?.frozen === true && record.router === this.#context.self) this.release(vnet, ip);
    }
  }

  /** As of now, whatever has been asked for before. */
  get #moves(): BoundedMap<string, readonly Moved[]> {
    this.#noteMoves();
    return this.#notedMoves;
  }

  get #doubts(): BoundedMap<string, Doubt> {
    this.#noteMoves();
    return this.#notedDoubts;
  }

  #noteMoves(): void {
    if (this.#unnoted.length === 0) return;
    for (const { key, ...moved } of this.#unnoted.splice(0)) {
      this.#moves.set(key, [...this.#recent(key), moved]);
      this.#doubt(key, moved);
    }
  }

  #changed({ before, after }: DirectoryChange): void {
    const key = nodeKey(after.vnet, after.ip);
    if (before !== undefined && before.router !== after.router && after.state === 'here') {
      const { router: to, seq } = after;
      this.#unnoted.push({ key, from: before.router, to, seq, atMs: this.#context.clock.nowMs() });
    }
    if (before?.frozen !== true && after.frozen !== true) return;
    // A record that is only put above another's does not make the freeze longer.
    const wasFrozen = isHeld(before) && before?.router === after.router && this.#frozen.has(key);
    if (isHeld(after) && wasFrozen) return;
    if (isHeld(after)) {
      if (before === undefined || this.#isCredible(after)) this.#begin(after);
    } else if (before?.frozen === true) this.#end(after, key, wasFrozen && after.state === 'here');
  }

  #doubt(key: string, back: Moved): void {
    const taken = this.#moves.get(key)?.at(-2);
    if (taken === undefined || back.atMs - taken.atMs > MOMENT_MS) return;
    if (taken.from !== back.to || taken.to !== back.from) return;
    this.#doubts.set(key, { claimer: back.from, by: back.to, untilMs: back.atMs + DOUBT_MS });
  }

  /**
   * Another router says that the node is frozen there. It is if the node has gone to and fro, or been contradicted, as far
   * as is known here: the word of one router alone stops no node. Claims of others count also where they came too late.
   */
  #isCredible({ vnet, ip, router, seq }: NodeRecord): boolean {
    if (router === this.#context.self) return true;
    const key = nodeKey(vnet, ip);
    const aims = this.#aims.get(key)?.claimers ?? new Map<RouterId, Aim>();
    if ([...aims.keys()].some((claimer) => claimer !== router)) return true;
    const sinceMs = this.#sinceMs;
    const claims = (this.#claims.get(key) ?? []).filter(
      (claim) => claim.claimer !== router && claim.atMs > sinceMs,
    );
    // That to where it is frozen was the last, but is that router's word; of one that was contradicted itself one more is wanted.
    const isSuspect = (aims.get(router)?.untilMs ?? 0) > this.#context.clock.nowMs();
    const enough = isSuspect ? CREDIBLE_MOVES : CREDIBLE_MOVES - 1;
    const most = Math.max(1, Math.min(enough, this.#context.config.maxMoves - 1));
    return movesBefore({ router, seq }, this.#trueMoves(key), claims) >= most;
  }

  #begin(record: NodeRecord): void {
    const { clock, self, timers } = this.#context;
    const key = nodeKey(record.vnet, record.ip);
    const isOwn = record.router === self;
    // Own ones go on where they were before a restart; of others' clocks nothing is known.
    const sinceMs = isOwn ? Math.max(0, clock.wallMs() - record.stamp / 1000) : -GRACE_MS;
    const leftMs = Math.max(0, FREEZE_MS - sinceMs);
    this.#frozen.get(key)?.timer.cancel();
    const timer = timers.after('freeze', leftMs, () => this.#expired(record.vnet, record.ip));
    this.#frozen.set(key, { untilMs: clock.nowMs() + leftMs, timer });
  }

  #expired(vnet: VnetId, ip: Ip): void {
    const record = this.#context.directory.here(vnet, ip);
    if (record?.frozen !== true) return;
    if (record.router === this.#context.self) this.release(vnet, ip);
    else this.#context.follow({ do: 'release', vnet, ip });
  }

  /** @param isForgiven released where it was: begins with a clean slate */
  #end({ vnet, ip }: NodeRecord, key: string, isForgiven: boolean): void {
    this.#frozen.get(key)?.timer.cancel();
    this.#frozen.delete(key);
    if (isForgiven) {
      this.#moves.delete(key);
      this.#aims.delete(key);
    }
    this.#context.follow({ do: 'release', vnet, ip });
  }

  /**
   * The node's moves within the window by sequence number: two routers that claim it with one number at the same time are one
   * move, seen from two sides. A false claim, and its undoing, are no moves: a liar could use them up.
   */
  #trueMoves(key: string): Map<number, Moved> {
    const nowMs = this.#context.clock.nowMs();
    const claimers = this.#aims.get(key)?.claimers;
    const isFalse = (router: RouterId): boolean => (claimers?.get(router)?.untilMs ?? 0) > nowMs;
    const moves = this.#recent(key).filter(({ from, to }) => !isFalse(from) && !isFalse(to));
    return new Map(moves.map((move) => [move.seq, move]));
  }

  /** The node's moves within the window, among those that are members now; two may have one number. */
  #recent(key: string): readonly Moved[] {
    const sinceMs = this.#sinceMs;
    const { gndt } = this.#context;
    const isMember = (router: RouterId): boolean => gndt.peerIndex(router) >= 0;
    const moves = (this.#moves.get(key) ?? []).filter(
      ({ from, to, atMs }) => atMs > sinceMs && isMember(from) && isMember(to),
    );
    return moves.slice(-2 * this.#context.config.maxMoves);
  }

  get #sinceMs(): number {
    const { clock, config } = this.#context;
    return clock.nowMs() - config.moveWindowSeconds * 1000;
  }
}

/** Is it the record of a node that is frozen where it is? A node that has been withdrawn can be claimed by anybody. */
function isHeld(record: NodeRecord | undefined): boolean {
  return record?.frozen === true && record.state === 'here';
}
