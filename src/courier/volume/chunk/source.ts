/**
 * The side of a moving volume that gives. Pure: events in, actions out; whoever does the actions keeps their order, and does again what
 * fails until it is done. It may be thrown away at any moment and made anew of its phase and what the storage has.
 *
 *     pushing ──> given ──> released
 *        └──────> abandoned
 *
 * Control moves at one moment: when `given` is durable here. Until then this side alone serves the volume, and afterwards it never does.
 */
import { type FlushToken, PushOrder } from './push-order.js';
import type { ChunkVersion, DestinationSays, SourceSays } from './says.js';
import type { WriteCounts, WrittenRange } from './write-counts.js';

export type SourcePhase = 'pushing' | 'given' | 'released' | 'abandoned';

export type SourceAction =
  /** Durable before `kept` is called. Nothing is served meanwhile. */
  | { readonly do: 'keep'; readonly phase: SourcePhase; readonly why: string }
  /** The storage, then `flushed`. */
  | { readonly do: 'flush'; readonly token: FlushToken }
  /** On the connection that there is, if there is one. */
  | { readonly do: 'say'; readonly message: SourceSays }
  | { readonly do: 'serve-pull'; readonly chunk: number; readonly isUrgent: boolean }
  /** The other side has broken a rule: the connection ends. */
  | { readonly do: 'fail'; readonly why: string }
  /** Nothing more is to be done, nor said. */
  | { readonly do: 'over' };

export interface SourceOptions {
  readonly phase: SourcePhase;
  /** Chunks that were written to as often of late are not pushed. */
  readonly threshold: number;
  /** Control moves only when at most so many chunks remain. */
  readonly completeFirst: number;
  /** All that differ from the base. */
  readonly chunks: Iterable<ChunkVersion>;
  /** Goes on while nothing moves. */
  readonly counts: WriteCounts;
}

/** What clients of the volume do at the moment. */
export interface Clients {
  readonly connections: number;
  /** Requests that are not answered. */
  readonly outstanding: number;
}

export class Source {
  readonly #order: PushOrder;
  #phase: SourcePhase;
  /** The next phase is on its way to the disk. */
  #keeping: SourcePhase | undefined;
  /** Control is about to move: all is being made durable by that flush. */
  #giving: FlushToken | undefined;
  /** The destination has said what it has. */
  #isMet = false;
  /** The guest's last flush that has ended: the moment of its beginning. */
  #guestFlushedAt: FlushToken = 0;
  #remainingThere: number | undefined;
  /** On this connection: the other side asks until all of it has come. */
  #hasSaidGiven = false;

  constructor(private readonly options: SourceOptions) {
    this.#phase = options.phase;
    this.#order = new PushOrder(options.threshold, options.chunks, options.counts);
  }

  get phase(): SourcePhase {
    return this.#phase;
  }

  get modified(): number {
    return this.#order.modified;
  }

