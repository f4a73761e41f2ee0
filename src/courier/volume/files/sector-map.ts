/** Which sectors of a chunk are valid. */
import { SECTORS } from './layout.js';

export const MAP_BYTES = SECTORS / 8;

export interface SectorRun {
  readonly from: number;
  readonly to: number;
  readonly isValid: boolean;
}

/** Of all that are empty: many of a volume's chunks are. */
const NONE = new Uint8Array(MAP_BYTES);

export class SectorMap {
  #bits = NONE;
  private count = 0;

  static empty(): SectorMap {
    return new SectorMap();
  }

  /** @param sectors that the chunk has: all are valid */
  static full(sectors: number): SectorMap {
    const map = SectorMap.empty();
    map.set(0, sectors);
    return map;
  }

  /** A copy of these bits. */
  static of(bits: Uint8Array): SectorMap {
    const map = new SectorMap();
    for (const byte of bits) for (let left = byte; left !== 0; left &= left - 1) map.count++;
    map.#bits = Uint8Array.from(bits);
    return map;
  }

  /** Not to be written to. */
  get bits(): Uint8Array {
    return this.#bits;
  }

  /** How many are valid. */
  get valid(): number {
    return this.count;
  }

  has(sector: number): boolean {
    return ((this.#bits[sector >> 3] ?? 0) & (1 << (sector & 7))) !== 0;
  }

  set(from: number, to: number): void {
    if (this.#bits === NONE) this.#bits = new Uint8Array(MAP_BYTES);
    for (let sector = from; sector < to; sector++)
      if (!this.has(sector)) {
        this.#bits[sector >> 3] = (this.#bits[sector >> 3] ?? 0) | (1 << (sector & 7));
        this.count++;
      }
  }

  clear(from: number, to: number): void {
    for (let sector = from; sector < to; sector++)
      if (this.has(sector)) {
        this.#bits[sector >> 3] = (this.#bits[sector >> 3] ?? 0) & ~(1 << (sector & 7));
        this.count--;
      }
  }

  hasAll(from: number, to: number): boolean {
    for (let sector = from; sector < to; sector++) if (!this.has(sector)) return false;
    return true;
  }

  *runs(from: number, to: number): Generator<SectorRun> {
    for (let start = from; start < to; ) {
      const isValid = this.has(start);
      let end = start + 1;
      while (end < to && this.has(end) === isValid) end++;
      yield { from: start, to: end, isValid };
      start = end;
    }
  }
}
