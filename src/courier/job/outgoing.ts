/**
 * A stream that goes out: from the hypervisor's socket to the other courier. The socket is read only while what came before has
 * left: the hypervisor feels the WAN, and at most one piece of what it wrote waits here besides what is on its way.
 */
import type { Socket } from 'node:net';
import type { Timer } from '../../net/clock.js';
import { Digester, keyOf, type PageKey } from '../store/digest.js';
import type { Peer } from '../store/peers.js';
import { printable } from '../stream/item.js';
import { StreamParser } from '../stream/parser.js';
import { PAGE_BYTES, type Token } from '../stream/token.js';
import { BatchMaker } from '../wire/batch-maker.js';
import type { Frame } from '../wire/frame.js';
import { MOST_BACK_BYTES } from '../wire/limits.js';
import * as message from '../wire/message.js';
import { decodeOpened, encodeOpening } from '../wire/opening.js';
import { isSameTotal } from '../wire/stream-check.js';
import { BatchSender } from './batch-sender.js';
import { type JobState, JobTimes, type JobView, type JobWorld, mbitPerSecond, savedPercent } from './job.js';
import { type LinkOptions, PeerLink, unexpected } from './peer-link.js';

/** An item whose rest does not come for so long is passed on as far as it has come. */
const RELEASE_MS = 20;

export interface OutgoingOptions {
  readonly job: string;
  readonly source: Socket;
  readonly link: Omit<LinkOptions, 'side'>;
  readonly peer: string;
  readonly destination: string;
  readonly owner: string;
  /** The guest's, as far as they are known. */
  readonly macs: readonly string[];
  readonly world: JobWorld;
  /** The other courier is who it should be; at most once, and before `ended`. */
  proven(): void;
  ended(): void;
}

export class OutgoingJob {
  readonly #parser = new StreamParser();
  readonly #digester: Digester;
  readonly #maker: BatchMaker;
  readonly #link: PeerLink;
  readonly #sender: BatchSender;
  readonly #times: JobTimes;
  #state: JobState = 'connecting';
  #reason = '';
  #codec: message.Codec = 'none';
  /** What came before the other courier was ready. */
  #early: Token[] = [];
  #isOpening = false;
  /** The other store; it is known when the state is not `connecting` any more. */
  #peer: Peer | undefined;
  #sourceEnded = false;
  #finishSent = false;
  #backEnded = false;
  #identical: boolean | undefined;
  #askedFor = 0;
  #release: Timer | undefined;
  /** Pieces that the source has said. */
  #pieces = 0;

