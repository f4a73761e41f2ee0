/** Takes a stream apart: lines as long as those are wanted, IPFIX messages by their lengths then. Any split of the bytes gives the same. */
import { MOST_LINE_BYTES } from './greeting.js';

const NEWLINE = 10;
const IPFIX_VERSION = 10;
const HEADER_BYTES = 16;

export class SensorStream {
  #left: Buffer = Buffer.alloc(0);

  push(bytes: Uint8Array): void {
    this.#left = this.#left.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#left, bytes]);
  }

  /** Undefined: it has not ended yet. `bad`: it is too long, and nothing can follow. */
  line(): { readonly text: string } | 'bad' | undefined {
    const end = this.#left.indexOf(NEWLINE);
    if (end < 0) return this.#left.length > MOST_LINE_BYTES ? 'bad' : undefined;
    if (end > MOST_LINE_BYTES) return 'bad';
    const text = this.#left.toString('latin1', 0, end);
    this.#left = this.#left.subarray(end + 1);
    return { text };
  }

  /** Undefined: it is not whole yet. `bad`: this is no message, and nothing can follow. */
  message(): Uint8Array | 'bad' | undefined {
    if (this.#left.length < 4) return undefined;
    const length = this.#left.readUInt16BE(2);
    if (this.#left.readUInt16BE(0) !== IPFIX_VERSION || length < HEADER_BYTES) return 'bad';
    if (this.#left.length < length) return undefined;
    const message = this.#left.subarray(0, length);
    this.#left = this.#left.subarray(length);
    return message;
  }
}
