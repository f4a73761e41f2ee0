/**
 * Random histories of whole overlays: the real tables, mobility, control channel and packet decisions of several routers,
 * a simulated network and clock. Nodes have IPv4, IPv6 or both. Everything random comes from one seed: `VINE_SEED=n`
 * replays one history. What holds at every moment is in history-judge.ts; here is what happens, and the budgets.
 */
import assert from 'node:assert/strict';
import type { Ip } from '../../src/net/ip.js';
import type { MobilityConfig } from '../../src/tables/model.js';
import { SimHost } from '../support/sim-lan-host.js';
import type { SimSite } from '../support/sim-lan-site.js';
import { randomOf } from '../support/sim-lan-wan.js';
import { type Announcement, BLUE, type Families, SimWorld } from '../support/sim-lan-world.js';
import type { SimLinkWan } from '../support/sim-link-wan.js';
import { HistoryJudge } from './history-judge.js';

const SITES = 3;
const DELAY_MS = 20;
const JITTER_MS = 20;
/** Longer than a freeze, and than the digests after it. */
const FROZEN_MS = 190_000;
const QUIET_MS = 35_000;
/** Where nothing was cut, nothing waits for a digest. */
const CALM_QUIET_MS = 12_000;
/** The time for which a refused or contradicted claim is not repeated (5 s), and losses: then a node is reachable or frozen. */
const BUDGET_MS = 8_000;
/** A node that has rested moves through a whole network that loses nothing: the farthest delay, and 10 ms. */
const CALM_MS = DELAY_MS + JITTER_MS + 10;
/** The same with `strict`: the question, three probes, the answer, the claim; at third routers the holder's word. */
const CALM_STRICT_MS = 5 * (DELAY_MS + JITTER_MS) + 60 + 10;

export const statistics = {
  histories: 0,
  moves: 0,
  /** Moves that were held to the tight budgets. */
  calm: 0,
  /** Nodes that were held to the 8 s. */
  judged: 0,
  crashes: 0,
  disksLost: 0,
  /** Nodes away from home that were unknown to all in the end, because all had lost what they knew. */
  forgotten: 0,
  cuts: 0,
  clones: 0,
  frozen: 0,
  /** Histories in whose end a router's claims of a node were refused, because one was contradicted. */
  suppressed: 0,
  released: 0,
  held: 0,
  packets: 0,
  worstHops: 0,
};

/** One history, and its checks. Throws what is wrong with it. */
export function playHistory(seed: number): void {
  new History(seed).play();
}

/** When a node moved and spoke last; milliseconds. */
interface Life {
  movedMs: number;
  spokeMs: number;
  /** The last move or a clone came before the one before it had settled. */
  isCrossed: boolean;
}

export class History {
  readonly #random: () => number;
  readonly world: SimWorld;
  readonly #wan: SimLinkWan;
  readonly #judge: HistoryJudge;
  readonly #isFaulty: boolean;
  readonly #verify: MobilityConfig['verify'];
  readonly #loss: number;
  readonly #lives = new Map<SimHost, Life>();
  /** Cuts, heals, crashes and starts so far. */
  #faults = 0;
  #isStateLost = false;
  /** Nodes that no router knew any more at some moment. */
  readonly #forgotten = new Set<SimHost>();
  /** Since when all routers hear one another; undefined while they do not. */
  #wholeSinceMs: number | undefined = -BUDGET_MS;

