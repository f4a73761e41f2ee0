/** What must hold in every random history, whatever happens in it; see histories.ts. Throws what does not. */
import assert from 'node:assert/strict';
import type { Ip } from '../../src/net/ip.js';
import { decodeState } from '../../src/router/state/state-file.js';
import type { DirectoryChange } from '../../src/tables/directory.js';
import type { NodeRecord, RouterId } from '../../src/tables/model.js';
import type { SimHost } from '../support/sim-lan-host.js';
import type { SimSite } from '../support/sim-lan-site.js';
import { BLUE, type SimWorld } from '../support/sim-lan-world.js';
import { type Fate, sendPacket } from '../support/sim-packets.js';

/** A holder's freeze; it may end by itself 180 s later. */
const FREEZE_MS = 180_000;
/** So long after a freeze objections may come that its holder's claim has caused: an attentive check, losses. */
const OBJECTION_MS = 3_000;
interface Frozen {
  readonly holder: SimSite;
  readonly sinceMs: number;
  /** Where the node was before the holder had it. */
  readonly from: RouterId | undefined;
}

export class HistoryJudge {
  readonly #world: SimWorld;
  /** By address: nodes whose holder has them frozen now. */
  readonly #frozen = new Map<string, Frozen>();
  /** By router and address: the router that took the node from it, and may have frozen it then or later. */
  readonly #displaced = new Map<string, RouterId>();
  /** Nodes that are at rest where they are while somebody pretends to be them, and may not move in any table. */
  readonly unmoved = new Map<SimHost, SimSite>();
  packets = 0;
  worstHops = 0;
  /** Claims of frozen nodes that came across the freeze, and were refused. */
  held = 0;

  constructor(world: SimWorld) {
    this.#world = world;
    for (const site of world.sites) site.watch = (at, change) => this.#changed(at, change);
  }

