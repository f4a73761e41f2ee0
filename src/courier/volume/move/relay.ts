/** Reads before control has come: the other side answers them, and nothing of that is kept. What a lost connection leaves unanswered is asked again. */
import type { Clock, Timer } from '../../../net/clock.js';
import { encodeRead, type VolumeRead } from './message.js';
import type { Piece } from './pieces.js';

interface Asked extends VolumeRead {
  readonly timer: Timer;
  /** Undefined: control has come, it is read here. */
  answer(data: Buffer | undefined): void;
  fail(why: string): void;
}

export class Relay {
  readonly #asked = new Map<number, Asked>();
  #number = 0;
  #send: ((frame: Buffer) => void) | undefined;
  #isServed = false;
  #ended: string | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly limitMs: number,
    private readonly mostBytes: number,
  ) {}

  attach(send: (frame: Buffer) => void): void {
    this.#send = send;
    for (const { number, offset, length } of this.#asked.values())
      send(encodeRead({ number, offset, length }));
  }

  detach(): void {
    this.#send = undefined;
  }

  /** Undefined: control has come, it is to be read here. */
  async read(offset: number, length: number): Promise<Buffer | undefined> {
    const pieces: Promise<Buffer | undefined>[] = [];
    for (let at = 0; at < length; at += this.mostBytes)
      pieces.push(this.#ask(offset + at, Math.min(this.mostBytes, length - at)));
    const read = await Promise.all(pieces);
    const data = read.filter((piece) => piece !== undefined);
    return data.length === read.length ? Buffer.concat(data) : undefined;
  }

  answered({ number, length, data, hasFailed }: Piece): void {
    const asked = this.#asked.get(number);
    // It may have been asked twice, or too long ago.
    if (asked === undefined || asked.length !== length) return;
    if (hasFailed) asked.fail('the other courier cannot read it');
    else asked.answer(data ?? Buffer.alloc(length));
  }

  /** @param why undefined: control has come */
  end(why?: string): void {
    this.#isServed = why === undefined;
    this.#ended = why;
    for (const asked of [...this.#asked.values()])
      if (why === undefined) asked.answer(undefined);
      else asked.fail(why);
  }

  #ask(offset: number, length: number): Promise<Buffer | undefined> {
    if (this.#isServed) return Promise.resolve(undefined);
    if (this.#ended !== undefined) return Promise.reject(new Error(this.#ended));
    const number = ++this.#number;
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => {
        timer.cancel();
        this.#asked.delete(number);
        reject(new Error(why));
      };
      const timer = this.clock.after('volume-reads', this.limitMs, () =>
        fail('the volume has not come, and the other courier does not answer'),
      );
      const answer = (data: Buffer | undefined): void => {
        timer.cancel();
        this.#asked.delete(number);
        resolve(data);
      };
      this.#asked.set(number, { ...{ number, offset, length, timer, answer, fail } });
      this.#send?.(encodeRead({ number, offset, length }));
    });
  }
}
