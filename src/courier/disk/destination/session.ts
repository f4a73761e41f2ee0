/**
 * A disk that comes in: records are done at the destination's export in an order that keeps theirs. The session outlives its
 * connections with the other courier, but not the one with the destination: behind another one might be another disk.
 */
import type { Socket } from 'node:net';
import type { Timer } from '../../../net/clock.js';
import { messageOf } from '../../../net/system-error.js';
import { BatchReceiver } from '../../job/batch-receiver.js';
import { compress } from '../../job/compression.js';
import { type PeerLink, unexpected } from '../../job/peer-link.js';
import { Digester } from '../../store/digest.js';
import { PAGE_BYTES } from '../../stream/token.js';
import { type Frame, frameOf } from '../../wire/frame.js';
import type { Codec } from '../../wire/message.js';
import * as message from '../message.js';
import { ERROR } from '../nbd/spec.js';
import { type DiskRecord, RecordReader } from '../record.js';
import { type DiskState, type DiskView, type DiskWorld, isOver, noCounts } from '../view.js';
import { ApplyOrder, type Numbered } from './order.js';
import { type Done, NbdTarget } from './target.js';

/** What waits for the destination. The sender's log is shorter. */
const MOST_WAITING_BYTES = 32 * 1024 * 1024;
const MOST_WAITING_RECORDS = 128 * 1024;
/** Answers to reads; the sender's limit is half of it. */
const MOST_UNSENT_BYTES = 64 * 1024 * 1024;
/** The other courier gives up first. */
const LONGER_SECONDS = 60;
const DONE_EACH = 8;

export interface DestinationOptions {
  readonly open: message.DiskOpen;
  readonly world: DiskWorld;
  readonly exportName: string;
  /** Whatever has the destination has let go of it. */
  readonly before: Promise<unknown>;
  /** With the destination. */
  connect(): Socket;
  changed(view: DiskView): void;
  ended(view: DiskView): void;
}

interface Attached {
  readonly link: PeerLink;
  readonly codec: Codec;
  receiver: BatchReceiver | undefined;
}

export class DestinationSession {
  readonly #order = new ApplyOrder();
  readonly #counts = noCounts();
  readonly #startedMs: number;
  readonly #startedAt: string;
  readonly #target: Promise<NbdTarget | undefined>;
  #endedMs: number | undefined;
  #state: DiskState = 'connecting';
  #reason = '';
  #whyStalled = '';
  #reached: NbdTarget | undefined;
  #attached: Attached | undefined;
  #toldDone = 0;
  #patience: Timer | undefined;
  #resumed = 0;
  #quiet: (() => void) | undefined;
  /** Of connections that are closed. */
  readonly #wan = { sent: 0, received: 0 };

  constructor(private readonly options: DestinationOptions) {
    const { clock } = options.world;
    this.#startedMs = clock.nowMs();
    this.#startedAt = new Date(clock.wallMs()).toISOString();
    this.#target = this.#reach();
  }

  get id(): string {
    return this.options.open.session;
  }

