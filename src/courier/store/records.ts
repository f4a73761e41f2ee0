/** Some of the index's records: 48 bytes each, SHA-256, be64 stamp, be32 which other stores have the page, be32 0. All zero: free. */
import { DIGEST_BYTES } from './digest.js';
import { MOST_STAMP } from './stamp-order.js';

export const RECORD_BYTES = 48;
const PEERS_AT = DIGEST_BYTES + 8;

export class Records {
  /** @param bytes whole records, the first of which is entry `first`'s */
  constructor(
    readonly first: number,
    readonly bytes: Buffer,
  ) {}

  static empty(first: number, count: number): Records {
    return new Records(first, Buffer.alloc(count * RECORD_BYTES));
  }

  get count(): number {
    return this.bytes.length / RECORD_BYTES;
  }

  /** A view. */
  digestAt(number: number): Buffer {
    return this.bytes.subarray(number * RECORD_BYTES, number * RECORD_BYTES + DIGEST_BYTES);
  }

  /** 0: it is free, or has a stamp that no store gives. */
  stampAt(number: number): number {
    const stamp = this.bytes.readBigUInt64BE(number * RECORD_BYTES + DIGEST_BYTES);
    return stamp <= BigInt(MOST_STAMP) ? Number(stamp) : 0;
  }

  peersAt(number: number): number {
    return this.bytes.readUInt32BE(number * RECORD_BYTES + PEERS_AT);
  }

  setDigest(number: number, digest: Uint8Array): void {
    this.bytes.set(digest, number * RECORD_BYTES);
  }

  set(number: number, stamp: number, peers: number): void {
    this.bytes.writeBigUInt64BE(BigInt(stamp), number * RECORD_BYTES + DIGEST_BYTES);
    this.bytes.writeUInt32BE(peers >>> 0, number * RECORD_BYTES + PEERS_AT);
  }

  clear(number: number): void {
    this.bytes.fill(0, number * RECORD_BYTES, (number + 1) * RECORD_BYTES);
  }
}
