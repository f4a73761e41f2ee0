/**
 * A disk that goes out: what NBD clients have asked for is taken into a log of bounded size, sent in its order, and kept until the
 * other side has done it. While there is no connection the log fills, and then clients wait; after a limit they get an error.
 */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Timer } from '../../../net/clock.js';
import { PeerLink, unexpected } from '../../job/peer-link.js';
import { Digester } from '../../store/digest.js';
import { printable } from '../../stream/item.js';
import { PAGE_BYTES } from '../../stream/token.js';
import { type Frame, frameOf } from '../../wire/frame.js';
import type { Codec } from '../../wire/message.js';
import * as message from '../message.js';
import { ERROR, type ExportFacts } from '../nbd/spec.js';
import { type DiskRecord, FLUSH, rangeRecords } from '../record.js';
import { type DiskState, type DiskView, type DiskWorld, isOver, noCounts } from '../view.js';
import { factsOf, MOST_PAYLOAD_BYTES } from './facts.js';
import { RecordLog } from './log.js';
import { type Answer, Questions } from './questions.js';
import { Sender } from './sender.js';

/** What is taken and not done at the other side. */
export const MOST_LOG_BYTES = 16 * 1024 * 1024;
/** So long a client waits for the other site at its beginning. */
const OPEN_MS = 10_000;
const RETRY_MS = 250;
const MOST_RETRY_MS = 5_000;
export interface SourceOptions {
  readonly peer: string;
  readonly destination: string;
  readonly owner: string;
  readonly stallSeconds: number;
  readonly token: string;
  readonly world: DiskWorld;
  /** With the other courier. */
  connect(): Socket;
  /** Calls when it is this session's turn to prove its token; what that is handed ends the turn. */
  turn(begin: (done: () => void) => void): void;
  changed(view: DiskView): void;
  ended(view: DiskView): void;
}

const NO_DATA = Buffer.alloc(0);

export class SourceSession {
  readonly #id = randomBytes(16).toString('hex');
  readonly #log = new RecordLog();
  readonly #counts = noCounts();
  readonly #questions = new Questions(this.#log);
  readonly #waiting = new Set<() => void>();
  readonly #startedMs: number;
  readonly #startedAt: string;
  #endedMs: number | undefined;
  #state: DiskState = 'connecting';
  #reason = '';
  #whyStalled = '';
  #error: number = ERROR.none;
  #codec: Codec = 'none';
  #facts: ExportFacts | undefined;
  #link: PeerLink | undefined;
  #sender: Sender | undefined;
  #stall: Timer | undefined;
  #retry: Timer | undefined;
  #retryMs = RETRY_MS;
  #finish: 'no' | 'flushing' | 'flushed' = 'no';
  #readBytes = 0;
  #resumed = 0;
  /** Of connections that are closed. */
  readonly #wan = { sent: 0, received: 0 };

  constructor(private readonly options: SourceOptions) {
    const { clock } = options.world;
    this.#startedMs = clock.nowMs();
    this.#startedAt = new Date(clock.wallMs()).toISOString();
    this.#whyStalled = 'the other courier was not reached yet';
    this.#limit(OPEN_MS);
    this.#connect();
  }

