/**
 * The search for a node that is missing: routers that may have it are asked to ask their LANs, those first where it most
 * likely is. The router where it answers claims it as it claims any other. Not found, it is searched for again as long as
 * somebody wants it, at growing distances: a machine that is switched off and watched must not cost every LAN a broadcast
 * a minute for ever.
 */
import type { Ip } from '../../net/ip.js';
import type { Mac } from '../../net/mac.js';
import { onceIn, RateLimit } from '../../net/rate-limit.js';
import { MAX_LISTEN_SECONDS, MAX_SEARCHED_IPS } from '../../protocol/constants.js';
import type { DirectoryChange } from '../../tables/directory.js';
import type { NodeRecord, RouterId, VnetId } from '../../tables/model.js';
import type { Context } from '../context.js';
import type { NetworkNodes } from '../neighbours.js';
import type { DoubtCause, MissingNode } from './missing.js';

/** Of all nodes together. One that must wait is searched for when it is wanted again. */
const SEARCHES = { perSecond: 50, burst: 50 };
/** From those that most likely have it to those that may. */
const STAGE_MS = 100;
/** Between searches: 1, 2, 4 … 60 s; after ten minutes once in ten. */
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;
const PATIENT_AFTER_MS = 600_000;
const PATIENT_WAIT_MS = 600_000;
/** How often a full table may be looked through. */
const SWEEP_EVERY_MS = 10_000;
/** Nodes of a network that are looked at for who has visitors of it. */
const MOST_LOOKED_AT = 1_024;

export class Search {
  readonly #context: Context;
  readonly #nodes: NetworkNodes;
  readonly #budget: RateLimit;
  readonly #sweeps: RateLimit;

