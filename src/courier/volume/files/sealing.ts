/** Chunks that nobody has written to for a while get their digest, some at a time, when the disk and the processor have nothing else. */
import type { Clock, Timer } from '../../../net/clock.js';
import type { Chunk } from './chunk.js';
import type { Contents } from './contents.js';
import type { Journal } from './journal.js';
import type { Ranges } from './ranges.js';
import { encodeState } from './records.js';

const EVERY_MS = 2_000;
export const QUIET_MS = 10_000;
/** In one round: 16 MiB. */
const MOST_SEALED = 64;
const MOST_LOOKED_AT = 4_096;

interface SealingOptions {
  readonly chunks: ReadonlyMap<number, Chunk>;
  readonly contents: Contents;
  readonly journal: Journal;
  readonly ranges: Ranges;
  readonly clock: Clock;
  flush(): Promise<void>;
  /** Of the journal. */
  shorten(): Promise<void>;
}

export class Sealing {
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #chunks: Iterator<[number, Chunk]> | undefined;
  #isStopped = false;

  constructor(private readonly options: SealingOptions) {}

  start(): void {
    this.#timer = this.options.clock.after('volume-seal', EVERY_MS, () => {
      // What goes wrong is tried again, and flushes say so.
      this.#running = this.round().catch(() => undefined);
      void this.#running.then(() => this.#isStopped || this.start());
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#running;
  }

  /** Rejects with the system's error. */
  async round(): Promise<void> {
    const { contents, chunks, journal, ranges } = this.options;
    await this.options.shorten();
    const found: { index: number; chunk: Chunk; version: number; digest: string | undefined }[] = [];
    for (const [index, chunk] of this.#quiet()) {
      const { version } = chunk;
      const digest = chunk.hasSlot ? (chunk.digest ?? (await contents.digest(index, chunk))) : undefined;
      found.push({ index, chunk, version, digest });
      if (this.#isStopped) return;
    }
    if (found.length === 0) return;
    // A digest that is durable is of data that is.
    await this.options.flush();
    const sealed = found.filter(({ index, chunk, version }) => {
      const isSame = chunks.get(index) === chunk && chunk.version === version && chunk.isOpen;
      return isSame && !ranges.isBusy(index);
    });
    const records = sealed.map(({ index, chunk, digest }) => {
      if (chunk.digest === undefined) chunk.isVerified = true;
      chunk.digest = digest;
      chunk.isOpen = false;
      return encodeState(index, chunk, false);
    });
    if (records.length > 0) await journal.append(Buffer.concat(records));
  }

  /** Goes on where it was the last time. */
  #quiet(): [number, Chunk][] {
    const { chunks, ranges, clock } = this.options;
    const now = clock.nowMs();
    const quiet: [number, Chunk][] = [];
    for (let looked = 0; looked < MOST_LOOKED_AT && quiet.length < MOST_SEALED; looked++) {
      this.#chunks ??= chunks.entries();
      const next = this.#chunks.next();
      if (next.done === true) {
        this.#chunks = undefined;
        break;
      }
      const [index, chunk] = next.value;
      const isQuiet = chunk.isOpen && now - chunk.lastWriteMs >= QUIET_MS && !ranges.isBusy(index);
      if (isQuiet && !chunk.isAwaited && !chunk.hasLost) quiet.push([index, chunk]);
    }
    return quiet;
  }
}
