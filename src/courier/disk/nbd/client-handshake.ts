/**
 * The client's side of the fixed newstyle handshake: one export, with its block sizes, by NBD_OPT_GO, or by
 * NBD_OPT_EXPORT_NAME where the server does not know that. Pure: bytes in, actions out. After `ready` or `close` nothing more
 * is taken; the bytes behind it are in `rest`.
 */
import { ByteQueue } from './byte-queue.js';
import * as spec from './spec.js';

export type ClientAction =
  | { readonly is: 'say'; readonly bytes: Buffer }
  | { readonly is: 'ready'; readonly facts: spec.ExportFacts }
  | { readonly is: 'close'; readonly why: string };

const GREETING_BYTES = 18;
const REPLY_HEAD_BYTES = 20;
const MOST_REPLY_BYTES = 16 * 1024;
const MOST_REPLIES = 64;
const INFO_EXPORT_BYTES = 12;
const INFO_BLOCK_SIZE_BYTES = 14;

type State = 'greeting' | 'replies' | 'by-name' | 'over';
type Sizes = Pick<spec.ExportFacts, 'minimumBytes' | 'preferredBytes' | 'mostPayloadBytes'>;

export class ClientHandshake {
  readonly rest = new ByteQueue();
  #state: State = 'greeting';
  #noZeroes = false;
  #replies = 0;
  #export: { readonly sizeBytes: number; readonly flags: number } | undefined;
  #sizes: Sizes = spec.DEFAULT_SIZES;

  constructor(private readonly name: string) {}

  push(piece: Buffer): ClientAction[] {
    this.rest.push(piece);
    const actions: ClientAction[] = [];
    for (;;) {
      const next = this.#next();
      if (next === undefined) return actions;
      actions.push(...next);
    }
  }

