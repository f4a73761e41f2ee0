/**
 * The way up from one packet worker to the control thread: a ring of messages in memory that both share, one writer and
 * one reader, which never wait for each other. No message is ever in two pieces: one that does not fit before the end
 * begins at the front, and leaves the end a mark.
 *
 * When the reader has taken everything the writer begins at the front again, so that a ring which is large for the sake of
 * the worst costs the memory that was ever needed at once.
 */

import type { Punt } from './punt.js';
import { decodePunt, encodePunt, type PuntMemory, wordsAt, wordsOf } from './punt-codec.js';

/**
 * What `PuntPolicer` lets wait at the most, 2,048 bytes and a head for each unit: in front of a ring that could be full
 * one peer's flood would keep the others out.
 */
const RING_BYTES = 40 << 20;

/** The two positions, each in a cache line of its own, and behind them the messages. In words. */
const HEAD = 0;
const TAIL = 16;
const MESSAGES = 32;

/** In the place of a message's kind: go on at the front. */
const TO_FRONT = 0;
/** From here on an empty ring is begun anew. In words. */
const EARLY = 4_096;

/** For one writer and one reader. A message of up to half of it always fits when it is empty. */
export function createPuntRing(bytes = RING_BYTES): SharedArrayBuffer {
  return new SharedArrayBuffer(4 * MESSAGES + bytes);
}

export class PuntWriter {
  readonly #positions: Int32Array;
  readonly #memory: PuntMemory;
  /** Where the next message goes; never at the end, where there is always room for a mark. */
  #head = 0;

  constructor(ring: SharedArrayBuffer) {
    this.#positions = new Int32Array(ring, 0, MESSAGES);
    this.#memory = memoryOf(ring);
  }

  /** Copies it; the reader sees it from the next `publish` on. False: there is no room. */
  put(punt: Punt): boolean {
    const words = wordsOf(punt);
    const at = this.#placeFor(words);
    if (at === undefined) return false;
    encodePunt(punt, this.#memory, at);
    this.#head = at + words;
    return true;
  }

  publish(): void {
    Atomics.store(this.#positions, HEAD, this.#head);
  }

  /** The head must not reach the tail from behind: that would be an empty ring. */
  #placeFor(words: number): number | undefined {
    const head = this.#head;
    const tail = Atomics.load(this.#positions, TAIL);
    if (head < tail) return words < tail - head ? head : undefined;
    const fitsHere = words < this.#memory.words.length - head;
    const isOutworn = head === tail && head >= EARLY;
    if (words >= tail || (fitsHere && !isOutworn)) return fitsHere ? head : undefined;
    this.#memory.words[head] = TO_FRONT;
    return 0;
  }
}

export class PuntReader {
  readonly #positions: Int32Array;
  readonly #memory: PuntMemory;
  /** Where the next message is, or the mark. */
  #tail = 0;

  constructor(ring: SharedArrayBuffer) {
    this.#positions = new Int32Array(ring, 0, MESSAGES);
    this.#memory = memoryOf(ring);
  }

  /** What has been published, in the order in which it was put, `most` at most. */
  take(most: number): Punt[] {
    const head = Atomics.load(this.#positions, HEAD);
    const memory = this.#memory;
    const punts: Punt[] = [];
    while (this.#tail !== head && punts.length < most) {
      // Behind a mark there is a message.
      if (memory.words[this.#tail] === TO_FRONT) this.#tail = 0;
      punts.push(decodePunt(memory, this.#tail));
      this.#tail += wordsAt(memory, this.#tail);
    }
    Atomics.store(this.#positions, TAIL, this.#tail);
    return punts;
  }
}

function memoryOf(ring: SharedArrayBuffer): PuntMemory {
  return { words: new Int32Array(ring, 4 * MESSAGES), bytes: new Uint8Array(ring, 4 * MESSAGES) };
}
