/**
 * A stream that comes in: from the other courier to the hypervisor that waits for the guest. Nothing is passed on before it is proven
 * to be what went in at the other end.
 */
import type { Socket } from 'node:net';
import type { Timer } from '../../net/clock.js';
import { messageOf } from '../../net/system-error.js';
import { Digester, keyOf } from '../store/digest.js';
import type { Peer } from '../store/peers.js';
import { PAGE_BYTES } from '../stream/token.js';
import { type Instruction, readBatch } from '../wire/batch.js';
import { type Frame, frameOf } from '../wire/frame.js';
import {
  MOST_BACK_BYTES,
  MOST_BACK_PIECE_BYTES,
  MOST_UNWRITTEN_BATCHES,
  MOST_UNWRITTEN_BYTES,
} from '../wire/limits.js';
import * as message from '../wire/message.js';
import { decodeOpening, encodeOpening, type Opening } from '../wire/opening.js';
import { isSameTotal, StreamCheck } from '../wire/stream-check.js';
import { decompress } from './compression.js';
import { InOrder } from './in-order.js';
import { type JobState, type JobView, type JobWorld, mbitPerSecond, savedPercent } from './job.js';
import { type LinkOptions, PeerLink, unexpected } from './peer-link.js';

/** For the hypervisor that waits to take the connection: it is on this site. */
export const CONNECT_MS = 10_000;
/** So long another job may take to bring a page that was referred to here, before it is asked for. */
const ELSEWHERE_MS = 60;
const LOOK_MS = 5;

export interface IncomingOptions {
  readonly link: Omit<LinkOptions, 'side'>;
  readonly world: JobWorld;
  /** Connects with the hypervisor; a string: why not. */
  connect(opening: Opening, job: IncomingJob): Socket | string;
  /** The other courier is who it should be; at most once, and before `ended`. What comes it may say much later. */
  proven(): void;
  /** It is a disk that comes: somebody else goes on with the link. */
  isDisk(link: PeerLink, codec: message.Codec, payload: Buffer): void;
  ended(): void;
}

interface Wanted {
  readonly page: Promise<Buffer>;
  resolve(page: Buffer): void;
}

export class IncomingJob {
  readonly #link: PeerLink;
  readonly #startedMs: number;
  readonly #startedAt: string;
  /** For the destination to take the connection. */
  #patience: Timer | undefined;
  #endedMs: number | undefined;
  #state: JobState = 'connecting';
  #reason = '';
  #codec: message.Codec = 'none';
  #opening: Opening | undefined;
  #digester = new Digester('', PAGE_BYTES);
  /** The other store. */
  #peer: Peer | undefined;
  /** It is connected when the state is not `connecting` any more. */
  #destination: Socket | undefined;
  readonly #check = new StreamCheck();
  #serial = 0;
  #unwrittenBytes = 0;
  #unwrittenBatches = 0;
  /** Pages are kept and looked up in the stream's order; then the stream is written in its order. */
  readonly #lookUps = new InOrder(this);
  readonly #writes = new InOrder(this);
  readonly #wanted = new Map<string, Wanted>();
  readonly #counts = { pages: 0, pagesNew: 0, pagesReferenced: 0, pagesAskedFor: 0 };
  #finishing = false;
  #identical: boolean | undefined;
  #backEnded = false;