  /** What its disk held is gone, its freezes with it. */
  diskLost(site: SimSite): void {
    for (const [key, { holder }] of this.#frozen) if (holder === site) this.#frozen.delete(key);
  }

  /** An address that no router that runs has in its tables, and none that does not has on its disk. */
  isForgotten(node: SimHost): boolean {
    const isKnown = (ip: Ip): boolean =>
      this.#world.sites.some((site) => {
        if (site.isUp) return site.directory.here(BLUE, ip) !== undefined;
        return decodeState(site.disk).records.some(
          (record) => record.ip.equals(ip) && record.state === 'here',
        );
      });
    return !node.ips.every(isKnown);
  }

  /** From the gateway of every other site to the node, and back, all its addresses; real forwarding decisions. */
  reachable(node: SimHost, when: string): void {
    const at = this.#world.siteOf(node);
    assert(at, `${node.name} is nowhere`);
    for (const site of this.#world.sites) {
      if (site === at) continue;
      const gateway = this.#gatewayOf(site);
      for (const ip of node.ips) {
        this.#sent(gateway, site, node, ip, at, when);
        this.#sent(node, at, gateway, gateway.addressFor(ip.family), site, when);
      }
    }
  }

  /** A packet in real time, while everything else goes on: `hop` carries it. It may be lost, but not go in circles. */
  travels(from: SimSite, node: SimHost, hop: Parameters<typeof sendPacket>[3]): void {
    const host = this.#gatewayOf(from);
    for (const ip of node.ips)
      sendPacket(this.#world.sites, { host, site: from }, ip, hop, (fate) => this.#checkPath(fate));
  }

  /** All routers have what is frozen where its holder has it. */
  freezesHold(settledMs: number): void {
    const nowMs = this.#world.clock.nowMs();
    for (const [key, { holder, sinceMs }] of this.#frozen) {
      if (nowMs - sinceMs < settledMs || nowMs - sinceMs > FREEZE_MS || !holder.isUp) continue;
      const ip = this.#world.hosts.flatMap(({ ips }) => ips).find((own) => own.key === key);
      assert(ip);
      for (const site of this.#world.sites) {
        const record = site.directory.get(BLUE, ip);
        assert.equal(record?.router, holder.id, `${site.id}: ${key} is frozen at ${holder.id}`);
        assert.equal(record?.frozen, true, `${site.id} does not know that ${key} is frozen`);
      }
    }
  }

  #gatewayOf(site: SimSite): SimHost {
    return this.#world.host(`gw${this.#world.sites.indexOf(site) + 1}`);
  }

  #sent(host: SimHost, site: SimSite, target: SimHost, to: SimHost['ip'], at: SimSite, when: string): void {
    let fate: Fate | undefined;
    const done = (found: Fate): void => {
      fate = found;
    };
    sendPacket(this.#world.sites, { host, site }, to, (action) => action(), done);
    assert(fate);
    this.#checkPath(fate);
    const what = `${when}: ${host.name} at ${site.id} to ${target.name} (${to.key}) by ${fate.path.join(' ')}`;
    assert.equal(fate.deliveredTo, at.id, what);
    assert.equal(fate.mac, target.mac, what);
  }

  /** Only the router where it ends may have sent it on before: its node has arrived there meanwhile. */
  #checkPath({ path: all }: Fate): void {
    const path = all.slice(0, -1);
    this.packets++;
    this.worstHops = Math.max(this.worstHops, path.length);
    assert.equal(new Set(path).size, path.length, `a packet came through one router twice: ${all.join(' ')}`);
  }

  #changed(site: SimSite, change: DirectoryChange): void {
    this.#staysUnmoved(site, change);
    const { before, after } = change;
    const key = after.ip.key;
    const frozen = this.#frozen.get(key);
    if (frozen !== undefined) this.#staysFrozen(site, change, frozen);
    if (after.router === site.id && after.state === 'here' && after.frozen === true) {
      if (frozen?.holder === site) return;
      const from = site.directory.previous(BLUE, after.ip);
      this.#frozen.set(key, { holder: site, sinceMs: this.#world.clock.nowMs(), from });
    } else if (frozen?.holder === site) this.#frozen.delete(key);
    if (before?.router === site.id && after.router !== site.id)
      this.#displaced.set(`${site.id} ${key}`, after.router);
  }

  /**
   * The holder gives a frozen node to nobody, and nobody who knows that it is frozen claims it. Except: it answers at
   * the router that had it until it heard of the freeze (the claim that froze it is undone), and two that freeze it at
   * once (the later record holds).
   */
  #staysFrozen(site: SimSite, { before, after }: DirectoryChange, { holder, sinceMs, from }: Frozen): void {
    const ageMs = this.#world.clock.nowMs() - sinceMs;
    if (after.router === holder.id || after.state !== 'here' || ageMs >= FREEZE_MS) return;
    // What was agreed to before the freeze was heard of is taken, and the later of two freezes holds.
    const isStrict = site.options.mobility.verify === 'strict';
    const isDisplaced = (id: RouterId): boolean => this.#displaced.get(`${id} ${after.ip.key}`) === holder.id;
    if (site === holder) {
      const isUndone = isDisplaced(after.router) || (after.router === from && ageMs < OBJECTION_MS);
      assert(
        after.frozen === true || isUndone,
        `${holder.id} gives ${after.ip.key}, frozen, to ${after.router}`,
      );
      return;
    }
    const isKnown = isFrozenAt(before, holder) && !isDisplaced(site.id);
    assert(
      after.router !== site.id || !isKnown || (isStrict && after.frozen === true),
      `${site.id} claims ${after.ip.key}, which is frozen at ${holder.id}`,
    );
    this.held++;
  }

  #staysUnmoved(site: SimSite, { after }: DirectoryChange): void {
    for (const [node, at] of this.unmoved) {
      if (!node.ips.some((ip) => ip.equals(after.ip))) continue;
      assert.equal(after.router, at.id, `${site.id} believes a false announcement of ${after.ip.key}`);
    }
  }
}

function isFrozenAt(record: NodeRecord | undefined, holder: SimSite | undefined): boolean {
  return record?.frozen === true && record.router === holder?.id;
}
