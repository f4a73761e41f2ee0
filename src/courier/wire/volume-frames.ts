/** Frames that only volumes have (src/courier/volume/move). What is in their chunks goes in batches, as a guest's memory does. */

/** Entries in one frame; a longer list goes in several. */
export const MOST_ENTRIES = 4096;
export const HAVE_BYTES = 12;
export const REMAINING_BYTES = 16;
const MOST_TEXT = 512;

export const VOLUME_FRAMES = {
  /** JSON. Caller, who has the volume, to listener: which one comes, and which session; and the answer. */
  'volume-open': { type: 48, least: 2, most: 4096 },
  'volume-opened': { type: 49, least: 2, most: 4096 },
  /** Chunks that are durable at the destination: u8 1 when the list ends; be32 chunk, be64 version each. */
  'volume-have': { type: 50, least: 1, most: 1 + MOST_ENTRIES * HAVE_BYTES },
  'volume-ack': { type: 51, least: 1, most: 1 + MOST_ENTRIES * HAVE_BYTES },
  /** For control, and why it is not given: text for people. */
  'volume-ask': { type: 52, least: 0, most: 0 },
  'volume-not-yet': { type: 53, least: 0, most: MOST_TEXT },
  /** Control, and what remains: u8 1 when the list ends; be32 chunk, be64 version, be32 writes each. */
  'volume-given': { type: 54, least: 1, most: 1 + MOST_ENTRIES * REMAINING_BYTES },
  /** be32 chunk, u8 1 when a read waits for it. */
  'volume-pull': { type: 55, least: 5, most: 5 },
  /** Control has come; be32 chunks that have not. */
  'volume-pulling': { type: 56, least: 4, most: 4 },
  /** The source is not needed any more; and its answer. */
  'volume-finished': { type: 57, least: 0, most: 0 },
  'volume-released': { type: 58, least: 0, most: 0 },
  /** The move is given up; and the answer. */
  'volume-abandoned': { type: 59, least: 0, most: 0 },
  'volume-forgotten': { type: 60, least: 0, most: 0 },
  /** The same by the destination: text for people. */
  'volume-refused': { type: 61, least: 0, most: MOST_TEXT },
  /** Before control has come: be64 number, be64 offset, be32 length. */
  'volume-read': { type: 62, least: 20, most: 20 },
} as const;