  constructor(private readonly options: IncomingOptions) {
    const { clock } = options.world;
    this.#startedMs = clock.nowMs();
    this.#startedAt = new Date(clock.wallMs()).toISOString();
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

  /** A batch could not be unpacked, or is not what it should be. */
  failed(error: unknown): void {
    this.#fail(messageOf(error));
  }

  view(): JobView | undefined {
    if (this.#opening === undefined) return undefined;
    const { job, destination, owner, speaker, store } = this.#opening;
    const { sha256, bytes } = this.#check.total();
    const seconds = ((this.#endedMs ?? this.options.world.clock.nowMs()) - this.#startedMs) / 1000;
    const [sent, received] = [this.#link.sentBytes, this.#link.receivedBytes];
    return {
      ...{
        job,
        role: 'destination',
        peer: store,
        destination,
        owner,
        state: this.#state,
        reason: this.#reason,
      },
      ...{ speaker, machine: null, phase: null, passedBecause: '', codec: this.#codec, ...this.#counts },
      ...{ streamBytes: bytes, wanBytesSent: sent, wanBytesReceived: received },
      savedPercent: savedPercent(bytes, sent + received),
      ...{ sha256: this.#identical === undefined ? null : sha256.toString('hex') },
      ...{ identical: this.#identical ?? null, startedAt: this.#startedAt },
      seconds: Math.round(seconds * 1000) / 1000,
      streamMbitPerSecond: mbitPerSecond(bytes, seconds),
      wanMbitPerSecond: mbitPerSecond(received, seconds),
    };
  }

  #frame(frame: Frame): void {
    const problem = this.#handle(frame);
    if (problem !== undefined) this.#link.fail(problem);
  }

  #handle({ name, payload }: Frame): string | undefined {
    if (name === 'open') return this.#open(payload);
    if (name === 'disk-open' && this.#opening === undefined) return this.#giveAway(payload);
    if (this.#state === 'connecting') return unexpected(name);
    switch (name) {
      case 'batch':
        return this.#batch(payload);
      case 'pages':
        return this.#pages(payload);
      case 'finish':
        return this.#finish(payload);
      default:
        return unexpected(name);
    }
  }

  #giveAway(payload: Buffer): undefined {
    this.options.isDisk(this.#link, this.#codec, payload);
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
    this.#digester = new Digester(opening.owner, PAGE_BYTES);
    this.#peer = this.options.world.store.peer(opening.store);
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

  #batch(payload: Buffer): string | undefined {
    const batch = message.decodeBatch(payload);
    if (typeof batch === 'string') return batch;
    if (batch.serial !== this.#serial + 1) return `batch ${batch.serial} behind batch ${this.#serial}`;
    if (this.#finishing) return unexpected('batch');
    this.#serial = batch.serial;
    this.#link.send(message.encodeSerial('got', batch.serial));
    this.#unwrittenBytes += batch.streamBytes;
    this.#unwrittenBatches++;
    const isTooMuch =
      this.#unwrittenBytes > MOST_UNWRITTEN_BYTES || this.#unwrittenBatches > MOST_UNWRITTEN_BATCHES;
    if (isTooMuch) return 'more came than was acknowledged';
    this.#lookUps.add(decompress(batch, batch.instructionBytes), async (unpacked) => {
      const instructions = readBatch(unpacked, batch.streamBytes);
      if (typeof instructions === 'string') throw new Error(instructions);
      const pieces = await this.#lookUp(instructions);
      // What is asked for does not hold up looking further.
      this.#writes.add(this.#complete(batch, pieces), (stream) => this.#write(batch, stream));
    });
    return undefined;
  }

  /** Keeps what is new, finds what is known; a key stays where the page is not there. */
  async #lookUp(instructions: readonly Instruction[]): Promise<(Buffer | { key: Buffer })[]> {
    const { store } = this.options.world;
    return Promise.all(
      instructions.map(async (one) => {
        if (one.is === 'verbatim') return one.bytes;
        this.#counts.pages++;
        if (one.is === 'page') {
          this.#counts.pagesNew++;
          this.#keep(this.#digester.of(one.bytes), one.bytes);
          return one.bytes;
        }
        this.#counts.pagesReferenced++;
        return (await store.fetch(one.key, 0, this.#digester)) ?? { key: one.key };
      }),
    );
  }

  /** What the other side sends, it has. */
  #keep(digest: Buffer, page: Buffer): void {
    const { store } = this.options.world;
    store.put(digest, page);
    if (this.#peer !== undefined) store.setPeerHas(this.#peer, true, digest);
  }

  async #complete(batch: message.Batch, pieces: readonly (Buffer | { key: Buffer })[]): Promise<Buffer> {
    const missing = pieces.flatMap((piece) => (Buffer.isBuffer(piece) ? [] : [piece.key]));
    const found = missing.length === 0 ? new Map<string, Buffer>() : await this.#find(batch, missing);
    return Buffer.concat(
      pieces.map((piece) =>
        Buffer.isBuffer(piece) ? piece : (found.get(keyOf(piece.key)) ?? Buffer.alloc(0)),
      ),
    );
  }

  /** Another job brings them, or the other courier is asked. */
  async #find(batch: message.Batch, keys: readonly Buffer[]): Promise<Map<string, Buffer>> {
    const { store, clock } = this.options.world;
    const untilMs = clock.nowMs() + ELSEWHERE_MS;
    const mayCome = (): boolean =>
      !batch.urgent && clock.nowMs() < untilMs && this.options.world.otherJobs(this) > 0 && !this.isOver;
    while (mayCome() && !keys.every((key) => store.has(key)))
      await new Promise<void>((done) => clock.after('courier-elsewhere', LOOK_MS, done));
    const found = new Map<string, Buffer>();
    const asked: Buffer[] = [];
    for (const key of new Map(keys.map((one) => [keyOf(one), one])).values()) {
      const page = await store.fetch(key, 0, this.#digester);
      if (page === undefined) asked.push(key);
      else found.set(keyOf(key), page);
    }
    const answers = asked.map(async (key) => found.set(keyOf(key), await this.#want(key)));
    const fresh = asked.filter((key) => !this.#isAsked.has(keyOf(key)));
    for (const key of fresh) this.#isAsked.add(keyOf(key));
    if (fresh.length > 0 && !this.isOver) {
      this.#counts.pagesAskedFor += fresh.length;
      this.options.world.counters.count('pages_asked_for', fresh.length);
      this.#link.send(message.encodeWant({ serial: batch.serial, keys: fresh }));
    }
    await Promise.all(answers);
    return found;
  }

  /** Asked for, and not answered yet: nobody asks twice at once. */
  readonly #isAsked = new Set<string>();

  #want(key: Buffer): Promise<Buffer> {
    const known = this.#wanted.get(keyOf(key));
    if (known !== undefined) return known.page;
    let resolve: (page: Buffer) => void = () => undefined;
    const page = new Promise<Buffer>((done) => {
      resolve = done;
    });
    this.#wanted.set(keyOf(key), { page, resolve });
    return page;
  }

  #pages(payload: Buffer): string | undefined {
    const pages = message.decodePages(payload);
    if (typeof pages === 'string') return pages;
    if (this.#wanted.size === 0) return 'pages that nobody asked for';
    decompress(pages, pages.bytes)
      .then((bytes) => {
        for (let at = 0; at < bytes.length; at += PAGE_BYTES)
          this.#answered(bytes.subarray(at, at + PAGE_BYTES));
      })
      .catch((error: unknown) => this.failed(error));
    return undefined;
  }

  #answered(page: Buffer): void {
    const digest = this.#digester.of(page);
    const wanted = this.#wanted.get(keyOf(digest));
    if (wanted === undefined)
      throw new Error('a page that nobody asked for, or that does not match its digest');
    this.#wanted.delete(keyOf(digest));
    this.#isAsked.delete(keyOf(digest));
    this.#keep(digest, page);
    wanted.resolve(page);
  }

  /** A batch whose stream is not what went in ends the job before any of it is passed on. */
  #write(batch: message.Batch, stream: Buffer): void {
    if (!this.#check.takes(stream, batch.checkpoint)) {
      this.options.world.counters.count('batches_not_the_stream');
      throw new Error('what came out is not what went in: nothing of it was passed on');
    }
    this.#destination?.write(stream, (error) => {
      if (error != null || this.isOver) return;
      this.#unwrittenBytes -= batch.streamBytes;
      this.#unwrittenBatches--;
      this.#link.send(message.encodeSerial('ack', batch.serial));
    });
  }

  #finish(payload: Buffer): string | undefined {
    const theirs = message.decodeTotal(payload);
    if (typeof theirs === 'string') return theirs;
    if (this.#finishing) return unexpected('finish');
    this.#finishing = true;
    this.#lookUps.add(undefined, () => this.#writes.add(undefined, () => this.#compare(theirs)));
    return undefined;
  }

  #compare(theirs: message.Total): void {
    const ours = this.#check.total();
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
    this.#endedMs = this.options.world.clock.nowMs();
    this.options.ended();
  }
}
