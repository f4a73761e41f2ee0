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
import { join } from 'node:path';
import { codeOf, messageOf } from '../config/system-error.js';
import type { Clock, Timer } from '../net/clock.js';
import type { SavedRecord } from '../tables/directory.js';
import { decodeState, encodeState } from './state-file.js';

const FILE = 'directory.json';

/** A change is on disk within a second, the write itself included. */
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

/**
 * `directory.json` in the state directory (made with mode 0700 when it is missing). Reading and writing are
 * synchronous: a move is on disk before its claim is answered. No method throws for what the disk does.
 */
export class StateStore {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #onError: (message: string) => void;
  #pending: { readonly timer: Timer; readonly snapshot: Snapshot } | undefined;

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

  /** Writes at once; a write that was scheduled is thereby done. */
  save(records: Iterable<SavedRecord>): void {
    const kept = [...records];
    this.#write(() => kept);
  }

  /** Writes within a second what `snapshot` then returns. Calls in the meantime add nothing. */
  schedule(snapshot: Snapshot): void {
    if (this.#pending === undefined) this.#writeAfter(WRITE_DELAY_MS, snapshot);
    else this.#pending = { timer: this.#pending.timer, snapshot };
  }

  /** Writes now what is scheduled, if anything is; nothing is written later. For an orderly stop. */
  close(): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    this.#write(pending.snapshot);
    this.#cancel();
  }

  #writeAfter(delayMs: number, snapshot: Snapshot): void {
    const timer = this.#clock.after('state write', delayMs, () => {
      const pending = this.#pending;
      if (pending !== undefined) this.#write(pending.snapshot);
    });
    this.#pending = { timer, snapshot };
  }

  #cancel(): void {
    this.#pending?.timer.cancel();
    this.#pending = undefined;
  }

  #write(snapshot: Snapshot): void {
    this.#cancel();
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      replaceFile(this.#directory, FILE, encodeState(snapshot()));
    } catch (error) {
      this.#writeAfter(RETRY_DELAY_MS, snapshot);
      this.#onError(`cannot write ${this.path}: ${messageOf(error)}`);
    }
  }

  /** Keeps the damaged file under a second name and puts what is good of it in its place. Says what it did. */
  #putAside(good: readonly SavedRecord[]): string {
    const aside = unusedName(`${this.path}.corrupt-${this.#clock.wallMs()}`);
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
