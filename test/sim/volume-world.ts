/**
 * One random history of a volume that moves: a guest that writes and reads, an operator who migrates it (or fails to), a link that is cut,
 * couriers that are killed and hosts that lose their power. Everything random comes from one seed.
 */
import assert from 'node:assert/strict';
import type { SourcePhase } from '../../src/courier/volume/chunk/source.js';
import { randomOf } from '../support/sim-lan-wan.js';
import { Shadow } from './volume-guest.js';
import { SideA } from './volume-side-a.js';
import { SideB } from './volume-side-b.js';
import type { Fault, SideOptions, ToA, ToB } from './volume-sides.js';
import { CHUNKS, SECTORS, SimStorage } from './volume-storage.js';

export interface Statistics {
  histories: number;
  moved: number;
  abandoned: number;
  reads: number;
  writes: number;
  refused: number;
  late: number;
  cuts: number;
  kills: number;
  powerCuts: number;
}

export const statistics: Statistics = {
  ...{ histories: 0, moved: 0, abandoned: 0, reads: 0, writes: 0, refused: 0, late: 0, cuts: 0, kills: 0 },
  powerCuts: 0,
};

/** Of what is done in a history before it is brought to its end; and until that must be. */
const STEPS = 300;
const MOST_STEPS_TO_END = 30_000;

/** In order; what is cut is lost. */
class Lane<Message> {
  readonly waiting: Message[] = [];

  constructor(readonly hears: (message: Message) => void) {}
}

export class World {
  readonly #random: () => number;
  readonly #shadow = new Shadow();
  readonly #storageA: SimStorage;
  readonly #storageB: SimStorage;
  readonly #a: SideA;
  readonly #b: SideB;
  #lanes: Lane<unknown>[] = [];
  #isCut = false;
  /** Where the guest runs; undefined: it is on its way. */
  #guest: 'a' | 'b' | undefined = 'a';
  /** It is about to be on its way. */
  #stops: 'running' | 'flushed' | undefined;
  #value = 0;
  #sessions = 0;
  /** Requests of the guest, and those whose ends do not matter any more. */
  #outstanding = 0;
  #guestLife = 0;
  #isCalm = false;
  readonly #isLazy: boolean;
  readonly #bulk: number;
  /** How likely one is in a step. */
  readonly #faults: number;

