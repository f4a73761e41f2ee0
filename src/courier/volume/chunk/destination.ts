/**
 * The side of a moving volume that takes. Pure: events in, actions out; whoever does the actions keeps their order, and does again what
 * fails until it is done. It may be thrown away at any moment and made anew of its phase and what the storage has.
 *
 *     receiving ──> pulling ──> done
 *         └───────> forgetting ──> (nothing is here)
 *
 * Until control has come nothing of what is here is served: reads go to the other side, writes wait.
 */
import { PullOrder } from './pull-order.js';
import type { ChunkVersion, DestinationSays, Remaining, SourceSays } from './says.js';
import type { SourcePhase } from './source.js';

export type DestinationPhase = 'receiving' | 'pulling' | 'done' | 'forgetting';

export interface KeptDestination {
  readonly phase: DestinationPhase;
  /** The other side was asked for control, perhaps: it may have given it without being heard. */
  readonly isAsked: boolean;
}

export type DestinationAction =
  /** Durable before `kept` is called. */
  | { readonly do: 'keep'; readonly kept: KeptDestination }
  /** The storage, then `flushed`. */
  | { readonly do: 'flush'; readonly token: number }
  /** All are awaited from now on, then `awaited`. */
  | { readonly do: 'await'; readonly remaining: readonly Remaining[] }
  /** The storage forgets all, then `forgot`. */
  | { readonly do: 'forget' }
  /** On the connection that there is, if there is one. */
  | { readonly do: 'say'; readonly message: DestinationSays }
  /** Control has come: what waits is done, here. */
  | { readonly do: 'serve' }
  /** The other side has broken a rule: the connection ends. */
  | { readonly do: 'fail'; readonly why: string }
  /** After a while the connection is made anew, for what was pushed and could not be kept. */
  | { readonly do: 'renew'; readonly why: string }
  /** Nothing is here any more; what waits fails. */
  | { readonly do: 'forgotten'; readonly why: string }
  /** All is here, and the other side knows it. */
  | { readonly do: 'over' };

export interface DestinationOptions extends KeptDestination {
  /** What the storage has. */
  readonly chunks: Iterable<Remaining & { readonly isAwaited: boolean }>;
}

/** So many may have come before what came is made durable though more is coming. */
const UNACKED = 8;

export class Destination {
  #phase: DestinationPhase;
  #isAsked: boolean;
  /** In phase `receiving`: what came. */
  readonly #here = new Map<number, number>();
  #unacked: ChunkVersion[] = [];
  /** Being written to the storage. */
  #putting = 0;
  #pulls = new PullOrder([]);
  #given: readonly Remaining[] | undefined;
  /** Awaiting has begun: nothing that comes is put before it has ended. */
  #isAwaiting = false;
  #isConnected = false;
  /** What is here was said on this connection. */
  #isMet = false;
  #wantsControl = false;
  /** The other side may have been asked before that is durable here; nothing may be let go of then. */
  #isAboutToAsk = false;
  /** Nothing that comes is taken any more. */
  #isLeaving = false;
  #whyNotYet = '';
  #whyForgotten = '';
  #token = 0;
  readonly #flushes = new Map<number, () => readonly DestinationAction[]>();
  #isAcking = false;
  #isEnding = false;

  constructor({ phase, isAsked, chunks }: DestinationOptions) {
    this.#phase = phase;
    this.#isAsked = isAsked;
    const awaited: Remaining[] = [];
    for (const chunk of chunks) {
      if (chunk.isAwaited) awaited.push(chunk);
      else if (phase === 'receiving') this.#here.set(chunk.chunk, chunk.version);
    }
    if (phase === 'pulling') this.#pulls = new PullOrder(awaited);
  }

  get phase(): DestinationPhase {
    return this.#phase;
  }

  get isAsked(): boolean {
    return this.#isAsked;
  }

  /** Reads and writes are done here. */
  get isServing(): boolean {
    return this.#phase === 'pulling' || this.#phase === 'done';
  }

  /** Why the other side does not give control; empty: it has not said. */
  get whyNotYet(): string {
    return this.#whyNotYet;
  }

  /** Chunks that came before control did. */
  get received(): number {
    return this.#here.size;
  }

  /** Chunks that only the other side has. */
  get remaining(): number {
    return this.#pulls.remaining;
  }