  constructor(private readonly options: OutgoingOptions) {
    const { world, owner, source } = options;
    this.#times = new JobTimes(world.clock);
    this.#digester = new Digester(owner, PAGE_BYTES);
    this.#maker = new BatchMaker({
      digest: (page) => this.#known(page),
      whereIs: (digest, urgent) => this.#whereIs(digest, urgent),
      goes: (digest) => this.#goes(digest),
    });
    this.#link = new PeerLink(
      { ...options.link, side: 'caller' },
      {
        ready: (codec) => {
          this.#codec = codec;
          options.proven();
          this.#open();
        },
        frame: (frame) => this.#frame(frame),
        closed: (reason) => this.#fail(reason ?? 'closed'),
      },
    );
    this.#sender = new BatchSender({
      link: this.#link,
      clock: world.clock,
      codec: () => this.#codec,
      pump: () => this.#pump(),
      askedFor: (pages) => {
        this.#askedFor += pages;
        world.counters.count('pages_asked_for', pages);
      },
    });
    source.on('data', (piece: Buffer) => this.#came(piece));
    source.on('end', () => this.#cameAll());
    source.on('error', (error) => this.#fail(`the source: ${error.message}`));
    source.on('close', () => {
      if (!this.#sourceEnded) this.#fail('the source has closed its connection');
    });
  }

  /** The page has been sent, and has not been acknowledged. */
  isOnItsWay(key: PageKey): boolean {
    return this.#sender.pages.has(key);
  }

  stop(reason: string): void {
    this.#fail(reason);
  }

  view(): JobView {
    const { seconds } = this.#times;
    const [sent, received] = [this.#link.sentBytes, this.#link.receivedBytes];
    const total = this.#finishSent ? this.#maker.total().sha256.toString('hex') : null;
    return {
      ...{
        job: this.options.job,
        role: 'source',
        peer: this.options.peer,
        destination: this.options.destination,
      },
      ...{ owner: this.options.owner, macs: this.options.macs, state: this.#state, reason: this.#reason },
      ...{
        speaker: this.#parser.speaker ?? null,
        machine: this.#parser.machine ?? null,
        phase: this.#parser.phase,
      },
      passedBecause: this.#parser.passedBecause ?? '',
      codec: this.#codec,
      ...this.#maker.counts,
      pagesAskedFor: this.#askedFor,
      ...{ streamBytes: this.#maker.bytes, wanBytesSent: sent, wanBytesReceived: received },
      savedPercent: savedPercent(this.#maker.bytes, sent + received),
      ...{ sha256: total, identical: this.#identical ?? null, ...this.#times.view() },
      streamMbitPerSecond: mbitPerSecond(this.#maker.bytes, seconds),
      wanMbitPerSecond: mbitPerSecond(sent, seconds),
    };
  }

  get isOver(): boolean {
    return this.#state === 'complete' || this.#state === 'failed';
  }

  #came(piece: Buffer): void {
    if (this.isOver) return;
    this.#pieces++;
    const tokens = this.#parser.push(piece);
    if (this.#parser.phase === 'stopped') this.#times.switches();
    this.#take(tokens);
  }

  /** What is held while the source may speak and does not is given out: perhaps it waits for an answer. */
  #armRelease(): void {
    this.#release?.cancel();
    if (this.#parser.heldBytes === 0 || this.options.source.isPaused()) return;
    const { clock } = this.options.world;
    const pieces = this.#pieces;
    this.#release = clock.after('courier-release', RELEASE_MS, () => {
      // Where this process was not let run, the rest may have come, and has not been read.
      this.#release = clock.after('courier-release', 1, () => {
        if (pieces === this.#pieces) this.#take(this.#parser.release());
      });
    });
  }

  #cameAll(): void {
    if (this.isOver) return;
    this.#release?.cancel();
    this.#sourceEnded = true;
    this.#take(this.#parser.release());
  }

  #take(tokens: readonly Token[]): void {
    if (this.isOver) return;
    if (this.#state === 'connecting') this.#early.push(...tokens);
    else this.#maker.add(tokens, this.#parser.phase === 'stopped');
    this.#open();
    this.#pump();
  }

  /**
   * Says what comes, when both are known: the other courier's codec and the stream's first bytes. A source may connect long before it
   * says anything. Bytes that are too few to tell, and were given out all the same, are those of somebody unknown.
   */
  #open(): void {
    const isKnown = this.#parser.speaker !== undefined || this.#sourceEnded || this.#early.length > 0;
    if (this.#isOpening || !this.#link.isReady || !isKnown) return;
    this.#isOpening = true;
    const { job, destination, owner, macs, world } = this.options;
    const speaker = this.#parser.speaker ?? 'unknown';
    if (speaker === 'multifd') world.counters.count('streams_multifd');
    else if (speaker !== 'qemu') world.counters.count(`streams_passed_${speaker}`);
    const store = world.store.name;
    this.#link.send(encodeOpening('open', { job, destination, owner, store, speaker, macs: [...macs] }));
  }

  #opened(payload: Buffer): string | undefined {
    const opened = decodeOpened(payload);
    if (typeof opened === 'string') return opened;
    if (!this.#isOpening || this.#state !== 'connecting') return unexpected('opened');
    if ('refused' in opened) return `the other courier refuses: ${printable(opened.refused)}`;
    this.#peer = this.options.world.store.peer(opened.store);
    this.#state = 'running';
    this.#maker.add(this.#early, this.#parser.phase === 'stopped');
    this.#early = [];
    this.#pump();
    return undefined;
  }

  /** Sends what may go; lets the source go on when all has gone. */
  #pump(): void {
    if (this.isOver) return;
    const { source } = this.options;
    if (this.#state === 'connecting') {
      if (this.#early.length > 0) source.pause();
      else this.#armRelease();
      return;
    }
    while (!this.#maker.isEmpty && this.#sender.mayGo()) {
      const batch = this.#maker.take();
      if (batch !== undefined) this.#sender.go(batch);
    }
    if (this.#maker.isEmpty) source.resume();
    else source.pause();
    this.#armRelease();
    if (this.#sourceEnded && this.#maker.isEmpty && !this.#sender.isCompressing) this.#finish();
  }

  #frame(frame: Frame): void {
    const problem = this.#handle(frame);
    if (problem !== undefined) this.#link.fail(problem);
  }

  #handle(frame: Frame): string | undefined {
    const { name, payload } = frame;
    switch (name) {
      case 'opened':
        return this.#opened(payload);
      case 'back':
        this.options.source.write(payload);
        return this.options.source.writableLength > MOST_BACK_BYTES ? 'the source does not read' : undefined;
      case 'back-end':
        this.options.source.end();
        this.#backEnded = true;
        this.#completeIfAll();
        return undefined;
      case 'finished':
        return this.#finished(payload);
      default:
        return this.#sender.handle(frame);
    }
  }

  #finish(): void {
    if (this.#finishSent) return;
    this.#finishSent = true;
    this.#state = 'finishing';
    this.#link.send(message.encodeTotal('finish', this.#maker.total()));
  }

  #finished(payload: Buffer): string | undefined {
    const total = message.decodeTotal(payload);
    if (typeof total === 'string') return total;
    if (!this.#finishSent) return unexpected('finished');
    this.#identical = isSameTotal(this.#maker.total(), total);
    if (!this.#identical) return 'what came out is not what went in';
    this.#completeIfAll();
    return undefined;
  }

  #completeIfAll(): void {
    if (this.#identical !== true || !this.#backEnded || this.isOver) return;
    this.#over('complete', '');
    this.#link.end();
    this.options.source.end();
    // Nothing further is expected of it, and it shall not hold its end of the connection.
    this.options.source.resume();
  }

  /** The hypervisor finds its connection broken: the migration has failed, and the guest goes on where it was. */
  #fail(reason: string): void {
    if (this.isOver) return;
    this.#over('failed', reason);
    for (const key of this.#sender.pages) this.#peerHas(Buffer.from(key, 'latin1'), false);
    this.#link.fail(reason);
    this.options.source.destroy();
  }

  #over(state: 'complete' | 'failed', reason: string): void {
    this.#state = state;
    this.#reason = reason;
    this.#times.ends();
    this.#release?.cancel();
    this.#sender.stop();
    this.options.ended();
  }

  #known(page: Uint8Array): Buffer {
    const digest = this.#digester.of(page);
    this.options.world.store.put(digest, page);
    return digest;
  }

  /** In the guest's pause nobody waits for what another job has on its way; a channel of multifd does not tell when that is. */
  #whereIs(digest: Buffer, urgent: boolean): 'nowhere' | 'there' | 'coming' {
    const { world } = this.options;
    if (this.#peer === undefined || !world.store.peerHas(this.#peer, digest)) return 'nowhere';
    if (!world.isOnItsWay(keyOf(digest), this)) return 'there';
    return urgent || this.#parser.speaker === 'multifd' ? 'nowhere' : 'coming';
  }

  #goes(digest: Buffer): void {
    this.#peerHas(digest, true);
    this.#sender.goes(digest);
  }

  #peerHas(digest: Buffer, has: boolean): void {
    if (this.#peer !== undefined) this.options.world.store.setPeerHas(this.#peer, has, digest);
  }
}
