/** What operators see of a disk, and what all disks of a courier share. */
import type { Clock } from '../../net/clock.js';
import type { DeclaredCounters } from '../../net/counters.js';
import { bytes } from '../../net/sizes.js';
import type { PageStore } from '../store/page-store.js';

export const DISK_COUNTERS = {
  disks_begun: 'event',
  disks_complete: 'event',
  /** Ended before their end, from whatever side. */
  disks_failed: 'drop',
  disks_refused: 'drop',
  /** The WAN was cut, or the other courier was gone, and the session went on. */
  disks_resumed: 'event',
  /** Requests of NBD clients that were refused: out of range, unknown. */
  disk_requests_refused: 'drop',
  /** Clients that do not speak NBD, or were too many. */
  disk_clients_refused: 'drop',
  /** Of disks' streams: see the counters of jobs for those of memory. */
  disk_bytes_written: 'event',
  disk_bytes_zeroed: 'event',
  disk_bytes_trimmed: 'event',
  disk_bytes_read: 'event',
  disk_bytes_sent_again: 'event',
  disk_flushes: 'event',
  disk_pages_sent: 'event',
  disk_pages_referenced: 'event',
  disk_pages_asked_for: 'event',
  disk_batches_not_the_stream: 'drop',
  disk_wan_bytes_sent: 'event',
  disk_wan_bytes_received: 'event',
} as const;

export type DiskState = 'connecting' | 'running' | 'stalled' | 'finishing' | 'complete' | 'failed';

/** Bytes of the disk. */
export interface DiskCounts {
  /** Data as it was written, and what of it was found to be zeroes or was written as such. */
  bytesWritten: number;
  bytesZeroed: number;
  bytesTrimmed: number;
  bytesRead: number;
  /** Sent a second time because the connection was lost. */
  bytesSentAgain: number;
  flushes: number;
  pages: number;
  pagesNew: number;
  pagesReferenced: number;
  pagesAskedFor: number;
  instructionBytes: number;
}

export interface DiskView extends Readonly<DiskCounts> {
  readonly session: string;
  readonly role: 'source' | 'destination';
  readonly peer: string;
  readonly destination: string;
  readonly owner: string;
  readonly state: DiskState;
  /** Why it failed; empty otherwise. */
  readonly reason: string;
  /** Why nothing goes on at the moment; empty: it does, or there is nothing to do. */
  readonly whyStalled: string;
  readonly codec: string;
  /** Null before the destination was reached. */
  readonly sizeBytes: number | null;
  /** Taken from the source, and not at the destination yet. */
  readonly bytesWaiting: number;
  /** In both directions with all that couriers say, over all connections. */
  readonly wanBytesSent: number;
  readonly wanBytesReceived: number;
  /** How often the session went on after its connection was lost. */
  readonly resumed: number;
  readonly startedAt: string;
  readonly seconds: number;
}

/** What a disk is given by its courier. */
export interface DiskWorld {
  readonly store: PageStore;
  readonly clock: Clock;
  readonly counters: DeclaredCounters<typeof DISK_COUNTERS>;
  /** Another stream has sent the page, and does not know yet that it has arrived. */
  isOnItsWay(key: string, except: object): boolean;
}

export function noCounts(): DiskCounts {
  return {
    ...{ bytesWritten: 0, bytesZeroed: 0, bytesTrimmed: 0, bytesRead: 0, bytesSentAgain: 0, flushes: 0 },
    ...{ pages: 0, pagesNew: 0, pagesReferenced: 0, pagesAskedFor: 0, instructionBytes: 0 },
  };
}

export function isOver({ state }: { readonly state: DiskState }): boolean {
  return state === 'complete' || state === 'failed';
}

type CountedOfDisk = Extract<
  keyof typeof DISK_COUNTERS,
  `disk_${'bytes' | 'pages' | 'wan' | 'flushes'}${string}`
>;

/** What a disk adds to the courier's counters. */
export function countsOf(view: DiskView): Readonly<Record<CountedOfDisk, number>> {
  return {
    disk_bytes_written: view.bytesWritten,
    disk_bytes_zeroed: view.bytesZeroed,
    disk_bytes_trimmed: view.bytesTrimmed,
    disk_bytes_read: view.bytesRead,
    disk_bytes_sent_again: view.bytesSentAgain,
    disk_flushes: view.flushes,
    disk_pages_sent: view.pagesNew,
    disk_pages_referenced: view.pagesReferenced,
    disk_pages_asked_for: view.pagesAskedFor,
    disk_wan_bytes_sent: view.wanBytesSent,
    disk_wan_bytes_received: view.wanBytesReceived,
  };
}

/** One line for people. */
export function diskLine(view: DiskView): string {
  const [way, at] = view.role === 'source' ? ['to', view.peer] : ['from', view.peer.slice(0, 8)];
  const said = [
    `disk ${view.destination} ${way} ${at}: ${view.state}`,
    view.reason && `(${view.reason})`,
    view.whyStalled && `(${view.whyStalled})`,
    view.sizeBytes !== null && `${bytes(view.sizeBytes)} large`,
    `${bytes(view.bytesWritten)} written in ${view.seconds.toFixed(1)} s, ${bytes(view.bytesZeroed)} of it zeroes`,
    `${bytes(view.wanBytesSent + view.wanBytesReceived)} on the WAN`,
    view.bytesSentAgain > 0 && `${bytes(view.bytesSentAgain)} sent again`,
  ];
  return said
    .filter((part) => part !== '' && part !== false)
    .join(', ')
    .replaceAll(', (', ' (');
}
