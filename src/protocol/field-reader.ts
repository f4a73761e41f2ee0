/**
 * Reads the fields of a decoded protobuf object into value types, each within its range. The first bad field decides the
 * drop reason; reading goes on with a harmless placeholder, so that no decoder needs a branch per field. The caller looks
 * at `Faults.first` at the end and throws the value away if it is set.
 */
import { Ip } from '../net/ip.js';
import { isGroupMac, type Mac, readMac, ZERO_MAC } from '../net/mac.js';
import { NAME } from '../net/name.js';
import { Prefix } from '../net/prefix.js';
import { MAX_VRID } from '../tables/gateway.js';
import { MAX_SEQUENCE, MAX_STAMP } from '../tables/record.js';
import { MAX_ELEMENTS, MAX_ID } from './constants.js';
import { MAX_INNER_MTU_BYTES, MIN_INNER_MTU_BYTES } from './overhead.js';

export type FieldDropReason =
  | 'bad-number'
  | 'bad-sequence'
  | 'bad-stamp'
  | 'bad-mtu'
  | 'bad-vnet'
  | 'bad-ip'
  | 'bad-node-ip'
  | 'bad-mac'
  | 'bad-node-mac'
  | 'bad-prefix'
  | 'bad-text'
  | 'bad-router-id'
  | 'bad-bytes'
  | 'bad-enum'
  | 'bad-list'
  | 'long-list'
  | 'bad-claim'
  | 'bad-question';

export class Faults {
  first: FieldDropReason | undefined;
  /** Fields that proto/vine.proto of this version does not have. */
  unknownFields = 0;

  report(reason: FieldDropReason): void {
    this.first ??= reason;
  }
}

const UNSPECIFIED = Ip.v4(0);
const NO_BYTES = new Uint8Array(0);

/** C0, DEL and C1: texts of a peer are printed on terminals. */
const CONTROL_CHARACTER = /\p{Cc}/u;

/** A vnet has a thousand routers at most; what a peer makes up is forgotten with the rest. */
const MAX_IDS = 4096;
const ids = new Map<string, string>();

/**
 * One string for each id: 100,000 records must not each keep the copy that came in its message. Undefined: gndt.json could
 * not have it.
 */
export function knownId(id: string): string | undefined {
  const known = ids.get(id);
  if (known !== undefined) return known;
  if (!NAME.test(id)) return undefined;
  if (ids.size >= MAX_IDS) ids.clear();
  ids.set(id, id);
  return id;
}

export class FieldReader {
  readonly #faults: Faults;
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(object: unknown, faults: Faults) {
    this.#faults = faults;
    if (typeof object !== 'object' || object === null) {
      this.#fields = {};
      return;
    }
    // Own properties only: protobufjs keeps the defaults of absent fields on the prototype, and they equal ours.
    this.#fields = { ...object };
    const unknowns = '$unknowns' in object ? object.$unknowns : undefined;
    if (Array.isArray(unknowns)) faults.unknownFields += unknowns.length;
  }

  /** What the fields say together is wrong. */
  refuse(reason: FieldDropReason): void {
    this.#faults.report(reason);
  }

  /** 0 … max. An absent field is 0. */
  uint(name: string, max: number): number {
    return this.#number(this.#fields[name] ?? 0, 0, max, 'bad-number');
  }

  /** −most … most. An absent field is 0. */
  int(name: string, most: number): number {
    return this.#number(this.#fields[name] ?? 0, -most, most, 'bad-number');
  }

  /** An id or a token. */
  id(name: string): number {
    return this.uint(name, MAX_ID);
  }

  /** 1 … 2^52. */
  sequence(name: string): number {
    return this.#number(this.#fields[name] ?? 0, 1, MAX_SEQUENCE, 'bad-sequence');
  }

  /** 1 … 2^52; 0 too for who may have none. */
  stamp(name: string, min: 0 | 1 = 1): number {
    return this.#number(this.#fields[name] ?? 0, min, MAX_STAMP, 'bad-stamp');
  }

  /** 576 … 65535 bytes; 0: not told. */
  innerMtu(name: string): number {
    const value = this.#number(this.#fields[name] ?? 0, 0, MAX_INNER_MTU_BYTES, 'bad-mtu');
    if (value > 0 && value < MIN_INNER_MTU_BYTES) this.#faults.report('bad-mtu');
    return value;
  }

  vnet(name: string): number {
    return this.#number(this.#fields[name] ?? 0, 1, 65_535, 'bad-vnet');
  }

  flag(name: string): boolean {
    return this.#fields[name] === true;
  }

  text(name: string, maxLength: number): string {
    return this.#text(this.#fields[name] ?? '', maxLength);
  }

  texts(name: string, maxLength: number): string[] {
    return this.#elements(name, MAX_ELEMENTS).map((element) => this.#text(element, maxLength));
  }

  /** As gndt.json may have it. */
  routerId(name: string): string {
    const value = this.#fields[name];
    const id = typeof value === 'string' ? knownId(value) : undefined;
    if (id === undefined) this.#faults.report('bad-router-id');
    return id ?? '';
  }

