/** What a volume keeps of its move, and how it is read again: what is not as expected is an error, never a guess. */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { MOVE_KEY, type VolumeRecord, type VolumeStorage } from '../storage.js';

const NAMED = z.string();
const RANDOM = z.string().regex(/^[0-9a-f]{32}$/);
const COUNT = z.int().min(0);

const GOING = z.strictObject({
  role: z.literal('source'),
  session: RANDOM,
  peer: NAMED,
  /** Of the volume there. */
  name: NAMED,
  phase: z.enum(['pushing', 'given', 'released', 'abandoned']),
  why: z.string(),
  threshold: COUNT,
  /** Null: control moves whatever remains. */
  completeFirst: COUNT.nullable(),
});

const COMING = z.strictObject({
  role: z.literal('destination'),
  session: RANDOM,
  /** The store of the courier that it comes from. */
  store: RANDOM,
  phase: z.enum(['receiving', 'pulling', 'done', 'forgetting']),
  isAsked: z.boolean(),
});

const MOVE = z.discriminatedUnion('role', [GOING, COMING]);
const FINISHED = z.array(RANDOM).max(64);

export type GoingRecord = z.infer<typeof GOING>;
export type ComingRecord = z.infer<typeof COMING>;

export const VOLUME_KEY = 'volume';
export const FINISHED_KEY = 'finished';
/** True: a move from here was given up, and the volume stays. */
export const HERE_KEY = 'here';
/** Sessions that are remembered as finished. */
export const MOST_FINISHED = 16;

export interface MoveRecords {
  readonly move: GoingRecord | ComingRecord | undefined;
  /** Of the volume since its first move. */
  readonly volume: string | undefined;
  readonly finished: readonly string[];
}

/** That all has come with that session: where it came from may have to be told of that later. */
export async function keepFinished(
  storage: Pick<VolumeStorage, 'records' | 'keep'>,
  session: string,
): Promise<void> {
  const { finished } = readRecords(storage);
  if (!finished.includes(session))
    await storage.keep(FINISHED_KEY, [...finished, session].slice(-MOST_FINISHED));
}

/** @param isHere it has not left: perhaps without a chunk that differs from the base, and nothing else says so then */
export async function forgetMove(storage: Pick<VolumeStorage, 'keep'>, isHere: boolean): Promise<void> {
  if (isHere) await storage.keep(HERE_KEY, true);
  await storage.keep(MOVE_KEY, undefined);
}

/** Of a session, or a volume. */
export function randomName(): string {
  return randomBytes(16).toString('hex');
}

/** Throws where they are damaged. */
export function readRecords({ records }: Pick<VolumeStorage, 'records'>): MoveRecords {
  return {
    move: read(MOVE.optional(), MOVE_KEY, records),
    volume: read(RANDOM.optional(), VOLUME_KEY, records),
    finished: read(FINISHED.optional(), FINISHED_KEY, records) ?? [],
  };
}

function read<Value>(
  schema: z.ZodType<Value>,
  key: string,
  records: ReadonlyMap<string, VolumeRecord>,
): Value {
  const found = schema.safeParse(records.get(key));
  if (found.success) return found.data;
  throw new Error(`its record of ${key} is not one: ${found.error.issues[0]?.path.join('.') || 'damaged'}`);
}
