/**
 * Which chunks of a volume that moves are to be pushed, and in which order: oldest write first, and none that is written to often. A push
 * counts only if the chunk has not changed since it was read, and the destination has said that it is durable there. Pure.
 *
 * Nothing is pushed that a crash of this host could take back: a chunk waits for a flush after its last write.
 */
import type { ChunkVersion, Remaining } from './says.js';
import type { WriteCounts, WrittenRange } from './write-counts.js';

interface Info {
  version: number;
  /** Writes under way. */
  pending: number;
  /** The moment of the last write's end. */
  endedAt: number;
}

/** A moment at which a flush has begun. */
export type FlushToken = number;

export class PushOrder {
  readonly #chunks = new Map<number, Info>();
  /** Not at the destination as they are here; by their last writes, oldest first. */
  #remaining = new Set<number>();
  /** Those of them that may be pushed, in the same order. */
  #cold = new Set<number>();
  /** Sent in this version, and not acknowledged. */
  readonly #inFlight = new Map<number, number>();
  #pending = 0;
  #now = 0;
  #endedAt = 0;
  #flushedAt: FlushToken = -1;
  #threshold: number;

  constructor(
    threshold: number,
    chunks: Iterable<ChunkVersion>,
    private readonly counts: WriteCounts,
  ) {
    this.#threshold = threshold;
    for (const { chunk, version } of chunks) this.#chunks.set(chunk, { version, pending: 0, endedAt: 0 });
    this.#remaining = new Set(this.#chunks.keys());
  }

  get modified(): number {
    return this.#chunks.size;
  }

  get remaining(): number {
    return this.#remaining.size;
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** With the highest versions and all counts. */
  remainingSet(): readonly Remaining[] {
    return [...this.#remaining].flatMap((chunk) => {
      const info = this.#chunks.get(chunk);
      return info === undefined ? [] : [{ chunk, version: info.version, writes: this.counts.of(chunk) }];
    });
  }

  /** Chunks that are written to often may be pushed, too: nobody writes any more. */
  pushAll(): void {
    if (this.#threshold === Number.POSITIVE_INFINITY) return;
    this.#threshold = Number.POSITIVE_INFINITY;
    this.#fill();
  }

  /** The counts are others: what was written to often may be quiet by now. */
  counted(): void {
    this.#fill();
  }

  /** @param range in bytes of the volume, where it is known */
  writeBegins(chunk: number, range?: WrittenRange): void {
    const info = this.#chunks.get(chunk) ?? { version: -1, pending: 0, endedAt: 0 };
    this.#chunks.set(chunk, info);
    info.pending++;
    this.counts.wrote(chunk, range);
    this.#pending++;
    this.#remaining.delete(chunk);
    this.#remaining.add(chunk);
    this.#cold.delete(chunk);
    if (this.#isCold(chunk)) this.#cold.add(chunk);
  }

  /** @param version that it has now; undefined: it does not differ from the base, the write has failed */
  writeEnds(chunk: number, version: number | undefined): void {
    const info = this.#chunks.get(chunk);
    if (info === undefined) throw new RangeError(`chunk ${chunk} is not written to`);
    info.pending--;
    this.#pending--;
    this.#endedAt = info.endedAt = ++this.#now;
    if (version !== undefined) info.version = version;
    else if (info.pending === 0 && info.version === -1) this.#forget(chunk);
  }

  flushBegins(): FlushToken {
    return ++this.#now;
  }

  flushEnds(token: FlushToken): void {
    this.#flushedAt = Math.max(this.#flushedAt, token);
  }

  /** Nothing was written since that flush has begun, and nothing is being written. */
  isQuietSince(token: FlushToken): boolean {
    return this.#pending === 0 && this.#endedAt <= token;
  }

  /** Begins anew with what the destination has. Text: why that cannot be the same volume. */
  has(chunks: readonly ChunkVersion[]): string | undefined {
    const there = new Map(chunks.map(({ chunk, version }) => [chunk, version]));
    for (const [chunk, version] of there) {
      const here = this.#chunks.get(chunk)?.version;
      if (here === undefined) return `chunk ${chunk} was never written to here, and the other site has one`;
      if (here < version) return `chunk ${chunk} is newer at the other site`;
    }
    const changed = [...this.#chunks].filter(
      ([chunk, { version, pending }]) => pending > 0 || there.get(chunk) !== version,
    );
    const differing = new Set(changed.map(([chunk]) => chunk));
    // What remained keeps its place: that is the order of the writes.
    const kept = [...this.#remaining].filter((chunk) => differing.has(chunk));
    this.#remaining = new Set([...kept, ...differing]);
    this.#inFlight.clear();
    this.#fill();
    return undefined;
  }

  /** The connection is gone, and with it what was on its way. */
  lost(): void {
    this.#inFlight.clear();
    this.#cold.clear();
  }

  /** The next one to be read and sent, in the version that it has before it is read. It counts as sent. */
  next(): ChunkVersion | undefined {
    const first = this.#first();
    if (first === undefined || first.info.endedAt >= this.#flushedAt) return undefined;
    const { chunk, info } = first;
    this.#cold.delete(chunk);
    this.#inFlight.set(chunk, info.version);
    return { chunk, version: info.version };
  }

  /** The next one could be pushed if it were durable here. */
  get wantsFlush(): boolean {
    const first = this.#first();
    return first !== undefined && first.info.endedAt >= this.#flushedAt;
  }

  /** It could not be read. It remains, and is tried again when it was written to, or after `has`. */
  failed({ chunk, version }: ChunkVersion): void {
    if (this.#inFlight.get(chunk) === version) this.#inFlight.delete(chunk);
  }

  /** Durable there in this version. */
  acked({ chunk, version }: ChunkVersion): void {
    if (this.#inFlight.get(chunk) === version) this.#inFlight.delete(chunk);
    const info = this.#chunks.get(chunk);
    if (info === undefined) return;
    if (info.pending === 0 && info.version === version) {
      this.#remaining.delete(chunk);
      this.#cold.delete(chunk);
    } else this.#offer(chunk);
  }

  #first(): { readonly chunk: number; readonly info: Info } | undefined {
    for (const chunk of this.#cold) {
      const info = this.#chunks.get(chunk);
      if (info !== undefined && info.pending === 0 && !this.#inFlight.has(chunk)) return { chunk, info };
    }
    return undefined;
  }

  #offer(chunk: number): void {
    if (this.#remaining.has(chunk) && this.#isCold(chunk)) this.#cold.add(chunk);
  }

  #isCold(chunk: number): boolean {
    return this.counts.of(chunk) < this.#threshold;
  }

  #fill(): void {
    this.#cold.clear();
    for (const chunk of this.#remaining) if (!this.#inFlight.has(chunk)) this.#offer(chunk);
  }

  #forget(chunk: number): void {
    this.#chunks.delete(chunk);
    this.#remaining.delete(chunk);
    this.#cold.delete(chunk);
  }
}
