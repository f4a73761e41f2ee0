/**
 * zstd's level by what the processor leaves: lower when batches wait for a thread, higher when they wait for the WAN.
 * Pure.
 */
/** Lower ones are hardly faster. */
const LEAST = 3;
const MOST = 6;
const START = 5;
/** So many batches in one direction before the level changes. */
const PATIENCE = 8;

export class Level {
  #level = START;
  #balance = 0;

  get value(): number {
    return this.#level;
  }

  /** What the next batch waits for. */
  waitedFor(what: 'compression' | 'wan'): void {
    this.#balance += what === 'wan' ? 1 : -1;
    if (Math.abs(this.#balance) < PATIENCE) return;
    this.#level = Math.min(MOST, Math.max(LEAST, this.#level + Math.sign(this.#balance)));
    this.#balance = 0;
  }
}
