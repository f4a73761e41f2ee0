/**
 * Batches that come from the other courier: pages are kept and looked up, what is not here is asked for, and what was put together is
 * proven to be what went in before any of it is given on.
 */
import { messageOf } from '../../net/system-error.js';
import { type Digester, keyOf } from '../store/digest.js';
import type { PageStore } from '../store/page-store.js';
import type { Peer } from '../store/peers.js';
import { PAGE_BYTES } from '../stream/token.js';
import { type Instruction, readBatch } from '../wire/batch.js';
import type { Frame } from '../wire/frame.js';
import { MOST_UNWRITTEN_BATCHES, MOST_UNWRITTEN_BYTES } from '../wire/limits.js';
import * as message from '../wire/message.js';
import { StreamCheck } from '../wire/stream-check.js';
import { decompress } from './compression.js';
import { InOrder } from './in-order.js';
import { type PeerLink, unexpected } from './peer-link.js';

export interface BatchReceiverOptions {
  readonly link: PeerLink;
  readonly store: PageStore;
  readonly digester: Digester;
  /** The other store. */
  readonly peer: Peer;
  /** Goes up. */
  readonly counts: Record<
    'pages' | 'pagesNew' | 'pagesReferenced' | 'pagesAskedFor' | 'instructionBytes',
    number
  >;
  /** The batch's stream, the next bytes of it; who has done with them says `done`. What it throws ends the link. */
  give(batch: message.Batch, stream: Buffer): void;
  /** A batch's stream is not what went in. */
  notTheStream(): void;
  /** Resolves when another stream has brought the pages, or may not bring them any more, or when somebody is in a hurry. */
  elsewhere?(keys: readonly Buffer[], isUrgent: () => boolean): Promise<void>;
  askedFor?(pages: number): void;
}

/** A batch's stream; where a page is not here, what stands there means nothing yet. */
interface Filled {
  readonly stream: Buffer;
  readonly holes: Hole[];
}

interface Hole {
  readonly at: number;
  readonly key: Buffer;
  readonly is: 'reference' | 'coming';
}

interface Wanted {
  readonly page: Promise<Buffer>;
  resolve(page: Buffer): void;
}

export class BatchReceiver {
  /** Of all that was given on. */
  readonly check = new StreamCheck();
  #serial = 0;
  #openBytes = 0;
  #openBatches = 0;
  /** The guest stands still. */
  #isUrgent = false;
  /** Pages are kept and looked up in the stream's order; then the stream is given on in its order. */
  readonly #lookUps = new InOrder(this);
  readonly #gifts = new InOrder(this);
  /** Asked for, and not answered yet: nobody asks twice at once. */
  readonly #wanted = new Map<string, Wanted>();
  #isOver = false;

  constructor(private readonly options: BatchReceiverOptions) {}

  get isOver(): boolean {
    return this.#isOver;
  }

  /** A batch could not be unpacked, or is not what it should be. */
  failed(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.options.link.fail(messageOf(error));
  }

  /** Nothing more is given on. */
  stop(): void {
    this.#isOver = true;
  }

  /** When all that has come until now was given on. */
  after(step: () => void): void {
    this.#lookUps.add(undefined, () => this.#gifts.add(undefined, step));
  }

  /** The batch's stream is where it should be. */
  done({ serial, streamBytes }: message.Batch): void {
    if (this.#isOver) return;
    this.#openBytes -= streamBytes;
    this.#openBatches--;
    this.options.link.send(message.encodeSerial('ack', serial));
  }

  /** Undefined: the frame was as it should be. */
  handle({ name, payload }: Frame): string | undefined {
    if (name === 'batch') return this.#batch(payload);
    return name === 'pages' ? this.#pages(payload) : unexpected(name);
  }

  #batch(payload: Buffer): string | undefined {
    const batch = message.decodeBatch(payload);
    if (typeof batch === 'string') return batch;
    if (batch.serial !== this.#serial + 1) return `batch ${batch.serial} behind batch ${this.#serial}`;
    this.#serial = batch.serial;
    this.#isUrgent ||= batch.urgent;
    this.options.counts.instructionBytes += batch.instructionBytes;
    this.options.link.send(message.encodeSerial('got', batch.serial));
    this.#openBytes += batch.streamBytes;
    this.#openBatches++;
    if (this.#openBytes > MOST_UNWRITTEN_BYTES || this.#openBatches > MOST_UNWRITTEN_BATCHES)
      return 'more came than was acknowledged';
    this.#lookUps.add(decompress(batch, batch.instructionBytes), async (unpacked) => {
      const instructions = readBatch(unpacked, batch.streamBytes);
      if (typeof instructions === 'string') throw new Error(instructions);
      const filled = await this.#lookUp(instructions, batch.streamBytes);
      // What is asked for does not hold up looking further.
      this.#gifts.add(this.#complete(batch, filled), (stream) => this.#give(batch, stream));
    });
    return undefined;
  }

