/** IPv4 and IPv6 addresses as one value type. */

export type Family = 4 | 6;

/** An address as four 32-bit words, unsigned, network order; IPv4 uses the last word only. */
export type IpWords = readonly [number, number, number, number];

/**
 * An IP address. Immutable; two addresses are the same exactly when their `key`s are.
 * The key is the canonical text (RFC 5952 for IPv6), so it serves as a Map key and for printing.
 */
export class Ip {
  readonly family: Family;
  /**
   * The words as *signed* integers, for who works with masks and tables. Signed, because V8 keeps small signed integers in
   * the object itself: there may be 100,000 addresses and more.
   */
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
  #key: string | undefined;

  /** Takes signed or unsigned words. */
  private constructor(family: Family, w0: number, w1: number, w2: number, w3: number) {
    this.family = family;
    this.w0 = w0 | 0;
    this.w1 = w1 | 0;
    this.w2 = w2 | 0;
    this.w3 = w3 | 0;
  }

  /** Made when it is first asked for: most addresses in frames are only passed on. */
  get key(): string {
    this.#key ??= this.family === 4 ? formatV4(this.w3) : formatV6(this);
    return this.#key;
  }

  /** Unsigned. A new array at each call. */
  get words(): IpWords {
    return [this.w0 >>> 0, this.w1 >>> 0, this.w2 >>> 0, this.w3 >>> 0];
  }

  /** @param address 32 bits, host order */
  static v4(address: number): Ip {
    return new Ip(4, 0, 0, 0, address);
  }

  static v6(w0: number, w1: number, w2: number, w3: number): Ip {
    return new Ip(6, w0, w1, w2, w3);
  }

  static fromWords(family: Family, words: IpWords): Ip {
    return family === 4 ? Ip.v4(words[3]) : Ip.v6(...words);
  }

  /** Reads 4 or 16 bytes. The caller has checked that they are there. */
  static read(family: Family, bytes: Uint8Array, offset: number): Ip {
    if (family === 4) return Ip.v4(readU32(bytes, offset));
    return Ip.v6(
      readU32(bytes, offset),
      readU32(bytes, offset + 4),
      readU32(bytes, offset + 8),
      readU32(bytes, offset + 12),
    );
  }

  /** Parses dotted-quad or RFC 4291 text; undefined when the text is anything else. No zone, no port. */
  static parse(text: string): Ip | undefined {
    return text.includes(':') ? parseV6(text) : parseV4(text);
  }

  /** Parses text that is known to be well formed (constants, tests); throws otherwise. */
  static of(text: string): Ip {
    const parsed = Ip.parse(text);
    if (parsed === undefined) throw new Error(`not an IP address: ${text}`);
    return parsed;
  }

  get bits(): 32 | 128 {
    return this.family === 4 ? 32 : 128;
  }

  /** 4 or 16 bytes, network order. */
  toBytes(): Uint8Array {
    const bytes = new Uint8Array(this.family === 4 ? 4 : 16);
    this.write(bytes, 0);
    return bytes;
  }

  write(bytes: Uint8Array, offset: number): void {
    if (this.family === 4) {
      writeU32(bytes, offset, this.w3);
      return;
    }
    writeU32(bytes, offset, this.w0);
    writeU32(bytes, offset + 4, this.w1);
    writeU32(bytes, offset + 8, this.w2);
    writeU32(bytes, offset + 12, this.w3);
  }

  equals(other: Ip): boolean {
    return (
      this.w3 === other.w3 &&
      this.w2 === other.w2 &&
      this.w1 === other.w1 &&
      this.w0 === other.w0 &&
      this.family === other.family
    );
  }

  get isUnspecified(): boolean {
    return (this.w0 | this.w1 | this.w2 | this.w3) === 0;
  }

  /** 224.0.0.0/4, 255.255.255.255 or ff00::/8: never a node's address. */
  get isGroup(): boolean {
    return this.family === 4 ? this.w3 >>> 28 >= 0xe : this.w0 >>> 24 === 0xff;
  }

  /** 127.0.0.0/8 or ::1. */
  get isLoopback(): boolean {
    return this.family === 4 ? this.w3 >>> 24 === 127 : (this.w0 | this.w1 | this.w2) === 0 && this.w3 === 1;
  }

  /** 169.254.0.0/16 or fe80::/10. */
  get isLinkLocal(): boolean {
    return this.family === 4 ? this.w3 >>> 16 === 0xa9fe : (this.w0 & 0xffc00000) >>> 0 === 0xfe800000;
  }

  /** One that a node can have and other sites can reach: none of the above. */
  get isNodeAddress(): boolean {
    return !(this.isUnspecified || this.isGroup || this.isLoopback || this.isLinkLocal);
  }

  toString(): string {
    return this.key;
  }

  toJSON(): string {
    return this.key;
  }
}

export function readU32(bytes: Uint8Array, offset: number): number {
  return (
    (((bytes[offset] ?? 0) << 24) |
      ((bytes[offset + 1] ?? 0) << 16) |
      ((bytes[offset + 2] ?? 0) << 8) |
      (bytes[offset + 3] ?? 0)) >>>
    0
  );
}

export function writeU32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 24;
  bytes[offset + 1] = (value >>> 16) & 0xff;
  bytes[offset + 2] = (value >>> 8) & 0xff;
  bytes[offset + 3] = value & 0xff;
}

function formatV4(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 0xff}.${(address >>> 8) & 0xff}.${address & 0xff}`;
}

function parseV4(text: string): Ip | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let address = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part)) return undefined;
    const octet = Number(part);
    if (octet > 255) return undefined;
    address = address * 256 + octet;
  }
  return Ip.v4(address);
}

/** RFC 5952 §4: lower case, no leading zeros, the longest run (≥ 2) of zero groups as `::`, the first one on a tie. */
function formatV6(address: Ip): string {
  let bestStart = 8;
  let bestLength = 1;
  for (let i = 0; i < 8; i++) {
    let j = i;
    while (j < 8 && group(address, j) === 0) j++;
    if (j - i > bestLength) {
      bestStart = i;
      bestLength = j - i;
    }
    if (j > i) i = j;
  }
  // One string that grows: an address is formatted for every record that arrives.
  let text = '';
  for (let i = 0; i < 8; i++) {
    if (i === bestStart) {
      text += '::';
      i += bestLength - 1;
    } else {
      if (i > 0 && i !== bestStart + bestLength) text += ':';
      text += group(address, i).toString(16);
    }
  }
  return text;
}

function group({ w0, w1, w2, w3 }: Ip, index: number): number {
  const word = index < 2 ? w0 : index < 4 ? w1 : index < 6 ? w2 : w3;
  return (index & 1) === 0 ? word >>> 16 : word & 0xffff;
}

/** Groups between colons; only the very end of an address may be a dotted quad (RFC 4291 §2.2). */
function parseGroups(text: string, isEnd: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (isEnd && part.includes('.') && index === parts.length - 1) {
      const v4 = parseV4(part);
      if (v4 === undefined) return undefined;
      groups.push(v4.words[3] >>> 16, v4.words[3] & 0xffff);
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else {
      return undefined;
    }
  }
  return groups;
}

function parseV6(text: string): Ip | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? '', halves.length === 1);
  const tail = parseGroups(halves[1] ?? '', true);
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  const word = (i: number): number => (((groups[2 * i] ?? 0) << 16) | (groups[2 * i + 1] ?? 0)) >>> 0;
  return Ip.v6(word(0), word(1), word(2), word(3));
}
