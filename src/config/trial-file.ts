/**
 * `description.json` in the state directory: the version that is on trial, with what it replaced and whom this router had
 * before it, and the versions that were undone here.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { NAME } from '../net/name.js';
import { codeOf, messageOf } from '../net/system-error.js';
import { MAX_VERSION } from '../tables/files/gndt-file.js';

export const TRIAL_FILE = 'description.json';

/** More than a network has in a year of mistakes; the lowest versions are forgotten first, and are too old anyway. */
export const MOST_UNDONE = 64;
/** As many as a network may have routers. */
const MOST_ROUTERS = 16_384;
/** The end of the year 9999. */
const MOST_WALL_MS = 253_402_300_799_999;

const version = z.int().min(1).max(MAX_VERSION);
const digest = z.string().regex(/^[0-9a-f]{64}$/);
const undoneSchema = z.strictObject({ version, digest, reason: z.string().max(400) });

const trialFileSchema = z.strictObject({
  trial: z
    .strictObject({
      version,
      digest,
      /** Routers that were reached before it. */
      before: z.array(z.string().regex(NAME)).max(MOST_ROUTERS),
      sinceWallMs: z.number().min(0).max(MOST_WALL_MS),
    })
    .nullable(),
  undone: z.array(undoneSchema).max(MOST_UNDONE),
});

export type TrialFile = z.output<typeof trialFileSchema>;
export type UndoneVersion = TrialFile['undone'][number];

export const NO_TRIAL: TrialFile = { trial: null, undone: [] };

/** One that is damaged is as if it were not there: a version that was undone is then perhaps tried once more. */
export function readTrialFile(stateDir: string, warnings: string[]): TrialFile {
  const path = join(stateDir, TRIAL_FILE);
  try {
    return trialFileSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return NO_TRIAL;
    const why = error instanceof z.ZodError ? 'not of its form' : messageOf(error);
    warnings.push(`${path} is not used: ${why}`);
    return NO_TRIAL;
  }
}

export function trialFileText(file: TrialFile): string {
  return `${JSON.stringify(file, null, 2)}\n`;
}
