/**
 * The courier that a volume comes to, around the real machine: what src/courier/volume/move does with promises and sockets is done here with
 * callbacks and queues, in any order that a storage and a link may have.
 */
import {
  Destination,
  type DestinationAction,
  type KeptDestination,
} from '../../src/courier/volume/chunk/destination.js';
import { type Arrival, decide } from '../../src/courier/volume/chunk/opening.js';
import type { ChunkVersion } from '../../src/courier/volume/chunk/says.js';
import type { SideOptions, ToA, ToB } from './volume-sides.js';
import type { SimStorage } from './volume-storage.js';

interface Coming extends KeptDestination {
  readonly session: string;
}

export class SideB {
  destination: Destination | undefined;
  session = '';
  isUp = true;
  send: ((message: ToA) => void) | undefined;
  /** Wait for control, or for their chunk. */
  #writes: { begin(): void; refuse(): void }[] = [];
  #reads: { readonly chunk: number; readonly sector: number; readonly done: (value: number) => void }[] = [];
  readonly #relayed = new Map<number, () => void>();
  #number = 0;
  #life = 0;
  /** A move begins, or is forgotten. */
  #isChanging = false;

  constructor(private readonly options: SideOptions) {}

  get #storage(): SimStorage {
    return this.options.storage;
  }

  get isServing(): boolean {
    return this.isUp && this.destination?.isServing === true;
  }

  start(): void {
    this.isUp = true;
    const kept = this.#storage.records.get('move') as Coming | undefined;
    if (kept !== undefined) this.#make(kept);
  }

  stop(): void {
    this.isUp = false;
    this.#life++;
    this.destination = undefined;
    this.#writes = [];
    this.#reads = [];
    this.#relayed.clear();
    this.#isChanging = false;
    this.send = undefined;
  }

  lost(): void {
    this.send = undefined;
    this.destination?.lost();
    this.#relayed.clear();
  }

  hears(message: ToB, answer: (message: ToA) => void): void {
    switch (message.is) {
      case 'open':
        this.#opened(message.arrival, answer);
        break;
      case 'says':
        this.#do(this.destination?.hears(message.says) ?? []);
        break;
      case 'chunk':
        this.#comes(message.of, message.isPulled, message.sectors);
        break;
      case 'read': {
        const done = this.#relayed.get(message.number);
        this.#relayed.delete(message.number);
        done?.();
      }
    }
  }

  tick(): void {
    this.#do(this.destination?.again() ?? []);
  }

  take(): void {
    this.#do(this.destination?.wantControl() ?? []);
  }

  letGo(): void {
    this.#do(this.destination?.letGo('the operator') ?? []);
  }

  /** @param refuse nothing of it was done */
  write(chunk: number, values: ReadonlyMap<number, number>, done: () => void, refuse: () => void): void {
    const begin = (): void =>
      this.#storage.write(
        chunk,
        values,
        this.#alive(() => {
          this.#do(this.destination?.wrote(chunk, this.#storage.chunk(chunk).isAwaited) ?? []);
          done();
        }),
      );
    if (this.isServing) begin();
    else if (this.destination === undefined) refuse();
    else {
      this.#writes.push({ begin, refuse });
      this.take();
    }
  }

  read(chunk: number, sector: number, done: (value: number) => void): void {
    if (this.isServing) {
      this.#reads.push({ chunk, sector, done });
      this.#do(this.destination?.wanted(chunk) ?? []);
      this.#readOn();
    } else if (this.send !== undefined) this.relay(chunk, sector, () => undefined);
  }

  /** Asks the other side; what it has read is judged there. */
  relay(chunk: number, sector: number, done: () => void): void {
    this.#relayed.set(++this.#number, done);
    this.send?.({ is: 'read', number: this.#number, chunk, sector });
  }

  flush(done: () => void): void {
    if (this.isServing) this.#storage.flush(this.#alive(done));
  }

  #opened(arrival: Arrival, answer: (message: ToA) => void): void {
    const { records, chunks } = this.#storage;
    const kept = records.get('move') as Coming | undefined;
    if (this.#isChanging) {
      answer({ is: 'closed' });
      return;
    }
    const decision = decide(arrival, {
      ...{ volume: records.get('volume') as string | undefined, coming: kept, going: undefined },
      finished: kept?.phase === 'done' && kept.session !== arrival.session ? [kept.session] : [],
      ...{ isEmpty: chunks.length === 0, mayReceive: true },
    });
    switch (decision.is) {
      case 'continue':
        this.send = answer;
        this.#do(this.destination?.connected(arrival.phase) ?? []);
        break;
      case 'begin':
        this.#begin(arrival, decision.keepsChunks, answer);
        break;
      case 'say':
        answer({ is: 'says', says: { say: decision.say } });
        answer({ is: 'closed' });
        break;
      case 'refuse':
        answer({ is: 'says', says: { say: 'refused', why: decision.why } });
        answer({ is: 'closed' });
    }
  }

  #begin(arrival: Arrival, keepsChunks: boolean, answer: (message: ToA) => void): void {
    const coming: Coming = { session: arrival.session, phase: 'receiving', isAsked: false };
    const begin = this.#alive(() => {
      this.#isChanging = false;
      this.#make(coming);
      this.send = answer;
      this.#do(this.destination?.connected(arrival.phase) ?? []);
    });
    this.destination = undefined;
    this.#isChanging = true;
    const keep = this.#alive(() => {
      this.#storage.keep('volume', arrival.volume, () => undefined);
      this.#storage.keep('move', coming, begin);
    });
    if (keepsChunks) keep();
    else this.#storage.forget(keep);
  }

  #make(kept: Coming): void {
    this.session = kept.session;
    this.destination = new Destination({ ...kept, chunks: this.#storage.chunks });
    this.#do(this.destination.begins());
    if (this.#writes.length > 0) this.take();
  }

  #comes(of: ChunkVersion, isPulled: boolean, sectors: readonly number[]): void {
    const { destination } = this;
    const isTaken = isPulled || (this.options.fault === 'old-pushes' && this.isServing);
    if (destination?.comes(of, isTaken) !== true) return;
    const put = this.#alive(() => {
      if (this.destination === destination) this.#do(destination.put(of));
      this.#readOn();
    });
    this.#storage.put(of, sectors, put);
  }

  /** Reads whose sectors are here now. */
  #readOn(): void {
    const waiting = this.#reads;
    this.#reads = waiting.filter(({ chunk, sector }) => !this.#storage.isHere(chunk, sector));
    for (const { chunk, sector, done } of waiting)
      if (this.#storage.isHere(chunk, sector)) this.#storage.read(chunk, sector, this.#alive(done));
  }

  #do(actions: readonly DestinationAction[]): void {
    for (const action of actions) this.#act(action);
  }

  #act(action: DestinationAction): void {
    const { destination } = this;
    const then = (next: (machine: Destination) => readonly DestinationAction[]): (() => void) =>
      this.#alive(() => {
        if (destination !== undefined && this.destination === destination) this.#do(next(destination));
      });
    switch (action.do) {
      case 'keep':
        this.#storage.keep(
          'move',
          { ...action.kept, session: this.session },
          then((machine) => machine.kept(action.kept)),
        );
        break;
      case 'flush': {
        const flushed = then((machine) => machine.flushed(action.token));
        if (this.options.fault === 'ack-unflushed') flushed();
        else this.#storage.flush(flushed);
        break;
      }
      case 'await':
        this.#storage.await(
          action.remaining,
          then((machine) => machine.awaited()),
        );
        break;
      case 'forget':
        this.#storage.forget(then((machine) => machine.forgot()));
        break;
      case 'say':
        this.send?.({ is: 'says', says: action.message });
        break;
      case 'serve':
        this.options.served();
        for (const { begin } of this.#writes.splice(0)) begin();
        break;
      case 'fail':
        throw new Error(`the source has broken a rule: ${action.why}`);
      case 'forgotten':
        this.destination = undefined;
        this.send?.({ is: 'closed' });
        this.send = undefined;
        this.#isChanging = true;
        this.#storage.keep(
          'move',
          undefined,
          this.#alive(() => {
            this.#isChanging = false;
          }),
        );
        for (const { refuse } of this.#writes.splice(0)) refuse();
        break;
      case 'over':
        break;
    }
  }

  #alive<Arguments extends unknown[]>(does: (...given: Arguments) => void): (...given: Arguments) => void {
    const life = this.#life;
    return (...given) => {
      if (life === this.#life) does(...given);
    };
  }
}
