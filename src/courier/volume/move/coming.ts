/**
 * A volume that comes from another courier: the machine of the destination with its storage, whatever connection the other courier makes, and
 * the requests of clients that wait for control or for a chunk.
 */
import type { Timer } from '../../../net/clock.js';
import { messageOf } from '../../../net/system-error.js';
import { BatchReceiver } from '../../job/batch-receiver.js';
import type { PeerLink } from '../../job/peer-link.js';
import { Digester } from '../../store/digest.js';
import { PAGE_BYTES } from '../../stream/token.js';
import type { Frame } from '../../wire/frame.js';
import type { Batch } from '../../wire/message.js';
import { Destination, type DestinationAction, type KeptDestination } from '../chunk/destination.js';
import type { SourcePhase } from '../chunk/source.js';
import { MOVE_KEY, type VolumeStorage } from '../storage.js';
import { chunksOf, statesOf } from './chunks-of.js';
import { encodeDestination, encodeOpened, SourceReader } from './message.js';
import { type Piece, PieceReader } from './pieces.js';
import { Rate } from './rate.js';
import type { ComingRecord } from './records.js';
import { Relay } from './relay.js';
import { Steadily, untilDone } from './steadily.js';
import { Waiting } from './waiting.js';
import { countWan, type MoveWorld } from './world.js';

/** Control is asked for again, and what could not be kept. */
const ASK_MS = 100;
const KEEP_MS = 1_000;
const RENEW_MS = 2_000;

export interface ComingOptions {
  readonly name: string;
  readonly record: ComingRecord;
  readonly owner: string;
  /** So long a client waits for control, or for what only the other site has. */
  readonly stallSeconds: number;
  readonly storage: VolumeStorage;
  readonly world: MoveWorld;
  /** All is here, and durable; then that the other side knows it. */
  finished(): void;
  /** Nothing is here any more. */
  forgotten(): void;
}

interface Attached {
  readonly link: PeerLink;
  readonly receiver: BatchReceiver;
  readonly pieces: PieceReader;
  readonly reader: SourceReader;
  /** Batches are acknowledged in their order. */
  taken: Promise<void>;
}

export class ComingVolume {
  readonly machine: Destination;
  readonly rate: Rate;
  readonly #steadily: Steadily;
  readonly #control: Waiting;
  readonly #chunks: Waiting;
  readonly #relay: Relay;
  readonly #counts = { pages: 0, pagesNew: 0, pagesReferenced: 0, pagesAskedFor: 0, instructionBytes: 0 };
  readonly #wan = { sent: 0, received: 0 };
  #attached: Attached | undefined;
  #again: Timer | undefined;
  #renew: Timer | undefined;
  #problem = '';
  #whyStalled = 'the other courier has not come yet';
  isOver = false;

  constructor(private readonly options: ComingOptions) {
    const { record, storage, world, stallSeconds } = options;
    const { phase, isAsked } = record;
    const limitMs = stallSeconds * 1000;
    this.#steadily = new Steadily(world.clock, (problem) => this.#log(problem));
    this.#control = new Waiting(world.clock, limitMs);
    this.#chunks = new Waiting(world.clock, limitMs);
    this.#relay = new Relay(world.clock, limitMs, storage.chunkBytes);
    this.rate = new Rate(world.clock);
    this.machine = new Destination({ phase, isAsked, chunks: statesOf(storage, phase) });
  }

  get record(): ComingRecord {
    const { phase, isAsked } = this.machine;
    return { ...this.options.record, phase, isAsked };
  }

  get whyStalled(): string {
    const { phase } = this.machine;
    const notYet = this.#control.count > 0 ? this.machine.whyNotYet : '';
    return this.#steadily.problem || this.#problem || (phase === 'done' ? '' : this.#whyStalled || notYet);
  }

  /** The connection that there is. */
  get link(): PeerLink | undefined {
    return this.#attached?.link;
  }

  get wan(): { readonly sent: number; readonly received: number } {
    const link = this.#attached?.link;
    const { sent, received } = this.#wan;
    return { sent: sent + (link?.sentBytes ?? 0), received: received + (link?.receivedBytes ?? 0) };
  }

  /** What was begun before goes on. */
  goOn(): void {
    this.#do(this.machine.begins());
  }

