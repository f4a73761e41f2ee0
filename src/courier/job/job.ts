/** What operators see of a job, and what all jobs of a courier share. */

import type { Clock } from '../../net/clock.js';
import type { DeclaredCounters } from '../../net/counters.js';
import type { PageStore } from '../store/page-store.js';
import type { Phase, Speaker } from '../stream/token.js';

export const JOB_COUNTERS = {
  jobs_begun: 'event',
  jobs_complete: 'event',
  /** Ended before their end, from whatever side. */
  jobs_failed: 'drop',
  jobs_refused: 'drop',
  /** They did not prove that they know the token, or there were too many of them. */
  strangers_refused: 'drop',
  /** One host had as many of them as one may have. */
  strangers_refused_host: 'drop',
  accepts_failed: 'drop',
  /** Channels beside a guest's stream, with its pages. */
  streams_multifd: 'event',
  /** Streams whose pages could not be looked at, by who speaks. */
  streams_passed_tls: 'event',
  streams_passed_unknown: 'event',
  pages_sent: 'event',
  pages_referenced: 'event',
  /** A reference that the other store did not have. */
  pages_asked_for: 'event',
  batches_not_the_stream: 'drop',
  stream_bytes: 'event',
  wan_bytes_sent: 'event',
  wan_bytes_received: 'event',
} as const;

export type JobState = 'connecting' | 'running' | 'finishing' | 'complete' | 'failed';

export interface JobView {
  readonly job: string;
  readonly role: 'source' | 'destination';
  readonly peer: string;
  readonly destination: string;
  readonly owner: string;
  /** The guest's, as far as they are known. */
  readonly macs: readonly string[];
  readonly state: JobState;
  /** Why it failed; empty otherwise. */
  readonly reason: string;
  /** What speaks; null: nothing has come yet, or only the source's courier knows. */
  readonly speaker: Speaker | null;
  readonly machine: string | null;
  readonly phase: Phase | null;
  /** Why, and from where on, the rest is not looked at; empty: it is, or it does not matter. */
  readonly passedBecause: string;
  readonly codec: string;
  readonly pages: number;
  readonly pagesNew: number;
  readonly pagesReferenced: number;
  readonly pagesAskedFor: number;
  /** What was left to send when pages had become references, before compression. */
  readonly instructionBytes: number;
  /** Of the hypervisor's stream, and on the WAN in both directions with all that couriers say. */
  readonly streamBytes: number;
  readonly wanBytesSent: number;
  readonly wanBytesReceived: number;
  /** 0 … 100, may be negative when it cost something. */
  readonly savedPercent: number;
  /** Of what came out here (destination) or went in (source). Null before the end. */
  readonly sha256: string | null;
  /** Both ends have the same. Null before the end. */
  readonly identical: boolean | null;
  readonly startedAt: string;
  /** Unix time in milliseconds, as all three. */
  readonly startedUnixMs: number;
  /**
   * When the guest's last state began to come: at the source the guest stands still from a little before, at the destination that has waited
   * for the WAN. Null: it has not come, or nobody can tell.
   */
  readonly switchUnixMs: number | null;
  readonly endedUnixMs: number | null;
  readonly seconds: number;
  readonly streamMbitPerSecond: number;
  readonly wanMbitPerSecond: number;
}

/** What a job is given by its courier. */
export interface JobWorld {
  readonly store: PageStore;
  readonly clock: Clock;
  readonly counters: DeclaredCounters<typeof JOB_COUNTERS>;
  /** Other jobs have sent the page, and do not know yet that it has arrived. */
  isOnItsWay(key: string, except: object): boolean;
  /** How many jobs come in at the moment, besides. */
  otherJobs(except: object): number;
}

/** When what happened, on both clocks. */
export class JobTimes {
  readonly #startedMs: number;
  readonly #startedUnixMs: number;
  #switchMs: number | undefined;
  #endedMs: number | undefined;

  constructor(private readonly clock: Clock) {
    this.#startedMs = clock.nowMs();
    this.#startedUnixMs = clock.wallMs();
  }

  /** Counts once. */
  switches(): void {
    this.#switchMs ??= this.clock.nowMs();
  }

  ends(): void {
    this.#endedMs = this.clock.nowMs();
  }

  get seconds(): number {
    return ((this.#endedMs ?? this.clock.nowMs()) - this.#startedMs) / 1000;
  }

  view(): Pick<JobView, 'startedAt' | 'startedUnixMs' | 'switchUnixMs' | 'endedUnixMs' | 'seconds'> {
    return {
      startedAt: new Date(this.#startedUnixMs).toISOString(),
      startedUnixMs: this.#startedUnixMs,
      switchUnixMs: this.#unix(this.#switchMs),
      endedUnixMs: this.#unix(this.#endedMs),
      seconds: Math.round(this.seconds * 1000) / 1000,
    };
  }

  /** By the clock that nobody sets. */
  #unix(atMs: number | undefined): number | null {
    return atMs === undefined ? null : this.#startedUnixMs + (atMs - this.#startedMs);
  }
}

export function savedPercent(streamBytes: number, wanBytes: number): number {
  return streamBytes === 0 ? 0 : Math.round((1 - wanBytes / streamBytes) * 1000) / 10;
}

export function mbitPerSecond(bytes: number, seconds: number): number {
  return seconds <= 0 ? 0 : Math.round((bytes * 8) / seconds / 1e4) / 100;
}
