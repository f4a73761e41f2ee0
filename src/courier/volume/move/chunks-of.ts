/** The chunks that a range of bytes touches. */
export function* chunksOf(offset: number, length: number, chunkBytes: number): Generator<number> {
  if (length === 0) return;
  const last = Math.floor((offset + length - 1) / chunkBytes);
  for (let chunk = Math.floor(offset / chunkBytes); chunk <= last; chunk++) yield chunk;
}
