/** The client's side of the transmission: requests are written, several at once, and replies found to them. Pure. */
import { ByteQueue } from './byte-queue.js';
import * as spec from './spec.js';

export interface Reply {
  /** The number that the request was given. */
  readonly number: number;
  readonly error: number;
  /** Of a read that went well. */
  readonly data: Buffer | undefined;
}

export interface Command {
  readonly type: number;
  readonly flags?: number;
  readonly offset?: number;
  readonly length?: number;
  /** Of a write. */
  readonly data?: Uint8Array;
}

export class Replies {
  /** Bytes that the reply brings, by the request's number. */
  readonly #pending = new Map<number, number>();
  #number = 0;

  /** @param queue what has come already */
  constructor(private readonly queue: ByteQueue = new ByteQueue()) {}

  /** Requests without a reply. */
  get pending(): number {
    return this.#pending.size;
  }

  /** The request's bytes, and the number by which its reply will be known. */
  request({ type, flags = 0, offset = 0, length = 0, data }: Command): { number: number; bytes: Buffer } {
    const number = ++this.#number;
    const head = requestHead({ type, flags, offset, length: data?.length ?? length }, number);
    if (type !== spec.CMD.disc) this.#pending.set(number, type === spec.CMD.read ? length : 0);
    return { number, bytes: data === undefined ? head : Buffer.concat([head, data]) };
  }

  push(piece: Buffer): void {
    this.queue.push(piece);
  }

  /** Undefined: more has to come. A string: it does not speak NBD, or answers what nobody asked. */
  next(): Reply | string | undefined {
    const head = this.queue.peek(spec.SIMPLE_REPLY_BYTES);
    if (head === undefined) return undefined;
    if (head.readUInt32BE(0) !== spec.SIMPLE_REPLY_MAGIC) return 'no reply';
    const error = head.readUInt32BE(4);
    const number = Number(head.readBigUInt64BE(8));
    const length = this.#pending.get(number);
    if (length === undefined) return 'a reply that nobody waits for';
    const dataBytes = error === spec.ERROR.none ? length : 0;
    if (this.queue.length < spec.SIMPLE_REPLY_BYTES + dataBytes) return undefined;
    this.queue.drop(spec.SIMPLE_REPLY_BYTES);
    this.#pending.delete(number);
    return { number, error, data: dataBytes > 0 ? this.queue.take(dataBytes) : undefined };
  }
}

function requestHead(
  { type, flags, offset, length }: Required<Omit<Command, 'data'>>,
  number: number,
): Buffer {
  const head = Buffer.alloc(spec.REQUEST_BYTES);
  head.writeUInt32BE(spec.REQUEST_MAGIC);
  head.writeUInt16BE(flags, 4);
  head.writeUInt16BE(type, 6);
  head.writeBigUInt64BE(BigInt(number), 8);
  head.writeBigUInt64BE(BigInt(offset), 16);
  head.writeUInt32BE(length, 24);
  return head;
}
