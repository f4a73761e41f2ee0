/**
 * Frames between two couriers, on one TCP connection for each stream: u8 type, be32 length, that many bytes. The courier
 * that calls has the source, the one that listens has the destination.
 */
import { DISK_FRAMES } from './disk-frames.js';
import { MOST_ANSWER_BYTES, MOST_INSTRUCTION_BYTES, MOST_WANTED } from './limits.js';

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
  back: { type: 9, least: 1, most: 64 * 1024 },
  'back-end': { type: 10, least: 0, most: 0 },
  finish: { type: 11, least: 40, most: 40 },
  finished: { type: 12, least: 40, most: 40 },
  /** Why the job has ended before its end: text for people. */
  fail: { type: 13, least: 0, most: 1024 },
  alive: { type: 14, least: 0, most: 0 },
  /** A batch has come, whatever becomes of it: be32 serial. The WAN is measured by it. */
  got: { type: 15, least: 4, most: 4 },
  ...DISK_FRAMES,
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
  const { type, least, most } = FRAMES[name];
  if (length < least || length > most) throw new RangeError(`${name} frame of ${length} bytes`);
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head[0] = type;
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, ...parts]);
}

/** Puts frames together from the pieces that come. After the first reason nothing more is taken. */
export class FrameReader {
  #pieces: Buffer[] = [];
  #bytes = 0;
  #refused: string | undefined;

  /** The frames that are whole now, or why there will be none. */
  push(piece: Buffer): readonly Frame[] | string {
    if (this.#refused !== undefined) return this.#refused;
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    const frames: Frame[] = [];
    for (;;) {
      const frame = this.#next();
      if (frame === undefined) return frames;
      if (typeof frame !== 'string') frames.push(frame);
      else {
        this.#refused = frame;
        this.#pieces = [];
        // What came whole before it counts; the reason comes with the next piece, or at once.
        return frames.length > 0 ? frames : frame;
      }
    }
  }

  /** Why nothing more is taken. */
  get refused(): string | undefined {
    return this.#refused;
  }

  #next(): Frame | string | undefined {
    if (this.#bytes < FRAME_HEAD_BYTES) return undefined;
    const head = this.#first(FRAME_HEAD_BYTES);
    const name = BY_TYPE.get(head[0] ?? 0);
    if (name === undefined) return `frame of unknown type ${head[0]}`;
    const length = head.readUInt32BE(1);
    const { least, most } = FRAMES[name];
    if (length < least || length > most) return `${name} frame of ${length} bytes`;
    if (this.#bytes < FRAME_HEAD_BYTES + length) return undefined;
    const all = this.#first(FRAME_HEAD_BYTES + length);
    const rest = all.subarray(FRAME_HEAD_BYTES + length);
    this.#pieces = rest.length > 0 ? [rest] : [];
    this.#bytes = rest.length;
    return { name, payload: all.subarray(FRAME_HEAD_BYTES, FRAME_HEAD_BYTES + length) };
  }

  /** The first piece, made at least so long. */
  #first(length: number): Buffer {
    const [first] = this.#pieces;
    if (first !== undefined && first.length >= length && this.#pieces.length === 1) return first;
    const joined = Buffer.concat(this.#pieces);
    this.#pieces = [joined];
    return joined;
  }
}