  /** The other courier comes, or comes again. */
  attach(link: PeerLink, theirs: SourcePhase): void {
    const before = this.#attached;
    if (before !== undefined) {
      this.#detach(before, 'the move goes on at another connection');
      before.link.fail('the move goes on at another connection');
    }
    const { storage, world } = this.options;
    const attached: Attached = {
      ...{ link, receiver: this.#receiver(link), pieces: new PieceReader(), taken: Promise.resolve() },
      reader: new SourceReader(Math.ceil(storage.size / storage.chunkBytes)),
    };
    this.#attached = attached;
    this.#whyStalled = '';
    link.handOver({
      frame: (frame) => this.#frame(attached, frame),
      closed: (reason) => this.#detach(attached, reason ?? 'closed'),
    });
    link.send(encodeOpened({ store: world.store.name }));
    this.#log(`connected, ${this.machine.phase}`);
    this.#relay.attach((frame) => link.send(frame));
    this.#do(this.machine.connected(theirs));
  }

  /** Control, asked for until it comes. Rejects when it does not in time, or never can. */
  async control(): Promise<void> {
    if (this.machine.isServing) return;
    const waits = this.#control.wait('control');
    this.#do(this.machine.wantControl());
    this.#tryAgain();
    try {
      await waits;
    } catch (error) {
      if (this.#control.count === 0) this.machine.stopWanting();
      this.options.world.counters.count('volume_writes_without_control');
      const { whyNotYet } = this.machine;
      const why = `control was not given${whyNotYet === '' ? '' : `: ${whyNotYet}`} (${messageOf(error)})`;
      this.#log(why);
      throw new Error(why);
    }
  }

  /** False: control may have been given here. */
  letGo(why: string): boolean {
    const actions = this.machine.letGo(why);
    this.#do(actions);
    return actions.length > 0;
  }

  async read(offset: number, length: number): Promise<Buffer> {
    const { storage } = this.options;
    while (!this.machine.isServing) {
      const data = await this.#relay.read(offset, length);
      if (data !== undefined) return data;
    }
    for (const chunk of chunksOf(offset, length, storage.chunkBytes))
      await this.#fetch(chunk, offset, length);
    return storage.read(offset, length);
  }

  /** @param change of the chunks, in the storage */
  async change(chunks: readonly number[], change: () => Promise<void>): Promise<void> {
    await this.control();
    try {
      await change();
    } finally {
      const { modified } = this.options.storage;
      if (this.machine.phase === 'pulling')
        for (const chunk of chunks) {
          this.#do(this.machine.wrote(chunk, modified.get(chunk)?.isAwaited === true));
          this.#chunks.tell(chunk);
        }
    }
  }

  async flush(): Promise<void> {
    // Nothing was written where nobody waits for control.
    if (!this.machine.isServing && this.#control.count > 0) await this.control();
    if (this.machine.isServing) await this.options.storage.flush();
  }

  stop(reason: string): void {
    this.isOver = true;
    this.#steadily.stop();
    this.#again?.cancel();
    this.#renew?.cancel();
    this.#control.end(reason);
    this.#chunks.end(reason);
    this.#relay.end(reason);
    this.#attached?.link.end();
  }

  /** Until what is read of the chunk is here. */
  async #fetch(chunk: number, offset: number, length: number): Promise<void> {
    const { storage } = this.options;
    const from = Math.max(offset, chunk * storage.chunkBytes);
    const bytes = Math.min(offset + length, (chunk + 1) * storage.chunkBytes) - from;
    while (!storage.isHere(from, bytes)) {
      const comes = this.#chunks.wait(chunk);
      this.#do(this.machine.wanted(chunk));
      await comes.catch((error: unknown) => {
        throw new Error(`chunk ${chunk} is at the other site alone: ${this.whyStalled || messageOf(error)}`);
      });
    }
  }

  #receiver(link: PeerLink): BatchReceiver {
    const { world, record, owner } = this.options;
    const receiver: BatchReceiver = new BatchReceiver({
      ...{ link, store: world.store, peer: world.store.peer(record.store), counts: this.#counts },
      digester: new Digester(owner, PAGE_BYTES),
      give: (batch, stream) => this.#take(receiver, batch, stream),
      notTheStream: () => world.counters.count('volume_move_batches_not_the_stream'),
    });
    return receiver;
  }

  #take(receiver: BatchReceiver, batch: Batch, stream: Buffer): void {
    const attached = this.#attached;
    if (attached?.receiver !== receiver) return;
    const pieces = attached.pieces.push(stream);
    if (typeof pieces === 'string') throw new Error(pieces);
    const puts = pieces.map((piece) => this.#piece(piece));
    attached.taken = attached.taken.then(async () => {
      await Promise.all(puts);
      receiver.done(batch);
    });
  }

  /** Resolves when it is where it should be. What is none throws. */
  #piece(piece: Piece): Promise<void> {
    if (piece.kind === 'read') {
      this.#relay.answered(piece);
      return Promise.resolve();
    }
    const { number: chunk, version, length } = piece;
    const { size, chunkBytes } = this.options.storage;
    if (length !== Math.min(chunkBytes, size - chunk * chunkBytes))
      throw new Error(`chunk ${chunk} of ${length} bytes`);
    this.rate.count(length);
    if (!this.machine.comes({ chunk, version }, piece.kind === 'pull')) return Promise.resolve();
    return this.#put(piece);
  }

  async #put({ number: chunk, version, writes, data, hasFailed }: Piece): Promise<void> {
    const { storage, world } = this.options;
    const isPulled = this.machine.phase === 'pulling';
    try {
      if (hasFailed) throw new Error('the other courier cannot read it');
      await storage.put(chunk, data, { version, writes });
      this.#problem = '';
      if (isPulled) world.counters.count('volume_chunks_pulled');
      this.#do(this.machine.put({ chunk, version }));
      this.#chunks.tell(chunk);
    } catch (error) {
      const why = `chunk ${chunk} cannot be kept: ${messageOf(error)}`;
      if (this.#problem === '') this.#log(why);
      this.#problem = why;
      this.#do(this.machine.notPut({ chunk, version }, why));
      this.#tryAgain();
    }
  }

  #frame(attached: Attached, frame: Frame): void {
    if (this.#attached !== attached || this.isOver) return;
    const problem = this.#handle(attached, frame);
    if (problem !== undefined) attached.link.fail(problem);
  }

  #handle({ receiver, reader }: Attached, frame: Frame): string | undefined {
    if (frame.name === 'batch' || frame.name === 'pages') return receiver.handle(frame);
    const says = reader.read(frame);
    if (says === undefined || typeof says === 'string') return says;
    this.#do(this.machine.hears(says));
    return undefined;
  }

