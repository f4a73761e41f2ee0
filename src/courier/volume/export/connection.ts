/** An NBD client of a volume: its requests go to the gate side by side, and their replies back as they are ready. */
import type { Socket } from 'node:net';
import type { DeclaredCounters } from '../../../net/counters.js';
import { codeOf } from '../../../net/system-error.js';
import { type Request, type RequestEvent, RequestReader, simpleReply } from '../../disk/nbd/requests.js';
import { type HandshakeAction, ServerHandshake } from '../../disk/nbd/server-handshake.js';
import { ERROR, type ExportFacts, STATE } from '../../disk/nbd/spec.js';
import { dataHead, doneReply, errorReply, statusReply } from '../../disk/nbd/structured-replies.js';
import type { Extent, VolumeGate } from '../gate.js';
import type { VOLUME_COUNTERS } from './counters.js';
import type { Blocks, Room } from './room.js';

/** A client that does not read its replies is not read from either. */
const MOST_UNREAD_BYTES = 1024 * 1024;
/** What a request takes beside its data: more than any does, so that a volume's room limits how many are under way. */
const REQUEST_ROOM_BYTES = 64 * 1024;
/** The rest of the range is asked for again. */
const MOST_EXTENTS = 4096;

export interface ConnectionOptions {
  readonly socket: Socket;
  readonly names: readonly string[];
  readonly facts: ExportFacts;
  /** A write's data comes to the gate in parts that end at multiples of it. */
  readonly chunkBytes: number;
  readonly gate: VolumeGate;
  readonly room: Room;
  /** Of `chunkBytes` each. */
  readonly blocks: Blocks;
  readonly counters: DeclaredCounters<typeof VOLUME_COUNTERS>;
  /** It has gone, and nothing of it is under way. */
  closed(connection: VolumeConnection): void;
}

/** A write whose data comes. */
interface Coming {
  readonly request: Request;
  running: number;
  isComplete: boolean;
  error: number;
}

export class VolumeConnection {
  readonly #handshake: ServerHandshake;
  #reader: RequestReader | undefined;
  #isStructured = false;
  /** Waits for room. */
  #held: RequestEvent | undefined;
  #coming: Coming | undefined;
  #outstanding = 0;
  #isLeaving = false;
  #isClosed = false;