  #next(): ClientAction[] | undefined {
    switch (this.#state) {
      case 'greeting':
        return this.#greeting();
      case 'replies':
        return this.#reply();
      case 'by-name':
        return this.#byName();
      case 'over':
        return undefined;
    }
  }

  #greeting(): ClientAction[] | undefined {
    const greeting = this.rest.take(GREETING_BYTES);
    if (greeting === undefined) return undefined;
    if (greeting.readBigUInt64BE(0) !== spec.INIT_PASSWD) return this.#close('it does not speak NBD');
    const flags = greeting.readUInt16BE(16);
    if (greeting.readBigUInt64BE(8) !== spec.IHAVEOPT || (flags & spec.FIXED_NEWSTYLE) === 0)
      return this.#close('it speaks an old NBD (no fixed newstyle handshake)');
    this.#noZeroes = (flags & spec.NO_ZEROES) !== 0;
    this.#state = 'replies';
    const ours = Buffer.alloc(4);
    ours.writeUInt32BE(spec.FIXED_NEWSTYLE | (this.#noZeroes ? spec.NO_ZEROES : 0));
    return [{ is: 'say', bytes: Buffer.concat([ours, option(spec.OPT.go, goData(this.name))]) }];
  }

  #reply(): ClientAction[] | undefined {
    const head = this.rest.peek(REPLY_HEAD_BYTES);
    if (head === undefined) return undefined;
    const [asked, type, length] = [head.readUInt32BE(8), head.readUInt32BE(12), head.readUInt32BE(16)];
    if (head.readBigUInt64BE(0) !== spec.OPTION_REPLY_MAGIC || asked !== spec.OPT.go)
      return this.#close('no reply where one should be');
    if (length > MOST_REPLY_BYTES || ++this.#replies > MOST_REPLIES) return this.#close('endless replies');
    if (this.rest.length < REPLY_HEAD_BYTES + length) {
      this.#replies--;
      return undefined;
    }
    this.rest.drop(REPLY_HEAD_BYTES);
    return this.#replied(type, this.rest.take(length) ?? Buffer.alloc(0));
  }

  #replied(type: number, data: Buffer): ClientAction[] {
    if (type === spec.REP.info) return this.#info(data);
    if (type === spec.REP.ack)
      return this.#export === undefined ? this.#close('an export without a size') : this.#ready(this.#export);
    if (type === spec.REP.errUnsup) {
      this.#state = 'by-name';
      return [{ is: 'say', bytes: option(spec.OPT.exportName, Buffer.from(this.name)) }];
    }
    if (!spec.isErrorReply(type)) return this.#close(`reply of unknown type ${type}`);
    const text = data.toString('latin1', 0, 200).replace(/[^\x20-\x7e]/g, '?');
    return this.#close(`it refuses the export "${this.name}": ${text || `error ${type - 2 ** 31}`}`);
  }

  /** Information of other types is passed over. */
  #info(data: Buffer): ClientAction[] {
    const type = data.length < 2 ? -1 : data.readUInt16BE(0);
    if (type === spec.INFO.export) {
      const facts = data.length === INFO_EXPORT_BYTES ? sizeAndFlags(data.subarray(2)) : undefined;
      if (facts === undefined) return this.#close('an export of a size that is none');
      this.#export = facts;
    } else if (type === spec.INFO.blockSize) {
      const sizes = data.length === INFO_BLOCK_SIZE_BYTES ? sizesOf(data) : undefined;
      if (sizes === undefined) return this.#close('block sizes that are none');
      this.#sizes = sizes;
    }
    return [];
  }

  #byName(): ClientAction[] | undefined {
    const bytes = this.rest.take(10 + (this.#noZeroes ? 0 : spec.RESERVED_BYTES));
    if (bytes === undefined) return undefined;
    const facts = sizeAndFlags(bytes);
    return facts === undefined ? this.#close('an export of a size that is none') : this.#ready(facts);
  }

  #ready(facts: { readonly sizeBytes: number; readonly flags: number }): ClientAction[] {
    this.#state = 'over';
    return [{ is: 'ready', facts: { ...facts, ...this.#sizes } }];
  }

  #close(why: string): ClientAction[] {
    this.#state = 'over';
    return [{ is: 'close', why }];
  }
}

function option(type: number, data: Uint8Array): Buffer {
  const head = Buffer.alloc(16);
  head.writeBigUInt64BE(spec.IHAVEOPT);
  head.writeUInt32BE(type, 8);
  head.writeUInt32BE(data.length, 12);
  return Buffer.concat([head, data]);
}

/** be32 length, name, be16 1, be16 NBD_INFO_BLOCK_SIZE. */
function goData(name: string): Buffer {
  const bytes = Buffer.from(name);
  const data = Buffer.alloc(4 + bytes.length + 4);
  data.writeUInt32BE(bytes.length);
  data.set(bytes, 4);
  data.writeUInt16BE(1, 4 + bytes.length);
  data.writeUInt16BE(spec.INFO.blockSize, 6 + bytes.length);
  return data;
}

function sizeAndFlags(bytes: Buffer): { sizeBytes: number; flags: number } | undefined {
  const size = bytes.readBigUInt64BE(0);
  const flags = bytes.readUInt16BE(8);
  if (size > BigInt(Number.MAX_SAFE_INTEGER) || (flags & spec.FLAG.hasFlags) === 0) return undefined;
  return { sizeBytes: Number(size), flags };
}

function sizesOf(data: Buffer): Sizes | undefined {
  const minimumBytes = data.readUInt32BE(2);
  const preferredBytes = data.readUInt32BE(6);
  const mostPayloadBytes = data.readUInt32BE(10);
  const isPower = (value: number): boolean => value > 0 && Number.isInteger(Math.log2(value));
  const isGood = isPower(minimumBytes) && minimumBytes <= 65_536 && mostPayloadBytes >= minimumBytes;
  return isGood ? { minimumBytes, preferredBytes, mostPayloadBytes } : undefined;
}