  get isOver(): boolean {
    return isOver({ state: this.#state });
  }

  get isFinishing(): boolean {
    return this.#finish !== 'no' && !this.isOver;
  }

  /** What every request is answered with from now on; 0: they are taken. */
  get error(): number {
    return this.#error;
  }

  /** Requests may be taken. */
  get hasRoom(): boolean {
    return this.isOver || this.#log.bytes < MOST_LOG_BYTES;
  }

  hasRoomToRead(length: number): boolean {
    return this.isOver || this.#readBytes === 0 || this.#readBytes + length <= MOST_PAYLOAD_BYTES;
  }

  isOnItsWay(key: string, except: object): boolean {
    return this.#sender !== except && this.#sender?.isOnItsWay(key) === true;
  }

  /** Calls once when there may be room, or something else has changed. */
  whenChanged(call: () => void): void {
    this.#waiting.add(call);
  }

  /** The export, when the other side was reached; or why it is none. */
  async facts(): Promise<ExportFacts | string> {
    while (this.#facts === undefined && !this.isOver)
      await new Promise<void>((changed) => this.whenChanged(changed));
    return this.#facts !== undefined && !this.isOver ? this.#facts : this.#reason || 'it has ended';
  }

  /** Resolves when it is over. */
  async over(): Promise<void> {
    while (!this.isOver) await new Promise<void>((changed) => this.whenChanged(changed));
  }

  put(record: DiskRecord): void {
    if (this.isOver) return;
    const { kind, length } = record;
    if (kind === 'trim') this.#counts.bytesTrimmed += length;
    else this.#counts.bytesWritten += length;
    if (kind === 'zeroes') this.#counts.bytesZeroed += length;
    this.#log.append(record);
    this.#pump();
  }

  /** Answered when the destination has flushed all that was taken before. */
  async flush(): Promise<number> {
    this.#counts.flushes++;
    const { error } = await this.#ask(FLUSH);
    return error;
  }

  /** After all that was taken before. */
  async read(offset: number, length: number): Promise<Answer> {
    this.#readBytes += length;
    const pieces = [...rangeRecords('read', offset, length, false)].map((record) => this.#ask(record));
    const answers = await Promise.all(pieces);
    this.#readBytes -= length;
    this.#counts.bytesRead += length;
    this.#tell();
    const error = answers.find((answer) => answer.error !== ERROR.none)?.error ?? ERROR.none;
    const data = error === ERROR.none ? Buffer.concat(answers.map((answer) => answer.data)) : NO_DATA;
    return { error, data };
  }

  /** Nobody uses it any more: what was taken is flushed, then the other side is told. */
  finish(): void {
    if (this.isOver || this.#finish !== 'no') return;
    if (this.#facts === undefined) {
      this.#fail(ERROR.shutdown, 'the client has gone before the other site was reached');
      return;
    }
    this.#finish = 'flushing';
    if (this.#state === 'running') this.#state = 'finishing';
    void this.#ask(FLUSH).then(({ error }) => {
      if (this.isOver) return;
      if (error !== ERROR.none) {
        this.#fail(error, 'the destination could not flush at the end');
        return;
      }
      this.#finish = 'flushed';
      this.#link?.send(frameOf('disk-close'));
    });
  }

  stop(reason: string): void {
    this.#fail(ERROR.shutdown, reason);
  }

  view(): DiskView {
    const { peer, destination, owner, world } = this.options;
    const seconds = ((this.#endedMs ?? world.clock.nowMs()) - this.#startedMs) / 1000;
    return {
      ...{ session: this.#id, role: 'source', peer, destination, owner },
      ...{ state: this.#state, reason: this.#reason, whyStalled: this.#whyNotOn(), codec: this.#codec },
      ...{ sizeBytes: this.#facts?.sizeBytes ?? null, bytesWaiting: this.#log.bytes },
      ...this.#counts,
      wanBytesSent: this.#wan.sent + (this.#link?.sentBytes ?? 0),
      wanBytesReceived: this.#wan.received + (this.#link?.receivedBytes ?? 0),
      ...{ resumed: this.#resumed, startedAt: this.#startedAt, seconds: Math.round(seconds * 1000) / 1000 },
    };
  }

  #whyNotOn(): string {
    if (this.#whyStalled !== '' || this.isOver || this.hasRoom) return this.#whyStalled;
    return 'the WAN, or the destination, takes less than is written';
  }

  #ask(record: DiskRecord): Promise<Answer> {
    if (this.isOver) return Promise.resolve({ error: this.#error, data: NO_DATA });
    const answer = this.#questions.ask(record);
    this.#pump();
    return answer;
  }

  #connect(): void {
    this.options.turn((done) => {
      if (this.isOver) done();
      else this.#dial(done);
    });
  }

  /** @param done the other courier is who it should be, or the connection is over */
  #dial(done: () => void): void {
    const { connect, token, world } = this.options;
    const link = new PeerLink(
      { socket: connect(), side: 'caller', token, clock: world.clock },
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
    this.#codec = codec;
    const { destination, owner, stallSeconds, world } = this.options;
    const isOld = this.#facts !== undefined;
    const open = { session: this.#id, destination, owner, store: world.store.name, isOld, stallSeconds };
    link.send(message.encodeDiskOpen(open));
  }

  /** Whatever has ended the connection, it is tried again. */
  #lost(link: PeerLink, reason: string): void {
    if (this.#link !== link) return;
    this.#link = undefined;
    this.#wan.sent += link.sentBytes;
    this.#wan.received += link.receivedBytes;
    this.#sender?.stop();
    this.#sender = undefined;
    if (this.isOver) return;
    // All is durable there: whether the other side has heard of the end does not matter.
    if (this.#finish === 'flushed') {
      this.#over('complete', '');
      return;
    }
    const { clock } = this.options.world;
    this.#whyStalled = reason;
    this.#limit(this.options.stallSeconds * 1000);
    this.#retry = clock.after('disk-retry', this.#retryMs, () => this.#connect());
    this.#retryMs = Math.min(2 * this.#retryMs, MOST_RETRY_MS);
    if (this.#state !== 'running' && this.#state !== 'finishing') return;
    this.#state = 'stalled';
    this.options.changed(this.view());
  }

  /** Unless something goes on within the time it has failed. */
  #limit(limitMs: number): void {
    const { clock } = this.options.world;
    this.#stall ??= clock.after('disk-stall', limitMs, () => this.#fail(ERROR.io, this.#whyStalled));
  }

  #goesOn(): void {
    this.#stall?.cancel();
    this.#stall = undefined;
    this.#retryMs = RETRY_MS;
    this.#whyStalled = '';
  }

  #frame(link: PeerLink, frame: Frame): void {
    if (this.#link !== link || this.isOver) return;
    const problem = this.#handle(link, frame);
    if (problem !== undefined) link.fail(problem);
  }

  #handle(link: PeerLink, frame: Frame): string | undefined {
    const { name, payload } = frame;
    if (name === 'disk-opened') return this.#opened(link, payload);
    if (this.#sender === undefined && name !== 'disk-fail') return unexpected(name);
    switch (name) {
      case 'disk-done':
        return this.#done(payload);
      case 'disk-answer':
        return this.#answered(payload);
      case 'disk-closed':
        if (this.#finish !== 'flushed') return unexpected(name);
        this.#over('complete', '');
        return undefined;
      case 'disk-fail': {
        const { error, reason } = message.decodeFailure(payload);
        this.#fail(error === ERROR.none ? ERROR.io : error, `the other courier: ${reason}`);
        return undefined;
      }
      default:
        return this.#sender?.handle(frame);
    }
  }

  #opened(link: PeerLink, payload: Buffer): string | undefined {
    const opened = message.decodeDiskOpened(payload);
    if (typeof opened === 'string') return opened;
    if (this.#sender !== undefined) return unexpected('disk-opened');
    if ('refused' in opened) {
      const reason = printable(opened.refused);
      this.#fail(ERROR.io, `the other courier refuses: ${reason}`);
      return undefined;
    }
    const { sizeBytes, minimumBytes, taken, done } = opened;
    const problem = this.#isTheSame(sizeBytes) ? undefined : 'the destination has another size than before';
    const again = problem === undefined && this.#log.setDone(done) ? this.#log.rewind(taken) : undefined;
    if (again === undefined) {
      this.#fail(ERROR.io, problem ?? `the other courier has ${taken} records, which does not fit`);
      return undefined;
    }
    if (this.#facts !== undefined) this.#resumed++;
    this.#counts.bytesSentAgain += again;
    this.#facts = factsOf(sizeBytes, minimumBytes);
    this.#begin(link, opened.store);
    this.#questions.askAgain(taken);
    if (this.#log.isEmpty) this.#goesOn();
    this.#state = this.#finish === 'no' ? 'running' : 'finishing';
    this.#pump();
    this.options.changed(this.view());
    this.#tell();
    return undefined;
  }

  #isTheSame(sizeBytes: number): boolean {
    return this.#facts === undefined || this.#facts.sizeBytes === sizeBytes;
  }

  #begin(link: PeerLink, store: string): void {
    const { world, owner } = this.options;
    const peer = world.store.peer(store);
    const digester = new Digester(owner, PAGE_BYTES);
    const [log, counts, codec] = [this.#log, this.#counts, this.#codec];
    this.#sender = new Sender({ link, codec, world, digester, peer, log, counts });
  }

  #done(payload: Buffer): string | undefined {
    const number = message.decodeDone(payload);
    if (typeof number === 'string') return number;
    if (!this.#log.setDone(number)) return `record ${number} is done, which was not sent`;
    this.#goesOn();
    this.#tell();
    return undefined;
  }

  #answered(payload: Buffer): string | undefined {
    const problem = this.#questions.answered(payload, (reason) => this.#link?.fail(reason));
    if (problem === undefined) this.#goesOn();
    return problem;
  }

  #fail(error: number, reason: string): void {
    if (this.isOver) return;
    this.#error = error;
    this.#over('failed', reason);
  }

  #over(state: 'complete' | 'failed', reason: string): void {
    this.#state = state;
    this.#reason = reason;
    this.#endedMs = this.options.world.clock.nowMs();
    this.#goesOn();
    this.#retry?.cancel();
    const link = this.#link;
    if (state === 'failed') link?.send(message.encodeFailure({ error: this.#error, reason }));
    link?.end();
    this.#questions.answerAll(this.#error);
    this.options.ended(this.view());
    this.#tell();
  }

  #pump(): void {
    this.#sender?.pump();
  }

  #tell(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const call of waiting) call();
  }
}
