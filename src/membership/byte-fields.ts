/**
 * Fields of the membership's binary forms, one after the other. Integers are big-endian; a text is its length in one byte and
 * ASCII. A reader does not throw: after the first field that is not there, or not within its bounds, all others are empty
 * and `problem` says which it was.
 */
import { Ip } from '../net/ip.js';
import { Prefix } from '../net/prefix.js';
import { formatEndpoint, isNamed } from '../tables/files/endpoint-text.js';
import { readEndpoint } from '../tables/files/read.js';
import type { RouterEndpoint } from '../tables/model.js';

/** How an address is told from a name, and one family from the other. */
const NAMED = 0;

export class FieldWriter {
  readonly #parts: Uint8Array[] = [];

  u8(value: number): this {
    this.#parts.push(Uint8Array.of(value));
    return this;
  }

  u16(value: number): this {
    return this.u8(value >>> 8).u8(value & 0xff);
  }

  /** @param value 0 … 2^48 − 1 */
  u48(value: number): this {
    return this.u16(Math.floor(value / 2 ** 32))
      .u16((value / 2 ** 16) & 0xffff)
      .u16(value & 0xffff);
  }

  bytes(value: Uint8Array): this {
    this.#parts.push(value);
    return this;
  }

  /** @param value ASCII, at most 255 characters */
  text(value: string): this {
    return this.u8(value.length).bytes(Buffer.from(value, 'latin1'));
  }

  prefix({ address, family, length }: Prefix): this {
    return this.u8(family).u8(length).bytes(address.toBytes());
  }

  endpoint(endpoint: RouterEndpoint): this {
    this.u8(endpoint.transport === 'udp' ? 1 : 2).u16(endpoint.port);
    if (isNamed(endpoint)) return this.u8(NAMED).text(endpoint.name);
    return this.u8(endpoint.address.family).bytes(endpoint.address.toBytes());
  }

  done(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#parts));
  }
}

export class FieldReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #problem: string | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  get position(): number {
    return this.#at;
  }

  fail(problem: string): void {
    this.#problem ??= problem;
  }

  u8(what: string, lowest = 0, highest = 0xff): number {
    return this.#within(this.bytes(1, what)[0] ?? 0, what, lowest, highest);
  }

  u16(what: string, lowest = 0, highest = 0xffff): number {
    const [high = 0, low = 0] = this.bytes(2, what);
    return this.#within(high * 256 + low, what, lowest, highest);
  }

  u48(what: string): number {
    return this.bytes(6, what).reduce((value, byte) => value * 256 + byte, 0);
  }

  /** A copy; empty when there are not so many. */
  bytes(length: number, what: string): Uint8Array {
    if (this.#problem !== undefined) return new Uint8Array(0);
    if (this.#at + length > this.#bytes.length) {
      this.fail(`${what} is cut`);
      return new Uint8Array(0);
    }
    this.#at += length;
    return Uint8Array.from(this.#bytes.subarray(this.#at - length, this.#at));
  }

  /** @param form what the whole text has to look like */
  text(what: string, form: RegExp): string {
    const value = Buffer.from(this.bytes(this.u8(what), what)).toString('latin1');
    if (!form.test(value)) this.fail(`${what} is not as it may be`);
    return value;
  }

  prefix(what: string): Prefix {
    const family = this.#family(what);
    const length = this.u8(what, 0, family === 4 ? 32 : 128);
    const address = this.#address(family, what);
    const prefix = Prefix.containing(address, this.#problem === undefined ? length : 0);
    if (!prefix.address.equals(address)) this.fail(`${what} has host bits set`);
    return prefix;
  }

  /** One that `gndt.json` may have. */
  endpoint(what: string): RouterEndpoint {
    const transport = this.u8(what, 1, 2) === 2 ? 'tcp' : 'udp';
    const port = this.u16(what, 1);
    const kind = this.u8(what);
    const endpoint: RouterEndpoint =
      kind === NAMED
        ? { transport, port, name: this.text(what, /^[a-z0-9.-]{1,254}$/) }
        : { transport, port, address: this.#address(this.#familyOf(kind, what), what) };
    const read = this.#problem === undefined ? readEndpoint(formatEndpoint(endpoint)) : undefined;
    if (read !== undefined && 'problem' in read) this.fail(`${what}: ${read.problem}`);
    return endpoint;
  }

  /** All of them. */
  list<T>(what: string, lowest: number, highest: number, read: () => T): T[] {
    const all: T[] = [];
    const count = this.u8(`number of ${what}`, lowest, highest);
    for (let i = 0; i < count && this.#problem === undefined; i++) all.push(read());
    return all;
  }

  /** Nothing may be left. */
  end(): void {
    if (this.#at !== this.#bytes.length) this.fail('there is more than belongs to it');
  }

  #family(what: string): 4 | 6 {
    return this.#familyOf(this.u8(what), what);
  }

  #familyOf(value: number, what: string): 4 | 6 {
    if (value !== 4 && value !== 6) this.fail(`${what} has no address family`);
    return value === 4 ? 4 : 6;
  }

  #address(family: 4 | 6, what: string): Ip {
    const bytes = this.bytes(family === 4 ? 4 : 16, what);
    return this.#problem === undefined ? Ip.read(family, bytes, 0) : Ip.v4(0);
  }

  #within(value: number, what: string, lowest: number, highest: number): number {
    if (this.#problem === undefined && (value < lowest || value > highest))
      this.fail(`${what} is ${value}; from ${lowest} to ${highest} is allowed`);
    return value;
  }
}