  /** Chunks whose newest content the other side does not have, as far as it is known here. */
  get remaining(): number {
    if (this.#phase === 'released') return 0;
    return this.#remainingThere ?? this.#order.remaining;
  }

  get inFlight(): number {
    return this.#order.inFlight;
  }

  /** Reads and writes of clients are served. Once it is not so it never is again, unless the move was abandoned. */
  get isServing(): boolean {
    return this.#keeping !== 'given' && (this.#phase === 'pushing' || this.#phase === 'abandoned');
  }

  /** What a client writes, or zeroes. False: it must not be done. @param range in bytes of the volume */
  writeBegins(chunks: Iterable<number>, range?: WrittenRange): boolean {
    if (!this.isServing) return false;
    // Whoever writes has control: it does not move now.
    this.#giving = undefined;
    for (const chunk of chunks) this.#order.writeBegins(chunk, range);
    return true;
  }

  /** @param version that it has now; undefined: it does not differ from the base, the write has failed */
  writeEnds(chunk: number, version: number | undefined): void {
    this.#order.writeEnds(chunk, version);
  }

  /** The counts are others. */
  counted(): void {
    this.#order.counted();
  }

  flushBegins(): FlushToken {
    return this.#order.flushBegins();
  }

  /** @param isGuests it was a client that asked for it */
  flushEnds(token: FlushToken, isGuests: boolean): void {
    this.#order.flushEnds(token);
    if (isGuests) this.#guestFlushedAt = Math.max(this.#guestFlushedAt, token);
  }

  /** What would be pushed waits for a flush. */
  get wantsFlush(): boolean {
    return this.#mayPush && this.#order.wantsFlush;
  }

  /** The next chunk to be read, and sent with the version that is said here. */
  next(): ChunkVersion | undefined {
    return this.#mayPush ? this.#order.next() : undefined;
  }

  /** It could not be read. */
  notRead(chunk: ChunkVersion): void {
    this.#order.failed(chunk);
  }

  /** The connection is gone. */
  lost(): void {
    this.#isMet = false;
    this.#hasSaidGiven = false;
    this.#giving = undefined;
    this.#order.lost();
  }

  hears(message: DestinationSays, clients: Clients): readonly SourceAction[] {
    switch (message.say) {
      case 'have':
        return this.#has(message.chunks);
      case 'ack':
        for (const chunk of message.chunks) this.#order.acked(chunk);
        return [];
      case 'ask':
        return this.#asked(clients);
      case 'pull':
        if (this.#phase !== 'given') return [{ do: 'fail', why: 'a pull before control has moved' }];
        return [{ do: 'serve-pull', chunk: message.chunk, isUrgent: message.isUrgent }];
      case 'pulling':
        this.#remainingThere = message.remaining;
        return this.#phase === 'given' ? [] : [{ do: 'fail', why: 'control was not given' }];
      case 'finished':
        return this.#finished();
      case 'forgotten':
        if (this.#phase === 'abandoned') return [{ do: 'over' }];
        return this.abandon('the other side has let go of it');
      case 'refused':
        return this.#phase === 'pushing' ? this.abandon(message.why) : [];
    }
  }

  /** Stops a move whose hand-over was not given: nothing has changed for this side's guest. Nothing is done where it is too late. */
  abandon(why: string): readonly SourceAction[] {
    if (this.#phase !== 'pushing' || this.#keeping !== undefined) return [];
    this.#giving = undefined;
    return this.#keep('abandoned', why);
  }

  /** The `flush` of an action has ended. */
  flushed(token: FlushToken): readonly SourceAction[] {
    this.#order.flushEnds(token);
    // Something was written meanwhile, or the connection was lost: the other side asks again.
    if (this.#giving !== token) return [notYet('it is being written to')];
    this.#giving = undefined;
    return this.#keep('given', '');
  }

  /** It has failed: nothing is given. */
  notFlushed(token: FlushToken): void {
    if (this.#giving === token) this.#giving = undefined;
  }

  /** The phase of an action is durable. */
  kept(phase: SourcePhase): readonly SourceAction[] {
    this.#keeping = undefined;
    this.#phase = phase;
    switch (phase) {
      case 'given':
        return this.#given();
      case 'released':
        return [{ do: 'say', message: { say: 'released' } }, { do: 'over' }];
      case 'abandoned':
        return [{ do: 'say', message: { say: 'abandoned' } }];
      case 'pushing':
        return [];
    }
  }

  get #mayPush(): boolean {
    return (
      this.#isMet && this.#phase === 'pushing' && this.#keeping === undefined && this.#giving === undefined
    );
  }

  #has(chunks: readonly ChunkVersion[]): readonly SourceAction[] {
    if (this.#phase === 'abandoned') return [{ do: 'say', message: { say: 'abandoned' } }];
    const problem = this.#order.has(chunks);
    if (problem !== undefined) {
      if (this.#phase !== 'pushing') return [{ do: 'fail', why: problem }];
      return this.abandon(problem);
    }
    this.#isMet = true;
    // What was said before is no answer to what is said to be here now.
    this.#hasSaidGiven = false;
    return [];
  }

  #asked({ connections, outstanding }: Clients): readonly SourceAction[] {
    if (this.#phase === 'given') return this.#isMet && !this.#hasSaidGiven ? this.#given() : [];
    if (this.#phase === 'abandoned') return [{ do: 'say', message: { say: 'abandoned' } }];
    if (this.#phase === 'released' || this.#keeping !== undefined || this.#giving !== undefined) return [];
    const isQuiet = connections === 0 || this.#order.isQuietSince(this.#guestFlushedAt);
    if (outstanding > 0 || !isQuiet) return [notYet('it is being written to, or was since the last flush')];
    if (!this.#isMet) return [notYet('what is there already is not known yet')];
    if (this.remaining > this.options.completeFirst) {
      this.#order.pushAll();
      return [notYet(`${this.remaining} chunks remain, ${this.options.completeFirst} may`)];
    }
    this.#giving = this.#order.flushBegins();
    return [{ do: 'flush', token: this.#giving }];
  }

  #finished(): readonly SourceAction[] {
    if (this.#keeping !== undefined) return [];
    if (this.#phase === 'given') return this.#keep('released', '');
    if (this.#phase !== 'released') return [{ do: 'fail', why: 'control was not given' }];
    return this.kept('released');
  }

  #keep(phase: SourcePhase, why: string): readonly SourceAction[] {
    this.#keeping = phase;
    return [{ do: 'keep', phase, why }];
  }

  #given(): readonly SourceAction[] {
    this.#hasSaidGiven = true;
    return [{ do: 'say', message: { say: 'given', remaining: this.#order.remainingSet() } }];
  }
}

function notYet(why: string): SourceAction {
  return { do: 'say', message: { say: 'not-yet', why } };
}
