/**
 * Reads the fields of a decoded protobuf object into value types. The first bad field decides the drop reason; reading
 * goes on with a harmless placeholder, so that no decoder needs a branch per field. The caller looks at `Faults.first`
 * at the end and throws the value away if it is set.
 */
import { Ip } from '../net/ip.js';
import { type Mac, readMac, ZERO_MAC } from '../net/mac.js';
import { Prefix } from '../net/prefix.js';

export type FieldDropReason =
  | 'bad-number'
  | 'bad-vnet'
  | 'bad-ip'
  | 'bad-mac'
  | 'bad-prefix'
  | 'bad-text'
  | 'bad-bytes'
  | 'bad-enum'
  | 'bad-list';

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

/** A vnet has a thousand routers at most; what a peer makes up is forgotten with the rest. */
const MAX_IDS = 4096;
const ids = new Map<string, string>();

/** One string for each id: 100,000 records must not each keep the copy that came in its message. */
function theOne(id: string): string {
  const known = ids.get(id);
  if (known !== undefined) return known;
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

  /** 0 … max, at most 2^53 − 1. An absent field is 0. */
  uint(name: string, max: number = Number.MAX_SAFE_INTEGER): number {
    const value = toNumber(this.#fields[name] ?? 0);
    if (Number.isSafeInteger(value) && value >= 0 && value <= max) return value;
    this.#faults.report('bad-number');
    return 0;
  }

  uints(name: string): number[] {
    return this.#elements(name).map((element) => {
      const value = toNumber(element);
      if (Number.isSafeInteger(value) && value >= 0) return value;
      this.#faults.report('bad-number');
      return 0;
    });
  }

  flag(name: string): boolean {
    return this.#fields[name] === true;
  }

  text(name: string, maxLength: number): string {
    const value = this.#fields[name] ?? '';
    if (typeof value === 'string' && value.length <= maxLength) return value;
    this.#faults.report('bad-text');
    return '';
  }

  /** A router's id: never empty. */
  routerId(name: string): string {
    const value = this.text(name, 255);
    if (value === '') this.#faults.report('bad-text');
    return theOne(value);
  }

  texts(name: string, maxLength: number): string[] {
    return this.#elements(name).map((element) => {
      if (typeof element === 'string' && element.length <= maxLength) return element;
      this.#faults.report('bad-text');
      return '';
    });
  }

  /** A copy of exactly that many bytes. */
  bytes(name: string, length: number): Uint8Array {
    const value = this.#view(name);
    if (value.length === length) return Uint8Array.from(value);
    this.#faults.report('bad-bytes');
    return new Uint8Array(length);
  }

  vnet(name: string): number {
    const value = toNumber(this.#fields[name] ?? 0);
    if (Number.isInteger(value) && value >= 1 && value <= 65_535) return value;
    this.#faults.report('bad-vnet');
    return 0;
  }

  ip(name: string): Ip {
    const value = this.#view(name);
    if (value.length === 4) return Ip.read(4, value, 0);
    if (value.length === 16) return Ip.read(6, value, 0);
    this.#faults.report('bad-ip');
    return UNSPECIFIED;
  }

  optionalIp(name: string): Ip | undefined {
    return this.#view(name).length === 0 ? undefined : this.ip(name);
  }

  mac(name: string): Mac {
    const value = this.#view(name);
    if (value.length === 6) return readMac(value, 0);
    this.#faults.report('bad-mac');
    return ZERO_MAC;
  }

  optionalMac(name: string): Mac | undefined {
    return this.#view(name).length === 0 ? undefined : this.mac(name);
  }

  /** Host bits that are set are a fault, as they are in the files. */
  prefix(addressName: string, lengthName: string): Prefix {
    const address = this.ip(addressName);
    const length = this.uint(lengthName);
    if (length <= address.bits) {
      const prefix = Prefix.containing(address, length);
      if (prefix.address.equals(address)) return prefix;
    }
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

  list<Value>(name: string, read: (fields: FieldReader) => Value): Value[] {
    return this.#elements(name).map((element) => read(new FieldReader(element, this.#faults)));
  }

  child(name: string): FieldReader {
    return new FieldReader(this.#fields[name], this.#faults);
  }

  #view(name: string): Uint8Array {
    const value = this.#fields[name];
    return value instanceof Uint8Array ? value : NO_BYTES;
  }

  #elements(name: string): readonly unknown[] {
    const value = this.#fields[name] ?? [];
    if (Array.isArray(value)) return value;
    this.#faults.report('bad-list');
    return [];
  }
}

/** protobufjs gives 64-bit integers as Long objects. NaN for what is no number. */
function toNumber(value: unknown): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'object' && value !== null && 'toNumber' in value) {
    return typeof value.toNumber === 'function' ? Number(value.toNumber()) : Number.NaN;
  }
  return Number.NaN;
}
