/**
 * Where log lines go: a file descriptor whose reader may be slow, or stand still. A line is taken at once and written
 * behind everything else; nobody waits for it but the end of the process. Writing in place costs 3 µs a line while the
 * reader keeps up, and holds the control thread for as long as it does not.
 */
import { write, writeSync } from 'node:fs';
import type { Clock } from '../net/clock.js';

/** Lines that wait for a reader that stands still: some thousands; what comes then is lost, and counted. */
const LIMIT_BYTES = 1 << 20;
const PER_WRITE_BYTES = 1 << 16;
/** Until a pipe that is full and does not block is tried again. */
const FULL_RETRY_MS = 20;

export class LogStream {
  readonly #fd: number;
  readonly #clock: Pick<Clock, 'after'>;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #isWriting = false;
  #whenIdle: (() => void)[] = [];
  #lost = 0;

  constructor(fd: number, clock: Pick<Clock, 'after'>) {
    this.#fd = fd;
    this.#clock = clock;
  }

  /** Lines that came when too many waited, or that could not be written. */
  get lost(): number {
    return this.#lost;
  }

  /** @param line with its line feed */
  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#waitingBytes + bytes.length > LIMIT_BYTES) {
      this.#lost++;
      return;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (!this.#isWriting) this.#writeNext();
  }

  /** Settles when nothing waits any more. */
  idle(): Promise<void> {
    if (!this.#isWriting) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  /** What waits, at once, as far as that goes without waiting: for a process that is being ended from elsewhere. */
  writeNow(): void {
    const rest = Buffer.concat(this.#take(Number.POSITIVE_INFINITY));
    try {
      if (rest.length > 0) writeSync(this.#fd, rest);
    } catch {
      // It is full or closed: the process ends all the same.
    }
  }

  #writeNext(): void {
    const lines = this.#take(PER_WRITE_BYTES);
    this.#isWriting = lines.length > 0;
    if (this.#isWriting) {
      this.#write(Buffer.concat(lines), lines.length);
      return;
    }
    for (const settle of this.#whenIdle.splice(0)) settle();
  }

  #write(bytes: Buffer, lines: number): void {
    write(this.#fd, bytes, (error, written) => {
      if (error?.code === 'EAGAIN') {
        this.#clock.after('log', FULL_RETRY_MS, () => this.#write(bytes, lines));
      } else if (error === null && written < bytes.length) {
        this.#write(bytes.subarray(written), lines);
      } else {
        if (error !== null) this.#lost += lines;
        this.#writeNext();
      }
    });
  }

  #take(bytes: number): Buffer[] {
    let count = 0;
    for (let sum = 0; count < this.#waiting.length && sum < bytes; count++) {
      sum += this.#waiting[count]?.length ?? 0;
    }
    const taken = this.#waiting.splice(0, count);
    for (const { length } of taken) this.#waitingBytes -= length;
    return taken;
  }
}
