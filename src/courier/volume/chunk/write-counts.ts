/**
 * How often the chunks of a volume were written to of late: each count is halved now and then, so that what has become quiet counts as
 * such again. Pure.
 */
export interface WrittenRange {
  readonly from: number;
  readonly to: number;
}

interface Count {
  writes: number;
  /** Where the last write has ended, in bytes of the volume. */
  end: number | undefined;
}

export class WriteCounts {
  readonly #counts = new Map<number, Count>();

  /** @param range in bytes of the volume, where it is known: one who writes from the beginning to the end has written once */
  wrote(chunk: number, range?: WrittenRange): void {
    const count = this.#counts.get(chunk) ?? { writes: 0, end: undefined };
    this.#counts.set(chunk, count);
    if (range === undefined || range.from !== count.end || count.writes === 0) count.writes++;
    count.end = range?.to;
  }

  of(chunk: number): number {
    return this.#counts.get(chunk)?.writes ?? 0;
  }

  /** Half of each, rounded down. */
  halve(): void {
    for (const [chunk, count] of this.#counts) {
      count.writes >>= 1;
      if (count.writes === 0) this.#counts.delete(chunk);
    }
  }
}
