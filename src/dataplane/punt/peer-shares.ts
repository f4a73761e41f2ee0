/** How much of what it may hand up each peer has, in memory that the packet workers read. One writer: the control thread. */
import { MAX_PEERS } from '../engine.js';

/** Words hold it as a fraction of this. */
const WHOLE = 65_536;

export class PeerShares {
  readonly #words: Int32Array;

  private constructor(readonly memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  /** Each peer has its whole share. */
  static create(): PeerShares {
    const shares = new PeerShares(new SharedArrayBuffer(4 * MAX_PEERS));
    shares.#words.fill(WHOLE);
    return shares;
  }

  static attach(memory: SharedArrayBuffer): PeerShares {
    return new PeerShares(memory);
  }

  /** @param share 0, nothing, to 1, the whole; what is outside is taken for the nearer of these */
  set(peer: number, share: number): void {
    this.#words[peer] = share < 1 ? Math.max(0, Math.round(share * WHOLE)) : WHOLE;
  }

  of(peer: number): number {
    return (this.#words[peer] ?? 0) / WHOLE;
  }
}
