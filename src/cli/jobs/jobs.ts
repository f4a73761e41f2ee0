/** A courier's jobs beside the moves of the guests that went through it. Pure but for the asking. */
import { z } from 'zod';
import type { MigrationView } from '../../control/api.js';
import { CliError, UNREACHABLE } from '../exit.js';
import type { CourierClient } from './courier-client.js';

/** What is needed here of what a courier says of a job. */
const JOB = z.looseObject({
  job: z.string(),
  role: z.enum(['source', 'destination']),
  peer: z.string(),
  destination: z.string(),
  macs: z.array(z.string()),
  state: z.string(),
  reason: z.string(),
  speaker: z.string().nullable(),
  streamBytes: z.number(),
  wanBytesSent: z.number(),
  wanBytesReceived: z.number(),
  savedPercent: z.number(),
  identical: z.boolean().nullable(),
  startedUnixMs: z.number(),
  switchUnixMs: z.number().nullable(),
  endedUnixMs: z.number().nullable(),
});

export type CourierJob = z.infer<typeof JOB>;

/** A move with the job that carried the guest, a move of a guest that no job carried, or a job without a move. */
export type Entry =
  | { readonly move: MigrationView; readonly job: CourierJob | undefined }
  | { readonly move: undefined; readonly job: CourierJob };

/** A guest that announces nothing is found by its traffic, later than its hypervisor says that it has moved. */
const MOST_BETWEEN_MS = 10 * 60_000;

/** Rejects with {@link CliError}. */
export async function courierJobs(client: CourierClient): Promise<readonly CourierJob[]> {
  const read = z.array(JOB).safeParse(parsed(await client.get('/v1/jobs', 'application/json')));
  if (!read.success)
    throw new CliError(UNREACHABLE, `what answers on ${client.socket} is no vine-courier of this version`);
  // The channels of multifd are jobs beside that of their guest.
  return read.data.filter(({ speaker }) => speaker !== 'multifd');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Which job carried which move: the last one with its MAC that began before it and did not fail, and each job the first move after
 * its beginning. Of moves that nobody asked about (`all` has them) none takes the job of one that was asked about, or the other way.
 */
export function jobsOfMoves(
  all: readonly MigrationView[],
  jobs: readonly CourierJob[],
): ReadonlyMap<string, CourierJob> {
  const found = new Map<string, CourierJob>();
  const taken = new Set<CourierJob>();
  const byStart = [...jobs].sort((a, b) => a.startedUnixMs - b.startedUnixMs);
  for (const move of [...all].sort((a, b) => a.startedUnixMs - b.startedUnixMs)) {
    const job = byStart.findLast((one) => carried(one, move));
    if (job === undefined || taken.has(job)) continue;
    taken.add(job);
    found.set(keyOf(move), job);
  }
  return found;
}

function carried({ macs, state, startedUnixMs, endedUnixMs }: CourierJob, move: MigrationView): boolean {
  const isInTime =
    startedUnixMs <= move.startedUnixMs &&
    (endedUnixMs === null || move.startedUnixMs <= endedUnixMs + MOST_BETWEEN_MS);
  return isInTime && state !== 'failed' && macs.includes(move.mac);
}

function keyOf({ vnet, mac, seq, startedUnixMs }: MigrationView): string {
  return `${vnet} ${mac} ${seq} ${startedUnixMs}`;
}

export function withJobs(
  moves: readonly MigrationView[],
  carriers: ReadonlyMap<string, CourierJob>,
): readonly Extract<Entry, { move: MigrationView }>[] {
  return moves.map((move) => ({ move, job: carriers.get(keyOf(move)) }));
}

/** With the jobs that have no move, by their beginning. */
export function withOthers(
  entries: readonly Entry[],
  jobs: readonly CourierJob[],
  carriers: ReadonlyMap<string, CourierJob>,
): readonly Entry[] {
  const taken = new Set(carriers.values());
  const others = jobs.filter((job) => !taken.has(job)).map((job) => ({ move: undefined, job }));
  return [...entries, ...others].sort((a, b) => startOf(a) - startOf(b));
}

function startOf({ move, job }: Entry): number {
  return move?.startedUnixMs ?? job?.startedUnixMs ?? 0;
}