  optionalRouterId(name: string): string | undefined {
    return (this.#fields[name] ?? '') === '' ? undefined : this.routerId(name);
  }

  /** As `routerId` each. */
  siteIds(name: string, most: number): string[] {
    return this.#elements(name, most).map((element) => {
      const id = typeof element === 'string' ? knownId(element) : undefined;
      if (id === undefined) this.#faults.report('bad-router-id');
      return id ?? '';
    });
  }

  /** A copy of exactly that many bytes. */
  bytes(name: string, length: number): Uint8Array {
    const value = bytesOf(this.#fields[name]);
    if (value.length === length) return Uint8Array.from(value);
    this.#faults.report('bad-bytes');
    return new Uint8Array(length);
  }

  /** A copy of 1 … `most` bytes. */
  bytesUpTo(name: string, most: number): Uint8Array {
    const value = bytesOf(this.#fields[name]);
    if (value.length >= 1 && value.length <= most) return Uint8Array.from(value);
    this.#faults.report('bad-bytes');
    return NO_BYTES;
  }

  /** VRIDs, one byte each: 1 … 255, rising. */
  vrids(name: string): number[] {
    const vrids = [...bytesOf(this.#fields[name])];
    if (vrids.length <= MAX_VRID && vrids.every((vrid, i) => vrid > (vrids[i - 1] ?? 0))) return vrids;
    this.#faults.report('bad-bytes');
    return [];
  }

  /** See `Ip.isNodeAddress`. */
  nodeIp(name: string): Ip {
    return this.#nodeIp(this.#fields[name]);
  }

  nodeIps(name: string, most: number): Ip[] {
    return this.#elements(name, most).map((element) => this.#nodeIp(element));
  }

  /** Empty: undefined. */
  optionalNodeIp(name: string): Ip | undefined {
    return bytesOf(this.#fields[name]).length === 0 ? undefined : this.nodeIp(name);
  }

  /** Where a router's messages come from: somewhere on a network. Empty: undefined. */
  optionalHostIp(name: string): Ip | undefined {
    const value = this.#fields[name];
    if (bytesOf(value).length === 0) return undefined;
    const ip = this.#ip(value);
    if (ip.isUnspecified || ip.isGroup || ip.isLoopback) this.#faults.report('bad-ip');
    return ip;
  }

  /** One machine's: neither zero nor a group's. */
  nodeMac(name: string): Mac {
    const value = bytesOf(this.#fields[name]);
    if (value.length !== 6) {
      this.#faults.report('bad-mac');
      return ZERO_MAC;
    }
    const mac = readMac(value, 0);
    if (mac === ZERO_MAC || isGroupMac(mac)) this.#faults.report('bad-node-mac');
    return mac;
  }

  optionalNodeMac(name: string): Mac | undefined {
    return bytesOf(this.#fields[name]).length === 0 ? undefined : this.nodeMac(name);
  }

  /** Host bits that are set are a fault, as they are in the files. */
  prefix(addressName: string, lengthName: string): Prefix {
    const address = this.#ip(this.#fields[addressName]);
    const length = this.#number(this.#fields[lengthName] ?? 0, 0, address.bits, 'bad-prefix');
    const prefix = Prefix.containing(address, length);
    if (prefix.address.equals(address)) return prefix;
    this.#faults.report('bad-prefix');
    return Prefix.host(UNSPECIFIED);
  }

  /** The word for an enum's number. */
  word<Word>(name: string, words: ReadonlyMap<number, Word>, placeholder: Word): Word {
    const word = words.get(toNumber(this.#fields[name] ?? 0));
    if (word !== undefined) return word;
    this.#faults.report('bad-enum');
    return placeholder;
  }

  /** Undefined: it is not there. */
  optional<Value>(name: string, read: (fields: FieldReader) => Value): Value | undefined {
    const value = this.#fields[name] ?? undefined;
    return value === undefined ? undefined : read(new FieldReader(value, this.#faults));
  }

  list<Value>(name: string, read: (fields: FieldReader) => Value): Value[] {
    return this.#elements(name, MAX_ELEMENTS).map((element) => read(new FieldReader(element, this.#faults)));
  }

  #number(field: unknown, min: number, max: number, reason: FieldDropReason): number {
    const value = toNumber(field);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    this.#faults.report(reason);
    return min;
  }

  #text(value: unknown, maxLength: number): string {
    if (typeof value === 'string' && value.length <= maxLength && !CONTROL_CHARACTER.test(value))
      return value;
    this.#faults.report('bad-text');
    return '';
  }

  #nodeIp(field: unknown): Ip {
    const ip = this.#ip(field);
    if (!ip.isNodeAddress) this.#faults.report('bad-node-ip');
    return ip;
  }

  #ip(field: unknown): Ip {
    const value = bytesOf(field);
    if (value.length === 4) return Ip.read(4, value, 0);
    if (value.length === 16) return Ip.read(6, value, 0);
    this.#faults.report('bad-ip');
    return UNSPECIFIED;
  }

  /** None of a list that is too long: reading it would be the sender's gain. */
  #elements(name: string, most: number): readonly unknown[] {
    const value = this.#fields[name] ?? [];
    if (Array.isArray(value) && value.length <= most) return value;
    this.#faults.report(Array.isArray(value) ? 'long-list' : 'bad-list');
    return [];
  }
}

function bytesOf(field: unknown): Uint8Array {
  return field instanceof Uint8Array ? field : NO_BYTES;
}

/** protobufjs gives 64-bit integers as Long objects. NaN for what is no number. */
function toNumber(value: unknown): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'object' && value !== null && 'toNumber' in value) {
    return typeof value.toNumber === 'function' ? Number(value.toNumber()) : Number.NaN;
  }
  return Number.NaN;
}
