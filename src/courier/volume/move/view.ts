/** What operators see of a volume's move. */
import { bytes } from '../../../net/sizes.js';
import type { VolumeStorage } from '../storage.js';
import type { ComingVolume } from './coming.js';
import type { GoingVolume } from './going.js';

export interface MoveView {
  readonly role: 'source' | 'destination';
  readonly session: string;
  /** The courier that it goes to; of one that comes the beginning of the other store's name. */
  readonly peer: string;
  /** pushing, given, released, abandoned; receiving, pulling, done, forgetting. */
  readonly state: string;
  /** Why it was given up; empty otherwise. */
  readonly reason: string;
  /** Why nothing goes on at the moment; empty: it does, or there is nothing to do. */
  readonly whyStalled: string;
  /** Chunks: that differ from the base, that the other side has (or has sent), that it has not. */
  readonly modified: number;
  readonly pushed: number;
  readonly remaining: number;
  /** "depends on A: 312 chunks"; null: it does not. */
  readonly depends: string | null;
  /** Of chunks, over the last ten seconds, before deduplication and compression. */
  readonly bytesPerSecond: number;
  /** Until nothing remains at this rate; null: nobody knows. */
  readonly secondsLeft: number | null;
  readonly wanBytesSent: number;
  readonly wanBytesReceived: number;
}

export function viewOf(
  storage: Pick<VolumeStorage, 'modified' | 'chunkBytes'>,
  going: GoingVolume | undefined,
  coming: ComingVolume | undefined,
): MoveView | undefined {
  if (coming !== undefined) return comingView(storage, coming);
  return going === undefined ? undefined : goingView(storage, going);
}

function goingView({ chunkBytes }: Pick<VolumeStorage, 'chunkBytes'>, going: GoingVolume): MoveView {
  const { source, record, rate, wan } = going;
  const { modified, remaining, phase } = source;
  const isNeeded = phase === 'given';
  return {
    ...{ role: 'source', session: record.session, peer: record.peer, state: phase, reason: record.why },
    whyStalled: phase === 'released' ? '' : going.whyStalled,
    ...{ modified, pushed: modified - remaining, remaining },
    depends: isNeeded
      ? `${record.name} at ${record.peer} depends on this courier: ${remaining} chunks`
      : null,
    ...timeOf(remaining, chunkBytes, rate.bytesPerSecond),
    ...{ wanBytesSent: wan.sent, wanBytesReceived: wan.received },
  };
}

function comingView(
  { modified, chunkBytes }: Pick<VolumeStorage, 'modified' | 'chunkBytes'>,
  coming: ComingVolume,
): MoveView {
  const { machine, record, rate, wan } = coming;
  const { phase, remaining, received } = machine;
  const peer = record.store.slice(0, 8);
  return {
    ...{ role: 'destination', session: record.session, peer, state: phase, reason: '' },
    whyStalled: coming.whyStalled,
    modified: modified.size,
    pushed: phase === 'receiving' ? received : modified.size - remaining,
    remaining,
    depends: phase === 'pulling' ? `depends on ${peer}: ${remaining} chunks` : null,
    ...timeOf(remaining, chunkBytes, rate.bytesPerSecond),
    ...{ wanBytesSent: wan.sent, wanBytesReceived: wan.received },
  };
}

function timeOf(
  remaining: number,
  chunkBytes: number,
  bytesPerSecond: number,
): Pick<MoveView, 'bytesPerSecond' | 'secondsLeft'> {
  const secondsLeft = bytesPerSecond === 0 ? null : Math.ceil((remaining * chunkBytes) / bytesPerSecond);
  return { bytesPerSecond: Math.round(bytesPerSecond), secondsLeft: remaining === 0 ? 0 : secondsLeft };
}

/** One line for people. */
export function moveLine(name: string, view: MoveView): string {
  const said = [
    `${name} ${view.role === 'source' ? 'to' : 'from'} ${view.peer}: ${view.state}`,
    view.reason !== '' && `(${view.reason})`,
    view.whyStalled !== '' && `(${view.whyStalled})`,
    `${view.modified} chunks modified, ${view.pushed} there, ${view.remaining} remain`,
    `${bytes(view.bytesPerSecond)}/s`,
    view.secondsLeft !== null && view.remaining > 0 && `${view.secondsLeft} s left`,
    `${bytes(view.wanBytesSent + view.wanBytesReceived)} on the WAN`,
    view.depends,
  ];
  return said
    .filter((part) => part !== false && part !== null)
    .join(', ')
    .replaceAll(', (', ' (');
}
