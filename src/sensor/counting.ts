/** Counts frames by pair of addresses, in bounded memory. */

import { readFrame } from '../traffic/collect/packet-start.js';
import type { CountedPair } from '../traffic/counted.js';
import { PairTable } from '../traffic/pair-table.js';

/** Ethernet, two tags, and an IPv6 header; what is behind it is not looked at. */
export const FRAME_BYTES = 96;
/** What is told at once. Smaller ones are left out, and it is said how much that was. */
const MOST_PAIRS = 4_096;

export interface Taken {
  /** Most bytes first. */
  readonly pairs: readonly CountedPair[];
  /** Bytes of what has no pair any more. */
  readonly restBytes: number;
}

export class Counting {
  #table = new PairTable();
  /** Since the start. */
  frames = 0;

  count(frame: Uint8Array): void {
    this.frames++;
    const found = readFrame(frame);
    if (found === undefined || found === 'not-ip') return;
    const { source, destination, bytes } = found;
    this.#table.add(
      { vnet: 0, source, destination, sourceSite: '', destinationSite: '' },
      { packets: 1, bytes },
    );
  }

  /** What was counted since the last time. */
  take(): Taken {
    const { pairs, rest, unattributed } = this.#table.counted(MOST_PAIRS);
    this.#table = new PairTable();
    return { pairs, restBytes: rest.reduce((sum, { bytes }) => sum + bytes, unattributed.bytes) };
  }
}
