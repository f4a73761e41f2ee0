/**
 * A stream that comes in: from the other courier to the hypervisor that waits for the guest. Nothing is passed on before it is proven
 * to be what went in at the other end.
 */
import type { Socket } from 'node:net';
import type { Timer } from '../../net/clock.js';
import { Digester } from '../store/digest.js';
import { PAGE_BYTES } from '../stream/token.js';
import { type Frame, frameOf } from '../wire/frame.js';
import { MOST_BACK_BYTES, MOST_BACK_PIECE_BYTES } from '../wire/limits.js';
import * as message from '../wire/message.js';
import { decodeOpening, encodeOpening, type Opening } from '../wire/opening.js';
import { isSameTotal, StreamCheck } from '../wire/stream-check.js';
import { BatchReceiver } from './batch-receiver.js';
import { type JobState, JobTimes, type JobView, type JobWorld, mbitPerSecond, savedPercent } from './job.js';
import { type LinkOptions, PeerLink, unexpected } from './peer-link.js';

/** For the hypervisor that waits to take the connection: it is on this site. */
export const CONNECT_MS = 10_000;
/** So long another job may take to bring a page that it is said to bring, before it is asked for here. */
const ELSEWHERE_MS = 2_000;
const LOOK_MS = 5;

export interface IncomingOptions {
  readonly link: Omit<LinkOptions, 'side'>;
  readonly world: JobWorld;
  /** Connects with the hypervisor; a string: why not. */
  connect(opening: Opening, job: IncomingJob): Socket | string;
  /** The other courier is who it should be; at most once, and before `ended`. What comes it may say much later. */
  proven(): void;
  /** It is a disk or a volume that comes: somebody else goes on with the link. @param first what was said of it */
  isDisk(link: PeerLink, codec: message.Codec, first: Frame): void;
  ended(): void;
}

export class IncomingJob {
  readonly #link: PeerLink;
  readonly #times: JobTimes;
  /** For the destination to take the connection. */
  #patience: Timer | undefined;
  #state: JobState = 'connecting';
  #reason = '';
  #codec: message.Codec = 'none';
  #opening: Opening | undefined;
  /** Once the other courier has said what comes. */
  #receiver: BatchReceiver | undefined;
  /** It is connected when the state is not `connecting` any more. */
  #destination: Socket | undefined;
  readonly #counts = { pages: 0, pagesNew: 0, pagesReferenced: 0, pagesAskedFor: 0, instructionBytes: 0 };
  #finishing = false;
  #identical: boolean | undefined;
  #backEnded = false;