  /** After it was made anew: what was begun goes on. */
  begins(): readonly DestinationAction[] {
    if (this.#phase === 'forgetting') return [{ do: 'forget' }];
    return this.#phase === 'pulling' ? this.#end() : [];
  }

  /** The other side has come with this session, and is in that phase. */
  connected(theirs: SourcePhase): readonly DestinationAction[] {
    this.#isConnected = true;
    if (theirs === 'abandoned') return this.hears({ say: 'abandoned' });
    if (this.#phase === 'receiving') {
      const chunks = [...this.#here].map(([chunk, version]) => ({ chunk, version }));
      return [this.#flush(() => this.#meets(chunks, theirs === 'given'))];
    }
    if (this.#phase === 'forgetting') return [];
    if (this.#phase === 'done') return [say({ say: 'finished' })];
    return [say({ say: 'pulling', remaining: this.remaining }), ...this.#pull()];
  }

  lost(): void {
    this.#isConnected = false;
    this.#isMet = false;
    this.#pulls.lost();
  }

  hears(message: SourceSays): readonly DestinationAction[] {
    switch (message.say) {
      case 'not-yet':
        this.#whyNotYet = message.why;
        return [];
      case 'given':
        return this.#given === undefined && this.#phase === 'receiving' ? this.#take(message.remaining) : [];
      case 'abandoned':
        return this.#phase === 'receiving' && this.#given === undefined
          ? this.#forget('the move was abandoned')
          : this.#contradicts('the move is said to be abandoned');
      case 'released':
        return this.#phase === 'done' ? [{ do: 'over' }] : this.#contradicts('what is needed was released');
    }
  }

  /** A client writes, or an operator wants it: control is asked for until it comes. */
  wantControl(): readonly DestinationAction[] {
    this.#wantsControl = true;
    if (this.#phase !== 'receiving' || this.#isLeaving || this.#isAboutToAsk) return [];
    if (this.#isAsked) return this.#ask();
    this.#isAboutToAsk = true;
    return [{ do: 'keep', kept: { phase: 'receiving', isAsked: true } }];
  }

  /** Nobody waits for control any more. It may have been given, or come later. */
  stopWanting(): void {
    this.#wantsControl = false;
  }

  /** Some time has passed: what was refused is tried once more. */
  again(): readonly DestinationAction[] {
    this.#pulls.again();
    if (this.#phase === 'pulling') return this.#pull();
    return this.#wantsControl && this.#isAsked ? this.#ask() : [];
  }

  /** The operator does not want it here. Nothing is done where control may have been given. */
  letGo(why: string): readonly DestinationAction[] {
    if (this.#isAsked || this.#isAboutToAsk || this.#given !== undefined) return [];
    return this.#phase === 'receiving' ? this.#forget(why) : [];
  }

  /**
   * A chunk has come. False: it is of no use; else it is put to the storage, then `put` or `notPut`.
   * @param isPulled it was asked for after control has come: before, a push may be older than what will be given
   */
  comes({ chunk }: ChunkVersion, isPulled: boolean): boolean {
    if (this.#isAwaiting || this.#isLeaving) return false;
    const isUseful =
      this.#phase === 'receiving'
        ? !isPulled && this.#given === undefined
        : this.#phase === 'pulling' && isPulled && this.#pulls.get(chunk) !== undefined;
    if (isUseful) this.#putting++;
    return isUseful;
  }

  put({ chunk, version }: ChunkVersion): readonly DestinationAction[] {
    this.#putting--;
    if (this.#phase === 'receiving') {
      this.#here.set(chunk, version);
      this.#unacked.push({ chunk, version });
      return [...this.#ack(), ...this.#await()];
    }
    if (this.#phase !== 'pulling') return this.#leave();
    this.#pulls.done(chunk);
    return [...this.#pull(), ...this.#end()];
  }

  notPut({ chunk }: ChunkVersion, why: string): readonly DestinationAction[] {
    this.#putting--;
    if (this.#phase === 'pulling') {
      this.#pulls.failed(chunk);
      // A client may have written all of it meanwhile.
      return [...this.#pull(), ...this.#end()];
    }
    if (this.#phase === 'forgetting') return this.#leave();
    const lets = this.letGo(why);
    // What is not acknowledged remains at the other side, as on its way for as long as the connection lasts.
    const renews = lets.length === 0 && !this.#isLeaving && this.#given === undefined;
    return [...lets, ...(renews ? [{ do: 'renew', why } as const] : []), ...this.#ack(), ...this.#await()];
  }

  /** A read waits for it. */
  wanted(chunk: number): readonly DestinationAction[] {
    if (this.#phase !== 'pulling') return [];
    this.#pulls.wanted(chunk);
    return this.#pull();
  }

  /** A client's write to the chunk has ended. @param isAwaited sectors of it are still at the other side */
  wrote(chunk: number, isAwaited: boolean): readonly DestinationAction[] {
    if (this.#phase !== 'pulling' || isAwaited || this.#pulls.get(chunk) === undefined) return [];
    this.#pulls.done(chunk);
    return [...this.#pull(), ...this.#end()];
  }

  flushed(token: number): readonly DestinationAction[] {
    const then = this.#flushes.get(token);
    this.#flushes.delete(token);
    return then?.() ?? [];
  }

  awaited(): readonly DestinationAction[] {
    return [{ do: 'keep', kept: { phase: 'pulling', isAsked: true } }];
  }

  forgot(): readonly DestinationAction[] {
    const why = this.#whyForgotten;
    return [say({ say: 'forgotten' }), { do: 'forgotten', why }];
  }

  kept({ phase, isAsked }: KeptDestination): readonly DestinationAction[] {
    this.#phase = phase;
    this.#isAsked = isAsked;
    switch (phase) {
      case 'receiving':
        this.#isAboutToAsk = false;
        return this.#ask();
      case 'pulling':
        this.#pulls = new PullOrder(this.#given ?? []);
        this.#isAwaiting = false;
        return [
          { do: 'serve' },
          say({ say: 'pulling', remaining: this.remaining }),
          ...this.#pull(),
          ...this.#end(),
        ];
      case 'done':
        return [say({ say: 'finished' })];
      case 'forgetting':
        return [say({ say: 'refused', why: this.#whyForgotten }), ...this.#leave()];
    }
  }

  /** @param isGiven control is here already: this side did not hear it */
  #meets(chunks: readonly ChunkVersion[], isGiven: boolean): readonly DestinationAction[] {
    if (!this.#isConnected || this.#phase !== 'receiving') return [];
    this.#isMet = true;
    const asks = isGiven || (this.#wantsControl && this.#isAsked);
    return [say({ say: 'have', chunks }), ...(asks ? this.#ask() : [])];
  }

  #ask(): readonly DestinationAction[] {
    const mayAsk = this.#isMet && this.#given === undefined && !this.#isLeaving;
    return mayAsk && this.#phase === 'receiving' ? [say({ say: 'ask' })] : [];
  }

  #take(remaining: readonly Remaining[]): readonly DestinationAction[] {
    this.#given = remaining;
    return this.#await();
  }

  /** What was pushed and is being written must not come behind it. */
  #await(): readonly DestinationAction[] {
    if (this.#given === undefined || this.#putting > 0 || this.#isAwaiting) return [];
    this.#isAwaiting = true;
    return [{ do: 'await', remaining: this.#given }];
  }

  #ack(): readonly DestinationAction[] {
    const isTime = this.#putting === 0 || this.#unacked.length >= UNACKED;
    if (this.#isAcking || !isTime || this.#unacked.length === 0 || this.#given !== undefined) return [];
    const chunks = this.#unacked;
    this.#unacked = [];
    this.#isAcking = true;
    const flush = this.#flush(() => {
      this.#isAcking = false;
      return [say({ say: 'ack', chunks }), ...this.#ack()];
    });
    return [flush];
  }

  #pull(): readonly DestinationAction[] {
    const actions: DestinationAction[] = [];
    while (this.#isConnected) {
      const next = this.#pulls.next();
      if (next === undefined) break;
      actions.push(say({ say: 'pull', chunk: next.chunk, isUrgent: next.isUrgent }));
    }
    return actions;
  }

  #end(): readonly DestinationAction[] {
    if (this.#phase !== 'pulling' || this.remaining > 0 || this.#putting > 0 || this.#isEnding) return [];
    this.#isEnding = true;
    return [this.#flush(() => [{ do: 'keep', kept: { phase: 'done', isAsked: true } }])];
  }

  #flush(then: () => readonly DestinationAction[]): DestinationAction {
    this.#flushes.set(++this.#token, then);
    return { do: 'flush', token: this.#token };
  }

  #forget(why: string): readonly DestinationAction[] {
    if (this.#isLeaving) return [];
    this.#isLeaving = true;
    this.#whyForgotten = why;
    return [{ do: 'keep', kept: { phase: 'forgetting', isAsked: this.#isAsked } }];
  }

  /** What is being written must not come behind it. */
  #leave(): readonly DestinationAction[] {
    return this.#phase === 'forgetting' && this.#putting === 0 ? [{ do: 'forget' }] : [];
  }

  /** Never followed: what is here and what is there would be two histories of one volume. */
  #contradicts(why: string): readonly DestinationAction[] {
    return this.#phase === 'forgetting' ? [] : [{ do: 'fail', why: `${why}, but control has come here` }];
  }
}

function say(message: DestinationSays): DestinationAction {
  return { do: 'say', message };
}
