/** Records of a set, read by its template. */
import { Ip } from '../../net/ip.js';
import type { Role } from './elements.js';
import { type Template, VARIABLE } from './templates.js';

/** In IPFIX a value of 255 bytes or more has 255 and then its length in two (RFC 7011 §7). */
const LONG = 255;

/** Where each value that is looked at stands. */
export class FlowRecord {
  readonly #set: DataView;
  readonly #at = new Map<Role, readonly [at: number, bytes: number]>();

  constructor(set: DataView) {
    this.#set = set;
  }

  put(role: Role, at: number, bytes: number): void {
    this.#at.set(role, [at, bytes]);
  }

  has(role: Role): boolean {
    return this.#at.has(role);
  }

  /** Undefined: it has none. Beyond 2^53 not exact. */
  number(role: Role): number | undefined {
    const found = this.#at.get(role);
    if (found === undefined) return undefined;
    const [at, bytes] = found;
    if (role === 'probability') return bytes === 4 ? this.#set.getFloat32(at) : this.#set.getFloat64(at);
    let value = 0;
    for (let i = 0; i < bytes; i++) value = value * 256 + this.#set.getUint8(at + i);
    return value;
  }

  /** Of a record that has room for both families: the one that is given. */
  get addresses(): readonly [source: Ip, destination: Ip] | undefined {
    const of4 = this.#both(4, 'source4', 'destination4');
    return of4 ?? this.#both(6, 'source6', 'destination6');
  }

  #both(family: 4 | 6, source: Role, destination: Role): readonly [Ip, Ip] | undefined {
    const [one, other] = [this.#address(family, source), this.#address(family, destination)];
    return one === undefined || other === undefined ? undefined : [one, other];
  }

  #address(family: 4 | 6, role: Role): Ip | undefined {
    const found = this.#at.get(role);
    if (found === undefined) return undefined;
    const { buffer, byteOffset, byteLength } = this.#set;
    const ip = Ip.read(family, new Uint8Array(buffer, byteOffset, byteLength), found[0]);
    return ip.isUnspecified ? undefined : ip;
  }
}

/** All of a set; undefined stands for one that goes beyond it. */
export function* readRecords(
  set: DataView,
  { fields, leastBytes }: Template,
): Generator<FlowRecord | undefined> {
  // What is shorter is padding.
  for (let at = 0; set.byteLength - at >= leastBytes; ) {
    const record = new FlowRecord(set);
    for (const { role, bytes: told } of fields) {
      let bytes = told;
      if (told === VARIABLE) {
        const length = variableLength(set, at);
        if (length === undefined) return yield undefined;
        at += length.head;
        bytes = length.bytes;
      }
      if (set.byteLength - at < bytes) return yield undefined;
      if (role !== undefined) record.put(role, at, bytes);
      at += bytes;
    }
    yield record;
  }
}

function variableLength(set: DataView, at: number): { head: number; bytes: number } | undefined {
  if (at >= set.byteLength) return undefined;
  const short = set.getUint8(at);
  if (short < LONG) return { head: 1, bytes: short };
  return set.byteLength - at < 3 ? undefined : { head: 3, bytes: set.getUint16(at + 1) };
}
