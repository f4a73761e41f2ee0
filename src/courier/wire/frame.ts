/**
 * Frames between two couriers, on one TCP connection for each stream: u8 type, be32 length, that many bytes. The courier
 * that calls has the source, the one that listens has the destination.
 */
import { DISK_FRAMES } from './disk-frames.js';
import { MOST_ANSWER_BYTES, MOST_BACK_PIECE_BYTES, MOST_INSTRUCTION_BYTES, MOST_WANTED } from './limits.js';
import { VOLUME_FRAMES } from './volume-frames.js';

export const FRAME_HEAD_BYTES = 5;
/** What compression may add to bytes that do not compress. */
const COMPRESSION_SLACK = 4096;

interface FrameRule {
  readonly type: number;
  readonly least: number;
  readonly most: number;
}

/** Types are never used again for another meaning. */
export const FRAMES = {
  hello: { type: 1, least: 43, most: 43 },
  proof: { type: 2, least: 32, most: 32 },
  /** JSON. Caller to listener: what comes; and the answer. */
  open: { type: 3, least: 2, most: 4096 },
  opened: { type: 4, least: 2, most: 4096 },
  batch: { type: 5, least: 30, most: 30 + MOST_INSTRUCTION_BYTES + COMPRESSION_SLACK },
  /** All up to this batch has been written to the destination: be32 serial. */
  ack: { type: 6, least: 4, most: 4 },
  want: { type: 7, least: 20, most: 4 + 16 * MOST_WANTED },
  pages: { type: 8, least: 9, most: 9 + MOST_ANSWER_BYTES + COMPRESSION_SLACK },
  /** What the destination says to the source. */
  back: { type: 9, least: 1, most: MOST_BACK_PIECE_BYTES },
  'back-end': { type: 10, least: 0, most: 0 },
  finish: { type: 11, least: 40, most: 40 },
  finished: { type: 12, least: 40, most: 40 },
  /** Why the job has ended before its end: text for people. */
  fail: { type: 13, least: 0, most: 1024 },
  alive: { type: 14, least: 0, most: 0 },
  /** A batch has come, whatever becomes of it: be32 serial. The WAN is measured by it. */
  got: { type: 15, least: 4, most: 4 },
  ...DISK_FRAMES,
  ...VOLUME_FRAMES,
} as const satisfies Record<string, FrameRule>;

export type FrameName = keyof typeof FRAMES;

export interface Frame {
  readonly name: FrameName;
  readonly payload: Buffer;
}

const BY_TYPE = new Map<number, FrameName>(
  (Object.keys(FRAMES) as FrameName[]).map((name) => [FRAMES[name].type, name]),
);

/** Throws when there is more in it than the frame may have: a fault of the caller. */
export function frameOf(name: FrameName, ...parts: readonly Uint8Array[]): Buffer {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([frameHead(name, length), ...parts]);
}

/** Of a frame whose content, so many bytes, is written behind it. Throws as `frameOf`. */
export function frameHead(name: FrameName, length: number): Buffer {
  const { type, least, most } = FRAMES[name];
  if (length < least || length > most) throw new RangeError(`${name} frame of ${length} bytes`);
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head[0] = type;
  head.writeUInt32BE(length, 1);
  return head;
}

/** A frame whose head has come. */
interface Begun {
  readonly name: FrameName;
  readonly length: number;
  /** Made when the payload does not come in one piece: each byte is copied once, into what will be handed on. */
  payload: Buffer | undefined;
  filled: number;
}

/**
 * Puts frames together from the pieces that come. A payload that is in one piece is a view of it. What is kept of a frame that has only
 * begun is no more than the frame may have. After the first reason nothing more is taken.
 */
export class FrameReader {
  readonly #head = Buffer.alloc(FRAME_HEAD_BYTES);
  #headBytes = 0;
  #begun: Begun | undefined;
  #refused: string | undefined;

  /** The frames that are whole now, or why there will be none. */
  push(piece: Buffer): readonly Frame[] | string {
    if (this.#refused !== undefined) return this.#refused;
    const frames: Frame[] = [];
    let rest = piece;
    do {
      if (this.#begun === undefined) rest = this.#readHead(rest);
      const frame = this.#begun && this.#fill(this.#begun, rest);
      if (frame === undefined) break;
      frames.push({ name: frame.name, payload: frame.payload });
      rest = frame.rest;
    } while (rest.length > 0);
    // What came whole before it counts; the reason comes with the next piece, or at once.
    return frames.length > 0 || this.#refused === undefined ? frames : this.#refused;
  }

  /** Why nothing more is taken. */
  get refused(): string | undefined {
    return this.#refused;
  }

  /** Answers what is behind the head. */
  #readHead(piece: Buffer): Buffer {
    const taken = piece.copy(this.#head, this.#headBytes);
    this.#headBytes += taken;
    if (this.#headBytes < FRAME_HEAD_BYTES) return piece.subarray(taken);
    this.#headBytes = 0;
    const name = BY_TYPE.get(this.#head[0] ?? 0);
    const length = this.#head.readUInt32BE(1);
    if (name === undefined) this.#refused = `frame of unknown type ${this.#head[0]}`;
    else if (length < FRAMES[name].least || length > FRAMES[name].most)
      this.#refused = `${name} frame of ${length} bytes`;
    else this.#begun = { name, length, payload: undefined, filled: 0 };
    return piece.subarray(taken);
  }

  /** Undefined: it is not whole yet, and has taken all of the piece. */
  #fill(begun: Begun, piece: Buffer): (Frame & { readonly rest: Buffer }) | undefined {
    const wanted = begun.length - begun.filled;
    const rest = piece.subarray(wanted);
    if (begun.payload === undefined && piece.length >= wanted) {
      this.#begun = undefined;
      return { name: begun.name, payload: piece.subarray(0, wanted), rest };
    }
    begun.payload ??= Buffer.allocUnsafeSlow(begun.length);
    begun.filled += piece.copy(begun.payload, begun.filled, 0, wanted);
    if (begun.filled < begun.length) return undefined;
    this.#begun = undefined;
    return { name: begun.name, payload: begun.payload, rest };
  }
}
