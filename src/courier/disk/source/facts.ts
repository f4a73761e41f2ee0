/** What an export's clients are told of it. Pure. */
import { type ExportFacts, FLAG } from '../nbd/spec.js';
import { BLOCK_BYTES } from '../record.js';

export const MOST_PAYLOAD_BYTES = 32 * 1024 * 1024;

const FLAGS =
  FLAG.hasFlags |
  FLAG.sendFlush |
  FLAG.sendFua |
  FLAG.sendTrim |
  FLAG.sendWriteZeroes |
  // All connections share the log, and a flush is of all that is in it.
  FLAG.canMultiConn;

/** Size and smallest block are the destination's. */
export function factsOf(sizeBytes: number, minimumBytes: number): ExportFacts {
  const sizes = { minimumBytes, preferredBytes: BLOCK_BYTES, mostPayloadBytes: MOST_PAYLOAD_BYTES };
  return { sizeBytes, flags: FLAGS, ...sizes };
}
