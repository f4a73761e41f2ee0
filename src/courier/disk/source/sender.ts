/** A session's records on one connection: batches, as many as the WAN takes, and the pages that the other side asks for. */
import { BatchSender } from '../../job/batch-sender.js';
import { pageBook } from '../../job/page-book.js';
import type { PeerLink } from '../../job/peer-link.js';
import type { Digester } from '../../store/digest.js';
import type { Peer } from '../../store/peers.js';
import { BatchMaker } from '../../wire/batch-maker.js';
import type { Frame } from '../../wire/frame.js';
import type * as message from '../../wire/message.js';
import { BLOCK_BYTES } from '../record.js';
import type { DiskCounts, DiskWorld } from '../view.js';
import type { RecordLog } from './log.js';
import { tokensOf } from './tokens.js';

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
  readonly #batches: BatchSender;

  constructor(private readonly options: SenderOptions) {
    const { link, codec, world, digester, peer, counts } = options;
    const book = pageBook({
      ...{ store: world.store, peer, digester },
      isOnItsWay: (key) => world.isOnItsWay(key, this),
      goes: (digest) => this.#batches.goes(digest),
    });
    this.#maker = new BatchMaker(book);
    this.#batches = new BatchSender({
      ...{ link, clock: world.clock, codec: () => codec, pump: () => this.pump() },
      askedFor: (pages) => {
        counts.pagesAskedFor += pages;
      },
    });
  }

  /** The page has been sent, and has not been acknowledged. */
  isOnItsWay(key: string): boolean {
    return this.#batches.pages.has(key);
  }

  /** Sends what may go. */
  pump(): void {
    while (!this.#batches.isOver && this.#batches.mayGo()) {
      if (this.#maker.isEmpty) this.#fill();
      const batch = this.#maker.take();
      if (batch === undefined) return;
      this.#batches.go(batch);
    }
  }

  /** Nothing more goes, and what has not arrived for certain has not arrived. */
  stop(): void {
    this.#batches.stop();
    const { world, peer } = this.options;
    for (const key of this.#batches.pages) world.store.setPeerHas(peer, false, Buffer.from(key, 'latin1'));
  }

  /** Undefined: the frame was as it should be. */
  handle(frame: Frame): string | undefined {
    return this.#batches.handle(frame);
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
    const { pages, pagesNew, pagesReferenced, instructionBytes } = this.#maker.counts;
    counts.instructionBytes += instructionBytes - before.instructionBytes;
    counts.pages += pages - before.pages;
    counts.pagesNew += pagesNew - before.pagesNew;
    counts.pagesReferenced += pagesReferenced - before.pagesReferenced;
  }
}