  constructor(seed: number) {
    this.#random = randomOf(seed);
    this.#isFaulty = this.#random() < 0.6;
    this.#verify = this.#pick(['optimistic', 'optimistic', 'strict', 'off']);
    this.#loss = this.#pick([0, 0.05, 0.2]);
    this.world = new SimWorld({
      sites: SITES,
      hostsPerSite: [2, 1, 0],
      seed,
      links: true,
      families: () => this.#pick<Families>(['4', '6', '46']),
      largeSubnet: this.#pick([false, false, true, '6']),
      verify: this.#verify,
      maxMoves: this.#pick([2, 3, 5, 100]),
      moveWindowSeconds: 180,
      wan: { delayMs: DELAY_MS, jitterMs: JITTER_MS, loss: this.#loss, duplicate: 0.05 },
    });
    this.#wan = this.world.wan as SimLinkWan;
    this.#judge = new HistoryJudge(this.world);
  }

  play(): void {
    statistics.histories++;
    this.world.settle(5_000);
    const steps = 4 + Math.floor(this.#random() * 11);
    for (let i = 0; i < steps; i++) {
      this.#step();
      this.#noteWhole();
    }
    this.#end();
    statistics.packets += this.#judge.packets;
    statistics.held += this.#judge.held;
    statistics.worstHops = Math.max(statistics.worstHops, this.#judge.worstHops);
  }

  /** The network is whole again, freezes end, and everything agrees with the truth. */
  #end(): void {
    this.#makeWhole();
    if (!this.#isStateLost) this.#judge.freezesHold(BUDGET_MS);
    const frozen = this.world.nodes().filter((node) => this.#isFrozen(node));
    const isSuppressed = this.world.nodes().some((node) => this.#isSuppressed(node));
    if (isSuppressed) statistics.suppressed++;
    if (frozen.length > 0 || isSuppressed) {
      statistics.frozen++;
      if (!isSuppressed && this.#random() < 0.7) for (const node of frozen) this.#release(node);
      else this.world.settle(FROZEN_MS);
    }
    // What routers have kept for one another is given back every 10 s at most.
    if (this.#isFaulty) this.world.settle(12_000);
    // A living machine says something now and then; one whose router was down has not been heard.
    if (this.#isFaulty || this.#verify === 'off')
      for (const host of this.world.hosts) host.announceGratuitous();
    this.world.settle(this.#isFaulty ? QUIET_MS : CALM_QUIET_MS);
    if (this.#forgotten.size > 0) this.#remembered();
    this.world.checkDirectories();
    this.world.checkForwarding();
    for (const host of this.world.nodes()) this.#judge.reachable(host, 'in the end');
  }

  #step(): void {
    const kind = this.#random();
    if (this.#isFaulty && kind < 0.12) this.#crash();
    else if (this.#isFaulty && kind < 0.2) this.#boot();
    else if (this.#isFaulty && kind < 0.3) this.#cutOrHeal();
    else if (kind < 0.32) this.#clone();
    else if (kind < 0.37) this.#announceAgain();
    else if (kind < 0.42) this.#releaseOne();
    else if (kind < 0.8) this.#move();
    else this.#pause();
  }

  /** Few nodes, so that the moves of one follow and cross each other. */
  #node(): SimHost {
    const nodes = this.world.nodes();
    return this.#random() < 0.6 ? (nodes[0] ?? this.#pick(nodes)) : this.#pick(nodes);
  }

  #move(): void {
    const node = this.#node();
    const to = this.world.site(1 + Math.floor(this.#random() * SITES));
    const announcement = this.#pick<Announcement>(['rarp', 'gratuitous', 'both']);
    const downtimeMs = this.#pick([2, 10, 60]);
    const from = this.world.siteOf(node);
    const isCalm = this.#isAtRest(node);
    const life = this.#lifeOf(node);
    const atMs = this.world.clock.nowMs() + downtimeMs;
    statistics.moves++;
    this.#judge.unmoved.delete(node);
    life.isCrossed = !isCalm && atMs - life.movedMs < BUDGET_MS;
    life.movedMs = life.spokeMs = atMs;
    if (isCalm) this.#judgeCalm(node, from === to ? undefined : to, downtimeMs);
    this.world.move(node, to, announcement, downtimeMs);
    for (let i = 0; i < 2; i++)
      this.world.clock.after('packet', downtimeMs + this.#random() * 150, () => this.#sendPacket(node));
  }

  /** A node that rested where everybody knew it to be is reachable again soon, and has moved once with all its addresses. */
  #judgeCalm(node: SimHost, to: SimSite | undefined, downtimeMs: number): void {
    const strict = this.#verify === 'strict' ? CALM_STRICT_MS : CALM_MS;
    const budgetMs = this.#loss > 0 ? BUDGET_MS : strict;
    const [{ movedMs }, faults] = [{ ...this.#lifeOf(node) }, this.#faults];
    const eventsBefore = new Map(this.world.sites.map((site) => [site, site.events.length]));
    this.world.clock.after('judge', downtimeMs + budgetMs, () => {
      const life = this.#lifeOf(node);
      if (life.movedMs !== movedMs || life.isCrossed || this.#faults !== faults) return;
      statistics.calm++;
      this.#judge.reachable(node, `${budgetMs} ms after it came`);
      const claims = this.world.sites.flatMap((site) =>
        site.events
          .slice(eventsBefore.get(site))
          .flatMap((event) => (event.event === 'move_claimed' && event.mac === node.mac ? [event] : [])),
      );
      const expected = to === undefined ? [] : [`${to.id}: ${node.ips.map(({ key }) => key).sort()}`];
      const seen = claims.map((claim) => `${claim.to}: ${claim.ips.map(({ key }) => key).sort()}`);
      assert.deepEqual(seen, expected, `${node.name} moves once, with all that it has`);
    });
  }

  /** Everybody knows where it is, nothing is under way about it, and the network is whole. */
  #isAtRest(node: SimHost): boolean {
    const { movedMs, spokeMs } = this.#lifeOf(node);
    const lastMs = Math.max(movedMs, spokeMs, this.#wholeSinceMs ?? Number.POSITIVE_INFINITY);
    if (this.world.clock.nowMs() - lastMs <= BUDGET_MS || !this.#isWhole()) return false;
    if (this.#isSuppressed(node)) return false;
    const at = this.world.siteOf(node);
    return this.world.sites.every((site) =>
      node.ips.every((ip) => {
        const record = site.directory.here(BLUE, ip);
        return record?.router === at?.id && record?.frozen !== true;
      }),
    );
  }

  #announceAgain(): void {
    const node = this.#node();
    const at = this.world.siteOf(node);
    if (at === undefined) return;
    if (this.#random() < 0.5) node.announceRarp();
    else node.announceGratuitous();
    const life = this.#lifeOf(node);
    life.spokeMs = this.world.clock.nowMs();
  }

  /** Another machine has the node's MAC and addresses for a while, says so, and answers. */
  #clone(): void {
    const node = this.#node();
    const at = this.world.siteOf(node);
    const lan = this.#pick(this.world.sites.filter((site) => site !== at)).lan;
    if (at === undefined) return;
    statistics.clones++;
    const { clock } = this.world;
    const stayMs = this.#pick([1, 300, 2_000]);
    const life = this.#lifeOf(node);
    if (this.#verify === 'strict' && this.#isAtRest(node)) this.#judge.unmoved.set(node, at);
    life.isCrossed = true;
    life.movedMs = life.spokeMs = clock.nowMs() + stayMs;
    const clone = new SimHost(clock, `clone of ${node.name}`, node.mac, node.ips);
    clone.attach(lan);
    if (this.#random() < 0.5) clone.announceRarp();
    else clone.announceGratuitous();
    clock.after('clone', stayMs, () => clone.detach());
  }

  #pause(): void {
    this.world.settle(this.#pick([1, 15, 45, 100, 400, 2_500, 9_000]));
    this.#noteWhole();
    const wholeMs = this.#wholeSinceMs;
    if (wholeMs === undefined) return;
    for (const node of this.world.nodes()) {
      const { spokeMs, movedMs, isCrossed } = this.#lifeOf(node);
      const sinceMs = Math.max(spokeMs, movedMs, wholeMs);
      // What nobody heard while a router was down, or a claim that crossed a return and that nobody verifies, holds
      // until the node speaks again.
      const isHeard = this.#faults === 0 || Math.min(spokeMs, movedMs) > wholeMs;
      const isSettled = this.#verify !== 'off' || !isCrossed;
      if (
        !isHeard ||
        !isSettled ||
        this.#isFrozen(node) ||
        this.#isSuppressed(node) ||
        this.#forgotten.has(node)
      )
        continue;
      if (this.world.clock.nowMs() - sinceMs <= BUDGET_MS) continue;
      statistics.judged++;
      this.#judge.reachable(node, `${BUDGET_MS} ms after it spoke`);
    }
  }

  #crash(): void {
    const site = this.#pick(this.world.sites);
    if (!site.isUp) return;
    statistics.crashes++;
    this.#faulty();
    site.crash();
    if (this.#random() < 0.4) {
      site.loseDisk();
      statistics.disksLost++;
      this.#isStateLost = true;
      this.#judge.diskLost(site);
    }
    for (const node of this.world.nodes()) if (this.#judge.isForgotten(node)) this.#forgotten.add(node);
  }

  /**
   * All routers that knew a node have lost what they knew. At home it is learned when it speaks. Away from home nobody
   * can tell it from a thief of the address: it is no one's until it has been home.
   */
  #remembered(): void {
    for (const node of this.#forgotten) {
      const [at, home] = [this.world.siteOf(node), this.world.site(Number(node.name[1]))];
      const isUnknown = (ip: Ip): boolean =>
        this.world.sites.every(({ directory }) => directory.here(BLUE, ip) === undefined);
      if (at === home || !node.ips.some(isUnknown)) continue;
      statistics.forgotten++;
      this.world.move(node, home, 'gratuitous', 10);
    }
    this.world.settle(QUIET_MS);
  }

  #boot(): void {
    for (const site of this.world.sites) {
      if (site.isUp) continue;
      this.#faulty();
      site.boot(true);
      this.#wan.connectAll();
      this.world.settle(this.#pick([200, 400]));
      site.mobility.start();
      return;
    }
  }

  #cutOrHeal(): void {
    statistics.cuts++;
    this.#faulty();
    const [a, b] = this.#pick([
      ['vr-a', 'vr-b'],
      ['vr-a', 'vr-c'],
      ['vr-b', 'vr-c'],
    ] as const);
    if (this.#random() < 0.6) this.#wan.cut(a, b);
    else this.#wan.heal(a, b);
  }

  #faulty(): void {
    this.#faults++;
    this.#wholeSinceMs = undefined;
    this.#judge.unmoved.clear();
  }

  /** All routers run, and hear one another. */
  #isWhole(): boolean {
    return this.world.sites.every(
      ({ id, isUp }) =>
        isUp &&
        this.#wan.upPeers(id).length === SITES - 1 &&
        this.world.sites.every((other) => other.id === id || this.#wan.isWhole(id, other.id)),
    );
  }

  #noteWhole(): void {
    if (!this.#isWhole()) this.#wholeSinceMs = undefined;
    else this.#wholeSinceMs ??= this.world.clock.nowMs();
  }

  #makeWhole(): void {
    for (let i = 0; i < SITES; i++) this.#boot();
    for (const a of this.world.sites) {
      for (const b of this.world.sites) if (a.id < b.id) this.#wan.heal(a.id, b.id);
    }
    // Links that have died are tried again every 2 s, those that have not been missed die after 15 s.
    const untilMs = this.world.clock.nowMs() + 18_000;
    do this.world.settle(5_000);
    while (!this.#isWhole() && this.world.clock.nowMs() < untilMs);
  }

  #isFrozen(node: SimHost): boolean {
    return this.world.sites.some(({ directory }) =>
      node.ips.some((ip) => directory.here(BLUE, ip)?.frozen === true),
    );
  }

  /** Some router refuses claims of it, because one that it had believed was contradicted. */
  #isSuppressed(node: SimHost): boolean {
    return this.world.sites.some(({ mobility }) =>
      mobility.suppressed().some(({ ip }) => node.ips.some((own) => own.equals(ip))),
    );
  }

  #releaseOne(): void {
    const node = this.#node();
    if (this.#isFrozen(node)) this.#release(node);
    else this.#sendPacket(node);
  }

  /** An operator ends the freeze where the node is held; elsewhere he is told where that is. */
  #release(node: SimHost): void {
    for (const ip of node.ips) {
      for (const site of this.world.sites) {
        const record = site.directory.here(BLUE, ip);
        if (!site.isUp || record?.frozen !== true) continue;
        const released = site.mobility.unfreeze(BLUE, ip);
        assert.equal(typeof released === 'string', record.router !== site.id, String(released));
        if (record.router === site.id) statistics.released++;
      }
    }
    const life = this.#lifeOf(node);
    life.movedMs = Math.max(life.movedMs, this.world.clock.nowMs());
  }

  /** It takes the time that packets take, while everything else goes on; through a cut it does not come. */
  #sendPacket(node: SimHost): void {
    const from = this.#pick(this.world.sites);
    if (!from.isUp) return;
    this.#judge.travels(from, node, (action, a, b) => {
      if (!this.#wan.isWhole(a.id, b.id)) return;
      this.world.clock.after('packet', DELAY_MS + this.#random() * JITTER_MS, action);
    });
  }

  #lifeOf(node: SimHost): Life {
    const known = this.#lives.get(node);
    if (known !== undefined) return known;
    const life = { movedMs: -BUDGET_MS, spokeMs: -BUDGET_MS, isCrossed: false };
    this.#lives.set(node, life);
    return life;
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)] as T;
  }
}