  /** What has come is kept; the other courier may come again. */
  #detach(attached: Attached, reason: string): void {
    if (this.#attached !== attached) return;
    this.#attached = undefined;
    attached.receiver.stop();
    this.#wan.sent += attached.link.sentBytes;
    this.#wan.received += attached.link.receivedBytes;
    countWan(this.options.world, attached.link);
    this.#relay.detach();
    this.machine.lost();
    if (this.isOver) return;
    this.#whyStalled = reason;
    if (this.machine.phase !== 'done') this.#log(`stalled (${reason})`);
  }

  /** As long as something is waited for. */
  #tryAgain(): void {
    if (this.#again !== undefined || this.isOver) return;
    const ms = this.#control.count > 0 ? ASK_MS : KEEP_MS;
    this.#again = this.options.world.clock.after('volume-again', ms, () => {
      this.#again = undefined;
      this.#do(this.machine.again());
      if (this.#control.count > 0 || this.#problem !== '') this.#tryAgain();
    });
  }

  #renewLater(why: string): void {
    this.#renew ??= this.options.world.clock.after('volume-renew', RENEW_MS, () => {
      this.#renew = undefined;
      if (this.machine.phase === 'receiving') this.#attached?.link.fail(why);
    });
  }

  #log(text: string): void {
    this.options.world.log(`volume ${this.options.name}, which comes: ${text}`);
  }

  #do(actions: readonly DestinationAction[]): void {
    for (const action of actions) if (!this.isOver) this.#act(action);
  }

  #act(action: DestinationAction): void {
    const { storage } = this.options;
    switch (action.do) {
      case 'keep':
        this.#keep(action.kept);
        break;
      case 'flush':
        void this.#flushed(action.token);
        break;
      case 'await': {
        const states = new Map(action.remaining.map((one) => [one.chunk, one]));
        const then = (): void => this.#do(this.machine.awaited());
        this.#steadily.do('what remains cannot be noted', () => storage.await(states), then);
        break;
      }
      case 'forget':
        this.#steadily.do(
          'it cannot be forgotten',
          () => storage.forget(),
          () => this.#do(this.machine.forgot()),
        );
        break;
      case 'say':
        for (const frame of encodeDestination(action.message)) this.#attached?.link.send(frame);
        break;
      case 'serve':
        this.#log(`control has come, ${this.machine.remaining} chunks have not`);
        this.#control.all();
        this.#relay.end();
        break;
      case 'fail':
        this.#log(`the other courier contradicts: ${action.why}`);
        this.#attached?.link.fail(action.why);
        break;
      case 'renew':
        this.#renewLater(action.why);
        break;
      case 'forgotten':
        this.#log(`given up (${action.why})`);
        this.stop(action.why);
        this.options.forgotten();
        break;
      case 'over':
        this.#attached?.link.end();
    }
  }

  #keep(kept: KeptDestination): void {
    const { storage, record, world } = this.options;
    this.#steadily.do(
      'it cannot be kept',
      () => storage.keep(MOVE_KEY, { ...record, ...kept }),
      () => {
        this.#do(this.machine.kept(kept));
        if (kept.phase !== 'done') return;
        world.counters.count('volume_moves_complete');
        this.#log('complete: the other side is not needed any more');
        this.options.finished();
      },
    );
  }

  async #flushed(token: number): Promise<void> {
    const { storage, world } = this.options;
    const failed = (why: string): boolean => {
      this.#log(`its storage cannot flush: ${why}`);
      return !this.isOver;
    };
    if (await untilDone(world.clock, () => storage.flush(), failed)) this.#do(this.machine.flushed(token));
  }
}
