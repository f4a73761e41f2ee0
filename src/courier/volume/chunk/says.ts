/** What source and destination of a moving volume say to each other, besides what is in its chunks. */

/** Versions are lower: whoever has one can still raise it, after each crash by 2^32, as often as it may crash. */
export const VERSIONS_END = 2 ** 51;

export interface ChunkVersion {
  readonly chunk: number;
  readonly version: number;
}

/** Of a chunk whose newest content the destination does not have. */
export interface Remaining extends ChunkVersion {
  /** Since the move has begun. */
  readonly writes: number;
}

export type SourceSays =
  /** Control does not move now. */
  | { readonly say: 'not-yet'; readonly why: string }
  /** Control has moved, for ever. The same answer however often it is asked for. */
  | { readonly say: 'given'; readonly remaining: readonly Remaining[] }
  /** There is no such move any more: nothing of it counts. */
  | { readonly say: 'abandoned' }
  /** It has heard that it is not needed. */
  | { readonly say: 'released' };

export type DestinationSays =
  /** What is durable here, while control has not moved. The first on each connection; before it nothing is pushed. */
  | { readonly say: 'have'; readonly chunks: readonly ChunkVersion[] }
  /** What was pushed is durable. */
  | { readonly say: 'ack'; readonly chunks: readonly ChunkVersion[] }
  | { readonly say: 'ask' }
  /** Control has come; so many chunks are not here yet. */
  | { readonly say: 'pulling'; readonly remaining: number }
  | { readonly say: 'pull'; readonly chunk: number; readonly isUrgent: boolean }
  /** The source is not needed any more. */
  | { readonly say: 'finished' }
  /** Nothing is here of a move that was abandoned. */
  | { readonly say: 'forgotten' }
  /** The move cannot go on here; nothing of it is left. */
  | { readonly say: 'refused'; readonly why: string };
