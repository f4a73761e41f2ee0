/**
 * Random histories of an overlay in which one router lies: true moves between the honest sites, lies of every kind at any
 * moment, and in some of them loss, cuts and crashes. In the end the mad router is taken out of gndt.json, and everything
 * is as it was; then every node moves once more. Everything random comes from one seed.
 */
import assert from 'node:assert/strict';
import { decodeState } from '../../src/router/state/state-file.js';
import type { MobilityConfig } from '../../src/tables/model.js';
import type { SimHost } from '../support/sim-lan-host.js';
import type { SimSite } from '../support/sim-lan-site.js';
import { randomOf } from '../support/sim-lan-wan.js';
import { type Announcement, BLUE, type Families } from '../support/sim-lan-world.js';
import { Campaigns } from './mad-campaigns.js';
import { MadJudge } from './mad-judge.js';
import { Liar, type Subject } from './mad-lies.js';
import { HONEST, MAD, MadWorld } from './mad-world.js';

const SITES = HONEST.length;
const DELAY_MS = 20;
const JITTER_MS = 20;
/** Refusals and contradictions are put off for 5 s; then losses. */
const BUDGET_MS = 8_000;
const DIVERSION_MS = 250 + 4 * (DELAY_MS + JITTER_MS);
/** A true move in an overlay that loses nothing: the farthest delay; strict: a question, three probes, an answer, a claim, and the holder's word at third routers. */
const MOVE_MS = DELAY_MS + JITTER_MS + 10;
const MOVE_STRICT_MS = 5 * (DELAY_MS + JITTER_MS) + 60 + 10;
/** Where messages are lost: tables are compared every 30 s. */
const DIGEST_MS = 40_000;
/** From when the last router has taken the mad one out. */
const AS_IT_WAS_MS = 60_000;
const FREEZE_MS = 190_000;
/** Until the router that a node has left may have agreed to a claim: three questions, and the WAN. */
const ON_ITS_WAY_MS = 60 + 2 * (DELAY_MS + JITTER_MS);
/** Lies in the report of a failure. */
const SHOWN = 8;
/** Fewer than the least `maxMoves` freezes, the last move of all included. */
const MOST_MOVES = 3;

export const statistics = {
  histories: 0,
  lies: 0,
  refusedByDecoder: 0,
  campaigns: 0,
  moves: 0,
  judged: 0,
  rested: 0,
  diversions: 0,
  cuts: 0,
  crashes: 0,
  disksLost: 0,
};

export interface HistoryOptions {
  /** False: the mad router is honest, for once. */
  readonly lies: boolean;
  /** Shown the world before anything happens in it. */
  readonly onWorld?: (all: MadWorld) => void;
}

/** Throws what was wrong with it, and the last that the mad router had said by then. */
export function playMadHistory(seed: number, options: HistoryOptions = { lies: true }): void {
  const history = new MadHistory(seed, options);
  try {
    history.play();
  } catch (error) {
    throw new Error(`history ${seed} (VINE_SEED=${seed} replays it); ${history.lastSaid()}`, {
      cause: error,
    });
  }
}

class MadHistory {
  readonly #random: () => number;
  readonly #isFaulty: boolean;
  readonly #verify: MobilityConfig['verify'];
  readonly #loss: number;
  readonly #maxMoves: number;
  readonly #all: MadWorld;
  readonly #judge: MadJudge;
  readonly #campaigns: Campaigns | undefined;
  readonly #nodes: readonly SimHost[];
  /** What never moves: gateways, the routers' own addresses, a WireGuard client. */
  readonly #fixed: readonly (readonly [Subject, SimSite])[];
  readonly #movedMs = new Map<SimHost, number>();
  readonly #moves = new Map<SimHost, number>();
  /** Moved before the move before had settled: what nobody verifies then may be wrong until the node speaks again. */
  readonly #crossed = new Set<SimHost>();
  /** The same at any time: claims that crossed each other were contradicted, and who made them is refused for a while. */
  readonly #everCrossed = new Set<Subject>();
  /** Since when all honest routers run and hear each other; undefined while they do not. */
  #wholeSinceMs: number | undefined;
  #isDiskLost = false;

