/** What couriers may say to each other, in numbers. Whatever passes one ends the connection. */
import { MIB } from '../../net/sizes.js';
import { PAGE_BYTES } from '../stream/token.js';

export const PROTOCOL_VERSION = 2;

/** A batch is closed before its instructions, or the stream that they stand for, are longer. */
export const MOST_INSTRUCTION_BYTES = 256 * 1024;
export const MOST_BATCH_BYTES = 512 * 1024;
/** Part of a batch that came from the hypervisor in one piece; a batch has room for one more when it is not full. */
export const MOST_PIECE_BYTES = 64 * 1024;

/**
 * What may be on its way, as bytes of the stream: it is kept at the sender until the destination has it. A destination that is slow
 * is felt at the source when so much waits for it.
 */
export const MOST_UNACKED_BYTES = 8 * MIB;
/** The receiver allows for what the sender counts otherwise. */
export const MOST_UNWRITTEN_BYTES = 2 * MOST_UNACKED_BYTES;

/** Each batch takes memory beside its bytes, at both ends: a destination that is slow stops a stream of tiny ones, too. */
export const MOST_UNACKED_BATCHES = 1024;
export const MOST_UNWRITTEN_BATCHES = 2 * MOST_UNACKED_BATCHES;

export const MOST_WANTED = 1024;
/** In one frame of the answer. */
export const PAGES_PER_ANSWER = 64;
export const MOST_ANSWER_BYTES = PAGES_PER_ANSWER * PAGE_BYTES;

/** What a destination says back is a few bytes: this much waits for a WAN, or a source, that does not take it. */
export const MOST_BACK_BYTES = 4 * MIB;
/** In one frame. */
export const MOST_BACK_PIECE_BYTES = 64 * 1024;

/** Of one guest. */
export const MOST_MACS = 16;
