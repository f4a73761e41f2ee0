/** `vinectl migrations`: each move with what happened when, and the courier's job that carried the guest. */
import type { MigrationView } from '../../control/api.js';
import { age, bytes, milliseconds, time } from '../../control/units.js';
import type { CourierJob, Entry } from '../jobs/jobs.js';
import { clean, type Look } from './text.js';

const VERDICT_STYLES = { claiming: 'yellow', accepted: 'green', refused: 'red', undone: 'red' } as const;

export function showMigrations(moves: readonly MigrationView[], look: Look): string {
  return showEntries(
    moves.map((move) => ({ move, job: undefined })),
    look,
  );
}

export function showEntries(entries: readonly Entry[], look: Look): string {
  if (entries.length === 0) return `${look.paint('dim', 'no moves')}\n`;
  return entries
    .map(({ move, job }) => (move === undefined ? showJob(job, look) : showMigration(move, look, job)))
    .join('\n');
}

export function showMigration(move: MigrationView, { paint, nowMs }: Look, job?: CourierJob): string {
  const verdict =
    paint(VERDICT_STYLES[move.verdict], move.verdict) + (move.reason && `: ${clean(move.reason)}`);
  const path = clean(`${move.from ?? 'unknown'} -> ${move.to}`);
  return [
    `${paint('bold', clean(move.ips.join(', ')))}  ${path}  ${verdict}\n`,
    clean(
      `  mac ${move.mac}, vnet ${move.vnet}, seq ${move.seq}, trigger ${move.trigger}, seen as ${move.role}`,
    ),
    `\n  ${time(move.startedAt)}, ${age(move.startedAt, nowMs)}\n`,
    job === undefined
      ? ''
      : `  courier: ${clean(`${job.destination} ${whereTo(job)}, ${whatCameOf(job)}`)}\n`,
    timeLine([...stepsOf(job, move), ...move.steps]),
    standstill(move, job),
    blackout(move),
  ].join('');
}

/** One that no move goes with: it is on its way, has failed, or nobody knows whose it is. */
function showJob(job: CourierJob, { paint, nowMs }: Look): string {
  const { destination, macs, state, reason } = job;
  const style = state === 'failed' ? 'red' : state === 'complete' ? 'green' : 'yellow';
  const began = new Date(job.startedUnixMs).toISOString();
  const why =
    macs.length === 0
      ? 'no MAC is known of it: "mac" in the courier’s "send", or "vinectl courier send --mac"'
      : `mac ${macs.join(', ')}`;
  return [
    `${paint('bold', clean(destination))}  ${clean(whereTo(job))}  ${paint(style, clean(state))}`,
    `${reason && `: ${clean(reason)}`}, no move\n`,
    `  ${clean(why)}\n`,
    `  ${time(began)}, ${age(began, nowMs)}\n`,
    `  courier: ${clean(amountsOf(job))}\n`,
  ].join('');
}

function whereTo({ role, peer }: CourierJob): string {
  // At the destination the other courier is known by its store alone.
  return role === 'source' ? `to ${peer}` : 'comes here';
}

function whatCameOf(job: CourierJob): string {
  const { state, identical } = job;
  return `${state}${identical === true ? ' (same bytes at both ends)' : ''}, ${amountsOf(job)}`;
}

function amountsOf({ streamBytes, wanBytesSent, wanBytesReceived, savedPercent }: CourierJob): string {
  return `${bytes(streamBytes)} of memory and state, ${bytes(wanBytesSent + wanBytesReceived)} on the WAN, ${savedPercent} % saved`;
}

/** Of the job, in the move's time. */
function stepsOf(job: CourierJob | undefined, { startedUnixMs }: MigrationView): MigrationView['steps'] {
  if (job === undefined) return [];
  const times = [
    ['transfer_begins', job.startedUnixMs],
    // There it has waited for the WAN already.
    [job.role === 'source' ? 'switch' : 'last_state_comes', job.switchUnixMs],
    ['transfer_ends', job.endedUnixMs],
  ] as const;
  return times.flatMap(([step, atMs]) =>
    atMs === null ? [] : [{ step, atUs: Math.round((atMs - startedUnixMs) * 1_000) }],
  );
}

function timeLine(steps: MigrationView['steps']): string {
  const inOrder = [...steps].sort((a, b) => a.atUs - b.atUs);
  const times = inOrder.map(({ atUs }) => `${atUs < 0 ? '' : '+'}${milliseconds(atUs)}`);
  const width = Math.max(0, ...times.map((text) => text.length));
  return inOrder.map(({ step }, i) => `  ${times[i]?.padStart(width)} ms  ${clean(step)}\n`).join('');
}

/** Where the guest left: from the switch, as the courier saw it, until the router was told that it is elsewhere. */
function standstill({ startedUnixMs }: MigrationView, job: CourierJob | undefined): string {
  if (job?.role !== 'source' || job.switchUnixMs === null) return '';
  const us = Math.round((startedUnixMs - job.switchUnixMs) * 1_000);
  return us < 0
    ? ''
    : `  the guest's pause, until this router heard of it elsewhere: ${milliseconds(us)} ms\n`;
}

function blackout({ blackoutUs }: MigrationView): string {
  if (blackoutUs === null) return '';
  return `  estimated blackout, without the hypervisor's pause: ${milliseconds(blackoutUs)} ms\n`;
}
