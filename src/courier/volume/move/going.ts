/**
 * A volume that goes to another courier: the machine of the source with its storage, and a connection that is made again for as long as
 * something is to be said.
 */
import type { Socket } from 'node:net';
import type { Timer } from '../../../net/clock.js';
import { messageOf } from '../../../net/system-error.js';
import { PeerLink } from '../../job/peer-link.js';
import { printable } from '../../stream/item.js';
import type { Frame } from '../../wire/frame.js';
import type { Codec } from '../../wire/message.js';
import type { FlushToken } from '../chunk/push-order.js';
import { type Clients, Source, type SourceAction, type SourcePhase } from '../chunk/source.js';
import type { WriteCounts } from '../chunk/write-counts.js';
import { MOVE_KEY, type VolumeStorage } from '../storage.js';
import { Errands } from './errands.js';
import { DestinationReader, decodeOpened, decodeRead, encodeOpen, encodeSource } from './message.js';
import { type Errand, PieceSender } from './piece-sender.js';
import { Rate } from './rate.js';
import type { GoingRecord } from './records.js';
import { Steadily } from './steadily.js';
import { countWan, type MoveWorld } from './world.js';

const RETRY_MS = 250;
const MOST_RETRY_MS = 5_000;
/** What was written is made durable at most so often, so that it can be pushed. */
const FLUSH_MS = 1_000;

/** Of the other side's clients, before control has moved: as many as those may have open, of the smallest. */
const MOST_READS = 16_384;

export interface GoingOptions {
  readonly record: GoingRecord;
  readonly volume: string;
  readonly owner: string;
  readonly storage: VolumeStorage;
  readonly counts: WriteCounts;
  readonly world: MoveWorld;
  /** With the other courier; undefined: the configuration does not know it any more. */
  connect(): Socket | undefined;
  /** Calls when it is this session's turn to prove its token; what that is handed ends the turn. */
  turn(begin: (done: () => void) => void): void;
  clients(): Clients;
  /** Nothing more is to be done, nor said; of an abandoned move nothing is left there. */
  over(): void;
}

interface Attached {
  readonly link: PeerLink;
  readonly reader: DestinationReader;
  readonly codec: Codec;
  sender: PieceSender | undefined;
}

export class GoingVolume {
  readonly source: Source;
  readonly rate: Rate;
  readonly #steadily: Steadily;
  #record: GoingRecord;
  #attached: Attached | undefined;
  #link: PeerLink | undefined;
  /** It waits for its turn. */
  #isDialing = false;
  #retry: Timer | undefined;
  #retryMs = RETRY_MS;
  #flushing: Timer | undefined;
  #flushedMs = Number.NEGATIVE_INFINITY;
  #whyStalled = 'the other courier was not reached yet';
  /** It had been accepted there once. */
  #isAccepted = false;
  #isOver = false;
  readonly #errands: Errands;
  readonly #wan = { sent: 0, received: 0 };

  constructor(private readonly options: GoingOptions) {
    const { record, storage, world } = options;
    this.#record = record;
    this.#steadily = new Steadily(world.clock, (problem) => this.#log(problem));
    this.rate = new Rate(world.clock);
    const { phase, threshold, completeFirst } = record;
    const chunks = [...storage.modified].map(([chunk, { version }]) => ({ chunk, version }));
    this.source = new Source({
      phase,
      threshold,
      completeFirst: completeFirst ?? Number.POSITIVE_INFINITY,
      chunks,
      counts: options.counts,
    });
    const { source, rate } = this;
    this.#errands = new Errands({ storage, source, rate, world, log: (text) => this.#log(text) });
  }

  get record(): GoingRecord {
    return this.#record;
  }

  get whyStalled(): string {
    return this.#steadily.problem || this.#whyStalled;
  }

  /** The connection that there is. */
  get link(): PeerLink | undefined {
    return this.#link;
  }

