/**
 * Random histories of whole overlays: the real tables, mobility, control channel and packet decisions of several routers,
 * a simulated network and clock. Everything random comes from one seed: `VINE_SEED=n` replays one history.
 */
import assert from 'node:assert/strict';
import type { SimHost } from '../support/sim-lan-host.js';
import type { SimSite } from '../support/sim-lan-site.js';
import { randomOf } from '../support/sim-lan-wan.js';
import { type Announcement, BLUE, SimWorld } from '../support/sim-lan-world.js';
import type { SimLinkWan } from '../support/sim-link-wan.js';
import { type Fate, sendPacket } from '../support/sim-packets.js';

const SITES = 3;
const DELAY_MS = 20;
const JITTER_MS = 20;
/** Longer than a freeze, and than the digests after it. */
const FROZEN_MS = 190_000;
const QUIET_MS = 35_000;
/** The time for which a refused or contradicted claim is not repeated (5 s), and losses: then a node is reachable or frozen. */
const BUDGET_MS = 8_000;

export interface Statistics {
  histories: number;
  moves: number;
  crashes: number;
  disksLost: number;
  cuts: number;
  frozen: number;
  packets: number;
  worstHops: number;
}

export const statistics: Statistics = {
  histories: 0,
  moves: 0,
  crashes: 0,
  disksLost: 0,
  cuts: 0,
  frozen: 0,
  packets: 0,
  worstHops: 0,
};

/** One history, and its checks. Throws what is wrong with it. */
export function playHistory(seed: number): void {
  new History(seed).play();
}

export class History {
  readonly #random: () => number;
  readonly world: SimWorld;
  readonly #wan: SimLinkWan;
  readonly #isFaulty: boolean;
  /** A router without its disk that has not heard the others yet. */
  #lost: SimSite | undefined;
  #hasFailed = false;
  readonly #lastMoveMs = new Map<SimHost, number>();

