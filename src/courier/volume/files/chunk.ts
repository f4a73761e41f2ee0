/** One chunk that differs from the base, or may. */
import type { ChunkState } from '../storage.js';
import { SectorMap } from './sector-map.js';

/** What the sectors are that are not in the chunk's slot. `lost`: its content was damaged, and nobody knows. */
export type Under = 'zero' | 'base' | 'awaited' | 'lost';

/** What the journal says of a chunk. */
export interface ChunkFacts {
  readonly under: Under;
  /** Sectors that are in its slot; undefined: all. */
  readonly map: SectorMap | undefined;
  /** It may have been written to since: its content is not known by a digest, and its version may be higher. */
  readonly isOpen: boolean;
  /** In latin1. */
  readonly digest: string | undefined;
  readonly version: number;
  readonly writes: number;
}

export class Chunk implements ChunkState {
  under: Under;
  map: SectorMap | undefined;
  isOpen: boolean;
  /** Of what is in its slot. In an open one: nothing was written to it yet. */
  digest: string | undefined;
  version: number;
  writes: number;
  /** Its content was compared with the digest since the start. */
  isVerified = false;
  isDamaged = false;
  lastWriteMs = 0;
  /** The journal's generation in which it was said last what it is. */
  generation = 0;
  /** It is being said. */
  noting: Promise<void> | undefined;

  constructor(facts: ChunkFacts) {
    this.under = facts.under;
    this.map = facts.map;
    this.isOpen = facts.isOpen;
    this.digest = facts.digest;
    this.version = facts.version;
    this.writes = facts.writes;
  }

  get isAwaited(): boolean {
    return this.under === 'awaited';
  }

  get hasSlot(): boolean {
    return this.map === undefined || this.map.valid > 0;
  }

  /** Some of its content is not known any more. */
  get hasLost(): boolean {
    return this.isDamaged || this.under === 'lost';
  }

  /** The sectors are in the slot from now on. Answers whether that is new. */
  fill(from: number, to: number, sectors: number): boolean {
    if (this.map === undefined || this.map.hasAll(from, to)) return false;
    this.map.set(from, to);
    if (this.map.valid === sectors) this.fillAll();
    return true;
  }

  fillAll(): void {
    this.map = undefined;
    this.under = 'zero';
  }

  /** They are zeroes from now on without being in the slot; only where everything outside the slot is. */
  clear(from: number, to: number, sectors: number): void {
    this.map ??= SectorMap.full(sectors);
    this.map.clear(from, to);
    this.under = 'zero';
  }

  /** Whatever was in the slot is forgotten. */
  empty(under: Under): void {
    this.under = under;
    this.map = SectorMap.empty();
    this.digest = undefined;
    this.isOpen = false;
    this.isDamaged = false;
    this.isVerified = false;
  }
}