  constructor(context: Context, nodes: NetworkNodes) {
    this.#context = context;
    this.#nodes = nodes;
    this.#budget = new RateLimit(context.clock, SEARCHES);
    this.#sweeps = new RateLimit(context.clock, onceIn(SWEEP_EVERY_MS));
    context.atEnd(context.directory.subscribe((change) => this.#changed(change)));
  }

  /** A node did not answer: it is missing from now on, and searched for, since somebody wants it. */
  missed({ vnet, ip, mac }: NodeRecord, cause: DoubtCause): void {
    const { missing, clock, counters, ports } = this.#context;
    const known = missing.get(vnet, mac);
    if (known?.ips.some((other) => other.equals(ip)) === true) return;
    const ips = [...(known?.ips ?? []), ip].slice(-MAX_SEARCHED_IPS);
    const sinceMs = known?.sinceMs ?? clock.nowMs();
    const begun = known ?? { cause, rounds: 0, askedRouters: 0 };
    const nextMs = known?.nextMs ?? sinceMs;
    const node: MissingNode = { ...begun, vnet, mac, ips, sinceMs, nextMs };
    if (!missing.set(node) && !this.#hasRoomFor(node)) return;
    counters.count('nodes_missing');
    ports.event({ event: 'node_missing', vnet, ip, mac });
    // The machine's other addresses are asked at the same time: they go into one search.
    if (known === undefined) this.#context.timers.after('search', 0, () => this.#begin(vnet, mac));
  }

  /** Somebody wants a node that is missing. */
  wanted(node: MissingNode): void {
    const nowMs = this.#context.clock.nowMs();
    if (nowMs < node.nextMs) return;
    if (!this.#budget.allow()) {
      this.#context.counters.count('searches_delayed');
      return;
    }
    const { vnet, mac, sinceMs } = node;
    const rounds = node.rounds + 1;
    const nextMs = nowMs + waitMs(rounds, nowMs - sinceMs);
    const stages = this.#stages(node);
    this.#context.missing.set({ ...node, rounds, nextMs, askedRouters: stages.flat().length });
    this.#context.counters.count('searches');
    // Where it is not yet, it may come: a port that does not forward yet will in half a minute.
    const listenSeconds = nowMs - sinceMs < LONGEST_WAIT_MS ? MAX_LISTEN_SECONDS : 0;
    this.#ask(vnet, mac, rounds, stages, listenSeconds);
  }

  /** It has been heard here, or is known to be elsewhere. */
  found(vnet: VnetId, mac: Mac): void {
    const { missing, counters, ports } = this.#context;
    const node = missing.get(vnet, mac);
    if (node === undefined) return;
    missing.delete(vnet, mac);
    counters.count('nodes_found');
    for (const ip of node.ips) ports.event({ event: 'node_found', vnet, ip, mac });
  }

  /**
   * As far as this router still has a record of them. The others are forgotten here: tombstones expire without anybody's
   * being told, and addresses get other MACs.
   */
  *missing(): Generator<MissingNode> {
    const { missing, directory, self } = this.#context;
    for (const node of missing.all()) {
      const { vnet, mac } = node;
      const ips = node.ips.filter((ip) => {
        const record = directory.get(vnet, ip);
        return record?.router === self && record.mac === mac;
      });
      if (ips.length === 0) missing.delete(vnet, mac);
      else yield ips.length === node.ips.length ? node : { ...node, ips };
    }
  }

  /** Tables that are full are looked through: what this router has no record of any more is no node that is missing. */
  #hasRoomFor(node: MissingNode): boolean {
    if (!this.#sweeps.allow()) return false;
    for (const _ of this.missing());
    return this.#context.missing.set(node);
  }

  #begin(vnet: VnetId, mac: Mac): void {
    const node = this.#context.missing.get(vnet, mac);
    if (node !== undefined && node.rounds === 0) this.wanted(node);
  }

  #changed({ after: { vnet, ip } }: DirectoryChange): void {
    const { directory, missing, self } = this.#context;
    const record = directory.get(vnet, ip);
    if (record === undefined) return;
    const { mac, router, state } = record;
    // What this router has withdrawn is as missing as before.
    if (router !== self && state === 'here' && missing.has(vnet, ip, mac)) this.found(vnet, mac);
  }

  #ask(
    vnet: VnetId,
    mac: Mac,
    round: number,
    [first = [], ...rest]: readonly (readonly RouterId[])[],
    listenSeconds: number,
  ): void {
    const node = this.#context.missing.get(vnet, mac);
    if (node?.rounds !== round) return;
    for (const to of first) {
      this.#context.ports.messenger.send(to, { type: 'search', vnet, mac, ips: node.ips, listenSeconds });
      this.#context.counters.count('searches_sent');
    }
    if (rest.length === 0) return;
    this.#context.timers.after('search', STAGE_MS, () => this.#ask(vnet, mac, round, rest, listenSeconds));
  }

  /** Routers that had it before; those with other visitors of its network; all. Each only where it may be. */
  #stages({ vnet, ips }: MissingNode): readonly (readonly RouterId[])[] {
    const { directory, gndt, ports } = this.#context;
    const left = new Set(
      ports.messenger.upPeers().filter((router) => ips.some((ip) => gndt.mayClaim(vnet, ip, router))),
    );
    const take = (routers: Iterable<RouterId | undefined>): RouterId[] => {
      const taken = new Set<RouterId>();
      for (const router of routers) if (router !== undefined && left.delete(router)) taken.add(router);
      return [...taken];
    };
    const stages = [
      take(ips.map((ip) => directory.previous(vnet, ip))),
      take(this.#routersOfVisitors(vnet, ips)),
      take([...left]),
    ];
    return stages.filter((stage) => stage.length > 0);
  }

  *#routersOfVisitors(vnet: VnetId, ips: readonly Ip[]): Generator<RouterId> {
    let left = MOST_LOOKED_AT;
    for (const ip of ips) {
      const network = this.#context.gndt.networkOf(vnet, ip);
      if (network === undefined) continue;
      // A home VR may have it itself: it came from there.
      yield network.router;
      for (const { router } of this.#nodes.of(network)) {
        if (left-- === 0) return;
        yield router;
      }
    }
  }
}

function waitMs(rounds: number, missingMs: number): number {
  if (missingMs >= PATIENT_AFTER_MS) return PATIENT_WAIT_MS;
  return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (rounds - 1));
}
