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
import { type Blocks, type Room, Share } from './room.js';

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
  /** Beside that. */
  readonly ownBytes: number;
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
  readonly #share: Share;
  #reader: RequestReader | undefined;
  #isStructured = false;
  /** Waits for room. */
  #held: RequestEvent | undefined;
  #coming: Coming | undefined;
  #outstanding = 0;
  /** The room of replies that the system has not taken yet. */
  #unreadBytes = 0;
  #isLeaving = false;
  /** Without having said so. */
  #isGone = false;
  #isClosed = false;

  constructor(private readonly options: ConnectionOptions) {
    const { socket, names, room, ownBytes } = options;
    this.#share = new Share(room, ownBytes, () => this.#pump());
    this.#handshake = new ServerHandshake(names, true);
    socket.setNoDelay(true);
    socket.on('data', (piece: Buffer) => this.#came(piece));
    socket.on('drain', () => this.#pump());
    socket.on('end', () => {
      this.#isGone ||= !this.#isLeaving;
      this.#leave();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#isClosed = true;
      this.#share.give(this.#unreadBytes);
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
    // 'drain' comes, and calls.
    if (this.options.socket.writableLength > MOST_UNREAD_BYTES) return false;
    const bytes = roomOf(event);
    return bytes === 0 || this.#share.take(bytes);
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
        this.#say(roomOf(event), [this.#errorReply(event.cookie, event.error)]);
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
    if (request.kind === 'write' && request.length > 0) {
      this.#coming = { request, running: 0, isComplete: false, error: ERROR.none };
      return;
    }
    let reply: readonly Buffer[];
    try {
      reply = await this.#answer(request);
    } catch (error) {
      reply = [this.#failed(request, nbdError(error))];
    }
    this.#done(request, reply);
  }

  async #answer(request: Request): Promise<readonly Buffer[]> {
    const { gate, counters } = this.options;
    const { kind, offset, length } = request;
    switch (kind) {
      case 'read': {
        const data = length === 0 ? undefined : await gate.read(offset, length);
        counters.count('volume_bytes_read', length);
        return this.#dataReply(request, data);
      }
      case 'status':
        return [extentsReply(request, await gate.status(offset, length, request.one ? 1 : MOST_EXTENTS))];
      case 'flush':
        await gate.flush();
        counters.count('volume_flushes');
        break;
      case 'trim':
      case 'zeroes':
        await this.#zero(request);
        break;
    }
    if (request.fua) await gate.flush();
    return [simpleReply(request.cookie, ERROR.none)];
  }

  async #zero({ kind, offset, length, noHole, fastZero }: Request): Promise<void> {
    const { gate, counters, chunkBytes, facts } = this.options;
    const end = offset + length;
    const isWhole = offset % chunkBytes === 0 && (end % chunkBytes === 0 || end === facts.sizeBytes);
    // A hole in a part of a chunk may have to be written, and what is to be no hole is.
    if (fastZero && (!isWhole || noHole)) throw new Unsupported();
    counters.count('volume_bytes_zeroed', length);
    if (kind === 'trim' || !noHole) return gate.zero(offset, length);
    for (let at = offset; at < end; ) {
      // They may take minutes.
      if (this.#isGone || this.#isClosed) throw new Gone();
      const bytes = Math.min(end - at, chunkBytes - (at % chunkBytes));
      await gate.write(at, Buffer.alloc(bytes));
      at += bytes;
    }
  }

  async #data(offset: number, bytes: Buffer, isLast: boolean): Promise<void> {
    const { gate, counters, blocks } = this.options;
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
    this.#share.give(bytes.length);
  }

  async #written({ request, error }: Coming): Promise<void> {
    let outcome = error;
    try {
      if (request.fua && outcome === ERROR.none) await this.options.gate.flush();
    } catch (failure) {
      outcome = nbdError(failure);
    }
    const isDone = outcome === ERROR.none;
    this.#done(request, [isDone ? simpleReply(request.cookie, ERROR.none) : this.#failed(request, outcome)]);
  }

  #dataReply({ cookie, offset }: Request, data: Buffer | undefined): readonly Buffer[] {
    if (data === undefined) return [this.#isStructured ? doneReply(cookie) : simpleReply(cookie, ERROR.none)];
    return [
      this.#isStructured ? dataHead(cookie, offset, data.length) : simpleReply(cookie, ERROR.none),
      data,
    ];
  }

  #failed({ cookie }: Request, error: number): Buffer {
    // Whoever is told that zeroes are not fast writes them.
    if (error !== ERROR.notSup) this.options.counters.count('volume_requests_failed');
    return this.#errorReply(cookie, error);
  }

  #errorReply(cookie: Uint8Array, error: number): Buffer {
    return this.#isStructured ? errorReply(cookie, error) : simpleReply(cookie, error);
  }

  #done(request: Request, reply: readonly Buffer[]): void {
    this.#say(roomOf({ is: 'request', request }), reply);
    this.#outstanding--;
    if (this.#isLeaving) this.#leave();
    this.#ended();
  }

  /** @param roomBytes of the request: free when the system has taken the reply, which waits for the client to read */
  #say(roomBytes: number, reply: readonly Buffer[]): void {
    const { socket } = this.options;
    if (this.#isClosed) {
      this.#share.give(roomBytes);
      return;
    }
    this.#unreadBytes += roomBytes;
    socket.cork();
    for (const part of reply.slice(0, -1)) socket.write(part);
    socket.write(reply.at(-1) ?? '', () => {
      if (this.#isClosed) return;
      this.#unreadBytes -= roomBytes;
      this.#share.give(roomBytes);
    });
    socket.uncork();
  }

  /** A write whose data will not come any more is over. */
  #abandon(): void {
    const coming = this.#coming;
    this.#coming = undefined;
    if (coming === undefined) return;
    coming.isComplete = true;
    coming.error = ERROR.io;
    if (coming.running === 0) this.#done(coming.request, []);
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

function extentsReply({ cookie }: Request, extents: readonly Extent[]): Buffer {
  const told = extents.map(({ length, isHole }) => ({
    length,
    state: isHole ? STATE.hole | STATE.zero : STATE.data,
  }));
  return statusReply(cookie, told);
}

class Unsupported extends Error {
  readonly code = 'ENOTSUP';
}

class Gone extends Error {
  readonly code = 'ESHUTDOWN';
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
  if (event.is === 'refused') return REQUEST_ROOM_BYTES;
  if (event.is !== 'request') return 0;
  return REQUEST_ROOM_BYTES + (event.request.kind === 'read' ? event.request.length : 0);
}
