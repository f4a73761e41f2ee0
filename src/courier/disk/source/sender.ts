/** A session's records on one connection: batches, as many as the WAN takes, and the pages that the other side asks for. */
import { messageOf } from '../../../net/system-error.js';
import { compress } from '../../job/compression.js';
import { InOrder } from '../../job/in-order.js';
import { Level } from '../../job/level.js';
import { type PeerLink, unexpected } from '../../job/peer-link.js';
import { Unacked } from '../../job/unacked.js';
import { type Digester, keyOf } from '../../store/digest.js';
import type { Peer } from '../../store/peers.js';
import { BatchMaker, type MadeBatch } from '../../wire/batch-maker.js';
import type { Frame } from '../../wire/frame.js';
import { PAGES_PER_ANSWER } from '../../wire/limits.js';
import * as message from '../../wire/message.js';
import { Window } from '../../wire/window.js';
import { BLOCK_BYTES } from '../record.js';
import type { DiskCounts, DiskWorld } from '../view.js';
import type { RecordLog } from './log.js';
import { tokensOf } from './tokens.js';

/** Batches that are being compressed at once. */
const MOST_COMPRESSING = 2;
/** Records are put together until a batch is about so long, if there are so many. */
const BATCH_BYTES = 2 * BLOCK_BYTES;

export interface SenderOptions {
  readonly link: PeerLink;
  readonly codec: message.Codec;
  readonly world: DiskWorld;
  readonly digester: Digester;
  /** The other store. */
  readonly peer: Peer;
  readonly log: RecordLog;
  readonly counts: DiskCounts;
}

export class Sender {
  readonly #maker: BatchMaker;
  readonly #window = new Window();
  readonly #level = new Level();
  #compressing = 0;
  /** Batches go in their order, however long their compression takes. */
  readonly #order = new InOrder(this);
  readonly #unacked = new Unacked();
  #isOver = false;

  constructor(private readonly options: SenderOptions) {
    const { world, digester, peer } = options;
    this.#maker = new BatchMaker({
      digest: (page) => {
        const digest = digester.of(page);
        world.store.put(digest, page);
        return digest;
      },
      isThere: (digest) => world.store.peerHas(peer, digest) && !world.isOnItsWay(keyOf(digest), this),
      goes: (digest) => {
        world.store.setPeerHas(peer, true, digest);
        this.#unacked.goes(digest);
      },
    });
  }

  /** The page has been sent, and has not been acknowledged. */
  isOnItsWay(key: string): boolean {
    return this.#unacked.pages.has(key);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** A batch could not be compressed. */
  failed(error: unknown): void {
    this.options.link.fail(`compression: ${messageOf(error)}`);
  }

  /** Sends what may go. */
  pump(): void {
    while (!this.#isOver && this.#mayGo()) {
      if (this.#maker.isEmpty) this.#fill();
      const batch = this.#maker.take();
      if (batch === undefined) return;
      this.#go(batch);
    }
  }

  /** Nothing more goes, and what has not arrived for certain has not arrived. */
  stop(): void {
    this.#isOver = true;
    const { world, peer } = this.options;
    for (const key of this.#unacked.pages) world.store.setPeerHas(peer, false, Buffer.from(key, 'latin1'));
  }

  /** Undefined: the frame was as it should be. */
  handle({ name, payload }: Frame): string | undefined {
    switch (name) {
      case 'got':
        return this.#got(payload.readUInt32BE(0));
      case 'ack':
        return this.#acked(payload.readUInt32BE(0));
      case 'want':
        return this.#wanted(payload);
      default:
        return unexpected(name);
    }
  }

  #fill(): void {
    const { log, counts } = this.options;
    const before = this.#maker.counts;
    for (let bytes = 0; bytes < BATCH_BYTES; ) {
      const record = log.next();
      if (record === undefined) break;
      const tokens = tokensOf(record);
      this.#maker.add(tokens, false);
      bytes += tokens.reduce((sum, token) => sum + token.bytes.length, 0);
    }
    const { pages, pagesNew, pagesReferenced } = this.#maker.counts;
    counts.pages += pages - before.pages;
    counts.pagesNew += pagesNew - before.pagesNew;
    counts.pagesReferenced += pagesReferenced - before.pagesReferenced;
  }

  #mayGo(): boolean {
    if (!this.#window.isOpen || this.#unacked.isFull) {
      this.#level.waitedFor('wan');
      return false;
    }
    if (this.#compressing < MOST_COMPRESSING) return true;
    this.#level.waitedFor('compression');
    return false;
  }

  #go(batch: MadeBatch): void {
    const { serial, urgent, instructions, streamBytes, checkpoint } = batch;
    const { link, codec: agreed, world } = this.options;
    this.#unacked.sent(batch);
    this.#compressing++;
    this.#order.add(compress(agreed, instructions, this.#level.value), ({ codec, content }) => {
      this.#compressing--;
      const sizes = { instructionBytes: instructions.length, streamBytes };
      const frame = message.encodeBatch({ serial, codec, urgent, ...sizes, checkpoint, content });
      this.#window.sent(serial, frame.length, world.clock.nowMs());
      link.send(frame);
      this.pump();
    });
  }

  #got(serial: number): string | undefined {
    if (!this.#window.arrived(serial, this.options.world.clock.nowMs()))
      return `batch ${serial} has come, which was not sent`;
    this.pump();
    return undefined;
  }

  #acked(serial: number): string | undefined {
    if (!this.#unacked.acked(serial)) return `ack of ${serial}, which was not sent`;
    this.pump();
    return undefined;
  }

  #wanted(payload: Buffer): string | undefined {
    const want = message.decodeWant(payload);
    if (typeof want === 'string') return want;
    const pages = this.#unacked.take(want.serial, want.keys);
    if (pages === undefined) return 'a page was asked for that was not referred to';
    this.options.counts.pagesAskedFor += pages.length;
    for (let at = 0; at < pages.length; at += PAGES_PER_ANSWER)
      this.#answer(want.serial, Buffer.concat(pages.slice(at, at + PAGES_PER_ANSWER)));
    return undefined;
  }

  #answer(serial: number, pages: Buffer): void {
    const { link, codec: agreed } = this.options;
    compress(agreed, pages, 1)
      .then(({ codec, content }) =>
        link.send(message.encodePages({ serial, codec, bytes: pages.length, content })),
      )
      .catch((error: unknown) => this.failed(error));
  }
}
