/** What a router must not forget over a restart: its own directory records, visitors and departed nodes included. */
import {
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, messageOf } from '../../config/system-error.js';
import type { Clock, Timer } from '../../net/clock.js';
import type { SavedRecord } from '../../tables/directory.js';
import { decodeState, encodeState, encodeStateParts } from './state-file.js';

const FILE = 'directory.json';

/** A move is written when its messages are out, and the moves that follow at once with it. */
const MOVE_DELAY_MS = 20;
/** A change that is no move is on disk within a second, the write itself included. */
const WRITE_DELAY_MS = 500;
/** After a failed write (disk full), for as long as it takes. */
const RETRY_DELAY_MS = 5000;

export interface LoadedState {
  /** All that could be read. */
  readonly records: readonly SavedRecord[];
  /** One sentence for the operator when something was wrong; the file as it was is then kept under another name. */
  readonly problem?: string;
}

type Snapshot = () => Iterable<SavedRecord>;

interface Pending {
  readonly timer: Timer;
  readonly dueMs: number;
  readonly snapshot: Snapshot;
}

/**
 * `directory.json` in the state directory (made with mode 0700 when it is missing). While the router serves, writing
 * goes on beside it: one write takes 5 to 15 ms, mostly waiting for the disk, and fifty moves in a second must not wait
 * for fifty of them. Changes during a write are together in the next one. No method throws for what the disk does.
 */
export class StateStore {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #onError: (message: string) => void;
  #pending: Pending | undefined;
  #writing: Promise<void> | undefined;
  /** Writes that were begun; an older one does not replace what a newer one has written. */
  #lastWrite = 0;

  /** @param onError is told of every write that failed; it is tried again after 5 s */
  constructor(directory: string, clock: Clock, onError: (message: string) => void) {
    this.#directory = directory;
    this.#clock = clock;
    this.#onError = onError;
  }

  get path(): string {
    return join(this.#directory, FILE);
  }

  load(): LoadedState {
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    } catch (error) {
      return { records: [], problem: `cannot make ${this.#directory}: ${messageOf(error)}` };
    }
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return { records: [] };
      return { records: [], problem: `${messageOf(error)}; ${this.#putAside([])}` };
    }
    const { records, damage } = decodeState(text);
    if (damage === undefined) return { records };
    return { records, problem: `${this.path} is damaged (${damage}); ${this.#putAside(records)}` };
  }

  /** Writes at once, and blocks; for start and stop. A write that was scheduled is thereby done. */
  save(records: Iterable<SavedRecord>): void {
    const kept = [...records];
    this.#cancel();
    this.#lastWrite++;
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      replaceFile(this.#directory, FILE, encodeState(kept));
    } catch (error) {
      this.#failed(() => kept, error);
    }
  }

  /** Writes beside everything else, in a moment, what `snapshot` then returns. */
  saveSoon(snapshot: Snapshot): void {
    this.#writeAfter(MOVE_DELAY_MS, snapshot);
  }

  /** Writes within a second what `snapshot` then returns. Calls in the meantime add nothing. */
  schedule(snapshot: Snapshot): void {
    this.#writeAfter(WRITE_DELAY_MS, snapshot);
  }

  /** Settles when no write is under way. */
  async idle(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  /** The earlier of two times counts, and the later snapshot. */
  #writeAfter(delayMs: number, snapshot: Snapshot): void {
    const dueMs = this.#clock.nowMs() + delayMs;
    if (this.#pending !== undefined && this.#pending.dueMs <= dueMs) {
      this.#pending = { ...this.#pending, snapshot };
      return;
    }
    this.#cancel();
    const timer = this.#clock.after('state write', delayMs, () => this.#start());
    this.#pending = { timer, dueMs, snapshot };
  }

  #cancel(): void {
    this.#pending?.timer.cancel();
    this.#pending = undefined;
  }

  /** One write at a time: what is pending during it follows it. */
  #start(): void {
    const pending = this.#pending;
    if (pending === undefined || this.#writing !== undefined) return;
    this.#pending = undefined;
    this.#writing = this.#writeBeside(pending.snapshot).finally(() => {
      this.#writing = undefined;
      if (this.#pending !== undefined && this.#pending.dueMs <= this.#clock.nowMs()) this.#start();
    });
  }

  async #writeBeside(snapshot: Snapshot): Promise<void> {
    const write = ++this.#lastWrite;
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      const parts = encodeStateParts(snapshot());
      await replaceFileBeside(this.#directory, FILE, parts, () => write === this.#lastWrite);
    } catch (error) {
      this.#failed(snapshot, error);
    }
  }

  #failed(snapshot: Snapshot, error: unknown): void {
    this.#writeAfter(RETRY_DELAY_MS, snapshot);
    this.#onError(`cannot write ${this.path}: ${messageOf(error)}`);
  }

  /** Keeps the damaged file under a second name and puts what is good of it in its place. Says what it did. */
  #putAside(good: readonly SavedRecord[]): string {
    const aside = unusedName(`${this.path}.corrupt-${Math.floor(this.#clock.wallMs())}`);
    try {
      if (good.length === 0) renameSync(this.path, aside);
      else linkSync(this.path, aside);
    } catch (error) {
      return `it could not be put aside: ${messageOf(error)}`;
    }
    if (good.length > 0) this.save(good);
    return `put aside as ${aside}, going on with ${good.length} of its records`;
  }
}

/** A file that was put aside before is never written over. */
function unusedName(name: string): string {
  let candidate = name;
  for (let i = 1; existsSync(candidate); i++) candidate = `${name}-${i}`;
  return candidate;
}

/** After a crash at any moment the file is the old one or the new one, whole. */
function replaceFile(directory: string, name: string, text: string): void {
  const temporary = join(directory, `${name}.tmp`);
  const file = openSync(temporary, 'w', 0o600);
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, join(directory, name));
  const parent = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(parent); // the new name itself
  } finally {
    closeSync(parent);
  }
}

/**
 * The same without blocking, under a temporary name of its own. Parts are made one at a time, each when the one before is
 * written. @param isLast asked before the file is replaced
 */
async function replaceFileBeside(
  directory: string,
  name: string,
  parts: Iterable<string>,
  isLast: () => boolean,
): Promise<void> {
  const temporary = join(directory, `${name}.new`);
  const file = await open(temporary, 'w', 0o600);
  try {
    for (const part of parts) await file.writeFile(part);
    await file.sync();
  } finally {
    await file.close();
  }
  if (!isLast()) return;
  await rename(temporary, join(directory, name));
  const parent = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await parent.sync(); // the new name itself
  } finally {
    await parent.close();
  }
}
