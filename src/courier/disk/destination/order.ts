/**
 * Which records the destination may work on at once: it may do them in any order, so none that touches what another one
 * under way touches, and a flush only when all before it are done. Pure.
 */
import type { DiskRecord } from '../record.js';

export interface Numbered {
  readonly number: number;
  readonly record: DiskRecord;
}

const MOST_UNDER_WAY = 32;

export class ApplyOrder {
  #waiting: Numbered[] = [];
  readonly #underWay = new Map<number, DiskRecord>();
  /** Done, while one before them is not. */
  readonly #early = new Set<number>();
  #taken = 0;
  #done = 0;
  #bytes = 0;

  /** The last record that came; all up to it are known here. */
  get taken(): number {
    return this.#taken;
  }

  /** The last record that is done with all before it. */
  get done(): number {
    return this.#done;
  }

  /** Data that waits or is under way. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Records that wait or are under way. */
  get count(): number {
    return this.#waiting.length + this.#underWay.size;
  }

  get isQuiet(): boolean {
    return this.#underWay.size === 0;
  }

  take(record: DiskRecord): void {
    this.#waiting.push({ number: ++this.#taken, record });
    this.#bytes += record.data?.length ?? 0;
  }

  /** The next that may begin, which is under way from now on. */
  next(): Numbered | undefined {
    const [first] = this.#waiting;
    if (first === undefined || this.#underWay.size >= MOST_UNDER_WAY || this.#mustWait(first.record))
      return undefined;
    this.#waiting.shift();
    this.#underWay.set(first.number, first.record);
    return first;
  }

  finished(number: number): void {
    const record = this.#underWay.get(number);
    if (record === undefined) return;
    this.#underWay.delete(number);
    this.#bytes -= record.data?.length ?? 0;
    this.#early.add(number);
    while (this.#early.delete(this.#done + 1)) this.#done++;
  }

  /** Nothing that waits will begin. */
  abandon(): void {
    this.#waiting = [];
  }

  #mustWait(record: DiskRecord): boolean {
    if (record.kind === 'flush') return this.#underWay.size > 0;
    for (const other of this.#underWay.values()) if (touch(record, other)) return true;
    return false;
  }
}

/** Two reads may overlap. */
function touch(a: DiskRecord, b: DiskRecord): boolean {
  if (a.kind === 'read' && b.kind === 'read') return false;
  return a.offset < b.offset + b.length && b.offset < a.offset + a.length;
}
