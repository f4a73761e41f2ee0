/**
 * A volume that can move: what its clients reach instead of its storage. Whose it is decides what becomes of their requests: this side's alone,
 * another's from which it comes, or another's to which it has gone.
 */
import { messageOf } from '../../../net/system-error.js';
import type { PeerLink } from '../../job/peer-link.js';
import { decide } from '../chunk/opening.js';
import type { SourcePhase } from '../chunk/source.js';
import type { Extent, VolumeGate } from '../gate.js';
import { MOVE_KEY } from '../storage.js';
import { chunksOf } from './chunks-of.js';
import { ComingVolume } from './coming.js';
import { GoingVolume } from './going.js';
import { Late } from './late.js';
import type { VolumeOpen } from './message.js';
import type { MovableOptions, MoveOrder } from './movable-options.js';
import { ends, whyNotTheSame } from './opened.js';
import { RecentWrites } from './recent-writes.js';
import {
  type ComingRecord,
  forgetMove,
  type GoingRecord,
  HERE_KEY,
  keepFinished,
  randomName,
  readRecords,
  VOLUME_KEY,
} from './records.js';
import { Requests } from './requests.js';
import { untilDone } from './steadily.js';
import { type MoveView, viewOf } from './view.js';

const STOPS = 'the courier stops';

export class MovableVolume implements VolumeGate {
  #going: GoingVolume | undefined;
  #coming: ComingVolume | undefined;
  /** A move begins or is forgotten: until its record is durable nobody else may begin one. */
  #isChanging = false;
  readonly #requests = new Requests();
  readonly #recent: RecentWrites;
  readonly #late: Late;
  #isStopped = false;
  #forgetting: Promise<void> = Promise.resolve();
  /** The last move, which was given up. */
  #ended: MoveView | undefined;

