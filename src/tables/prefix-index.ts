import type { Family, Ip } from '../net/ip.js';
import { wordMask } from '../net/masks.js';
import type { Prefix } from '../net/prefix.js';
import type { VnetId } from './model.js';

type AddressKey = number | string;

/** All prefixes of one length. */
interface Level<T> {
  readonly length: number;
  readonly values: Map<AddressKey, T>;
}

/**
 * Longest-prefix match per vnet for what changes rarely (networks, LNDT entries): one hash map per prefix length in
 * use, searched from the longest. The packet workers have `ForwardingTable` instead.
 */
export class PrefixIndex<T> {
  /** By vnet and family, see `levelsKey`. */
  readonly #levels = new Map<number, Level<T>[]>();

  /** Replaces what the prefix had. */
  set(vnet: VnetId, prefix: Prefix, value: T): void {
    const key = levelsKey(vnet, prefix.family);
    let levels = this.#levels.get(key);
    if (levels === undefined) {
      levels = [];
      this.#levels.set(key, levels);
    }
    let level = levels.find((candidate) => candidate.length === prefix.length);
    if (level === undefined) {
      level = { length: prefix.length, values: new Map() };
      levels.push(level);
      levels.sort((a, b) => b.length - a.length);
    }
    level.values.set(maskedKey(prefix.address, prefix.length), value);
  }

  /** What exactly this prefix has. */
  get(vnet: VnetId, prefix: Prefix): T | undefined {
    return this.#of(vnet, prefix.family)
      .find((level) => level.length === prefix.length)
      ?.values.get(maskedKey(prefix.address, prefix.length));
  }

  /** What the longest prefix that holds the address has. */
  longest(vnet: VnetId, ip: Ip): T | undefined {
    return this.#search(vnet, ip, ip.bits);
  }

  /** What the longest prefix that covers `prefix` (itself included) has. */
  covering(vnet: VnetId, prefix: Prefix): T | undefined {
    return this.#search(vnet, prefix.address, prefix.length);
  }

  #search(vnet: VnetId, ip: Ip, maxLength: number): T | undefined {
    for (const level of this.#of(vnet, ip.family)) {
      if (level.length > maxLength) continue;
      const value = level.values.get(maskedKey(ip, level.length));
      if (value !== undefined) return value;
    }
    return undefined;
  }

  #of(vnet: VnetId, family: Family): readonly Level<T>[] {
    return this.#levels.get(levelsKey(vnet, family)) ?? [];
  }
}

function levelsKey(vnet: VnetId, family: Family): number {
  return 16 * vnet + family;
}

/** The address under the mask, as no other address under the same one: a number for IPv4, text for IPv6. */
function maskedKey(ip: Ip, length: number): AddressKey {
  const { family, w0, w1, w2, w3 } = ip;
  if (family === 4) return w3 & wordMask(4, length, 3);
  if (length === 128) return ip.key;
  const high = `${w0 & wordMask(6, length, 0)},${w1 & wordMask(6, length, 1)}`;
  return length <= 64 ? high : `${high},${w2 & wordMask(6, length, 2)},${w3 & wordMask(6, length, 3)}`;
}
