/**
 * The list of visiting machines for the site's DHCP server (`mobility.dhcp.ignoreFile`), kept in step with the directory.
 * Written beside everything else, when moves are over; a write that fails is told and tried again.
 */
import { basename, dirname } from 'node:path';
import { ignoreList } from '../../config/ignore-list.js';
import type { Clock, Timer } from '../../net/clock.js';
import { messageOf } from '../../net/system-error.js';
import type { DhcpIgnore } from '../../tables/model.js';
import type { EventHub } from '../view/event-hub.js';
import type { LocalRecords } from './local-records.js';
import { replaceFileBeside } from './replace-file.js';

/** What a move has to say on the wires goes first, and the moves that follow at once come with it. */
const DELAY_MS = 20;
const RETRY_MS = 5_000;
/** Others read it: servers run under users of their own. It has nothing that the LAN does not know. */
const MODE = 0o644;

export interface IgnoreFileOptions {
  readonly clock: Clock;
  readonly local: Pick<LocalRecords, 'visiting' | 'subscribe'>;
  readonly hub: Pick<EventHub, 'emit'>;
}

export class IgnoreFile {
  readonly #options: IgnoreFileOptions;
  #target: DhcpIgnore | undefined;
  /** What is in the file; undefined: not known. */
  #written: string | undefined;
  #problem: string | undefined;
  #timer: Timer | undefined;
  #writing: Promise<void> | undefined;
  readonly #unsubscribe: () => void;

  constructor(options: IgnoreFileOptions) {
    this.#options = options;
    this.#unsubscribe = options.local.subscribe(() => this.#soon(DELAY_MS));
  }

  /** From now on the list is kept there; undefined: nowhere. A file of before stays as it is. */
  configure(target: DhcpIgnore | undefined): void {
    if (target?.file === this.#target?.file && target?.format === this.#target?.format) return;
    this.#target = target;
    this.#written = undefined;
    this.#problem = undefined;
    this.#soon(0);
  }

  warnings(): readonly string[] {
    return this.#problem === undefined ? [] : [this.#problem];
  }

  /** What is to be written is. */
  async stop(): Promise<void> {
    this.#unsubscribe();
    this.#cancel();
    await this.#writing;
    await this.#write();
    // Nothing is tried again any more.
    this.#target = undefined;
    this.#cancel();
  }

  #cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #soon(delayMs: number): void {
    if (this.#target === undefined || this.#timer !== undefined) return;
    this.#timer = this.#options.clock.after('ignore file', delayMs, () => {
      this.#timer = undefined;
      // One write at a time; what has changed meanwhile follows it.
      if (this.#writing !== undefined) this.#soon(DELAY_MS);
      else
        this.#writing = this.#write().finally(() => {
          this.#writing = undefined;
        });
    });
  }

  async #write(): Promise<void> {
    const target = this.#target;
    if (target === undefined) return;
    const macs = [...this.#options.local.visiting()].map(({ mac }) => mac);
    const text = ignoreList(macs, target.format);
    if (text === this.#written) return;
    const name = basename(target.file);
    try {
      // A name that begins with a dot is not read by a server that reads the whole directory.
      const file = { directory: dirname(target.file), name, temporary: `.${name}.new`, mode: MODE };
      await replaceFileBeside(file, [text]);
      if (target !== this.#target) return;
      this.#written = text;
      this.#problem = undefined;
    } catch (error) {
      if (target !== this.#target) return;
      const reason = messageOf(error);
      if (this.#problem === undefined)
        this.#options.hub.emit(
          'error',
          'ignore_file_failed',
          'the list for the DHCP server could not be written',
          {
            file: target.file,
            reason,
          },
        );
      this.#problem = `${target.file} could not be written: ${reason}`;
      this.#soon(RETRY_MS);
    }
  }
}
