/**
 * Follows one key of an etcd: reads it, watches it from the revision after that, and reads it anew after everything that may
 * have been missed. Pure: the network and the clock are handed in.
 *
 *   read ──answer──▶ watch ──every 15 s: does it still answer, and is the key what the watch has said?──▶ watch
 *     └──no answer──▶ the next endpoint, after a pause ◀──ended, silent, compacted, too much────────────────┘
 *
 * The answer to a range request is linearizable: a member of a cluster that has no majority gives none. So the question every
 * 15 s finds a stopped process, a parted member and a connection that is dead without saying so.
 */
import type { Clock, Timer } from '../../net/clock.js';
import { type CounterTable, DeclaredCounters } from '../../net/counters.js';
import { type Rate, RateLimit } from '../../net/rate-limit.js';
import { MAX_DOCUMENT_BYTES } from '../../protocol/network-message.js';
import {
  type EtcdFailure,
  failure,
  isFailure,
  type RangeAnswer,
  type Stored,
  type WatchAnswer,
} from './messages.js';

/** For a document of 4 MiB from another site. */
const READ_MS = 10_000;
/** For what has a few hundred bytes. */
const ANSWER_MS = 5_000;
const CHECK_EVERY_MS = 15_000;
/** Between two endpoints of one round. */
const NEXT_MS = 100;
/** After a whole round without an answer; each time twice as long as before. */
const ROUND_MS = 500;
const LONGEST_MS = 30_000;
/** What was refused is read again then: the key that signs it may have become known meanwhile. */
const REFUSED_AGAIN_MS = 300_000;
/** What is too large is read again then. */
const TOO_LARGE_AGAIN_MS = 60_000;
/** Of lines of a watch, and of documents among them: each document costs a signature's verification. */
const LINES: Rate = { perSecond: 20, burst: 100 };
const DOCUMENTS: Rate = { perSecond: 0.5, burst: 10 };
/** Changes of reach that are told as events, and refusals. */
const EVENTS: Rate = { perSecond: 1 / 60, burst: 6 };

export const ETCD_COUNTERS = {
  etcd_documents_heard: 'event',
  etcd_documents_refused: 'drop',
  /** Its revision is lower than before: a snapshot was restored, or it is another etcd. */
  etcd_went_back: 'event',
  etcd_events_held_back: 'event',
  'etcd_failed_*': 'event',
} as const satisfies CounterTable;

export interface Call {
  /** Nothing is heard after it. */
  cancel(): void;
}

/** Nothing is heard before the call is returned. A failure is the last thing heard. */
export interface EtcdPort {
  range(endpoint: string, keysOnly: boolean, heard: (answer: RangeAnswer | EtcdFailure) => void): Call;
  watch(endpoint: string, from: bigint, heard: (answer: WatchAnswer | EtcdFailure) => void): Call;
}

export type EtcdEventName = 'etcd_reached' | 'etcd_lost' | 'etcd_description_refused';

export interface FollowerOptions {
  readonly clock: Clock;
  readonly port: EtcdPort;
  /** At least one. */
  readonly endpoints: readonly string[];
  /** 0 … 1, for pauses that differ between routers. */
  random(): number;
  /** A document that was heard. A string: what is wrong with it. */
  judge(document: Uint8Array): string | undefined;
  event(name: EtcdEventName, fields: Readonly<Record<string, string>>): void;
}

export interface FollowerView {
  /** The one that answers, or is asked next. */
  readonly endpoint: string;
  readonly isReached: boolean;
  /** Unix milliseconds since when that is so; undefined: none of them has been tried yet. */
  readonly sinceWallMs: number | undefined;
  /** Of the store, at the last answer. */
  readonly revision: bigint | undefined;
  /** The last time that it did not answer as it should, and what was wrong. */
  readonly failure: (EtcdFailure & { readonly endpoint: string; readonly atWallMs: number }) | undefined;
  /** Why what is under the key does not count here. */
  readonly refusal: string | undefined;
}