  constructor(private readonly options: IncomingOptions) {
    this.#times = new JobTimes(options.world.clock);
    this.#link = new PeerLink(
      { ...options.link, side: 'listener' },
      {
        ready: (codec) => {
          this.#codec = codec;
          options.proven();
        },
        frame: (frame) => this.#frame(frame),
        closed: (reason) => this.#fail(reason ?? 'closed'),
      },
    );
  }

  /** Undefined before the other courier has said, with the right token, what comes. */
  get opening(): Opening | undefined {
    return this.#opening;
  }

  get isOver(): boolean {
    return this.#state === 'complete' || this.#state === 'failed';
  }

  stop(reason: string): void {
    this.#fail(reason);
  }

  view(): JobView | undefined {
    if (this.#opening === undefined) return undefined;
    const { job, destination, owner, macs, speaker, store } = this.#opening;
    const { sha256, bytes } = (this.#receiver?.check ?? new StreamCheck()).total();
    const { seconds } = this.#times;
    const [sent, received] = [this.#link.sentBytes, this.#link.receivedBytes];
    return {
      ...{
        job,
        role: 'destination',
        peer: store,
        destination,
        owner,
        macs,
        state: this.#state,
        reason: this.#reason,
      },
      ...{ speaker, machine: null, phase: null, passedBecause: '', codec: this.#codec, ...this.#counts },
      ...{ streamBytes: bytes, wanBytesSent: sent, wanBytesReceived: received },
      savedPercent: savedPercent(bytes, sent + received),
      ...{ sha256: this.#identical === undefined ? null : sha256.toString('hex') },
      ...{ identical: this.#identical ?? null, ...this.#times.view() },
      streamMbitPerSecond: mbitPerSecond(bytes, seconds),
      wanMbitPerSecond: mbitPerSecond(received, seconds),
    };
  }

  #frame(frame: Frame): void {
    const problem = this.#handle(frame);
    if (problem !== undefined) this.#link.fail(problem);
  }

  #handle(frame: Frame): string | undefined {
    const { name, payload } = frame;
    if (name === 'open') return this.#open(payload);
    if ((name === 'disk-open' || name === 'volume-open') && this.#opening === undefined)
      return this.#giveAway(frame);
    if (this.#state === 'connecting' || this.#receiver === undefined) return unexpected(name);
    if (name === 'finish') return this.#finish(payload, this.#receiver);
    return name === 'batch' && this.#finishing ? unexpected(name) : this.#receiver.handle(frame);
  }

  #giveAway(first: Frame): undefined {
    this.options.isDisk(this.#link, this.#codec, first);
  }

  #open(payload: Buffer): string | undefined {
    const opening = decodeOpening(payload);
    if (typeof opening === 'string') return opening;
    if (this.#opening !== undefined) return unexpected('open');
    this.#opening = opening;
    const destination = this.options.connect(opening, this);
    if (typeof destination === 'string') {
      this.#refuse(destination);
      return undefined;
    }
    this.#receiver = this.#receiverOf(opening);
    this.#destination = destination;
    this.#patience = this.options.world.clock.after('courier-destination', CONNECT_MS, () =>
      this.#refuse('the destination: it does not take the connection'),
    );
    destination.once('connect', () => this.#connected(destination));
    destination.on('error', (error) => {
      if (this.#state === 'connecting') this.#refuse(`the destination: ${error.message}`);
      else this.#fail(`the destination: ${error.message}`);
    });
    destination.on('close', () => {
      if (this.#identical === undefined) this.#fail('the destination has closed its connection');
    });
    return undefined;
  }

  #refuse(reason: string): void {
    this.#link.send(encodeOpening('opened', { refused: reason.slice(0, 500) }));
    this.options.world.counters.count('jobs_refused');
    this.#over('failed', reason);
    this.#link.end();
    this.#destination?.destroy();
  }

  #connected(destination: Socket): void {
    this.#patience?.cancel();
    if (this.isOver) return;
    this.#state = 'running';
    destination.on('data', (bytes: Buffer) => this.#back(bytes));
    destination.on('end', () => {
      this.#backEnded = true;
      this.#link.send(frameOf('back-end'));
      this.#completeIfAll();
    });
    this.#link.send(encodeOpening('opened', { store: this.options.world.store.name }));
  }

  #back(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; at += MOST_BACK_PIECE_BYTES)
      this.#link.send(frameOf('back', bytes.subarray(at, at + MOST_BACK_PIECE_BYTES)));
    if (this.#link.waitingBytes > MOST_BACK_BYTES) this.#fail('the destination says more than the WAN takes');
  }

  #receiverOf({ owner, store, speaker }: Opening): BatchReceiver {
    const { world } = this.options;
    const receiver: BatchReceiver = new BatchReceiver({
      ...{ link: this.#link, store: world.store, counts: this.#counts },
      digester: new Digester(owner, PAGE_BYTES),
      peer: world.store.peer(store),
      give: (batch, stream) => {
        if (batch.urgent && speaker === 'qemu') this.#times.switches();
        this.#destination?.write(stream, (error) => {
          if (error == null) receiver.done(batch);
        });
      },
      notTheStream: () => world.counters.count('batches_not_the_stream'),
      elsewhere: (keys, isUrgent) => this.#elsewhere(keys, isUrgent),
      askedFor: (pages) => world.counters.count('pages_asked_for', pages),
    });
    return receiver;
  }

  /** Another job brings them. */
  async #elsewhere(keys: readonly Buffer[], isUrgent: () => boolean): Promise<void> {
    const { world } = this.options;
    const { store, clock } = world;
    const untilMs = clock.nowMs() + ELSEWHERE_MS;
    const mayCome = (): boolean =>
      !isUrgent() && clock.nowMs() < untilMs && world.otherJobs(this) > 0 && !this.isOver;
    while (mayCome() && !keys.every((key) => store.has(key)))
      await new Promise<void>((done) => clock.after('courier-elsewhere', LOOK_MS, done));
  }

  #finish(payload: Buffer, receiver: BatchReceiver): string | undefined {
    const theirs = message.decodeTotal(payload);
    if (typeof theirs === 'string') return theirs;
    if (this.#finishing) return unexpected('finish');
    this.#finishing = true;
    receiver.after(() => this.#compare(receiver.check.total(), theirs));
    return undefined;
  }

  #compare(ours: message.Total, theirs: message.Total): void {
    this.#identical = isSameTotal(ours, theirs);
    if (!this.#identical) throw new Error('what came out is not what went in');
    this.#state = 'finishing';
    this.#destination?.end();
    this.#link.send(message.encodeTotal('finished', ours));
    this.#completeIfAll();
  }

  #completeIfAll(): void {
    if (this.#identical !== true || !this.#backEnded || this.isOver) return;
    this.#over('complete', '');
    // The other side closes, when it has read all of it.
  }

  /** The hypervisor that waits for the guest finds its stream cut off, and gives it up. */
  #fail(reason: string): void {
    if (this.isOver) return;
    this.#over('failed', reason);
    this.#link.fail(reason);
    this.#destination?.destroy();
  }

  #over(state: 'complete' | 'failed', reason: string): void {
    this.#state = state;
    this.#reason = reason;
    this.#patience?.cancel();
    this.#receiver?.stop();
    this.#times.ends();
    this.options.ended();
  }
}