  constructor(private readonly options: ConnectionOptions) {
    const { socket, names } = options;
    this.#handshake = new ServerHandshake(names, true);
    socket.setNoDelay(true);
    socket.on('data', (piece: Buffer) => this.#came(piece));
    socket.on('drain', () => this.#pump());
    socket.on('end', () => this.#leave());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#isClosed = true;
      this.#abandon();
      this.#ended();
    });
    socket.write(ServerHandshake.greeting());
  }

  close(): void {
    this.options.socket.destroy();
  }

  #came(piece: Buffer): void {
    if (this.#isLeaving) return;
    if (this.#reader === undefined) this.#act(this.#handshake.push(piece));
    else this.#reader.push(piece);
    this.#pump();
  }

  #act(actions: readonly HandshakeAction[]): void {
    const { socket, facts, chunkBytes, counters, blocks } = this.options;
    for (const action of actions)
      switch (action.is) {
        case 'say':
          socket.write(action.bytes);
          break;
        case 'choose':
          this.#act(this.#handshake.chosen(facts));
          break;
        case 'transmit': {
          const { agreed, rest } = this.#handshake;
          this.#isStructured = agreed.isStructured;
          this.#reader = new RequestReader(facts, rest, {
            ...{ agreed, blockBytes: chunkBytes },
            place: (length) => blocks.take(length),
          });
          break;
        }
        case 'close':
          if (action.why !== '') counters.count('volume_clients_refused');
          this.#isLeaving = true;
          socket.destroySoon();
          break;
      }
  }

  /** Works on what has come, until there is no room; then goes on when there is. */
  #pump(): void {
    const { socket } = this.options;
    const reader = this.#reader;
    if (reader === undefined) return;
    while (!this.#isClosed && !this.#isLeaving) {
      const event = this.#held ?? reader.next();
      this.#held = event;
      if (event === undefined) {
        if (socket.isPaused()) socket.resume();
        return;
      }
      if (!this.#hasRoom(event)) {
        socket.pause();
        return;
      }
      this.#held = undefined;
      this.#take(event);
    }
  }

  #hasRoom(event: RequestEvent): boolean {
    const { socket, room } = this.options;
    // 'drain' comes, and calls.
    if (socket.writableLength > MOST_UNREAD_BYTES) return false;
    const bytes = roomOf(event);
    return bytes === 0 || room.take(bytes, () => this.#pump());
  }

  #take(event: RequestEvent): void {
    const { counters, socket } = this.options;
    switch (event.is) {
      case 'request':
        this.#outstanding++;
        void this.#do(event.request);
        return;
      case 'data':
        void this.#data(event.offset, event.bytes, event.isLast);
        return;
      case 'refused':
        counters.count('volume_requests_refused');
        socket.write(this.#errorReply(event.cookie, event.error));
        return;
      case 'disconnect':
        this.#leave();
        return;
      case 'broken':
        counters.count('volume_clients_refused');
        socket.destroy();
        return;
    }
  }

  /** Nothing is rejected: errors are replies. */
  async #do(request: Request): Promise<void> {
    const { gate, counters } = this.options;
    const { kind, offset, length } = request;
    if (kind === 'write' && length > 0) {
      this.#coming = { request, running: 0, isComplete: false, error: ERROR.none };
      return;
    }
    try {
      if (kind === 'read') {
        const data = length === 0 ? undefined : await gate.read(offset, length);
        counters.count('volume_bytes_read', length);
        this.#replyData(request, data);
      } else if (kind === 'status') {
        this.#replyStatus(request, await gate.status(offset, length));
      } else {
        if (kind === 'flush') {
          await gate.flush();
          counters.count('volume_flushes');
        } else if (kind !== 'write') await this.#zero(request);
        if (request.fua) await gate.flush();
        this.#replyDone(request);
      }
    } catch (error) {
      this.#replyError(request, nbdError(error));
    }
    this.#done(request);
  }

  async #zero({ kind, offset, length, noHole, fastZero }: Request): Promise<void> {
    const { gate, counters, chunkBytes, facts } = this.options;
    const end = offset + length;
    const isWhole = offset % chunkBytes === 0 && (end % chunkBytes === 0 || end === facts.sizeBytes);
    // A hole in a part of a chunk may have to be written.
    if (fastZero && !isWhole) throw new Unsupported();
    counters.count('volume_bytes_zeroed', length);
    if (kind === 'trim' || !noHole) return gate.zero(offset, length);
    for (let at = offset; at < end; ) {
      const bytes = Math.min(end - at, chunkBytes - (at % chunkBytes));
      await gate.write(at, Buffer.alloc(bytes));
      at += bytes;
    }
  }

  async #data(offset: number, bytes: Buffer, isLast: boolean): Promise<void> {
    const { gate, room, counters, blocks } = this.options;
    const coming = this.#coming;
    if (coming === undefined) return;
    coming.running++;
    if (isLast) {
      coming.isComplete = true;
      this.#coming = undefined;
    }
    try {
      await gate.write(offset, bytes);
      counters.count('volume_bytes_written', bytes.length);
    } catch (error) {
      coming.error = nbdError(error);
    }
    blocks.give(bytes);
    coming.running--;
    if (coming.isComplete && coming.running === 0) await this.#written(coming);
    room.give(bytes.length);
  }

  async #written({ request, error }: Coming): Promise<void> {
    let outcome = error;
    try {
      if (request.fua && outcome === ERROR.none) await this.options.gate.flush();
    } catch (failure) {
      outcome = nbdError(failure);
    }
    if (outcome === ERROR.none) this.#replyDone(request);
    else this.#replyError(request, outcome);
    this.#done(request);
  }

  #replyData({ cookie, offset }: Request, data: Buffer | undefined): void {
    const { socket } = this.options;
    if (this.#isClosed) return;
    if (data === undefined) {
      socket.write(this.#isStructured ? doneReply(cookie) : simpleReply(cookie, ERROR.none));
      return;
    }
    socket.cork();
    socket.write(
      this.#isStructured ? dataHead(cookie, offset, data.length) : simpleReply(cookie, ERROR.none),
    );
    socket.write(data);
    socket.uncork();
  }

  #replyStatus({ cookie, one }: Request, extents: readonly Extent[]): void {
    const told = extents.slice(0, one ? 1 : MOST_EXTENTS).map(({ length, isHole }) => ({
      length,
      state: isHole ? STATE.hole | STATE.zero : STATE.data,
    }));
    if (!this.#isClosed) this.options.socket.write(statusReply(cookie, told));
  }

  #replyDone({ cookie }: Request): void {
    if (!this.#isClosed) this.options.socket.write(simpleReply(cookie, ERROR.none));
  }

  #replyError({ cookie }: Request, error: number): void {
    // Whoever is told that zeroes are not fast writes them.
    if (error !== ERROR.notSup) this.options.counters.count('volume_requests_failed');
    if (!this.#isClosed) this.options.socket.write(this.#errorReply(cookie, error));
  }

  #errorReply(cookie: Uint8Array, error: number): Buffer {
    return this.#isStructured ? errorReply(cookie, error) : simpleReply(cookie, error);
  }

  #done(request: Request): void {
    this.#outstanding--;
    this.options.room.give(roomOf({ is: 'request', request }));
    if (this.#isLeaving) this.#leave();
    this.#ended();
  }

  /** A write whose data will not come any more is over. */
  #abandon(): void {
    const coming = this.#coming;
    this.#coming = undefined;
    if (coming === undefined) return;
    coming.isComplete = true;
    coming.error = ERROR.io;
    if (coming.running === 0) this.#done(coming.request);
  }

  /** What is outstanding is answered before. */
  #leave(): void {
    this.#isLeaving = true;
    if (this.#outstanding === 0 || this.#coming !== undefined) this.options.socket.destroySoon();
  }

  #ended(): void {
    if (this.#isClosed && this.#outstanding === 0) this.options.closed(this);
  }
}

class Unsupported extends Error {
  readonly code = 'ENOTSUP';
}

const NBD_ERRORS = new Map<string, number>([
  ['ENOSPC', ERROR.noSpace],
  ['EDQUOT', ERROR.noSpace],
  ['EFBIG', ERROR.noSpace],
  ['EPERM', ERROR.perm],
  ['ESHUTDOWN', ERROR.shutdown],
  ['ENOTSUP', ERROR.notSup],
]);

function nbdError(error: unknown): number {
  return NBD_ERRORS.get(codeOf(error) ?? '') ?? ERROR.io;
}

/** A write's data has room for itself, as it comes. */
function roomOf(event: RequestEvent): number {
  if (event.is === 'data') return event.bytes.length;
  if (event.is !== 'request') return 0;
  return REQUEST_ROOM_BYTES + (event.request.kind === 'read' ? event.request.length : 0);
}
