/** Which chunks there are. */
import type { DestinationPhase } from '../chunk/destination.js';
import type { Remaining } from '../chunk/says.js';
import type { VolumeStorage } from '../storage.js';

/** Those that a range of bytes touches. */
export function* chunksOf(offset: number, length: number, chunkBytes: number): Generator<number> {
  if (length === 0) return;
  const last = Math.floor((offset + length - 1) / chunkBytes);
  for (let chunk = Math.floor(offset / chunkBytes); chunk <= last; chunk++) yield chunk;
}

/** What is here. Of what comes, a chunk whose content is not known any more is not: it comes again. */
export function* statesOf(
  { modified }: Pick<VolumeStorage, 'modified'>,
  phase: DestinationPhase,
): Generator<Remaining & { readonly isAwaited: boolean }> {
  for (const [chunk, { version, writes, isAwaited, hasLost }] of modified)
    if (phase !== 'receiving' || !hasLost) yield { chunk, version, writes, isAwaited };
}