  /** Keeps what is new, finds what is known. */
  async #lookUp(instructions: readonly Instruction[], streamBytes: number): Promise<Filled> {
    const { store, digester, counts } = this.options;
    const filled: Filled = { stream: Buffer.allocUnsafe(streamBytes), holes: [] };
    const looking: Promise<void>[] = [];
    let at = 0;
    for (const one of instructions) {
      if ('key' in one) {
        counts.pagesReferenced++;
        if (!store.copy(one.key, filled.stream, at)) looking.push(this.#lookFurther(filled, at, one));
        at += PAGE_BYTES;
      } else {
        filled.stream.set(one.bytes, at);
        at += one.bytes.length;
      }
      if (one.is !== 'verbatim') counts.pages++;
      if (one.is !== 'page') continue;
      counts.pagesNew++;
      this.#keep(digester.of(one.bytes), one.bytes);
    }
    await Promise.all(looking);
    return filled;
  }

  async #lookFurther(
    { stream, holes }: Filled,
    at: number,
    { key, is }: Pick<Hole, 'key' | 'is'>,
  ): Promise<void> {
    const page = await this.options.store.fetch(key, 0, this.options.digester);
    if (page === undefined) holes.push({ at, key, is });
    else stream.set(page, at);
  }

  /** What the other side sends, it has. */
  #keep(digest: Buffer, page: Buffer): void {
    const { store, peer } = this.options;
    store.put(digest, page);
    store.setPeerHas(peer, true, digest);
  }

  async #complete(batch: message.Batch, { stream, holes }: Filled): Promise<Buffer> {
    if (holes.length === 0) return stream;
    const found = new Map<string, Buffer>();
    const [missing, coming] = [keysOf(holes, 'reference'), keysOf(holes, 'coming')];
    const asked = this.#find(batch, missing, found);
    if (coming.length > 0) {
      await this.options.elsewhere?.(coming, () => this.#isUrgent);
      await this.#find(batch, coming, found);
    }
    await asked;
    for (const { at, key } of holes) {
      const page = found.get(keyOf(key));
      if (page === undefined) throw new Error('a page did not come');
      stream.set(page, at);
    }
    return stream;
  }

  /** The other courier is asked for those that are not here. */
  async #find(batch: message.Batch, keys: readonly Buffer[], found: Map<string, Buffer>): Promise<void> {
    const { store, digester } = this.options;
    const missing: Buffer[] = [];
    for (const key of keys) {
      const page = await store.fetch(key, 0, digester);
      if (page === undefined) missing.push(key);
      else found.set(keyOf(key), page);
    }
    const fresh = missing.filter((key) => !this.#wanted.has(keyOf(key)));
    for (const key of fresh) this.#wanted.set(keyOf(key), newWanted());
    // Taken before anything is sent: an answer takes its promise out.
    const answers = missing.map(async (key) => {
      const page = await this.#wanted.get(keyOf(key))?.page;
      if (page !== undefined) found.set(keyOf(key), page);
    });
    if (!this.#isOver) this.#ask(batch.serial, fresh);
    await Promise.all(answers);
  }

  #ask(serial: number, keys: readonly Buffer[]): void {
    if (keys.length === 0) return;
    this.options.counts.pagesAskedFor += keys.length;
    this.options.askedFor?.(keys.length);
    this.options.link.send(message.encodeWant({ serial, keys }));
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
    const digest = this.options.digester.of(page);
    const wanted = this.#wanted.get(keyOf(digest));
    if (wanted === undefined)
      throw new Error('a page that nobody asked for, or that does not match its digest');
    this.#wanted.delete(keyOf(digest));
    this.#keep(digest, page);
    wanted.resolve(page);
  }

  #give(batch: message.Batch, stream: Buffer): void {
    if (!this.check.takes(stream, batch.checkpoint)) {
      this.options.notTheStream();
      throw new Error('what came out is not what went in: nothing of it was passed on');
    }
    this.options.give(batch, stream);
  }
}

/** Each once. */
function keysOf(holes: readonly Hole[], is: Hole['is']): readonly Buffer[] {
  const keys = holes.filter((hole) => hole.is === is).map(({ key }): [string, Buffer] => [keyOf(key), key]);
  return [...new Map(keys).values()];
}

function newWanted(): Wanted {
  let resolve: (page: Buffer) => void = () => undefined;
  const page = new Promise<Buffer>((done) => {
    resolve = done;
  });
  return { page, resolve };
}
