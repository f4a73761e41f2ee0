/**
 * Finds the MACs that the data plane lacks: asks on every LAN of the vnet, three times, and gives up until it is
 * wanted again. The answer comes through capture and the HWDT, whose owner then calls `learned`.
 */
import type { Timer } from '../net/clock.js';
import { Ip } from '../net/ip.js';
import { BROADCAST_MAC } from '../net/mac.js';
import type { VnetId } from '../tables/model.js';
import { probe } from './announce.js';
import { type AskingLan, type AskingPorts, ownAddress } from './asker.js';

const NOBODY = Ip.v4(0);

/** When to ask, after the first `want`. At the end of the last wait the address may be wanted anew. */
export const RESOLVE_AT_MS = [0, 300, 1000] as const;
export const RESOLVE_GIVE_UP_MS = 2000;
/** A scan of the address space from elsewhere must not make the LAN drown in questions. */
export const RESOLVE_MAX_OUTSTANDING = 1024;

interface Asking {
  readonly vnet: VnetId;
  readonly ip: Ip;
  readonly lans: readonly AskingLan[];
  timer: Timer | undefined;
}

export class Resolver {
  readonly #ports: AskingPorts;
  readonly #lans: readonly AskingLan[];
  readonly #asking = new Map<string, Asking>();
  #refused = 0;
  #unanswered = 0;

  constructor(ports: AskingPorts, lans: readonly AskingLan[]) {
    this.#ports = ports;
    this.#lans = lans;
  }

  /** Starts asking unless it is being asked already, no LAN carries the vnet, or too much is outstanding. */
  want(vnet: VnetId, ip: Ip): void {
    const key = keyOf(vnet, ip);
    if (this.#asking.has(key)) return;
    const lans = this.#lans.filter((lan) => lan.vnet === vnet);
    if (lans.length === 0 || ip.isGroup || ip.isUnspecified) return;
    if (this.#asking.size >= RESOLVE_MAX_OUTSTANDING) {
      this.#refused++;
      return;
    }
    const asking: Asking = { vnet, ip, lans, timer: undefined };
    this.#asking.set(key, asking);
    this.#ask(asking, 0);
  }

  /** The address has been seen: no more questions about it. */
  learned(vnet: VnetId, ip: Ip): void {
    const key = keyOf(vnet, ip);
    this.#asking.get(key)?.timer?.cancel();
    this.#asking.delete(key);
  }

  stop(): void {
    for (const asking of this.#asking.values()) asking.timer?.cancel();
    this.#asking.clear();
  }

  get outstanding(): number {
    return this.#asking.size;
  }

  /** Wishes not taken because too many were outstanding. */
  get refused(): number {
    return this.#refused;
  }

  /** Addresses for which all questions stayed without an answer. */
  get unanswered(): number {
    return this.#unanswered;
  }

  #ask(asking: Asking, round: number): void {
    const elapsedMs = RESOLVE_AT_MS[round];
    if (elapsedMs === undefined) {
      this.#unanswered++;
      this.#asking.delete(keyOf(asking.vnet, asking.ip));
      return;
    }
    const waitMs = (RESOLVE_AT_MS[round + 1] ?? RESOLVE_GIVE_UP_MS) - elapsedMs;
    asking.timer = this.#ports.clock.after('resolve', waitMs, () => this.#ask(asking, round + 1));
    for (const lan of asking.lans) {
      // A visitor without a route to this LAN's addresses does not answer a question from one of them (reverse
      // path check), but a question from nobody: so the second is one.
      const from = round === 1 && asking.ip.family === 4 ? NOBODY : ownAddress(lan, asking.ip.family);
      this.#ports.sendFrame(lan.index, probe(asking.ip, lan.mac, BROADCAST_MAC, from));
    }
  }
}

function keyOf(vnet: VnetId, ip: Ip): string {
  return `${vnet} ${ip.key}`;
}
