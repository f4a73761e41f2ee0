/**
 * `memberships.json` in the state directory: the memberships that this router has taken, its own among them when it has joined
 * with a token. One that is damaged is not used: the other routers have it.
 *
 *     { "version": 1, "sum": "<SHA-256 of the list>", "memberships": [{ "rank": 0, "bytes": "<base64>" }, …] }
 *
 * Signatures were checked when each was taken; the sum finds what disks and editors do.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { decodeMembership, MOST_MEMBERSHIP_BYTES } from '../membership/membership.js';
import { HEARSAY, type HeldMembership, MOST_MEMBERSHIPS } from '../membership/membership-set.js';
import { codeOf, messageOf } from '../net/system-error.js';

export const MEMBERSHIPS_FILE = 'memberships.json';

const VERSION = 1;
const MOST_FILE_BYTES = MOST_MEMBERSHIPS * (2 * MOST_MEMBERSHIP_BYTES + 64);

const entrySchema = z.strictObject({ rank: z.int().min(0).max(HEARSAY), bytes: z.string() });
const fileSchema = z.strictObject({
  version: z.literal(VERSION),
  sum: z.string(),
  memberships: z.array(entrySchema).max(MOST_MEMBERSHIPS),
});

export interface ReadMemberships {
  readonly held: readonly HeldMembership[];
  /** One sentence for the operator when there is a file that cannot be used. */
  readonly problem?: string;
}

export function readMemberships(stateDir: string): ReadMemberships {
  const path = join(stateDir, MEMBERSHIPS_FILE);
  try {
    if (statSync(path).size > MOST_FILE_BYTES) throw new Error(`larger than ${MOST_FILE_BYTES} bytes`);
    return { held: decode(readFileSync(path, 'utf8')) };
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return { held: [] };
    const why = error instanceof z.ZodError ? 'not of its form' : messageOf(error);
    return { held: [], problem: `${path} is not used: ${why}` };
  }
}

function decode(text: string): HeldMembership[] {
  const { sum, memberships } = fileSchema.parse(JSON.parse(text));
  if (sum !== sumOf(memberships)) throw new Error('changed since it was written');
  return memberships.map(({ rank, bytes }) => {
    const membership = decodeMembership(Buffer.from(bytes, 'base64'));
    if (typeof membership === 'string') throw new Error(membership);
    return { membership, rank };
  });
}

/** Blocks until it is on disk. Throws what the system says; the file is then as before. */
export function writeMemberships(stateDir: string, held: readonly HeldMembership[]): void {
  const memberships = held.map(({ membership, rank }) => ({
    rank,
    bytes: Buffer.from(membership.bytes).toString('base64'),
  }));
  const text = `${JSON.stringify({ version: VERSION, sum: sumOf(memberships), memberships })}\n`;
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const path = join(stateDir, MEMBERSHIPS_FILE);
  const file = openSync(`${path}.new`, 'w', 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.new`, path);
  const directory = openSync(stateDir, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

function sumOf(memberships: readonly z.output<typeof entrySchema>[]): string {
  return createHash('sha256').update(JSON.stringify(memberships)).digest('hex');
}
