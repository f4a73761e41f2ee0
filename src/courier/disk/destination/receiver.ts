/**
 * The stream of a session on one connection: batches come, pages are kept and looked up, and what was put together is proven to
 * be what went in before any of it is given on.
 */
import { messageOf } from '../../../net/system-error.js';
import { decompress } from '../../job/compression.js';
import { InOrder } from '../../job/in-order.js';
import { type PeerLink, unexpected } from '../../job/peer-link.js';
import { type Digester, keyOf } from '../../store/digest.js';
import type { Peer } from '../../store/peers.js';
import { PAGE_BYTES } from '../../stream/token.js';
import { type Instruction, readBatch } from '../../wire/batch.js';
import type { Frame } from '../../wire/frame.js';
import * as message from '../../wire/message.js';
import { StreamCheck } from '../../wire/stream-check.js';
import type { DiskCounts, DiskWorld } from '../view.js';

/** Of the stream, in batches that are looked at. The sender's log is shorter. */
const MOST_UNTAKEN_BYTES = 32 * 1024 * 1024;

export interface ReceiverOptions {
  readonly link: PeerLink;
  readonly world: DiskWorld;
  readonly digester: Digester;
  /** The other store. */
  readonly peer: Peer;
  readonly counts: DiskCounts;
  /** Undefined: the stream's next bytes are as they should be. */
  take(stream: Buffer): string | undefined;
}

type Piece = Buffer | { readonly key: Buffer };

interface Wanted {
  readonly page: Promise<Buffer>;
  resolve(page: Buffer): void;
}

export class Receiver {
  readonly #check = new StreamCheck();
  #serial = 0;
  #untakenBytes = 0;
  /** Pages are kept and looked up in the stream's order; then the stream is given on in its order. */
  readonly #lookUps = new InOrder(this);
  readonly #gifts = new InOrder(this);
  readonly #wanted = new Map<string, Wanted>();
  #isOver = false;

  constructor(private readonly options: ReceiverOptions) {}

  /** Nothing more is given on. */
  stop(): void {
    this.#isOver = true;
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
    this.options.link.send(message.encodeSerial('got', batch.serial));
    this.#untakenBytes += batch.streamBytes;
    if (this.#untakenBytes > MOST_UNTAKEN_BYTES) return 'more came than was acknowledged';
    this.#lookUps.add(decompress(batch, batch.instructionBytes), async (unpacked) => {
      const instructions = readBatch(unpacked, batch.streamBytes);
      if (typeof instructions === 'string') throw new Error(instructions);
      const pieces = await this.#lookUp(instructions);
      // What is asked for does not hold up looking further.
      this.#gifts.add(this.#complete(batch.serial, pieces), (stream) => this.#give(batch, stream));
    });
    return undefined;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** A batch is not what it should be. */
  failed(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.options.link.fail(messageOf(error));
  }

  async #lookUp(instructions: readonly Instruction[]): Promise<Piece[]> {
    const { world, digester, counts } = this.options;
    return Promise.all(
      instructions.map(async (one) => {
        if (one.is === 'verbatim') return one.bytes;
        counts.pages++;
        if (one.is === 'page') {
          counts.pagesNew++;
          this.#keep(digester.of(one.bytes), one.bytes);
          return one.bytes;
        }
        counts.pagesReferenced++;
        return (await world.store.fetch(one.key, 0, digester)) ?? { key: one.key };
      }),
    );
  }

  /** What the other side sends, it has. */
  #keep(digest: Buffer, page: Buffer): void {
    const { world, peer } = this.options;
    world.store.put(digest, page);
    world.store.setPeerHas(peer, true, digest);
  }

  async #complete(serial: number, pieces: readonly Piece[]): Promise<Buffer> {
    const keys = new Map<string, Buffer>();
    for (const piece of pieces) if (!Buffer.isBuffer(piece)) keys.set(keyOf(piece.key), piece.key);
    const found = keys.size === 0 ? new Map<string, Buffer>() : await this.#ask(serial, keys);
    return Buffer.concat(
      pieces.map((piece) => (Buffer.isBuffer(piece) ? piece : (found.get(keyOf(piece.key)) ?? NOTHING))),
    );
  }

  /** A page that another batch waits for is not asked for twice. */
  async #ask(serial: number, keys: ReadonlyMap<string, Buffer>): Promise<Map<string, Buffer>> {
    const fresh = [...keys].filter(([key]) => !this.#wanted.has(key));
    for (const [key] of fresh) this.#wanted.set(key, newWanted());
    const answers = [...keys].map(async ([key]) => [key, await this.#wanted.get(key)?.page] as const);
    if (fresh.length > 0) {
      this.options.counts.pagesAskedFor += fresh.length;
      this.options.link.send(message.encodeWant({ serial, keys: fresh.map(([, key]) => key) }));
    }
    const found = new Map<string, Buffer>();
    for (const [key, page] of await Promise.all(answers)) if (page !== undefined) found.set(key, page);
    return found;
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
    if (!this.#check.takes(stream, batch.checkpoint)) {
      this.options.world.counters.count('disk_batches_not_the_stream');
      throw new Error('what came out is not what went in: nothing of it was done');
    }
    const problem = this.options.take(stream);
    if (problem !== undefined) throw new Error(problem);
    this.#untakenBytes -= batch.streamBytes;
    this.options.link.send(message.encodeSerial('ack', batch.serial));
  }
}

const NOTHING = Buffer.alloc(0);

function newWanted(): Wanted {
  let resolve: (page: Buffer) => void = () => undefined;
  const page = new Promise<Buffer>((done) => {
    resolve = done;
  });
  return { page, resolve };
}
