/** The receiver's side of the stream's identity: what comes out must be what went in, batch by batch, before it is passed on. */
import { createHash } from 'node:crypto';
import { CHECKPOINT_BYTES, type Total } from './message.js';

export class StreamCheck {
  readonly #hash = createHash('sha256');
  #bytes = 0;

  /** Takes a batch's stream in. False: it is not what went in, nothing of it may be passed on. */
  takes(stream: Uint8Array, checkpoint: Uint8Array): boolean {
    this.#hash.update(stream);
    this.#bytes += stream.length;
    return Buffer.compare(this.total().sha256.subarray(0, CHECKPOINT_BYTES), checkpoint) === 0;
  }

  total(): Total {
    return { sha256: this.#hash.copy().digest(), bytes: this.#bytes };
  }
}

export function isSameTotal(ours: Total, theirs: Total): boolean {
  return ours.bytes === theirs.bytes && ours.sha256.equals(theirs.sha256);
}
