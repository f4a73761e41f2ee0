/** Sums what the addon has counted by pair of addresses, in bounded memory. */

import { COUNTED_PAIR_BYTES, type PairCounter } from '../dataplane/pair-counter.js';
import { Ip } from '../net/ip.js';
import type { CountedPair } from '../traffic/counted.js';
import { PairTable } from '../traffic/pair-table.js';

/** What is told at once. Smaller ones are left out, and it is said how much that was. */
const MOST_PAIRS = 4_096;
const PAIR_DOUBLES = COUNTED_PAIR_BYTES / 8;

export interface Taken {
  /** Most bytes first. */
  readonly pairs: readonly CountedPair[];
  /** Bytes of what has no pair any more. */
  readonly restBytes: number;
}

export class Counting {
  readonly #counter: Pick<PairCounter, 'take'>;
  #table = new PairTable();
  #restBytes = 0;
  /** Since the start. */
  frames = 0;

  constructor(counter: Pick<PairCounter, 'take'>) {
    this.#counter = counter;
  }

  /** Takes what the addon has, which has no room for the largest among very many pairs. To be called each second. */
  harvest(): void {
    const { pairs, frames, restBytes } = this.#counter.take();
    this.frames += frames;
    this.#restBytes += restBytes;
    const [octets, doubles] = [new Uint8Array(pairs), new Float64Array(pairs)];
    for (let at = 0; at < doubles.length; at += PAIR_DOUBLES) {
      const [packets = 0, bytes = 0, family] = doubles.subarray(at + 4, at + PAIR_DOUBLES);
      const read = (offset: number): Ip => Ip.read(family === 4 ? 4 : 6, octets, at * 8 + offset);
      const [source, destination] = [read(0), read(16)];
      this.#table.add(
        { vnet: 0, source, destination, sourceSite: '', destinationSite: '' },
        { packets, bytes },
      );
    }
  }

  /** What was counted since the last time. */
  take(): Taken {
    this.harvest();
    const { pairs, rest, unattributed } = this.#table.counted(MOST_PAIRS);
    const restBytes = rest.reduce((sum, { bytes }) => sum + bytes, unattributed.bytes + this.#restBytes);
    this.#table = new PairTable();
    this.#restBytes = 0;
    return { pairs, restBytes };
  }
}