  constructor(seed: number, { lies, onWorld }: HistoryOptions) {
    this.#random = randomOf(seed);
    this.#isFaulty = this.#chance(0.4);
    this.#verify = this.#pick(['optimistic', 'optimistic', 'strict', 'strict', 'off']);
    this.#loss = this.#isFaulty ? this.#pick([0, 0.05, 0.2]) : 0;
    this.#maxMoves = this.#pick([5, 100]);
    this.#all = new MadWorld({
      seed,
      hostsPerSite: this.#pick([
        [2, 2, 1, 1],
        [2, 1, 0, 1],
        [1, 2, 0, 1],
      ]),
      families: () => this.#pick<Families>(['4', '6', '46']),
      largeSubnet: this.#pick([false, false, true, '6']),
      verify: this.#verify,
      maxMoves: this.#maxMoves,
      limits: { nodesPerRouter: 200 },
      wan: { delayMs: DELAY_MS, jitterMs: JITTER_MS, loss: this.#loss, duplicate: 0.02 },
    });
    this.#nodes = this.#all.nodes();
    const liar = new Liar(this.#all, this.#random);
    this.#fixed = [
      ...liar.machines.filter(({ name }) => name.startsWith('gw')),
      ...liar.others.filter(({ name }) => name.startsWith('vr-') || name === 'client'),
    ].map((subject): readonly [Subject, SimSite] => [subject, this.#all.siteOfFixed(subject.name)]);
    this.#judge = new MadJudge(this.#all, [...this.#nodes, ...this.#fixed.map(([subject]) => subject)], {
      verify: this.#verify,
      diversionMs: this.#loss > 0 ? DIGEST_MS : DIVERSION_MS,
      onlyOnce: this.#loss === 0,
      isOnItsWay: (subject) => this.#isOnItsWay(subject),
    });
    onWorld?.(this.#all);
    if (lies) this.#campaigns = new Campaigns(this.#all, this.#random, liar);
  }

  lastSaid(): string {
    const said = this.#all.mad.said.slice(-SHOWN);
    const kind = `${this.#verify}, loss ${this.#loss}, ${this.#isFaulty ? '' : 'not '}faulty, maxMoves ${this.#maxMoves}`;
    return [kind, ...said.map(({ to, message }) => `to ${to}: ${JSON.stringify(message)}`)].join('\n  ');
  }

  play(): void {
    statistics.histories++;
    this.#all.world.settle(2_000);
    this.#noteWhole();
    this.#all.world.settle(BUDGET_MS + 10);
    this.#look();
    const steps = 5 + Math.floor(this.#random() * 9);
    for (let i = 0; i < steps; i++) {
      this.#step();
      this.#noteWhole();
      this.#judge.check();
    }
    this.#end();
    const { mad } = this.#all;
    statistics.lies += mad.told;
    statistics.refusedByDecoder += mad.refusedByDecoder;
    statistics.diversions += this.#judge.diversions;
  }

  #step(): void {
    const kind = this.#random();
    if (this.#isFaulty && kind < 0.07) this.#crash();
    else if (this.#isFaulty && kind < 0.14) this.#boot();
    else if (this.#isFaulty && kind < 0.22) this.#cutOrHeal();
    else if (kind < 0.4) this.#move();
    else if (kind < 0.45) this.#speak();
    else if (kind < 0.8) this.#lie();
    else this.#pause(this.#pick([100, 2_500, BUDGET_MS + 10]));
  }

  #lie(): void {
    statistics.campaigns++;
    this.#campaigns?.begin();
    this.#pause(this.#pick([1, 50, 600, 3_000]));
  }

  #pause(ms: number): void {
    this.#all.world.settle(ms);
    this.#look();
  }

  #move(): void {
    const node = this.#pick(this.#nodes);
    const to = this.#pick(this.#all.honest);
    const moves = (this.#moves.get(node) ?? 0) + 1;
    if (moves > MOST_MOVES && this.#maxMoves < 100) return;
    statistics.moves++;
    this.#moves.set(node, moves);
    this.#moveTo(node, to);
    this.#all.world.settle(this.#pick([1, 40, 400]));
  }

  #moveTo(node: SimHost, to: SimSite): void {
    const downtimeMs = this.#pick([2, 10, 60]);
    const atMs = this.#all.world.clock.nowMs() + downtimeMs;
    this.#judge.disturb(node);
    if (atMs - (this.#movedMs.get(node) ?? -BUDGET_MS) < BUDGET_MS) {
      this.#crossed.add(node);
      this.#everCrossed.add(node);
    } else this.#crossed.delete(node);
    this.#movedMs.set(node, atMs);
    this.#all.world.move(node, to, this.#pick<Announcement>(['rarp', 'gratuitous', 'both']), downtimeMs);
  }

  #isOnItsWay(subject: Subject): boolean {
    const movedMs = [...this.#movedMs].find(([node]) => node === subject)?.[1];
    return movedMs !== undefined && this.#all.world.clock.nowMs() < movedMs + ON_ITS_WAY_MS;
  }

  #speak(): void {
    const node = this.#pick(this.#nodes);
    if (this.#all.world.siteOf(node) === undefined) return;
    if (this.#chance(0.5)) node.announceRarp();
    else node.announceGratuitous();
  }

  #crash(): void {
    const site = this.#pick(this.#all.honest);
    if (!site.isUp) return;
    statistics.crashes++;
    this.#faulty();
    site.crash();
    assert.equal(decodeState(site.disk).damage, undefined, `what ${site.id} has on its disk`);
    if (this.#chance(0.4)) {
      statistics.disksLost++;
      this.#isDiskLost = true;
      site.loseDisk();
    }
  }

  #boot(): void {
    for (const site of this.#all.honest) {
      if (site.isUp) continue;
      this.#faulty();
      site.boot(true);
      this.#all.wan.connectAll();
      this.#all.world.settle(this.#pick([200, 400]));
      site.mobility.start();
      return;
    }
  }

  #cutOrHeal(): void {
    statistics.cuts++;
    this.#faulty();
    const a = this.#pick(HONEST);
    const b = this.#pick([...HONEST, MAD]);
    if (a === b) return;
    if (this.#chance(0.6)) this.#all.wan.cut(a, b);
    else this.#all.wan.heal(a, b);
  }

  #faulty(): void {
    this.#wholeSinceMs = undefined;
    this.#judge.disturbAll();
  }

  #isWhole(): boolean {
    const { wan, honest } = this.#all;
    return honest.every(
      ({ id, isUp }) =>
        isUp &&
        HONEST.every((other) => other === id || (wan.isWhole(id, other) && wan.upPeers(id).includes(other))),
    );
  }

  #noteWhole(): void {
    if (!this.#isWhole()) this.#wholeSinceMs = undefined;
    else this.#wholeSinceMs ??= this.#all.world.clock.nowMs();
  }

  /** What nobody has moved for a while is where it is, and rests there. */
  #look(): void {
    this.#noteWhole();
    const wholeMs = this.#wholeSinceMs;
    if (wholeMs === undefined) return;
    const rests = (subject: Subject, at: SimSite, movedMs: number): void => {
      if (this.#judge.isResting(subject)) return;
      if (this.#all.world.clock.nowMs() - Math.max(movedMs, wholeMs) <= BUDGET_MS) return;
      statistics.judged++;
      if (this.#judge.agrees(subject, at)) {
        statistics.rested++;
        this.#judge.rest(subject, at);
      } else if (this.#verify !== 'strict' || !this.#judge.isStolen(subject)) {
        this.#mustAgree(subject, at, movedMs, wholeMs);
      }
    };
    for (const node of this.#nodes) {
      const at = this.#all.world.siteOf(node);
      const isDoubtful = this.#verify === 'off' && this.#crossed.has(node);
      if (at !== undefined && !isDoubtful) rests(node, at, this.#movedMs.get(node) ?? 0);
    }
    for (const [subject, at] of this.#fixed) rests(subject, at, 0);
  }

  /**
   * Claims of it that crossed one another, or a fault, were contradicted, and an honest router's are refused for a while.
   * No lie alone leads to that.
   */
  #isWaitingFor(node: Subject): boolean {
    if (!this.#isFaulty && !this.#everCrossed.has(node)) return false;
    return this.#all.honest.some(({ mobility }) =>
      mobility
        .suppressed()
        .some(({ ip, claimer }) => claimer !== MAD && node.ips.some((own) => own.equals(ip))),
    );
  }

  /** Unless a lie may be believed, and that is not for long. What crossed a fault may be known later. */
  #mustAgree(subject: Subject, at: SimSite, movedMs: number, wholeMs: number): void {
    const isOpen = !this.#judge.isProtected(subject);
    // What third routers ask, and its answer, may be lost again and again: then the next digest tells them.
    if ((this.#verify === 'off' && isOpen) || this.#loss > 0) return;
    if (this.#isFaulty && Math.min(movedMs, wholeMs) < wholeMs) return;
    if (this.#isWaitingFor(subject) || this.#isStolenInTransit(subject)) return;
    const places = subject.ips.map((ip) => `${ip.key}: ${this.#all.places(ip)}`).join(', ');
    const what = `${subject.name} is at ${at.id} and has not moved, but ${places}`;
    assert(this.#verify === 'optimistic' && isOpen, what);
    const since = this.#movedMs.get(subject as SimHost);
    this.#all.world.clock.after('judge', DIVERSION_MS, () => {
      if (this.#wholeSinceMs !== wholeMs || this.#movedMs.get(subject as SimHost) !== since) return;
      assert(this.#judge.agrees(subject, at), `${what}, ${DIVERSION_MS} ms later too`);
    });
  }

  /** Strict: who asks for a node that is between two places gets no answer from it, and then the mad router has the word. */
  #isStolenInTransit(subject: Subject): boolean {
    if (this.#verify !== 'strict' || !this.#movedMs.has(subject as SimHost)) return false;
    return subject.ips.some((ip) => this.#all.places(ip).includes(MAD));
  }

  /** The network is whole again; the mad router goes, and everything is as it was. */
  #end(): void {
    const { world, honest, madSite } = this.#all;
    this.#makeWhole();
    this.#judge.check();
    this.#judge.disturbAll();
    for (const site of honest) {
      this.#campaigns?.begin();
      world.settle(this.#pick([1, 100, 1_000]));
      site.reconfigure(this.#all.gndtWithoutMad(site));
    }
    madSite.crash();
    const mayWait = (node: SimHost): boolean => this.#isFaulty || this.#everCrossed.has(node);
    const waits = (node: SimHost): boolean => this.#isWaitingFor(node) || this.#isFrozen(node);
    const hasWaited = this.#nodes.some((node) => mayWait(node) && waits(node)) || this.#chance(0.1);
    if (hasWaited) world.settle(FREEZE_MS);
    // A living machine says something now and then. What was not heard, or lied about unverified, it says aloud.
    for (const host of world.hosts) {
      const [ip] = world.hosts.flatMap(({ ips }) => ips).filter(({ family }) => host.ip.family === family);
      if (this.#isFaulty || this.#verify === 'off') host.announceGratuitous();
      else if (ip !== undefined) world.clock.after('speak', this.#random() * 20_000, () => host.ask(ip));
    }
    if (this.#isDiskLost) this.#remembered();
    world.settle(AS_IT_WAS_MS);
    this.#checkAll('60 s after it was taken out');
    // Where claims have crossed, an honest router's may be refused for a while when the node comes to a place again.
    for (const node of this.#nodes.filter((one) => hasWaited || !mayWait(one))) {
      this.#moveTo(node, this.#pick(honest.filter((site) => site !== world.siteOf(node))));
      world.settle(this.#pick([1, 100]));
    }
    const strict = this.#verify === 'strict' ? MOVE_STRICT_MS : MOVE_MS;
    world.settle(60 + (this.#loss > 0 ? DIGEST_MS : strict));
    this.#checkAll('when all have moved once more');
    this.#judge.checkNothingIsLeft();
    assert.deepEqual(this.#all.unreadable(), [], 'something was said that cannot be read');
  }

  #checkAll(when: string): void {
    const nodes = this.#nodes.map((node): readonly [Subject, SimSite] => {
      const at = this.#all.world.siteOf(node);
      assert(at, `${node.name} is nowhere`);
      return [node, at];
    });
    this.#judge.checkAll([...nodes, ...this.#fixed], when);
  }

  /** What all routers have lost that knew it, away from home, is nobody's until it has been home. */
  #remembered(): void {
    this.#all.world.settle(1_000);
    for (const node of this.#nodes) {
      const home = this.#all.world.site(Number(node.name[1]));
      const isUnknown = node.ips.some((ip) =>
        this.#all.honest.every(({ directory }) => directory.here(BLUE, ip) === undefined),
      );
      if (isUnknown && this.#all.world.siteOf(node) !== home)
        this.#all.world.move(node, home, 'gratuitous', 10);
    }
  }

  #isFrozen(node: SimHost): boolean {
    return this.#all.honest.some(({ directory }) =>
      node.ips.some((ip) => directory.here(BLUE, ip)?.frozen === true),
    );
  }

  #makeWhole(): void {
    const { world, wan } = this.#all;
    for (let i = 0; i < SITES; i++) this.#boot();
    for (const a of [...HONEST, MAD]) for (const b of HONEST) if (a !== b) wan.heal(a, b);
    if (!this.#isFaulty) return;
    const untilMs = world.clock.nowMs() + 18_000;
    do world.settle(5_000);
    while (!this.#isWhole() && world.clock.nowMs() < untilMs);
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)] as T;
  }
}
