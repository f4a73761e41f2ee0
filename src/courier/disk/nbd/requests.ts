/**
 * The server's side of the transmission: requests are read and checked, replies written. Pure. What it gives out is within the
 * export; whatever is not, is refused with the error that the specification names. A write's data comes in blocks that end at
 * multiples of `BLOCK_BYTES`, or what was asked for, as soon as each is whole: no request makes the reader keep more than one.
 */
import { ByteQueue } from './byte-queue.js';
import * as spec from './spec.js';

export const BLOCK_BYTES = 64 * 1024;

/** `status` comes only where it was agreed on. */
export type RequestKind = 'read' | 'write' | 'flush' | 'trim' | 'zeroes' | 'status';

export interface Request {
  readonly kind: RequestKind;
  /** Opaque; goes back with the reply. */
  readonly cookie: Buffer;
  readonly offset: number;
  readonly length: number;
  readonly fua: boolean;
  readonly noHole: boolean;
  /** Zeroes that are no faster than a write are to be refused. */
  readonly fastZero: boolean;
  /** One extent is enough. */
  readonly one: boolean;
}

export interface ReaderOptions {
  readonly agreed?: spec.Agreed;
  /** A write's data comes in blocks that end at multiples of it. */
  readonly blockBytes?: number;
  /** A place for a block's data, which is copied to its beginning; without one it is a view of what came, where it can be. */
  place?(length: number): Buffer | undefined;
}

export type RequestEvent =
  | { readonly is: 'request'; readonly request: Request }
  /** Of the last `write`: all of them come before anything else. */
  | { readonly is: 'data'; readonly offset: number; readonly bytes: Buffer; readonly isLast: boolean }
  /** To be answered with this error, and nothing else. */
  | { readonly is: 'refused'; readonly cookie: Buffer; readonly error: number }
  | { readonly is: 'disconnect' }
  /** It does not speak NBD: nothing more is taken. */
  | { readonly is: 'broken'; readonly why: string };

interface KindRule {
  readonly kind: RequestKind;
  readonly flags: number;
  /** What a range beyond the export's end is. */
  readonly beyond: number;
  readonly hasPayload: boolean;
}

const { invalid, noSpace } = spec.ERROR;
const RULES = new Map<number, KindRule>([
  [spec.CMD.read, { kind: 'read', flags: spec.FUA, beyond: invalid, hasPayload: true }],
  [spec.CMD.write, { kind: 'write', flags: spec.FUA, beyond: noSpace, hasPayload: true }],
  [spec.CMD.flush, { kind: 'flush', flags: spec.FUA, beyond: invalid, hasPayload: false }],
  [spec.CMD.trim, { kind: 'trim', flags: spec.FUA, beyond: invalid, hasPayload: false }],
  [
    spec.CMD.writeZeroes,
    { kind: 'zeroes', flags: spec.FUA | spec.NO_HOLE, beyond: noSpace, hasPayload: false },
  ],
]);
const STATUS: KindRule = {
  ...{ kind: 'status', flags: spec.FUA | spec.REQ_ONE, beyond: invalid, hasPayload: false },
};

export class RequestReader {
  #skipBytes = 0;
  /** Of a write's data, still to come. */
  #offset = 0;
  #leftBytes = 0;
  #isOver = false;

  readonly #rules: ReadonlyMap<number, KindRule>;
  readonly #blockBytes: number;
  readonly #place: ReaderOptions['place'];

  /** @param queue what has come already */
  constructor(
    private readonly facts: spec.ExportFacts,
    private readonly queue: ByteQueue = new ByteQueue(),
    { agreed = spec.NOTHING_AGREED, blockBytes = BLOCK_BYTES, place }: ReaderOptions = {},
  ) {
    this.#rules = rulesOf(facts, agreed);
    this.#blockBytes = blockBytes;
    this.#place = place;
  }