  get isOver(): boolean {
    return isOver({ state: this.#state });
  }

  get reason(): string {
    return this.#reason;
  }

  get isAttached(): boolean {
    return this.#attached !== undefined;
  }

  /** The session goes on at this connection, whatever it had before. */
  attach(link: PeerLink, codec: Codec): void {
    const before = this.#attached;
    if (before !== undefined) {
      this.#detach(before, 'the session goes on at another connection');
      before.link.fail('the session goes on at another connection');
    }
    const attached: Attached = { link, codec, receiver: undefined };
    this.#attached = attached;
    this.#patience?.cancel();
    link.handOver({
      frame: (frame) => this.#frame(attached, frame),
      closed: (reason) => this.#detach(attached, reason ?? 'closed'),
    });
    void this.#target.then((target) => {
      if (target !== undefined && this.#attached === attached) this.#begin(attached, target);
    });
  }

  /** Ends it, and resolves when nothing of it can reach the destination any more. */
  async end(reason: string): Promise<void> {
    this.#fail(ERROR.shutdown, reason);
    await this.#target;
    if (!this.#order.isQuiet)
      await new Promise<void>((quiet) => {
        this.#quiet = quiet;
      });
  }

  stop(reason: string): void {
    this.#fail(ERROR.shutdown, reason);
    this.#reached?.destroy();
  }

  view(): DiskView {
    const { open, world } = this.options;
    const seconds = ((this.#endedMs ?? world.clock.nowMs()) - this.#startedMs) / 1000;
    const link = this.#attached?.link;
    return {
      ...{ session: this.id, role: 'destination', peer: open.store, destination: open.destination },
      ...{ owner: open.owner, state: this.#state, reason: this.#reason, whyStalled: this.#whyStalled },
      ...{ codec: this.#attached?.codec ?? 'none', sizeBytes: this.#reached?.facts.sizeBytes ?? null },
      ...{ bytesWaiting: this.#order.bytes, ...this.#counts },
      wanBytesSent: this.#wan.sent + (link?.sentBytes ?? 0),
      wanBytesReceived: this.#wan.received + (link?.receivedBytes ?? 0),
      ...{ resumed: this.#resumed, startedAt: this.#startedAt, seconds: Math.round(seconds * 1000) / 1000 },
    };
  }

  async #reach(): Promise<NbdTarget | undefined> {
    await this.options.before;
    const { connect, exportName, world } = this.options;
    try {
      this.#reached = await NbdTarget.open(connect(), exportName, world.clock, (reason) =>
        this.#fail(ERROR.io, reason),
      );
    } catch (error) {
      this.#fail(ERROR.io, messageOf(error));
      return undefined;
    }
    if (!this.isOver) return this.#reached;
    this.#reached.close();
    return undefined;
  }

  #begin(attached: Attached, target: NbdTarget): void {
    if (this.isOver) return;
    const { world, open } = this.options;
    const { sizeBytes, minimumBytes } = target.facts;
    const records = new RecordReader(sizeBytes);
    const receiver: BatchReceiver = new BatchReceiver({
      ...{
        link: attached.link,
        store: world.store,
        peer: world.store.peer(open.store),
        counts: this.#counts,
      },
      digester: new Digester(open.owner, PAGE_BYTES),
      give: (batch, stream) => {
        const problem = this.#take(records.push(stream), target);
        if (problem !== undefined) throw new Error(problem);
        receiver.done(batch);
      },
      notTheStream: () => world.counters.count('disk_batches_not_the_stream'),
    });
    attached.receiver = receiver;
    if (this.#state === 'stalled') this.#resumed++;
    this.#state = 'running';
    this.#whyStalled = '';
    this.#toldDone = this.#order.done;
    const { taken, done } = this.#order;
    const opened = { store: world.store.name, sizeBytes, minimumBytes, taken, done };
    attached.link.send(message.encodeDiskOpened(opened));
    this.options.changed(this.view());
  }

  /** What has come is done; the other courier may come again. */
  #detach(attached: Attached, reason: string): void {
    if (this.#attached !== attached) return;
    this.#attached = undefined;
    attached.receiver?.stop();
    this.#wan.sent += attached.link.sentBytes;
    this.#wan.received += attached.link.receivedBytes;
    if (this.isOver) return;
    this.#state = 'stalled';
    this.#whyStalled = reason;
    const keepMs = (this.options.open.stallSeconds + LONGER_SECONDS) * 1000;
    this.#patience = this.options.world.clock.after('disk-session', keepMs, () => {
      this.#fail(ERROR.io, `the other courier has not come again: ${reason}`);
    });
    this.options.changed(this.view());
  }

  #frame(attached: Attached, frame: Frame): void {
    if (this.#attached !== attached || this.isOver) return;
    const problem = this.#handle(attached, frame);
    if (problem !== undefined) attached.link.fail(problem);
  }

  #handle({ link, receiver }: Attached, frame: Frame): string | undefined {
    if (frame.name === 'disk-fail') {
      this.#fail(ERROR.io, `the other courier: ${message.decodeFailure(frame.payload).reason}`);
      return undefined;
    }
    if (receiver === undefined) return unexpected(frame.name);
    if (frame.name !== 'disk-close') return receiver.handle(frame);
    if (this.#order.count > 0) return 'the disk is closed before all is done';
    link.send(frameOf('disk-closed'));
    this.#over('complete', '');
    return undefined;
  }

  #take(records: readonly DiskRecord[] | string, target: NbdTarget): string | undefined {
    if (typeof records === 'string') return records;
    for (const record of records) {
      if (record.offset % target.facts.minimumBytes !== 0 || record.length % target.facts.minimumBytes !== 0)
        return `${record.kind} between the blocks of the destination`;
      this.#order.take(record);
    }
    this.#apply(target);
    const isTooMuch = this.#order.bytes > MOST_WAITING_BYTES || this.#order.count > MOST_WAITING_RECORDS;
    return isTooMuch ? 'more came than the destination has done' : undefined;
  }

  #apply(target: NbdTarget): void {
    for (let next = this.#order.next(); next !== undefined; next = this.#order.next()) {
      const one = next;
      void target.do(one.record).then((done) => this.#did(target, one, done));
    }
  }

  #did(target: NbdTarget, one: Numbered, done: Done): void {
    this.#order.finished(one.number);
    if (this.isOver) {
      if (this.#order.isQuiet) this.#letGo();
      return;
    }
    this.#count(one.record);
    const isQuestion = one.record.kind === 'flush' || one.record.kind === 'read';
    // A read that fails is the reader's business. What was written and answered already cannot be taken back.
    if (done.error !== ERROR.none && one.record.kind !== 'read') {
      this.#fail(done.error, `the destination: error ${done.error} at a ${one.record.kind}`);
      return;
    }
    if (isQuestion) this.#answer(one.number, done);
    this.#tellDone();
    this.#apply(target);
  }

  #count({ kind, length }: DiskRecord): void {
    if (kind === 'trim') this.#counts.bytesTrimmed += length;
    else if (kind === 'read') this.#counts.bytesRead += length;
    else if (kind === 'flush') this.#counts.flushes++;
    else this.#counts.bytesWritten += length;
    if (kind === 'zeroes') this.#counts.bytesZeroed += length;
  }

  /** Who is not there to hear it asks once more when he is. */
  #answer(number: number, { error, data = Buffer.alloc(0) }: Done): void {
    const attached = this.#attached;
    if (attached?.receiver === undefined) return;
    const { link, codec: agreed } = attached;
    if (link.waitingBytes > MOST_UNSENT_BYTES) {
      link.fail('more is read than the WAN takes');
      return;
    }
    const bytes = data.length;
    compress(agreed, data, 1)
      .then(({ codec, content }) => link.send(message.encodeAnswer({ number, error, codec, bytes, content })))
      .catch((error: unknown) => link.fail(`compression: ${messageOf(error)}`));
  }

  /** Nothing is under way: what has ended says goodbye to the destination. */
  #letGo(): void {
    this.#reached?.close();
    this.#quiet?.();
  }

  #tellDone(): void {
    const { done, isQuiet } = this.#order;
    const since = done - this.#toldDone;
    if (since === 0 || (since < DONE_EACH && !isQuiet) || this.#attached?.receiver === undefined) return;
    this.#toldDone = done;
    this.#attached.link.send(message.encodeDone(done));
  }

  #fail(error: number, reason: string): void {
    if (this.isOver) return;
    const link = this.#attached?.link;
    link?.send(message.encodeFailure({ error, reason }));
    this.#over('failed', reason);
    link?.end();
  }

  #over(state: 'complete' | 'failed', reason: string): void {
    this.#state = state;
    this.#reason = reason;
    this.#endedMs = this.options.world.clock.nowMs();
    this.#whyStalled = '';
    this.#patience?.cancel();
    this.#order.abandon();
    if (this.#order.isQuiet) this.#letGo();
    this.options.ended(this.view());
  }
}
