/**
 * The records that a session has taken and the other side has not done yet: sent once, and again from where a new connection
 * begins. Pure.
 */
import type { DiskRecord } from '../record.js';

/** What an entry takes besides its data. */
const ENTRY_BYTES = 256;

export class RecordLog {
  /** In order; the first has the number `#done + 1`. */
  #entries: DiskRecord[] = [];
  #done = 0;
  #sent = 0;
  #bytes = 0;
  #unsentBytes = 0;

  /** What it takes in memory. */
  get bytes(): number {
    return this.#bytes;
  }

  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  /** The numbers of the last record that is done, was sent, was taken. */
  get done(): number {
    return this.#done;
  }

  get sent(): number {
    return this.#sent;
  }

  get last(): number {
    return this.#done + this.#entries.length;
  }

  /** Its number. */
  append(record: DiskRecord): number {
    this.#entries.push(record);
    this.#bytes += sizeOf(record);
    this.#unsentBytes += sizeOf(record);
    return this.last;
  }

  /** The next to be sent, which counts as sent from now on. */
  next(): DiskRecord | undefined {
    const record = this.#entries[this.#sent - this.#done];
    if (record === undefined) return undefined;
    this.#sent++;
    this.#unsentBytes -= sizeOf(record);
    return record;
  }

  /** All up to `number` are done. False: that was not sent, or was done before. */
  setDone(number: number): boolean {
    if (number < this.#done || number > this.#sent) return false;
    for (const record of this.#entries.splice(0, number - this.#done)) this.#bytes -= sizeOf(record);
    this.#done = number;
    return true;
  }

  /** Sending goes on behind `number`. How many bytes of data are sent again by that; undefined: it was never sent, or is gone. */
  rewind(number: number): number | undefined {
    if (number < this.#done || number > this.#sent) return undefined;
    const again = this.#entries.slice(number - this.#done, this.#sent - this.#done);
    this.#sent = number;
    for (const record of again) this.#unsentBytes += sizeOf(record);
    return again.reduce((sum, { data }) => sum + (data?.length ?? 0), 0);
  }
}

function sizeOf({ data }: DiskRecord): number {
  return ENTRY_BYTES + (data?.length ?? 0);
}