  push(piece: Buffer): void {
    if (!this.#isOver) this.queue.push(piece);
  }

  /** Undefined: more has to come. One at a time, so that whoever has no room for another leaves it where it is. */
  next(): RequestEvent | undefined {
    if (this.#isOver) return undefined;
    this.#skipBytes -= this.queue.drop(this.#skipBytes);
    if (this.#skipBytes > 0) return undefined;
    return this.#leftBytes > 0 ? this.#data() : this.#request();
  }

  #data(): RequestEvent | undefined {
    const length = Math.min(this.#leftBytes, this.#blockBytes - (this.#offset % this.#blockBytes));
    const bytes = this.#take(length);
    if (bytes === undefined) return undefined;
    const offset = this.#offset;
    this.#offset += length;
    this.#leftBytes -= length;
    return { is: 'data', offset, bytes, isLast: this.#leftBytes === 0 };
  }

  #take(length: number): Buffer | undefined {
    const place = this.queue.length < length ? undefined : this.#place?.(length);
    if (place === undefined) return this.queue.take(length);
    this.queue.takeInto(place, length);
    return place.subarray(0, length);
  }

  #request(): RequestEvent | undefined {
    const head = this.queue.take(spec.REQUEST_BYTES);
    if (head === undefined) return undefined;
    if (head.readUInt32BE(0) !== spec.REQUEST_MAGIC) return this.#over({ is: 'broken', why: 'no request' });
    const [flags, type, length] = [head.readUInt16BE(4), head.readUInt16BE(6), head.readUInt32BE(24)];
    if (type === spec.CMD.disc) return this.#over({ is: 'disconnect' });
    const cookie = Buffer.from(head.subarray(8, 16));
    const error = this.#errorOf(type, flags, head.readBigUInt64BE(16), length);
    const rule = this.#rules.get(type);
    if (rule === undefined || error !== spec.ERROR.none) {
      // Its data comes all the same.
      if (type === spec.CMD.write) this.#skipBytes = length;
      return { is: 'refused', cookie, error };
    }
    const offset = Number(head.readBigUInt64BE(16));
    if (rule.kind === 'write') [this.#offset, this.#leftBytes] = [offset, length];
    const [fua, noHole] = [(flags & spec.FUA) !== 0, (flags & spec.NO_HOLE) !== 0];
    const [fastZero, one] = [(flags & spec.FAST_ZERO) !== 0, (flags & spec.REQ_ONE) !== 0];
    return {
      is: 'request',
      request: { kind: rule.kind, cookie, offset, length, fua, noHole, fastZero, one },
    };
  }

  #errorOf(type: number, flags: number, offset: bigint, length: number): number {
    const rule = this.#rules.get(type);
    if (rule === undefined || (flags & ~rule.flags) !== 0) return invalid;
    if (rule.kind === 'flush') return offset === 0n && length === 0 ? spec.ERROR.none : invalid;
    const { sizeBytes, minimumBytes, mostPayloadBytes } = this.facts;
    if (offset + BigInt(length) > BigInt(sizeBytes)) return rule.beyond;
    if (rule.hasPayload && length > mostPayloadBytes) return invalid;
    if (rule.kind === 'status' && length === 0) return invalid;
    const isAligned = offset % BigInt(minimumBytes) === 0n && length % minimumBytes === 0;
    return isAligned ? spec.ERROR.none : invalid;
  }

  #over(event: RequestEvent): RequestEvent {
    this.#isOver = true;
    return event;
  }
}

function rulesOf(facts: spec.ExportFacts, agreed: spec.Agreed): ReadonlyMap<number, KindRule> {
  const rules = new Map(RULES);
  const allow = (type: number, flag: number): void => {
    const rule = rules.get(type);
    if (rule !== undefined) rules.set(type, { ...rule, flags: rule.flags | flag });
  };
  if (agreed.isStructured && (facts.flags & spec.FLAG.sendDf) !== 0) allow(spec.CMD.read, spec.DF);
  if ((facts.flags & spec.FLAG.sendFastZero) !== 0) allow(spec.CMD.writeZeroes, spec.FAST_ZERO);
  if (agreed.hasAllocation) rules.set(spec.CMD.blockStatus, STATUS);
  return rules;
}

/** @param data of a read that went well */
export function simpleReply(cookie: Uint8Array, error: number, data?: Uint8Array): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(spec.SIMPLE_REPLY_MAGIC);
  head.writeUInt32BE(error, 4);
  return Buffer.concat([head, cookie, data ?? Buffer.alloc(0)]);
}