  /** Throws where what is kept of a move is damaged. */
  constructor(private readonly options: MovableOptions) {
    const { storage, world } = options;
    this.#late = new Late(options.name, world);
    this.#recent = new RecentWrites(world.clock, () => this.#going?.counted());
    const { move } = readRecords(storage);
    if (move?.role === 'source') this.#goesOn(move);
    else if (move !== undefined) this.#comesOn(move);
    // Who died before that was kept keeps it now.
    if (this.#coming?.machine.phase === 'done') void this.#finished(this.#coming.record.session);
  }

  async read(offset: number, length: number): Promise<Buffer> {
    const coming = this.#unfinished;
    if (coming !== undefined) return coming.read(offset, length);
    this.#mayServe('volume_late_reads');
    const data = await this.#requests.during(() => this.options.storage.read(offset, length));
    // What has been read before control moved may be old by now.
    this.#mayServe('volume_late_reads');
    return data;
  }

  write(offset: number, data: Uint8Array): Promise<void> {
    return this.#change(offset, data.length, () => this.options.storage.write(offset, data));
  }

  zero(offset: number, length: number): Promise<void> {
    return this.#change(offset, length, () => this.options.storage.zero(offset, length));
  }

  async flush(): Promise<void> {
    const coming = this.#unfinished;
    if (coming !== undefined) return coming.flush();
    const source = this.#going?.source;
    // What was written before control moved is durable: that came first.
    if (source?.isServing === false) return;
    const token = source?.flushBegins() ?? 0;
    await this.#requests.during(() => this.options.storage.flush());
    source?.flushEnds(token, true);
    this.#going?.pump();
  }

  async status(offset: number, length: number, most: number): Promise<readonly Extent[]> {
    return this.#isServing ? this.options.storage.extents(offset, length, most) : [{ length, isHole: false }];
  }

  clients(count: number): void {
    this.#requests.connected(count);
  }

  /** Begins a move. Rejects with why not. */
  async move({ peer, name, threshold, completeFirst }: MoveOrder): Promise<void> {
    const { storage, connect } = this.options;
    // What was given up a moment ago is being forgotten.
    await this.#forgetting;
    const why = this.#whyNotMove();
    if (why !== undefined) throw new Error(why);
    const probe = connect(peer);
    if (probe === undefined) throw new Error(`${peer} is not in peers`);
    probe.destroy();
    this.#isChanging = true;
    const before = this.#going;
    try {
      // What was given up is not heard any more: it would be forgotten, and with it what begins now.
      before?.stop();
      const volume = readRecords(storage).volume ?? randomName();
      await storage.keep(VOLUME_KEY, volume);
      // Where it has come from may have to be told of that yet, and its record ends here.
      if (this.#coming !== undefined) await keepFinished(storage, this.#coming.record.session);
      if (this.#isStopped) throw new Error(STOPS);
      this.#coming?.stop('it moves on');
      this.#coming = undefined;
      const record: GoingRecord = {
        ...{ role: 'source', session: randomName(), peer, name, phase: 'pushing', why: '' },
        ...{ threshold, completeFirst },
      };
      const going = this.#goes(record, volume);
      // What is being written was not seen to begin.
      for (const chunk of this.#requests.writing()) going.source.writeBegins([chunk]);
      this.#going = going;
      this.options.world.counters.count('volume_moves_begun');
      going.begin();
    } catch (error) {
      if (before !== undefined && !this.#isStopped) this.#goesOn(before.record);
      throw error;
    } finally {
      this.#isChanging = false;
    }
  }

  /** Stops a move before control has moved. Throws with why not. */
  abandon(): void {
    const why = 'the operator has given it up';
    if (this.#going !== undefined) {
      if (this.#going.source.phase === 'abandoned') throw new Error('it is being given up already');
      if (!this.#going.abandon(why)) throw new Error('control has moved: it cannot be given up any more');
    } else if (this.#coming === undefined || this.#coming.machine.phase === 'done')
      throw new Error('it is not being moved');
    else if (!this.#coming.letGo(why))
      throw new Error('control was asked for, and may have come: give it up where the volume comes from');
  }

  /** Asks for control. Rejects when it does not come. */
  async take(): Promise<void> {
    if (this.#coming === undefined) throw new Error('it does not come from anywhere');
    await this.#coming.control();
  }

  isOnItsWay(key: string, except: object): boolean {
    return this.#going?.isOnItsWay(key, except) === true;
  }

  /** Another courier says that it comes. */
  arrives(link: PeerLink, open: VolumeOpen): void {
    // Whoever comes in between comes again.
    if (this.#isChanging || this.#isStopped) {
      link.end();
      return;
    }
    const { storage } = this.options;
    const { move, volume, finished } = readRecords(storage);
    const decision = decide(open, {
      ...{ volume, finished, isEmpty: this.#isEmpty, mayReceive: this.options.receives },
      coming: move?.role === 'destination' ? move : undefined,
      going: move?.role === 'source' ? move : undefined,
    });
    switch (decision.is) {
      case 'continue':
        if (move?.role === 'destination') this.#running(move).attach(link, open.phase);
        break;
      case 'say':
        ends(link, { store: this.options.world.store.name, nothing: decision.say });
        break;
      case 'refuse':
        this.refuse(link, decision.why);
        break;
      case 'begin': {
        const problem = whyNotTheSame(this.options.storage, open);
        if (problem !== undefined) this.refuse(link, problem);
        else void this.#begin(link, open, decision.keepsChunks);
      }
    }
  }

  refuse(link: PeerLink, why: string): void {
    this.options.world.counters.count('volume_moves_refused');
    ends(link, { refused: why.slice(0, 500) });
  }

  /** Of what goes on, or was the last. */
  view(): MoveView | undefined {
    return viewOf(this.options.storage, this.#going, this.#coming) ?? this.#ended;
  }

  /** The connection that there is. */
  get link(): PeerLink | undefined {
    return this.#going?.link ?? this.#coming?.link;
  }

  stop(reason: string): void {
    this.#isStopped = true;
    this.#recent.stop();
    this.#going?.stop();
    this.#coming?.stop(reason);
  }

  /** Nothing is here, and nothing has come. */
  get #isEmpty(): boolean {
    const { modified, records } = this.options.storage;
    return modified.size === 0 && records.get(HERE_KEY) !== true;
  }

  get #isServing(): boolean {
    const { receives } = this.options;
    if (this.#going !== undefined) return this.#going.source.isServing;
    if (this.#coming !== undefined) return this.#coming.machine.isServing;
    // It is there for one that comes.
    return !(receives && this.#isEmpty);
  }

  /** Requests wait for it. */
  get #unfinished(): ComingVolume | undefined {
    return this.#coming?.machine.phase === 'done' ? undefined : this.#coming;
  }

  #mayServe(counter: 'volume_late_reads' | 'volume_late_writes'): void {
    if (this.#isServing) return;
    const { name } = this.options;
    if (this.#going === undefined) throw new Error(`${name} has not come yet`);
    const { peer } = this.#going.record;
    this.#late.count(counter, peer);
    throw new Error(`${name} has gone to ${peer}`);
  }

  async #change(offset: number, length: number, change: () => Promise<void>): Promise<void> {
    const chunks = [...chunksOf(offset, length, this.options.storage.chunkBytes)];
    const range = { from: offset, to: offset + length };
    const seen = (): Promise<void> => this.#seen(chunks, range, change);
    const coming = this.#unfinished;
    return coming === undefined ? seen() : coming.change(chunks, seen);
  }

  /** The move sees which chunks are being written to. */
  async #seen(
    chunks: readonly number[],
    range: { readonly from: number; readonly to: number },
    change: () => Promise<void>,
  ): Promise<void> {
    this.#mayServe('volume_late_writes');
    const { storage } = this.options;
    if (this.#going === undefined) for (const chunk of chunks) this.#recent.counts.wrote(chunk, range);
    else this.#going.source.writeBegins(chunks, range);
    try {
      await this.#requests.change(chunks, change, (chunk) =>
        this.#going?.source.writeEnds(chunk, storage.modified.get(chunk)?.version),
      );
    } finally {
      this.#going?.pump();
    }
  }

  #whyNotMove(): string | undefined {
    if (this.#isStopped) return STOPS;
    if (this.#isChanging) return 'another move begins, or ends';
    if (this.#going !== undefined && this.#going.source.phase !== 'abandoned')
      return this.#going.source.phase === 'released'
        ? `it has gone to ${this.#going.record.peer}`
        : `it is on its way to ${this.#going.record.peer} already`;
    if (this.#coming !== undefined && this.#coming.machine.phase !== 'done')
      return 'it has not come completely itself';
    return this.#coming === undefined && !this.#isServing
      ? 'there is nothing in it: it waits for one that comes'
      : undefined;
  }

  /** What is kept first is durable first: whoever dies in between begins again. */
  async #begin(link: PeerLink, open: VolumeOpen, keepsChunks: boolean): Promise<void> {
    this.#isChanging = true;
    link.handOver({ frame: () => link.fail('said before it was asked'), closed: () => undefined });
    const { storage, world, name } = this.options;
    const { session, volume, store } = open;
    try {
      this.#coming?.stop('another move has begun');
      this.#going?.stop();
      if (!keepsChunks) await storage.forget();
      if (storage.records.has(HERE_KEY)) await storage.keep(HERE_KEY, undefined);
      await storage.keep(VOLUME_KEY, volume);
      const record: ComingRecord = {
        role: 'destination',
        session,
        store,
        phase: 'receiving',
        isAsked: false,
      };
      await storage.keep(MOVE_KEY, record);
      if (this.#isStopped) throw new Error(STOPS);
      this.#going = undefined;
      this.#coming = this.#comes(record);
      world.counters.count('volume_moves_begun');
      this.#isChanging = false;
      // It may be gone: it comes again.
      if (link.isReady) this.#coming.attach(link, open.phase);
    } catch (error) {
      this.#isChanging = false;
      world.log(`volume ${name}: cannot be received: ${String(error)}`);
      link.fail(`the other side cannot keep it: ${String(error)}`);
    }
  }

  #goesOn(record: GoingRecord): void {
    this.#going = this.#goes(record, readRecords(this.options.storage).volume ?? '');
    this.#going.goOn();
  }

  #goes(record: GoingRecord, volume: string): GoingVolume {
    const { owner, storage, world, connect, turn } = this.options;
    const going: GoingVolume = new GoingVolume({
      ...{ record, volume, owner, storage, world, counts: this.#recent.counts },
      connect: () => connect(record.peer),
      turn: (begin) => turn(record.peer, begin),
      clients: () => this.#requests.clients,
      over: () => this.#gone(going),
    });
    return going;
  }

  #gone(going: GoingVolume): void {
    const phase: SourcePhase = going.source.phase;
    if (this.#going !== going || phase !== 'abandoned') return;
    this.#ended = this.view();
    this.#forget(going);
  }

  #comesOn(record: ComingRecord): ComingVolume {
    this.#coming = this.#comes(record);
    this.#coming.goOn();
    return this.#coming;
  }

  /** What could not be kept once has left the one before stopped, or another one's. */
  #running(record: ComingRecord): ComingVolume {
    const coming = this.#coming;
    if (coming?.isOver === false && coming.record.session === record.session) return coming;
    coming?.stop('another move has begun');
    this.#going = undefined;
    return this.#comesOn(record);
  }

  #comes(record: ComingRecord): ComingVolume {
    const { name, owner, stallSeconds, storage, world } = this.options;
    const coming: ComingVolume = new ComingVolume({
      ...{ name, record, owner, stallSeconds, storage, world },
      finished: () => void this.#finished(record.session),
      forgotten: () => this.#forgotten(coming),
    });
    return coming;
  }

  async #finished(session: string): Promise<void> {
    const { storage, world, name } = this.options;
    await keepFinished(storage, session).catch((error: unknown) => {
      world.log(`volume ${name}: that it has come is kept in its move alone: ${messageOf(error)}`);
    });
  }

  #forgotten(coming: ComingVolume): void {
    if (this.#coming !== coming) return;
    this.options.world.counters.count('volume_moves_abandoned');
    this.#ended = this.view();
    this.#forget(coming);
  }

  /** What is kept of it is found again at the next start, and then nothing of it is here either. */
  #forget(which: GoingVolume | ComingVolume): void {
    this.#forgetting = new Promise((tried) => void this.#forgetMove(which, tried).then(tried));
  }

  /** @param tried nobody waits for what fails: until it is done no move begins */
  async #forgetMove(which: GoingVolume | ComingVolume, tried: () => void): Promise<void> {
    const { storage, world, name } = this.options;
    this.#isChanging = true;
    const failed = (why: string): boolean => {
      world.log(`volume ${name}: its move cannot be forgotten: ${why}`);
      tried();
      return !this.#isStopped;
    };
    const forget = (): Promise<void> => forgetMove(storage, which === this.#going);
    if (!(await untilDone(world.clock, forget, failed))) return;
    if (this.#going === which) this.#going = undefined;
    if (this.#coming === which) this.#coming = undefined;
    this.#isChanging = false;
  }
}