  constructor(seed: number, fault: Fault) {
    this.#random = randomOf(seed);
    this.#storageA = new SimStorage(this.#random);
    this.#storageB = new SimStorage(this.#random);
    this.#isLazy = this.#random() < 0.3;
    this.#bulk = this.#random() < 0.5 ? 1 : 0.1;
    this.#faults = [0, 0.003, 0.01, 0.03][this.#below(4)] ?? 0;
    this.#storageB.isCareless = fault === 'put-over-newer';
    const found = (chunk: number, sector: number, value: number): void => {
      if (!this.#b.isServing) this.#shadow.found(chunk, sector, value, 'read at b through a');
    };
    const options: Omit<SideOptions, 'storage'> = {
      ...{ fault, threshold: 1 + this.#below(4), found, served: () => this.#controlHasCome() },
      completeFirst: this.#random() < 0.3 ? this.#below(3) : CHUNKS,
    };
    this.#a = new SideA({ ...options, storage: this.#storageA });
    this.#b = new SideB({ ...options, storage: this.#storageB });
  }

  play(): void {
    statistics.histories++;
    for (let step = 0; step < STEPS; step++) this.#step();
    this.#end();
    statistics.reads += this.#shadow.reads;
    statistics.late += this.#a.late;
    statistics.abandoned += this.#a.abandoned;
  }

  #step(): void {
    const kind = this.#random();
    if (kind < 0.65) this.#work();
    else if (kind < 0.85) this.#guestDoes();
    else if (kind < 0.93) this.#operatorDoes();
    else if (!this.#isCalm && kind < 0.93 + this.#faults) this.#fault();
    else this.#heal();
    this.#judge();
  }

  #judge(): void {
    assert.ok(!(this.#a.isServing && this.#b.isServing), 'both sides serve the volume');
    const isForgotten = this.#b.isUp && this.#storageB.isIdle && !this.#storageB.records.has('move');
    if (isForgotten)
      assert.equal(this.#storageB.chunks.length, 0, 'something is left of a move that was given up');
  }

  /** Before anything is done with it: what does not remain is what the other side has. */
  #controlHasCome(): void {
    for (let chunk = 0; chunk < CHUNKS; chunk++) {
      const [there, here] = [this.#storageA.chunk(chunk), this.#storageB.chunk(chunk)];
      if (!here.isAwaited)
        assert.deepEqual(here.sectors, there.sectors, `chunk ${chunk} came with control, and is another`);
    }
  }

  /** Something of what both couriers and the link have to do. */
  #work(): void {
    const kind = this.#below(6);
    if (kind === 0) for (let count = this.#below(6); count > 0; count--) this.#storageA.step();
    else if (kind === 1) for (let count = this.#below(6); count > 0; count--) this.#storageB.step();
    else if (kind === 2) this.#a.tick();
    else if (kind === 3) this.#b.tick();
    else {
      // What is in chunks takes longer, in some histories much.
      const isBulk = this.#random() < this.#bulk;
      const lanes = isBulk ? this.#lanes : this.#lanes.slice(0, 2);
      const lane = this.#pick(lanes.filter(({ waiting }) => waiting.length > 0));
      const message = lane?.waiting.shift();
      if (message !== undefined) lane?.hears(message);
    }
  }

  #guestDoes(): void {
    const kind = this.#random();
    if (this.#guest === undefined) this.#arrive();
    else if (this.#stops !== undefined) this.#stop();
    else if (this.#isLazy && this.#random() < 0.9) {
      if (this.#outstanding === 0 && this.#random() < 0.2) this.#flush(this.#guest);
    } else if (kind < 0.5) this.#write(this.#guest);
    else if (kind < 0.8) this.#read(this.#guest);
    else this.#flush(this.#guest);
    // What a waiting QEMU looks at before its guest has come.
    if (this.#guest === 'a' && this.#random() < 0.1 && this.#b.isUp)
      this.#b.read(this.#below(CHUNKS), this.#below(SECTORS), () => undefined);
  }

  #write(at: 'a' | 'b'): void {
    const chunk = this.#random() < 0.5 ? 0 : this.#below(CHUNKS);
    const isWhole = this.#random() < 0.3;
    const first = isWhole ? 0 : this.#below(SECTORS);
    const count = isWhole ? SECTORS : 1 + this.#below(SECTORS - first);
    const isTrim = this.#random() < 0.15;
    const values = new Map<number, number>();
    for (let sector = first; sector < first + count; sector++) {
      if (this.#shadow.isBusy(chunk, sector)) return;
      values.set(sector, isTrim ? 0 : ++this.#value);
    }
    if (at === 'a' ? !this.#a.isUp : !this.#b.isUp) return;
    for (const [sector, value] of values) this.#shadow.writeBegins(chunk, sector, value);
    this.#outstanding++;
    statistics.writes++;
    const ends = this.#guests((how: 'writeEnds' | 'writeRefused') => {
      this.#outstanding--;
      for (const sector of values.keys()) this.#shadow[how](chunk, sector);
      if (how === 'writeRefused') statistics.refused++;
    });
    if (at === 'b')
      this.#b.write(
        chunk,
        values,
        () => ends('writeEnds'),
        () => ends('writeRefused'),
      );
    else if (!this.#a.write(chunk, values, () => ends('writeEnds'))) this.#late(() => ends('writeRefused'));
  }

  /** Control was taken from a guest that was quiet: it is where its volume is, if only it knew. */
  #late(refused: () => void): void {
    refused();
    this.#stops = undefined;
    this.#guest = 'b';
  }

  #read(at: 'a' | 'b'): void {
    const [chunk, sector] = [this.#below(CHUNKS), this.#below(SECTORS)];
    if (this.#shadow.isBusy(chunk, sector)) return;
    const found = this.#guests((value: number) => this.#shadow.found(chunk, sector, value, `read at ${at}`));
    if (at === 'b' && this.#b.isUp) this.#b.read(chunk, sector, found);
    else if (at === 'a' && this.#a.isServing) this.#a.read(chunk, sector, found);
  }

  #flush(at: 'a' | 'b', then: () => void = () => undefined): void {
    const token = this.#shadow.flushBegins();
    const ended = this.#guests(() => {
      this.#shadow.flushEnds(token);
      then();
    });
    const ends = (): void => ended(undefined);
    if (at === 'a' && this.#a.isServing) this.#a.flush(true, ends);
    else if (at === 'b' && this.#b.isServing) this.#b.flush(ends);
  }

  #operatorDoes(): void {
    const kind = this.#random();
    if (kind < 0.3) this.#beginMove();
    else if (kind < (this.#isCalm ? 0.6 : 0.4)) this.#migrate();
    else if (this.#isCalm) return;
    else if (kind < 0.43) this.#a.abandon();
    else if (kind < 0.46) this.#b.letGo();
    else if (kind < (this.#isLazy ? 0.6 : 0.5)) this.#b.take();
  }

  #beginMove(): void {
    if (
      !this.#a.isUp ||
      this.#a.source !== undefined ||
      this.#storageA.records.has('move') ||
      this.#guest === 'b'
    )
      return;
    this.#a.begin(`s${++this.#sessions}`);
  }

  #migrate(): void {
    if (this.#guest === 'a' && this.#a.phase === 'pushing') this.#stops ??= 'running';
  }

  /** The guest stands still when all is answered, and flushed; or its connection is closed without that. */
  #stop(): void {
    if (this.#outstanding > 0) return;
    const isClosed = this.#random() < 0.3;
    if (this.#stops === 'flushed' || isClosed) {
      if (isClosed) this.#a.connections = 0;
      this.#stops = undefined;
      this.#guest = undefined;
    } else
      this.#flush('a', () => {
        if (this.#stops !== undefined) this.#stops = 'flushed';
      });
  }

  /** It goes on at the other side; or here again, for the migration has failed. */
  #arrive(): void {
    const comes = this.#isCalm || this.#random() < 0.7;
    this.#guest = comes ? 'b' : 'a';
    this.#a.connections = 1;
    if (comes) this.#a.connections = 0;
    if (!comes && this.#b.isUp) this.#b.flush(() => undefined);
  }

  #fault(): void {
    const kind = this.#below(5);
    if (kind === 0) this.#cut();
    else if (kind < 3) this.#kill('a', this.#random() < 0.4);
    else this.#kill('b', this.#random() < 0.4);
  }

  #cut(): void {
    statistics.cuts++;
    this.#isCut = true;
    this.#lanes = [];
    this.#a.lost();
    this.#b.lost();
  }

  #kill(which: 'a' | 'b', hasPowerCut: boolean): void {
    const [side, storage] = which === 'a' ? [this.#a, this.#storageA] : [this.#b, this.#storageB];
    if (!side.isUp) return;
    this.#cut();
    const hasGuest = this.#guest === which || (which === 'a' && this.#guest === undefined);
    side.stop();
    if (hasPowerCut) storage.cutPower();
    else storage.kill();
    statistics[hasPowerCut ? 'powerCuts' : 'kills']++;
    if (hasPowerCut && which === this.#owner) this.#shadow.powerCut();
    if (!hasGuest) return;
    this.#stops = undefined;
    this.#guest = which;
    // Its requests end with an error, or it ends itself.
    this.#guestLife++;
    this.#outstanding = 0;
    this.#shadow.killed();
  }

  /** Who has the volume, as it is known durably. */
  get #owner(): 'a' | 'b' {
    const kept = this.#storageA.records.get('move') as { readonly phase: SourcePhase } | undefined;
    return kept?.phase === 'given' || kept?.phase === 'released' ? 'b' : 'a';
  }

  #heal(): void {
    const kind = this.#below(3);
    if (kind === 0 && !this.#a.isUp) this.#a.start();
    else if (kind === 1 && !this.#b.isUp) this.#b.start();
    else if (kind === 2) this.#connect();
  }

  #connect(): void {
    if (!this.#a.isUp || !this.#b.isUp || this.#a.send !== undefined || !this.#a.hasSomething) return;
    this.#cut();
    this.#isCut = false;
    // What is in chunks may be overtaken by what is said, and the other way round.
    const toA = new Lane<ToA>((message) => this.#a.hears(message));
    const hearsAtB = (message: ToB): void =>
      this.#b.hears(message, (answer) => {
        if (this.#lanes.includes(toA as Lane<unknown>)) toA.waiting.push(answer);
      });
    const says = new Lane<ToB>(hearsAtB);
    const chunks = new Lane<ToB>(hearsAtB);
    this.#lanes = [toA, says, chunks] as Lane<unknown>[];
    this.#a.connected((message) => (message.is === 'chunk' ? chunks : says).waiting.push(message));
  }

  /** All heals, the guest arrives at one of the two, and all is as it should be. */
  #end(): void {
    this.#isCalm = true;
    for (let step = 0; !this.#isOver(); step++) {
      assert.ok(step < MOST_STEPS_TO_END, `the move does not end: ${this.#state()}`);
      this.#goOn();
      this.#step();
    }
    statistics.moved++;
    const [storage, where] = [this.#storageB, 'b in the end'] as const;
    if (this.#random() < 0.5) {
      this.#kill('b', true);
      this.#b.start();
    }
    for (let chunk = 0; chunk < CHUNKS; chunk++)
      for (let sector = 0; sector < SECTORS; sector++) {
        assert.ok(storage.isHere(chunk, sector), `sector ${chunk}.${sector} is not at ${where}`);
        this.#shadow.found(chunk, sector, storage.chunk(chunk).sectors[sector] ?? -1, where);
      }
  }

  #goOn(): void {
    this.#heal();
    if (this.#guest === 'a') this.#beginMove();
    if (this.#guest === 'b' && this.#b.destination?.phase === 'receiving' && this.#random() < 0.1)
      this.#b.take();
    // A guest whose volume is not here, because its move was abandoned under it, is started again where the volume is.
    const isStranded =
      this.#guest === 'b' && this.#b.isUp && this.#a.isServing && !this.#storageB.records.has('move');
    if (isStranded && this.#outstanding === 0) {
      this.#guest = 'a';
      this.#a.connections = 1;
    }
  }

  #isOver(): boolean {
    const isQuiet = this.#storageA.isIdle && this.#storageB.isIdle && this.#outstanding === 0;
    return isQuiet && this.#a.phase === 'released' && this.#b.destination?.phase === 'done' && this.#b.isUp;
  }

  #state(): string {
    const { source } = this.#a;
    const { destination } = this.#b;
    return JSON.stringify({
      ...{ guest: this.#guest, outstanding: this.#outstanding, cut: this.#isCut },
      a: { phase: source?.phase, remaining: source?.remaining, serves: this.#a.isServing, up: this.#a.isUp },
      b: {
        phase: destination?.phase,
        remaining: destination?.remaining,
        why: destination?.whyNotYet,
        up: this.#b.isUp,
      },
    });
  }

  #guests<Value>(does: (value: Value) => void): (value: Value) => void {
    const life = this.#guestLife;
    return (value) => {
      if (life === this.#guestLife) does(value);
    };
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #pick<Value>(from: readonly Value[]): Value | undefined {
    return from[this.#below(from.length)];
  }
}
