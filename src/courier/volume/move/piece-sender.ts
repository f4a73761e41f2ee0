/**
 * Pieces of a volume on one connection: what waits is read, cut into batches, and sent as fast as the WAN takes it. What a reader waits for
 * goes before the rest: little more than the WAN's window is ever in front of it.
 */
import { BatchSender } from '../../job/batch-sender.js';
import { pageBook } from '../../job/page-book.js';
import type { PeerLink } from '../../job/peer-link.js';
import { Digester } from '../../store/digest.js';
import { PAGE_BYTES } from '../../stream/token.js';
import { BatchMaker } from '../../wire/batch-maker.js';
import type { Frame } from '../../wire/frame.js';
import type { Codec } from '../../wire/message.js';
import { type Piece, tokensOf } from './pieces.js';
import type { MoveWorld } from './world.js';

/** Read, or being read, and not in a batch yet. */
const MOST_READ = 2;
/** Of what readers wait for: as much as the other side's clients may have under way, of whole chunks. */
const MOST_URGENT = 256;

/** What is to be read and sent. */
export interface Errand {
  readonly isUrgent: boolean;
  /** Never rejects: what could not be read is a piece, too. Undefined: nothing is sent. */
  read(): Promise<Piece | undefined>;
}

export interface PieceSenderOptions {
  readonly link: PeerLink;
  readonly codec: Codec;
  readonly world: MoveWorld;
  readonly owner: string;
  /** The other store. */
  readonly store: string;
  /** The next of it, if there is any. @param isUrgent only what a reader waits for */
  next(isUrgent: boolean): Errand | undefined;
}

export class PieceSender {
  readonly #maker: BatchMaker;
  readonly #batches: BatchSender;
  readonly #ready: { readonly piece: Piece; readonly isUrgent: boolean }[] = [];
  #reading = 0;

  constructor(private readonly options: PieceSenderOptions) {
    const { link, codec, world, owner, store } = options;
    const peer = world.store.peer(store);
    const digester = new Digester(owner, PAGE_BYTES);
    const book = pageBook({
      ...{ store: world.store, peer, digester },
      isOnItsWay: (key) => world.isOnItsWay(key, this),
      goes: (digest) => this.#batches.goes(digest),
    });
    this.#maker = new BatchMaker(book);
    this.#batches = new BatchSender({
      ...{ link, clock: world.clock, codec: () => codec, pump: () => this.pump() },
      askedFor: (pages) => world.counters.count('volume_move_pages_asked_for', pages),
    });
  }

  /** The page has been sent, and has not been acknowledged. */
  isOnItsWay(key: string): boolean {
    return this.#batches.pages.has(key);
  }

  /** There may be something new to be sent. */
  wake(): void {
    this.#read();
  }

  /** Sends what may go. Nobody asks whether it may while there is nothing: that would pass for waiting. */
  pump(): void {
    const has = (): boolean => !this.#maker.isEmpty || this.#ready.length > 0;
    while (!this.#batches.isOver && has() && this.#batches.mayGo()) {
      if (this.#maker.isEmpty && !this.#fill()) break;
      const batch = this.#maker.take();
      if (batch === undefined) break;
      this.#batches.go(batch);
    }
    this.#read();
  }

  /** Nothing more goes, and what has not arrived for certain has not arrived. */
  stop(): void {
    this.#batches.stop();
    const { world, store } = this.options;
    const peer = world.store.peer(store);
    for (const key of this.#batches.pages) world.store.setPeerHas(peer, false, Buffer.from(key, 'latin1'));
  }

  /** Undefined: the frame was as it should be. */
  handle(frame: Frame): string | undefined {
    return this.#batches.handle(frame);
  }

  #fill(): boolean {
    const urgent = this.#ready.findIndex(({ isUrgent }) => isUrgent);
    const [next] = this.#ready.splice(Math.max(urgent, 0), 1);
    if (next === undefined) return false;
    const before = this.#maker.counts;
    this.#maker.add(tokensOf(next.piece), next.isUrgent);
    const { pagesNew, pagesReferenced } = this.#maker.counts;
    const { counters } = this.options.world;
    counters.count('volume_move_pages_sent', pagesNew - before.pagesNew);
    counters.count('volume_move_pages_referenced', pagesReferenced - before.pagesReferenced);
    return true;
  }

  #read(): void {
    while (!this.#batches.isOver) {
      const waiting = this.#ready.length + this.#reading;
      const errand = waiting < MOST_URGENT ? this.options.next(waiting >= MOST_READ) : undefined;
      if (errand === undefined) return;
      this.#reading++;
      void errand.read().then((piece) => {
        this.#reading--;
        if (piece !== undefined) this.#ready.push({ piece, isUrgent: errand.isUrgent });
        this.pump();
      });
    }
  }
}
