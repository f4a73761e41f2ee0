/**
 * The description in the state directory. After a crash at any moment there is a whole one: the record is written before the
 * document that it is about, so that a trial is never forgotten; a record about a document that is not there means nothing.
 */
import { constants } from 'node:fs';
import { copyFile, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DESCRIPTION_FILE, SUCCESSION_FILE } from '../../config/description.js';
import { TRIAL_FILE, trialFileText } from '../../config/trial-file.js';
import type { TrialRecord } from '../../membership/agreement-ports.js';
import type { Description } from '../../membership/description.js';
import { codeOf } from '../../net/system-error.js';
import { replaceFileBeside } from '../state/replace-file.js';

/** What ran before the one on trial, when that was not the configuration directory's. */
const PREVIOUS_FILE = `${DESCRIPTION_FILE}.previous`;
const MODE = 0o600;

export class DescriptionFiles {
  readonly #directory: string;

  constructor(stateDir: string) {
    this.#directory = stateDir;
  }

  /** @param keepsPrevious what is there stays what to go back to: another trial has not ended yet */
  async take({ document }: Description, record: TrialRecord, keepsPrevious: boolean): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    if (!keepsPrevious) await this.#savePrevious();
    await this.keepRecord(record);
    await this.#replace(DESCRIPTION_FILE, document);
  }

  /** The one on trial is set aside as `gndt.json.set-aside-VERSION`, and the one before it is in its place again. */
  async goBack(version: number, record: TrialRecord): Promise<void> {
    await this.keepRecord(record);
    await this.#rename(DESCRIPTION_FILE, `gndt.json.set-aside-${version}`);
    await this.#rename(PREVIOUS_FILE, DESCRIPTION_FILE);
    await this.#sync();
  }

  keepRecord(record: TrialRecord): Promise<void> {
    const { trial, undone } = record;
    const file = {
      trial: trial === null ? null : { ...trial, before: [...trial.before] },
      undone: [...undone],
    };
    return this.#replace(TRIAL_FILE, trialFileText(file));
  }

  keepSuccession(document: Uint8Array): Promise<void> {
    return this.#replace(SUCCESSION_FILE, document);
  }

  async #savePrevious(): Promise<void> {
    const temporary = join(this.#directory, `${PREVIOUS_FILE}.new`);
    try {
      await copyFile(join(this.#directory, DESCRIPTION_FILE), temporary);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      await rm(join(this.#directory, PREVIOUS_FILE), { force: true });
      return;
    }
    const file = await open(temporary, 'r+');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, join(this.#directory, PREVIOUS_FILE));
  }

  async #replace(name: string, content: string | Uint8Array): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const place = { directory: this.#directory, name, temporary: `${name}.new`, mode: MODE };
    await replaceFileBeside(place, [content]);
  }

  /** One that is not there is what the name says already. */
  async #rename(from: string, to: string): Promise<void> {
    try {
      await rename(join(this.#directory, from), join(this.#directory, to));
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
  }

  async #sync(): Promise<void> {
    const directory = await open(this.#directory, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }
}
