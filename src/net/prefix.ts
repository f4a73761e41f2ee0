/** Address prefixes (CIDR, RFC 4632 and RFC 4291 §2.3). */
import { type Family, Ip } from './ip.js';
import { wordMask } from './masks.js';

/** A prefix whose host bits are zero. Immutable; equal exactly when `key`s are. */
export class Prefix {
  readonly address: Ip;
  readonly length: number;
  #key: string | undefined;

  private constructor(address: Ip, length: number) {
    this.address = address;
    this.length = length;
  }

  /** Made when it is first asked for: each change of a host route makes a prefix, and hardly any needs its key. */
  get key(): string {
    this.#key ??= `${this.address.key}/${this.length}`;
    return this.#key;
  }

  get family(): Family {
    return this.address.family;
  }

  /** The prefix of that length that holds the address: host bits are cleared. */
  static containing(address: Ip, length: number): Prefix {
    if (!Number.isInteger(length) || length < 0 || length > address.bits) {
      throw new RangeError(`prefix length ${length} for ${address.key}`);
    }
    const word = (word: number, index: number): number => word & wordMask(address.family, length, index);
    const { w0, w1, w2, w3 } = address;
    if (address.family === 4) return new Prefix(Ip.v4(word(w3, 3)), length);
    return new Prefix(Ip.v6(word(w0, 0), word(w1, 1), word(w2, 2), word(w3, 3)), length);
  }

  /** /32 or /128. */
  static host(address: Ip): Prefix {
    return new Prefix(address, address.bits);
  }

  /**
   * Parses `10.1.0.0/24` or `fd00::/64`. A bare address is taken as a host prefix only when `bareHost` is set.
   * Host bits that are set are an error (undefined): the operator meant something else.
   */
  static parse(text: string, bareHost = false): Prefix | undefined {
    const slash = text.indexOf('/');
    if (slash < 0) {
      const address = bareHost ? Ip.parse(text) : undefined;
      return address && Prefix.host(address);
    }
    const address = Ip.parse(text.slice(0, slash));
    const lengthText = text.slice(slash + 1);
    if (address === undefined || !/^(0|[1-9]\d{0,2})$/.test(lengthText)) return undefined;
    const length = Number(lengthText);
    if (length > address.bits) return undefined;
    const prefix = Prefix.containing(address, length);
    return prefix.address.equals(address) ? prefix : undefined;
  }

  /** Parses text that is known to be well formed (constants, tests); throws otherwise. */
  static of(text: string): Prefix {
    const parsed = Prefix.parse(text, true);
    if (parsed === undefined) throw new Error(`not a prefix: ${text}`);
    return parsed;
  }

  get isHost(): boolean {
    return this.length === this.address.bits;
  }

  contains(address: Ip): boolean {
    if (address.family !== this.family) return false;
    const { family, length } = this;
    const own = this.address;
    return (
      ((address.w3 ^ own.w3) & wordMask(family, length, 3)) === 0 &&
      ((address.w2 ^ own.w2) & wordMask(family, length, 2)) === 0 &&
      ((address.w1 ^ own.w1) & wordMask(family, length, 1)) === 0 &&
      ((address.w0 ^ own.w0) & wordMask(family, length, 0)) === 0
    );
  }

  /** True when every address of `other` is in this prefix; a prefix covers itself. */
  covers(other: Prefix): boolean {
    return other.length >= this.length && this.contains(other.address);
  }

  overlaps(other: Prefix): boolean {
    return this.covers(other) || other.covers(this);
  }

  /** Number of addresses; exact up to 2^53. */
  get size(): number {
    return 2 ** (this.address.bits - this.length);
  }

  toString(): string {
    return this.key;
  }

  toJSON(): string {
    return this.key;
  }
}