  constructor(seed: number) {
    this.#random = randomOf(seed);
    this.#isFaulty = this.#random() < 0.6;
    this.world = new SimWorld({
      sites: SITES,
      hostsPerSite: [2, 1, 0],
      seed,
      links: true,
      largeSubnet: this.#random() < 0.3,
      verify: this.#pick(['optimistic', 'optimistic', 'strict', 'off']),
      maxMoves: this.#pick([2, 3, 5, 100]),
      wan: { delayMs: DELAY_MS, jitterMs: JITTER_MS, loss: this.#pick([0, 0.05, 0.2]), duplicate: 0.05 },
    });
    this.#wan = this.world.wan as SimLinkWan;
  }

  play(): void {
    statistics.histories++;
    this.world.settle(5_000);
    const steps = 4 + Math.floor(this.#random() * 14);
    for (let i = 0; i < steps; i++) this.#step();
    this.#makeWhole();
    const anyFrozen = this.#frozen().length > 0;
    if (anyFrozen) {
      statistics.frozen++;
      this.world.settle(FROZEN_MS);
    }
    // A living machine says something now and then; one whose router was down has not been heard.
    if (this.#isFaulty || this.world.sites[0]?.options.mobility.verify === 'off')
      for (const host of this.world.hosts) host.announceGratuitous();
    this.world.settle(QUIET_MS);
    this.world.checkDirectories();
    this.world.checkForwarding();
    for (const host of this.world.nodes()) this.#checkReachable(host);
  }

  #step(): void {
    const kind = this.#random();
    if (this.#isFaulty && kind < 0.12) this.#crash();
    else if (this.#isFaulty && kind < 0.2) this.#boot();
    else if (this.#isFaulty && kind < 0.3) this.#cutOrHeal();
    else if (kind < 0.4) this.#announceAgain();
    else if (kind < 0.45) this.#sendPacket();
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
    statistics.moves++;
    this.#lastMoveMs.set(node, this.world.clock.nowMs() + downtimeMs);
    this.world.move(node, to, announcement, downtimeMs);
  }

  #announceAgain(): void {
    const node = this.#node();
    if (this.#random() < 0.5) node.announceRarp();
    else node.announceGratuitous();
  }

  #pause(): void {
    this.world.settle(this.#pick([1, 15, 45, 100, 400, 2_500, 9_000]));
    // Without verification a claim that crosses a return holds until the node speaks again.
    if (this.#isFaulty || this.world.sites[0]?.options.mobility.verify === 'off') return;
    for (const node of this.world.nodes()) {
      const lastMs = this.#lastMoveMs.get(node) ?? 0;
      if (this.world.clock.nowMs() - lastMs > BUDGET_MS && !this.#isFrozen(node)) this.#checkReachable(node);
    }
  }

  #crash(): void {
    // What a router without its disk knew, the others have to know: they do not fail until it is back.
    if (this.#isStateLost()) return;
    statistics.crashes++;
    const site = this.#pick(this.world.sites);
    site.crash();
    const isFirst = !this.#hasFailed;
    this.#hasFailed = true;
    if (
      isFirst &&
      this.world.sites.every((other) => other === site || this.#isConnected(other)) &&
      this.#random() < 0.5
    ) {
      // Only the first to fail: what others learned since is on no disk but theirs.
      site.loseDisk();
      statistics.disksLost++;
      this.#lost = site;
    }
  }

  #boot(): void {
    for (const site of this.world.sites) {
      if (site.isUp) continue;
      site.boot(true);
      this.#wan.connectAll();
      this.world.settle(this.#pick([200, 400]));
      site.mobility.start();
      return;
    }
  }

  #isStateLost(): boolean {
    if (this.#lost?.isUp === true && this.#isConnected(this.#lost)) this.#lost = undefined;
    return this.#lost !== undefined;
  }

  /** It runs, and hears all others that run. */
  #isConnected(site: SimSite): boolean {
    const others = this.world.sites.filter((other) => other !== site && other.isUp);
    const heard = this.#wan.upPeers(site.id);
    return site.isUp && others.every(({ id }) => heard.includes(id));
  }

  #cutOrHeal(): void {
    if (this.#isStateLost()) return;
    this.#hasFailed = true;
    statistics.cuts++;
    const [a, b] = this.#pick([
      ['vr-a', 'vr-b'],
      ['vr-a', 'vr-c'],
      ['vr-b', 'vr-c'],
    ] as const);
    if (this.#random() < 0.6) this.#wan.cut(a, b);
    else this.#wan.heal(a, b);
  }

  #makeWhole(): void {
    for (let i = 0; i < SITES; i++) this.#boot();
    for (const a of this.world.sites) {
      for (const b of this.world.sites) if (a.id < b.id) this.#wan.heal(a.id, b.id);
    }
    // Links that have died are tried again every 2 s, those that have not been missed die after 15 s.
    this.world.settle(this.#isFaulty ? 18_000 : 5_000);
  }

  #frozen(): readonly SimHost[] {
    return this.world.nodes().filter((node) => this.#isFrozen(node));
  }

  #isFrozen(node: SimHost): boolean {
    return this.world.sites.some(({ directory }) => directory.here(BLUE, node.ip)?.frozen === true);
  }

  /** From every site, where the packet is sent to the VR, to where the node is. */
  #checkReachable(node: SimHost): void {
    const at = this.world.siteOf(node);
    assert(at, `${node.name} is nowhere`);
    for (const [i, site] of this.world.sites.entries()) {
      const gateway = this.world.host(`gw${i + 1}`);
      if (site === at) continue;
      let fate: Fate | undefined;
      const done = (found: Fate): void => {
        fate = found;
      };
      sendPacket(this.world.sites, { host: gateway, site }, node.ip.key, (action) => action(), done);
      this.#checkPath(fate?.path ?? []);
      assert.equal(fate?.deliveredTo, at.id, `${site.id} to ${node.name} by ${fate?.path.join(' ')}`);
    }
  }

  /** It takes the time that packets take, while everything else goes on. */
  #sendPacket(): void {
    const site = this.#pick(this.world.sites);
    if (!site.isUp) return;
    const gateway = this.world.host(`gw${this.world.sites.indexOf(site) + 1}`);
    const hop = (action: () => void): void => {
      this.world.clock.after('packet', DELAY_MS + this.#random() * JITTER_MS, action);
    };
    sendPacket(this.world.sites, { host: gateway, site }, this.#node().ip.key, hop, (fate) =>
      this.#checkPath(fate.path),
    );
  }

  /** Only the router where it ends may have sent it on before: its node has arrived there meanwhile. */
  #checkPath(all: readonly string[]): void {
    const path = all.slice(0, -1);
    statistics.packets++;
    statistics.worstHops = Math.max(statistics.worstHops, path.length);
    assert.equal(
      new Set(path).size,
      path.length,
      `a packet came through one router twice: ${path.join(' ')}`,
    );
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)] as T;
  }
}
