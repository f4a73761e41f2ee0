/** A file of what a router must not forget over a restart, and when and how it is written and read. */
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
  statSync,
  writeFileSync,
} from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Timer } from '../../net/clock.js';
import { codeOf, messageOf } from '../../net/system-error.js';
import { replaceFileBeside } from './replace-file.js';

/** A move is written when its messages are out, and the moves that follow at once with it. */
const MOVE_DELAY_MS = 20;
/** A change that is no move is on disk within a second, the write itself included. */
const WRITE_DELAY_MS = 500;
/** After a failed write (disk full), for as long as it takes. */
const RETRY_DELAY_MS = 5000;

/** What is in a file, and how. */
export interface StateForm<Entry> {
  /** Its name in the state directory. */
  readonly file: string;
  /** More than that is read by nobody. */
  readonly mostBytes?: number;
  /** In parts, each made when it is taken: what comes of a move must not wait for all. */
  encode(entries: Iterable<Entry>): Iterable<string>;
  decode(text: string): Decoded<Entry>;
}

export interface Decoded<Entry> {
  readonly records: readonly Entry[];
  /** What is wrong with the text; undefined when nothing is. */
  readonly damage: string | undefined;
}

export interface LoadedState<Entry> {
  /** All that could be read. */
  readonly records: readonly Entry[];
  /** One sentence for the operator when something was wrong; the file as it was is then kept under another name. */
  readonly problem?: string;
}

type Snapshot<Entry> = () => Iterable<Entry>;

interface Pending<Entry> {
  readonly timer: Timer;
  readonly dueMs: number;
  readonly snapshot: Snapshot<Entry>;
}

/**
 * A file in the state directory (made with mode 0700 when it is missing). While the router serves, writing
 * goes on beside it: one write takes 5 to 15 ms, mostly waiting for the disk, and fifty moves in a second must not wait
 * for fifty of them. Changes during a write are together in the next one. No method throws for what the disk does.
 */
export class StateStore<Entry> {
  readonly #directory: string;
  readonly #form: StateForm<Entry>;
  readonly #clock: Clock;
  readonly #onError: (message: string) => void;
  #pending: Pending<Entry> | undefined;
  #writing: Promise<void> | undefined;
  /** Writes that were begun; an older one does not replace what a newer one has written. */
  #lastWrite = 0;

  /** @param onError is told of every write that failed; it is tried again after 5 s */
  constructor(directory: string, form: StateForm<Entry>, clock: Clock, onError: (message: string) => void) {
    this.#directory = directory;
    this.#form = form;
    this.#clock = clock;
    this.#onError = onError;
  }

  get path(): string {
    return join(this.#directory, this.#form.file);
  }

  load(): LoadedState<Entry> {
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    } catch (error) {
      return { records: [], problem: `cannot make ${this.#directory}: ${messageOf(error)}` };
    }
    let text: string;
    try {
      const { mostBytes = Number.POSITIVE_INFINITY } = this.#form;
      const { size } = statSync(this.path);
      if (size > mostBytes) return this.#damaged([], `${size} bytes, more than it ever has`);
      text = readFileSync(this.path, 'utf8');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return { records: [] };
      return { records: [], problem: `${messageOf(error)}; ${this.#putAside([])}` };
    }
    const { records, damage } = this.#form.decode(text);
    return damage === undefined ? { records } : this.#damaged(records, damage);
  }

  #damaged(records: readonly Entry[], damage: string): LoadedState<Entry> {
    return { records, problem: `${this.path} is damaged (${damage}); ${this.#putAside(records)}` };
  }

  /** Writes at once, and blocks; for start and stop. A write that was scheduled is thereby done. */
  save(records: Iterable<Entry>): void {
    const kept = [...records];
    this.#cancel();
    this.#lastWrite++;
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      replaceFile(this.#directory, this.#form.file, [...this.#form.encode(kept)].join(''));
    } catch (error) {
      this.#failed(() => kept, error);
    }
  }

  /** Writes beside everything else, in a moment, what `snapshot` then returns. */
  saveSoon(snapshot: Snapshot<Entry>): void {
    this.#writeAfter(MOVE_DELAY_MS, snapshot);
  }

  /** Writes within a second, or after that delay, what `snapshot` then returns. Calls in the meantime add nothing. */
  schedule(snapshot: Snapshot<Entry>, delayMs = WRITE_DELAY_MS): void {
    this.#writeAfter(delayMs, snapshot);
  }

  /** Settles when no write is under way. */
  async idle(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  /** The earlier of two times counts, and the later snapshot. */
  #writeAfter(delayMs: number, snapshot: Snapshot<Entry>): void {
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

  async #writeBeside(snapshot: Snapshot<Entry>): Promise<void> {
    const write = ++this.#lastWrite;
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      const { file: name } = this.#form;
      const parts = this.#form.encode(snapshot());
      const file = { directory: this.#directory, name, temporary: `${name}.new`, mode: 0o600 };
      await replaceFileBeside(file, parts, () => write === this.#lastWrite);
    } catch (error) {
      this.#failed(snapshot, error);
    }
  }

  #failed(snapshot: Snapshot<Entry>, error: unknown): void {
    this.#writeAfter(RETRY_DELAY_MS, snapshot);
    this.#onError(`cannot write ${this.path}: ${messageOf(error)}`);
  }

  /** Keeps the damaged file under a second name and puts what is good of it in its place. Says what it did. */
  #putAside(good: readonly Entry[]): string {
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
