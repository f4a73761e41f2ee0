/** Nodes recorded here that did not answer when they were asked. Their records stay; nobody is told that they are gone. */
import type { Ip } from '../../net/ip.js';
import type { Mac } from '../../net/mac.js';
import type { VnetId } from '../../tables/model.js';

/** More dead nodes than that are wanted nowhere; what is beyond is doubted again when somebody wants it. */
const MOST_MISSING = 8_192;

/**
 * Why a node was asked whether it is there. `unanswered`: packets went to it and none came from it; `asked-again`: a host
 * had no answer to its question; `wanted`: a packet waits for its MAC.
 */
export type DoubtCause = 'unanswered' | 'asked-again' | 'wanted';

/** Of one machine; what it is asked for by. */
export interface MissingNode {
  readonly vnet: VnetId;
  readonly mac: Mac;
  readonly ips: readonly Ip[];
  /** Of the first doubt. */
  readonly cause: DoubtCause;
  /** Monotonic milliseconds. */
  readonly sinceMs: number;
  /** Searches made so far. */
  readonly rounds: number;
  /** Routers that the last search asks, or has asked. */
  readonly askedRouters: number;
  /** When the next one may be made, if somebody wants the node then. */
  readonly nextMs: number;
}

export class Missing {
  readonly #nodes = new Map<string, MissingNode>();

  get size(): number {
    return this.#nodes.size;
  }

  get(vnet: VnetId, mac: Mac): MissingNode | undefined {
    return this.#nodes.get(macKey(vnet, mac));
  }

  all(): Iterable<MissingNode> {
    return this.#nodes.values();
  }

  /** Is the address one that its machine did not answer for? */
  has(vnet: VnetId, ip: Ip, mac: Mac): boolean {
    return this.get(vnet, mac)?.ips.some((missing) => missing.equals(ip)) === true;
  }

  /** False, and nothing changed: there are too many. */
  set(node: MissingNode): boolean {
    const key = macKey(node.vnet, node.mac);
    if (!this.#nodes.has(key) && this.#nodes.size >= MOST_MISSING) return false;
    this.#nodes.set(key, node);
    return true;
  }

  delete(vnet: VnetId, mac: Mac): boolean {
    return this.#nodes.delete(macKey(vnet, mac));
  }
}

export function macKey(vnet: VnetId, mac: Mac): string {
  return `${vnet}|${mac}`;
}