  get wan(): { readonly sent: number; readonly received: number } {
    const { sent, received } = this.#wan;
    return {
      sent: sent + (this.#link?.sentBytes ?? 0),
      received: received + (this.#link?.receivedBytes ?? 0),
    };
  }

  /** A new move: it is kept, and then the other courier is called. */
  begin(): void {
    this.#do([{ do: 'keep', phase: this.#record.phase, why: '' }]);
  }

  /** A move that is known: the other courier is called. */
  goOn(): void {
    if (this.source.phase !== 'released') this.#connect();
  }

  /** The counts are others: more may be pushed. */
  counted(): void {
    this.source.counted();
    this.pump();
  }

  isOnItsWay(key: string, except: object): boolean {
    const sender = this.#attached?.sender;
    return sender !== undefined && sender !== except && sender.isOnItsWay(key);
  }

  /** False: control has moved, or is moving. */
  abandon(why: string): boolean {
    const actions = this.source.abandon(why);
    this.#do(actions);
    return actions.length > 0;
  }

  /** Something was written, or flushed: more may be pushed. */
  pump(): void {
    this.#attached?.sender?.wake();
    if (!this.source.wantsFlush || this.#flushing !== undefined || this.#isOver) return;
    const { clock } = this.options.world;
    const waitMs = Math.max(this.#flushedMs + FLUSH_MS - clock.nowMs(), 0);
    this.#flushing = clock.after('volume-flush', waitMs, () => void this.#flush());
  }

  stop(): void {
    this.#isOver = true;
    this.#steadily.stop();
    this.#retry?.cancel();
    this.#flushing?.cancel();
    this.#link?.end();
  }

  async #flush(): Promise<void> {
    const token = this.source.flushBegins();
    this.#flushedMs = this.options.world.clock.nowMs();
    try {
      await this.options.storage.flush();
      this.source.flushEnds(token, false);
    } catch (error) {
      this.#log(`its storage cannot flush: ${messageOf(error)}`);
    }
    this.#flushing = undefined;
    this.pump();
  }

  #log(text: string): void {
    this.options.world.log(`volume move to ${this.#record.peer}, ${this.#record.name}: ${text}`);
  }

  #connect(): void {
    if (this.#isOver || this.#isDialing || this.#link !== undefined) return;
    this.#isDialing = true;
    this.#retry?.cancel();
    this.options.turn((done) => {
      this.#isDialing = false;
      if (this.#isOver) done();
      else this.#dial(done);
    });
  }

  /** @param done the other courier is who it should be, or the connection is over */
  #dial(done: () => void): void {
    const { connect, world } = this.options;
    const socket = connect();
    if (socket === undefined) {
      done();
      this.#whyStalled = `${this.#record.peer} is not in peers`;
      this.#log(this.#whyStalled);
      return;
    }
    const link: PeerLink = new PeerLink(
      { socket, side: 'caller', token: world.token, clock: world.clock },
      {
        ready: (codec) => {
          done();
          this.#ready(link, codec);
        },
        frame: (frame) => this.#frame(link, frame),
        closed: (reason) => {
          done();
          this.#lost(link, reason ?? 'closed');
        },
      },
    );
    this.#link = link;
  }

  #ready(link: PeerLink, codec: Codec): void {
    const { storage, owner, volume, world } = this.options;
    const { session, name } = this.#record;
    const reader = new DestinationReader(Math.ceil(storage.size / storage.chunkBytes));
    this.#attached = { link, codec, reader, sender: undefined };
    link.send(
      encodeOpen({
        ...{ session, volume, name, owner, store: world.store.name, phase: this.source.phase },
        ...{ sizeBytes: storage.size, chunkBytes: storage.chunkBytes, base: storage.baseDigest ?? null },
      }),
    );
  }

  /** Whatever has ended the connection, it is tried again. */
  #lost(link: PeerLink, reason: string): void {
    if (this.#link !== link) return;
    const wasOpen = this.#attached?.sender !== undefined;
    this.#wan.sent += link.sentBytes;
    this.#wan.received += link.receivedBytes;
    countWan(this.options.world, link);
    this.#attached?.sender?.stop();
    this.#link = undefined;
    this.#attached = undefined;
    this.#errands.clear();
    this.source.lost();
    if (this.#isOver) return;
    this.#whyStalled = reason;
    if (wasOpen) this.#log(`stalled (${reason})`);
    this.#retry = this.options.world.clock.after('volume-retry', this.#retryMs, () => this.#connect());
    this.#retryMs = Math.min(2 * this.#retryMs, MOST_RETRY_MS);
  }

  #frame(link: PeerLink, frame: Frame): void {
    const attached = this.#attached;
    if (this.#link !== link || attached === undefined || this.#isOver) return;
    const problem = this.#handle(attached, frame);
    if (problem !== undefined) link.fail(problem);
    else this.pump();
  }

  #handle(attached: Attached, frame: Frame): string | undefined {
    const { name, payload } = frame;
    const { sender, reader } = attached;
    if (name === 'volume-opened') return this.#opened(attached, payload);
    if (sender === undefined) return `${name} frame where none may be`;
    if (name === 'got' || name === 'ack' || name === 'want') return sender.handle(frame);
    if (name === 'volume-read') {
      const { size, chunkBytes } = this.options.storage;
      const read = decodeRead(payload, size, chunkBytes);
      if (typeof read === 'string') return read;
      if (this.#errands.reads.length >= MOST_READS) return 'more is read than is answered';
      this.#errands.reads.push(read);
      return undefined;
    }
    const says = reader.read(frame);
    if (says === undefined || typeof says === 'string') return says;
    if (says.say === 'ack') this.rate.count(says.chunks.length * this.options.storage.chunkBytes);
    this.#do(this.source.hears(says, this.options.clients()));
    return undefined;
  }

  #opened(attached: Attached, payload: Buffer): string | undefined {
    const opened = decodeOpened(payload);
    if (typeof opened === 'string') return opened;
    if (attached.sender !== undefined) return 'volume-opened frame where none may be';
    if ('refused' in opened) {
      this.#refused(attached.link, printable(opened.refused));
      return undefined;
    }
    const { world, owner } = this.options;
    const { link, codec } = attached;
    if (opened.store === world.store.name) {
      this.#refused(link, 'that is this courier itself');
      return undefined;
    }
    const next = (isUrgent: boolean): Errand | undefined => this.#errands.next(isUrgent);
    attached.sender = new PieceSender({ link, codec, world, owner, store: opened.store, next });
    this.#retryMs = RETRY_MS;
    this.#whyStalled = '';
    if ('nothing' in opened) {
      this.#do(this.source.hears({ say: opened.nothing }, this.options.clients()));
      return undefined;
    }
    if (this.#isAccepted) world.counters.count('volume_moves_resumed');
    this.#isAccepted = true;
    this.#log(`connected, ${this.source.phase}`);
    return undefined;
  }

  /** Before anything was given the move has failed by that; afterwards it is tried again, loudly. */
  #refused(link: PeerLink, why: string): void {
    this.options.world.counters.count('volume_moves_refused');
    this.#log(`the other courier refuses: ${why}`);
    // Who refuses what was given up has nothing of it.
    const says =
      this.source.phase === 'abandoned' ? { say: 'forgotten' as const } : { say: 'refused' as const, why };
    this.#do(this.source.hears(says, this.options.clients()));
    link.end();
    this.#whyStalled = why;
  }

  #do(actions: readonly SourceAction[]): void {
    for (const action of actions) if (!this.#isOver) this.#act(action);
  }

  #act(action: SourceAction): void {
    const { storage, world } = this.options;
    switch (action.do) {
      case 'keep':
        this.#keep(action.phase, action.why);
        break;
      case 'flush':
        void this.#flushToGive(action.token);
        break;
      case 'say':
        for (const frame of encodeSource(action.message)) this.#attached?.link.send(frame);
        break;
      case 'serve-pull':
        if (storage.modified.has(action.chunk)) this.#errands.pulls.set(action.chunk, action.isUrgent);
        break;
      case 'fail':
        this.#log(`the other courier contradicts: ${action.why}`);
        this.#attached?.link.fail(action.why);
        break;
      case 'over':
        world.counters.count(
          this.source.phase === 'released' ? 'volume_moves_complete' : 'volume_moves_abandoned',
        );
        this.#log(this.source.phase === 'released' ? 'complete' : `given up (${this.#record.why})`);
        this.stop();
        this.options.over();
    }
  }

  #keep(phase: SourcePhase, why: string): void {
    this.#record = { ...this.#record, phase, why: why === '' ? this.#record.why : why };
    const record = this.#record;
    this.#steadily.do(
      'it cannot be kept',
      () => this.options.storage.keep(MOVE_KEY, record),
      () => {
        this.#do(this.source.kept(phase));
        this.#log(phase);
        this.#connect();
      },
    );
  }

  /** What fails is not given: the other side asks again. */
  async #flushToGive(token: FlushToken): Promise<void> {
    try {
      await this.options.storage.flush();
    } catch (error) {
      this.#log(`its storage cannot flush: ${messageOf(error)}`);
      this.source.notFlushed(token);
      return;
    }
    this.#do(this.source.flushed(token));
  }
}