export class EtcdFollower {
  readonly #options: FollowerOptions;
  readonly #counts = new DeclaredCounters(ETCD_COUNTERS);
  readonly #events: RateLimit;
  readonly #lines: RateLimit;
  readonly #documents: RateLimit;
  #position = 0;
  /** One after another, of all endpoints. */
  #failures = 0;
  #isReached = false;
  #sinceWallMs: number | undefined;
  #revision: bigint | undefined;
  /** Of the key as it was seen last; undefined: it is not there. */
  #modRevision: bigint | undefined;
  #readMs = 0;
  #failure: FollowerView['failure'];
  #refusal: string | undefined;
  #toldRefusal: string | undefined;
  #watch: Call | undefined;
  #question: Call | undefined;
  #timer: Timer | undefined;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#events = new RateLimit(options.clock, EVENTS);
    this.#lines = new RateLimit(options.clock, LINES);
    this.#documents = new RateLimit(options.clock, DOCUMENTS);
  }

  counters(): Readonly<Record<string, number>> {
    return this.#counts.counters();
  }

  start(): void {
    this.#read();
  }

  stop(): void {
    this.#watch?.cancel();
    this.#question?.cancel();
    this.#timer?.cancel();
    this.#watch = this.#question = this.#timer = undefined;
  }

  view(): FollowerView {
    return {
      endpoint: this.#endpoint,
      isReached: this.#isReached,
      sinceWallMs: this.#sinceWallMs,
      revision: this.#revision,
      failure: this.#failure,
      refusal: this.#refusal,
    };
  }

  get #endpoint(): string {
    const { endpoints } = this.#options;
    return endpoints[this.#position % endpoints.length] ?? '';
  }

  #read(): void {
    this.stop();
    this.#await(READ_MS, 'the value of the key');
    this.#question = this.#options.port.range(this.#endpoint, false, (answer) => {
      if (isFailure(answer)) this.#failed(answer);
      else this.#hasRead(answer);
    });
  }

  #hasRead({ revision, stored }: RangeAnswer): void {
    this.#timer?.cancel();
    this.#question = undefined;
    this.#readMs = this.#options.clock.nowMs();
    this.#reached();
    this.#seen(revision);
    if (!this.#take(stored)) return;
    this.#await(ANSWER_MS, 'the beginning of the watch');
    this.#watch = this.#options.port.watch(this.#endpoint, revision + 1n, (answer) => this.#watched(answer));
  }

  #watched(answer: WatchAnswer | EtcdFailure): void {
    if (isFailure(answer)) this.#failed(answer);
    else if (!this.#lines.allow())
      this.#failed(failure('too-many', 'it says more than a key that is published now and then would'));
    else if (answer.is === 'created') this.#checkLater();
    else {
      this.#seen(answer.revision);
      if (answer.is === 'changed') this.#take(answer.stored);
    }
  }

  #checkLater(): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after('etcd', CHECK_EVERY_MS, () => this.#check());
  }

  /** Only the key and its revisions come back. */
  #check(): void {
    this.#await(ANSWER_MS, 'whether it is still there');
    this.#question = this.#options.port.range(this.#endpoint, true, (answer) => {
      if (isFailure(answer)) this.#failed(answer);
      else this.#hasChecked(answer);
    });
  }

  #hasChecked({ revision, stored }: RangeAnswer): void {
    this.#question = undefined;
    this.#failures = 0;
    const wentBack = this.#seen(revision);
    const { clock } = this.#options;
    const isRefused = this.#refusal !== undefined && stored !== undefined;
    const isDue = isRefused && clock.nowMs() - this.#readMs >= REFUSED_AGAIN_MS;
    if (wentBack || stored?.modRevision !== this.#modRevision || isDue) this.#read();
    else this.#checkLater();
  }

  /** @returns whether it is lower than before */
  #seen(revision: bigint): boolean {
    const wentBack = this.#revision !== undefined && revision < this.#revision;
    if (wentBack) this.#counts.count('etcd_went_back');
    this.#revision = revision;
    return wentBack;
  }

  /** @returns false: it was one too many, and another read is set */
  #take(stored: Stored | undefined): boolean {
    if (stored === undefined) {
      this.#modRevision = undefined;
      this.#judged('there is no such key');
      return true;
    }
    if (!this.#documents.allow()) {
      this.#failed(failure('too-many', 'it has sent more documents than anybody would publish'));
      return false;
    }
    this.#modRevision = stored.modRevision;
    this.#counts.count('etcd_documents_heard');
    const isTooLarge = stored.value.length > MAX_DOCUMENT_BYTES;
    const refusal = isTooLarge ? 'it is larger than 4 MiB' : this.#options.judge(stored.value);
    if (refusal !== undefined) this.#counts.count('etcd_documents_refused');
    this.#judged(refusal);
    return true;
  }

  #judged(refusal: string | undefined): void {
    this.#refusal = refusal;
    if (refusal !== undefined && refusal !== this.#toldRefusal)
      this.#tell('etcd_description_refused', { endpoint: this.#endpoint, reason: refusal });
    this.#toldRefusal = refusal;
  }

  #reached(): void {
    if (this.#isReached) return;
    this.#isReached = true;
    this.#sinceWallMs = this.#options.clock.wallMs();
    this.#tell('etcd_reached', { endpoint: this.#endpoint });
  }

  #failed(found: EtcdFailure): void {
    this.stop();
    const { clock, endpoints } = this.#options;
    this.#counts.count(`etcd_failed_${found.problem}`);
    this.#failure = { ...found, endpoint: this.#endpoint, atWallMs: clock.wallMs() };
    this.#failures++;
    if (this.#failures >= endpoints.length) this.#lost(found);
    const delayMs = this.#pauseMs(found);
    // What is compacted is read anew where it was.
    if (found.problem !== 'compacted') this.#position = (this.#position + 1) % endpoints.length;
    this.#timer = clock.after('etcd', delayMs, () => this.#read());
  }

  #lost({ problem, detail }: EtcdFailure): void {
    // An etcd that restarts, or ends a watch, answers again at once.
    const isFirst = this.#failures === this.#options.endpoints.length;
    if (isFirst && (problem === 'ended' || problem === 'compacted' || problem === 'too-many')) return;
    if (!this.#isReached && this.#sinceWallMs !== undefined) return;
    this.#isReached = false;
    this.#sinceWallMs = this.#options.clock.wallMs();
    this.#tell('etcd_lost', { endpoint: this.#endpoint, problem, reason: detail });
  }

  #pauseMs({ problem }: EtcdFailure): number {
    const { endpoints, random } = this.#options;
    const rounds = Math.floor(this.#failures / endpoints.length);
    const isWithin = this.#failures % endpoints.length !== 0;
    const pauseMs = isWithin ? NEXT_MS : Math.min(LONGEST_MS, ROUND_MS * 2 ** (Math.min(rounds, 16) - 1));
    const leastMs = problem === 'too-large' && !isWithin ? TOO_LARGE_AGAIN_MS : 0;
    return Math.max(leastMs, pauseMs) * (1 + random() / 4);
  }

  #await(withinMs: number, what: string): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after('etcd', withinMs, () =>
      this.#failed(failure('silent', `${what} has not come within ${withinMs / 1_000} s`)),
    );
  }

  #tell(name: EtcdEventName, fields: Readonly<Record<string, string>>): void {
    if (this.#events.allow()) this.#options.event(name, fields);
    else this.#counts.count('etcd_events_held_back');
  }
}
