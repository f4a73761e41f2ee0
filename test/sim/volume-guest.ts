/**
 * What a guest may find in its volume: each sector's values since the last flush that has ended, the last of them now, any of them after a
 * power cut.
 */
import assert from 'node:assert/strict';
import { CHUNKS, SECTORS } from './volume-storage.js';

interface Written {
  /** More than one: nobody knows which; a read finds it out. */
  values: Set<number>;
  readonly at: number;
}

interface Sector {
  /** Oldest first. */
  written: Written[];
  /** Being written. */
  coming: number | undefined;
}

export class Shadow {
  readonly #sectors: Sector[] = Array.from({ length: CHUNKS * SECTORS }, () => ({
    written: [{ values: new Set([0]), at: 0 }],
    coming: undefined,
  }));
  #now = 0;
  reads = 0;

  isBusy(chunk: number, sector: number): boolean {
    return this.#at(chunk, sector).coming !== undefined;
  }

  writeBegins(chunk: number, sector: number, value: number): void {
    this.#at(chunk, sector).coming = value;
  }

  writeEnds(chunk: number, sector: number): void {
    const one = this.#at(chunk, sector);
    assert.ok(one.coming !== undefined, 'a write that was not begun has ended');
    one.written.push({ values: new Set([one.coming]), at: ++this.#now });
    one.coming = undefined;
  }

  /** It has been answered with an error before anything was done. */
  writeRefused(chunk: number, sector: number): void {
    this.#at(chunk, sector).coming = undefined;
  }

  flushBegins(): number {
    return this.#now;
  }

  flushEnds(token: number): void {
    for (const one of this.#sectors) {
      const last = one.written.findLastIndex(({ at }) => at <= token);
      one.written.splice(0, Math.max(last, 0));
    }
  }

  /** Who served it was killed: what was being written may have been, or not. */
  killed(): void {
    for (const one of this.#sectors) {
      if (one.coming === undefined) continue;
      const values = new Set([...(one.written.at(-1)?.values ?? []), one.coming]);
      one.written.push({ values, at: ++this.#now });
      one.coming = undefined;
    }
  }

  /** What was not flushed may be lost. */
  powerCut(): void {
    for (const one of this.#sectors) {
      const values = new Set(one.written.flatMap((written) => [...written.values]));
      one.written = [{ values, at: ++this.#now }];
    }
  }

  /** A read, or what is found in the end. */
  found(chunk: number, sector: number, value: number, where: string): void {
    const one = this.#at(chunk, sector);
    const last = one.written.at(-1);
    const may = [...(last?.values ?? []), ...(one.coming === undefined ? [] : [one.coming])];
    assert.ok(
      may.includes(value),
      `${where}: sector ${chunk}.${sector} is ${value}, not ${may.join(' or ')}`,
    );
    this.reads++;
    if (one.coming === undefined && last !== undefined) last.values = new Set([value]);
  }

  #at(chunk: number, sector: number): Sector {
    const found = this.#sectors[chunk * SECTORS + sector];
    if (found === undefined) throw new RangeError(`sector ${chunk}.${sector}`);
    return found;
  }
}
