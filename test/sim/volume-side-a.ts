/**
 * The courier that a volume goes from, around the real machine: what src/courier/volume/move does with promises and sockets is done here with
 * callbacks and queues, in any order that a storage and a link may have.
 */
import { Source, type SourceAction, type SourcePhase } from '../../src/courier/volume/chunk/source.js';
import { WriteCounts } from '../../src/courier/volume/chunk/write-counts.js';
import type { SideOptions, ToA, ToB } from './volume-sides.js';
import type { SimStorage } from './volume-storage.js';

interface Move {
  readonly session: string;
  readonly phase: SourcePhase;
}

const MOST_PUSHES = 3;

export class SideA {
  source: Source | undefined;
  session = '';
  isUp = true;
  late = 0;
  abandoned = 0;
  connections = 1;
  outstanding = 0;
  send: ((message: ToB) => void) | undefined;
  readonly #writing = new Map<number, number>();
  #isKept = false;
  #life = 0;
  readonly #waiting: { chunk: number; isPulled: boolean }[] = [];

  constructor(private readonly options: SideOptions) {}

  get #storage(): SimStorage {
    return this.options.storage;
  }

  get phase(): SourcePhase | undefined {
    return this.source?.phase;
  }

  get isServing(): boolean {
    if (!this.isUp) return false;
    return this.options.fault === 'late-write' || this.source === undefined || this.source.isServing;
  }

  begin(session: string): void {
    this.#isKept = false;
    this.#make(session, 'pushing');
    for (const [chunk, count] of this.#writing)
      for (let at = 0; at < count; at++) this.source?.writeBegins([chunk]);
    this.#keep('pushing');
  }

  start(): void {
    this.isUp = true;
    const kept = this.#storage.records.get('move') as Move | undefined;
    if (kept !== undefined) this.#make(kept.session, kept.phase);
    this.#isKept = kept !== undefined;
  }

  stop(): void {
    this.isUp = false;
    this.#life++;
    this.source = undefined;
    this.#writing.clear();
    this.#waiting.length = 0;
    this.outstanding = 0;
    this.send = undefined;
  }

  /** It calls the other side. */
  get hasSomething(): boolean {
    return this.source !== undefined && this.#isKept;
  }

  connected(send: (message: ToB) => void): void {
    if (this.source === undefined) return;
    this.send = send;
    send({ is: 'open', arrival: { session: this.session, volume: 'v', phase: this.source.phase } });
  }

  lost(): void {
    this.send = undefined;
    this.source?.lost();
    this.#waiting.length = 0;
  }

  hears(message: ToA): void {
    if (message.is === 'closed') {
      this.lost();
      return;
    }
    if (message.is === 'read') {
      const { number, chunk, sector } = message;
      const read = this.#alive((value: number) => {
        this.options.found(chunk, sector, value);
        this.send?.({ is: 'read', number });
      });
      this.#storage.read(chunk, sector, read);
      return;
    }
    let { says } = message;
    if (says.say === 'ack' && this.options.fault === 'paper')
      says = {
        ...says,
        chunks: says.chunks.map(({ chunk }) => ({ chunk, version: this.#storage.version(chunk) ?? 0 })),
      };
    const { connections, outstanding } = this;
    this.#do(this.source?.hears(says, { connections, outstanding }) ?? []);
  }

  abandon(): void {
    this.#do(this.source?.abandon('the operator') ?? []);
  }

  /** Something of what may be done without being asked. */
  tick(): void {
    const { source } = this;
    if (source === undefined) return;
    if (source.wantsFlush) this.flush(false, () => undefined);
    for (let open = source.inFlight; open < MOST_PUSHES; open++) {
      const next = source.next();
      if (next === undefined) break;
      this.#storage.readChunk(
        next.chunk,
        this.#alive((sectors) => this.send?.({ is: 'chunk', of: next, isPulled: false, sectors })),
      );
    }
    const pull = this.#waiting.shift();
    if (pull === undefined) return;
    const version = this.#storage.version(pull.chunk) ?? 0;
    const of = { chunk: pull.chunk, version };
    this.#storage.readChunk(
      pull.chunk,
      this.#alive((sectors) => this.send?.({ is: 'chunk', of, isPulled: true, sectors })),
    );
  }

  /** False: it is not served here any more. */
  write(chunk: number, values: ReadonlyMap<number, number>, done: () => void): boolean {
    const may = this.source?.writeBegins([chunk]) ?? true;
    if (!may) this.late++;
    if (!may && this.options.fault !== 'late-write') return false;
    this.outstanding++;
    this.#writing.set(chunk, (this.#writing.get(chunk) ?? 0) + 1);
    this.#storage.write(
      chunk,
      values,
      this.#alive(() => {
        this.outstanding--;
        this.#writing.set(chunk, (this.#writing.get(chunk) ?? 1) - 1);
        if (may) this.source?.writeEnds(chunk, this.#storage.version(chunk));
        done();
      }),
    );
    return true;
  }

  read(chunk: number, sector: number, done: (value: number) => void): void {
    this.outstanding++;
    this.#storage.read(
      chunk,
      sector,
      this.#alive((value) => {
        this.outstanding--;
        // What has been read before control moved may be old by now.
        if (this.isServing) done(value);
      }),
    );
  }

  flush(isGuests: boolean, done: () => void): void {
    const { source } = this;
    const token = source?.flushBegins() ?? 0;
    if (isGuests) this.outstanding++;
    const flushed = this.#alive(() => {
      if (isGuests) this.outstanding--;
      if (this.source === source) source?.flushEnds(token, isGuests);
      done();
    });
    if (!isGuests && this.options.fault === 'push-unflushed') flushed();
    else this.#storage.flush(flushed);
  }

  #make(session: string, phase: SourcePhase): void {
    const { threshold, completeFirst } = this.options;
    this.session = session;
    this.source = new Source({
      phase,
      threshold,
      completeFirst,
      chunks: this.#storage.chunks,
      counts: new WriteCounts(),
    });
  }

  #keep(phase: SourcePhase): void {
    const { source } = this;
    const kept = this.#alive(() => {
      if (this.source !== source) return;
      this.#isKept = true;
      this.#do(source?.kept(phase) ?? []);
    });
    if (phase === 'given' && this.options.fault === 'give-not-kept') kept();
    else this.#storage.keep('move', { session: this.session, phase } satisfies Move, kept);
  }

  #do(actions: readonly SourceAction[]): void {
    for (const action of actions) this.#act(action);
  }

  #act(action: SourceAction): void {
    const { source } = this;
    switch (action.do) {
      case 'keep':
        this.#keep(action.phase);
        break;
      case 'flush':
        this.#storage.flush(this.#alive(() => this.#do(source?.flushed(action.token) ?? [])));
        break;
      case 'say':
        this.send?.({ is: 'says', says: action.message });
        break;
      case 'serve-pull':
        this.#waiting.push({ chunk: action.chunk, isPulled: true });
        break;
      case 'fail':
        throw new Error(`the destination has broken a rule: ${action.why}`);
      case 'over':
        this.send = undefined;
        if (source?.phase !== 'abandoned') break;
        this.abandoned++;
        this.source = undefined;
        this.#storage.keep('move', undefined, () => undefined);
    }
  }

  #alive<Arguments extends unknown[]>(does: (...given: Arguments) => void): (...given: Arguments) => void {
    const life = this.#life;
    return (...given) => {
      if (life === this.#life) does(...given);
    };
  }
}
