/**
 * Batches on their way to the other courier: as many as the WAN takes, in their order however long the compression of each takes; and the
 * pages that it asks for.
 */
import type { Clock } from '../../net/clock.js';
import { messageOf } from '../../net/system-error.js';
import type { PageKey } from '../store/digest.js';
import type { MadeBatch } from '../wire/batch-maker.js';
import type { Frame } from '../wire/frame.js';
import { PAGES_PER_ANSWER } from '../wire/limits.js';
import * as message from '../wire/message.js';
import { Window } from '../wire/window.js';
import { compress, isCrowded } from './compression.js';
import { InOrder } from './in-order.js';
import { Level } from './level.js';
import { type PeerLink, unexpected } from './peer-link.js';
import { Unacked } from './unacked.js';

/** Batches that are being compressed at once. */
const MOST_COMPRESSING = 2;

export interface BatchSenderOptions {
  readonly link: PeerLink;
  readonly clock: Clock;
  /** That couriers have agreed on. */
  codec(): message.Codec;
  /** More may go than before. */
  pump(): void;
  /** So many pages were asked for that the other store did not have. */
  askedFor(pages: number): void;
}

export class BatchSender {
  readonly #window = new Window();
  readonly #level = new Level();
  readonly #order = new InOrder(this);
  readonly #unacked = new Unacked();
  #compressing = 0;
  #isOver = false;

  constructor(private readonly options: BatchSenderOptions) {}

  get isOver(): boolean {
    return this.#isOver;
  }

  get isCompressing(): boolean {
    return this.#compressing > 0;
  }

  /** Pages that go, or have gone, and have not been acknowledged. */
  get pages(): ReadonlySet<PageKey> {
    return this.#unacked.pages;
  }

  /** With the batch that is being made. */
  goes(page: Uint8Array): void {
    this.#unacked.goes(page);
  }

  /** A batch could not be compressed. */
  failed(error: unknown): void {
    this.options.link.fail(`compression: ${messageOf(error)}`);
  }

  /** Nothing more goes. */
  stop(): void {
    this.#isOver = true;
  }

  mayGo(): boolean {
    return this.#window.isOpen && !this.#unacked.isFull && this.#compressing < MOST_COMPRESSING;
  }

  go(batch: MadeBatch): void {
    const { serial, urgent, instructions, streamBytes, checkpoint } = batch;
    const { link, clock } = this.options;
    this.#unacked.sent(batch);
    this.#compressing++;
    const sizes = { instructionBytes: instructions.length, streamBytes };
    const compressed = compress(this.options.codec(), instructions, urgent ? 1 : this.#level.value);
    this.#order.add(compressed, ({ codec, content }) => {
      this.#compressing--;
      const [head, body] = message.encodeBatch({ serial, codec, urgent, ...sizes, checkpoint, content });
      this.#window.sent(serial, head.length + body.length, clock.nowMs());
      link.send(head, body);
      this.#judge();
      this.options.pump();
    });
  }

  /** After a batch has left: does the WAN hold the next one, or have the threads too much to do? */
  #judge(): void {
    // Where the processors are short, answers come late, and the window is closed for that.
    if (isCrowded()) this.#level.waitedFor('compression');
    else if (!this.#window.isOpen) this.#level.waitedFor('wan');
  }

  /** What the other courier says of batches. Undefined: the frame was as it should be. */
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

  #got(serial: number): string | undefined {
    if (!this.#window.arrived(serial, this.options.clock.nowMs()))
      return `batch ${serial} has come, which was not sent`;
    this.options.pump();
    return undefined;
  }

  #acked(serial: number): string | undefined {
    if (!this.#unacked.acked(serial)) return `ack of ${serial}, which was not sent`;
    this.options.pump();
    return undefined;
  }

  #wanted(payload: Buffer): string | undefined {
    const want = message.decodeWant(payload);
    if (typeof want === 'string') return want;
    const pages = this.#unacked.take(want.serial, want.keys);
    if (pages === undefined) return 'a page was asked for that was not referred to';
    this.options.askedFor(pages.length);
    for (let at = 0; at < pages.length; at += PAGES_PER_ANSWER)
      this.#answer(want.serial, Buffer.concat(pages.slice(at, at + PAGES_PER_ANSWER)));
    return undefined;
  }

  /** Not behind the batches that wait: the other courier waits for it. */
  #answer(serial: number, pages: Buffer): void {
    const { link } = this.options;
    const bytes = pages.length;
    compress(this.options.codec(), pages, 1)
      .then(({ codec, content }) => link.send(message.encodePages({ serial, codec, bytes, content })))
      .catch((error: unknown) => this.failed(error));
  }
}
