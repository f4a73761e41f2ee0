/**
 * Finds the MACs that the data plane lacks: asks on every LAN of the vnet, three times, and gives up until it is
 * wanted again. The answer comes through capture and the HWDT, whose owner then calls `learned`.
 */

import { BoundedMap } from '../net/bounded-map.js';
import type { Timer } from '../net/clock.js';
import { Ip } from '../net/ip.js';
import { BROADCAST_MAC } from '../net/mac.js';
import type { VnetId } from '../tables/model.js';
import { probe } from './announce.js';
import { type AskingLans, type AskingPorts, ownAddress } from './asker.js';

const NOBODY = Ip.v4(0);

/** When to ask, after the first `want`. At the end of the last wait the address may be wanted anew. */
export const RESOLVE_AT_MS = [0, 300, 1000] as const;
export const RESOLVE_GIVE_UP_MS = 2000;
/**
 * Of a vnet. A scan of the address space from elsewhere must not make the LAN drown in questions, nor keep real nodes from
 * being asked for. So when all places are taken, the address that is asked for the longest gives way, once it was asked
 * twice; and a quarter of the places is only for addresses that were turned away and are wanted again: somebody insists.
 */
export const RESOLVE_MAX_OUTSTANDING = 256;
export const RESOLVE_MAX_FIRST = 192;
/** A node that is there has answered long before. */
const GIVES_WAY_AFTER_MS = RESOLVE_AT_MS[1];
const REMEMBERED = 4_096;

interface Asking {
  readonly vnet: VnetId;
  readonly ip: Ip;
  readonly sinceMs: number;
  timer: Timer | undefined;
}

export class Resolver {
  readonly #ports: AskingPorts;
  readonly #lans: AskingLans;
  /** By vnet, then by address; the one that is asked for the longest first. */
  readonly #asking = new Map<VnetId, Map<string, Asking>>();
  readonly #turnedAway = new BoundedMap<string, true>(REMEMBERED);
  #refused = 0;
  #displaced = 0;
  #unanswered = 0;

  constructor(ports: AskingPorts, lans: AskingLans) {
    this.#ports = ports;
    this.#lans = lans;
  }

  /** Starts asking unless it is being asked already, no LAN carries the vnet, or too much is outstanding. */
  want(vnet: VnetId, ip: Ip): void {
    const asking = this.#of(vnet);
    if (asking.has(ip.key)) return;
    if (this.#lans.of(vnet).length === 0 || ip.isGroup || ip.isUnspecified) return;
    const sinceMs = this.#ports.clock.nowMs();
    const key = `${vnet} ${ip.key}`;
    const places = this.#turnedAway.get(key) === undefined ? RESOLVE_MAX_FIRST : RESOLVE_MAX_OUTSTANDING;
    if (asking.size >= places && !this.#makeRoom(asking, sinceMs)) {
      this.#turnedAway.set(key, true);
      this.#refused++;
      return;
    }
    this.#turnedAway.delete(key);
    const wanted: Asking = { vnet, ip, sinceMs, timer: undefined };
    asking.set(ip.key, wanted);
    this.#ask(wanted, 0);
  }

  /** The address has been seen: no more questions about it. */
  learned(vnet: VnetId, ip: Ip): void {
    const asking = this.#asking.get(vnet);
    asking?.get(ip.key)?.timer?.cancel();
    asking?.delete(ip.key);
  }

  stop(): void {
    for (const asking of this.#asking.values()) for (const { timer } of asking.values()) timer?.cancel();
    this.#asking.clear();
  }

  get outstanding(): number {
    let sum = 0;
    for (const { size } of this.#asking.values()) sum += size;
    return sum;
  }

  /** Wishes not taken because too many were outstanding. */
  get refused(): number {
    return this.#refused;
  }

  /** Addresses that gave way to others before their last question. */
  get displaced(): number {
    return this.#displaced;
  }

  /** Addresses for which all questions stayed without an answer. */
  get unanswered(): number {
    return this.#unanswered;
  }

  #of(vnet: VnetId): Map<string, Asking> {
    let asking = this.#asking.get(vnet);
    if (asking === undefined) {
      asking = new Map();
      if (this.#lans.of(vnet).length > 0) this.#asking.set(vnet, asking);
    }
    return asking;
  }

  #makeRoom(asking: Map<string, Asking>, nowMs: number): boolean {
    for (const { vnet, ip, sinceMs } of asking.values()) {
      if (nowMs - sinceMs < GIVES_WAY_AFTER_MS) return false;
      this.learned(vnet, ip);
      this.#displaced++;
      return true;
    }
    return false;
  }

  #ask(asking: Asking, round: number): void {
    const elapsedMs = RESOLVE_AT_MS[round];
    if (elapsedMs === undefined) {
      this.#unanswered++;
      this.#asking.get(asking.vnet)?.delete(asking.ip.key);
      return;
    }
    const waitMs = (RESOLVE_AT_MS[round + 1] ?? RESOLVE_GIVE_UP_MS) - elapsedMs;
    asking.timer = this.#ports.clock.after('resolve', waitMs, () => this.#ask(asking, round + 1));
    for (const lan of this.#lans.of(asking.vnet)) {
      // A visitor without a route to this LAN's addresses does not answer a question from one of them (reverse
      // path check), but a question from nobody: so the second is one.
      const from = round === 1 && asking.ip.family === 4 ? NOBODY : ownAddress(lan, asking.ip.family);
      this.#ports.sendFrame(lan.index, probe(asking.ip, lan.mac, BROADCAST_MAC, from));
    }
  }
}
