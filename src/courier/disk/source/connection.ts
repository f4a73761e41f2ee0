/** An NBD client of an export: its requests go into the session, as long as that has room, and their replies back. */
import type { Socket } from 'node:net';
import { type Request, type RequestEvent, RequestReader, simpleReply } from '../nbd/requests.js';
import { type HandshakeAction, ServerHandshake } from '../nbd/server-handshake.js';
import { ERROR, type ExportFacts } from '../nbd/spec.js';
import { rangeRecords, writeRecord } from '../record.js';
import type { DiskWorld } from '../view.js';
import type { SourceSession } from './session.js';

/** A client that does not read its replies is not read from either. */
const MOST_UNREAD_BYTES = 1024 * 1024;
/** Less than this is copied, so that it does not keep the piece that it came in. */
const COPIED_BYTES = 16 * 1024;

export interface ConnectionOptions {
  readonly socket: Socket;
  readonly names: readonly string[];
  readonly world: DiskWorld;
  /** The session that the client is to use from now on, or why there is none. */
  join(connection: ExportConnection): Promise<SourceSession | string>;
  closed(connection: ExportConnection): void;
}

export class ExportConnection {
  readonly #handshake: ServerHandshake;
  #session: SourceSession | undefined;
  /** Of the export that was chosen last; or why there is none. */
  #facts: ExportFacts | string = 'not chosen';
  #reader: RequestReader | undefined;
  /** Waits for room. */
  #held: RequestEvent | undefined;
  /** Whose data comes. */
  #write: Request | undefined;
  #outstanding = 0;
  #isLeaving = false;
  #isClosed = false;

  constructor(private readonly options: ConnectionOptions) {
    const { socket, names } = options;
    this.#handshake = new ServerHandshake(names);
    socket.setNoDelay(true);
    socket.on('data', (piece: Buffer) => this.#came(piece));
    socket.on('drain', () => this.#pump());
    socket.on('end', () => this.#leave());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#isClosed = true;
      options.closed(this);
    });
    socket.write(ServerHandshake.greeting());
  }

  close(): void {
    this.options.socket.destroy();
  }

  #came(piece: Buffer): void {
    if (this.#isLeaving) return;
    if (this.#reader === undefined) this.#act(this.#handshake.push(piece));
    else {
      this.#reader.push(piece);
      this.#pump();
    }
  }

  #act(actions: readonly HandshakeAction[]): void {
    const { socket, world } = this.options;
    for (const action of actions)
      switch (action.is) {
        case 'say':
          socket.write(action.bytes);
          break;
        case 'choose':
          void this.#choose();
          break;
        case 'transmit':
          this.#transmit();
          break;
        case 'close':
          if (action.why !== '') world.counters.count('disk_clients_refused');
          this.#isLeaving = true;
          socket.destroySoon();
          break;
      }
  }

  async #choose(): Promise<void> {
    const { socket } = this.options;
    socket.pause();
    const session = await this.options.join(this);
    if (typeof session !== 'string') this.#session = session;
    this.#facts = typeof session === 'string' ? session : await session.facts();
    if (this.#isClosed) return;
    this.#act(this.#handshake.chosen(this.#facts));
    socket.resume();
    this.#pump();
  }

  /** What is in the handshake's queue comes before what the socket has. */
  #transmit(): void {
    if (typeof this.#facts === 'object') this.#reader = new RequestReader(this.#facts, this.#handshake.rest);
  }

  /** Works on what has come, until there is no room; then goes on when there is. */
  #pump(): void {
    const { socket } = this.options;
    const [reader, session] = [this.#reader, this.#session];
    if (reader === undefined || session === undefined) return;
    while (!this.#isClosed && !this.#isLeaving) {
      const event = this.#held ?? reader.next();
      this.#held = event;
      if (event === undefined) {
        socket.resume();
        return;
      }
      if (!this.#hasRoom(session, event)) {
        socket.pause();
        return;
      }
      this.#held = undefined;
      this.#take(session, event);
    }
  }

  #hasRoom(session: SourceSession, event: RequestEvent): boolean {
    // 'drain' comes, and calls.
    if (this.options.socket.writableLength > MOST_UNREAD_BYTES) return false;
    const isRead = event.is === 'request' && event.request.kind === 'read';
    const has = session.hasRoom && (!isRead || session.hasRoomToRead(event.request.length));
    if (!has) session.whenChanged(() => this.#pump());
    return has;
  }

  #take(session: SourceSession, event: RequestEvent): void {
    switch (event.is) {
      case 'request':
        this.#begin(session, event.request);
        return;
      case 'data':
        this.#data(session, event.offset, event.bytes, event.isLast);
        return;
      case 'refused':
        this.options.world.counters.count('disk_requests_refused');
        this.options.socket.write(simpleReply(event.cookie, event.error));
        return;
      case 'disconnect':
        this.#leave();
        return;
      case 'broken':
        this.options.world.counters.count('disk_clients_refused');
        this.options.socket.destroy();
        return;
    }
  }

  #begin(session: SourceSession, request: Request): void {
    const { kind, offset, length, noHole, fua } = request;
    this.#outstanding++;
    if (kind === 'read') {
      void session.read(offset, length).then(({ error, data }) => this.#reply(request, error, data));
    } else if (kind === 'write') {
      if (length > 0) this.#write = request;
      else this.#reply(request, session.error);
    } else if (kind === 'flush') {
      void session.flush().then((error) => this.#reply(request, error));
    } else if (kind === 'status') {
      // Nobody has agreed on it.
      this.#reply(request, ERROR.invalid);
    } else {
      for (const record of rangeRecords(kind, offset, length, noHole)) session.put(record);
      this.#taken(session, request, fua);
    }
  }

  #data(session: SourceSession, offset: number, bytes: Buffer, isLast: boolean): void {
    const request = this.#write;
    if (request === undefined) return;
    session.put(writeRecord(offset, bytes.length < COPIED_BYTES ? Buffer.from(bytes) : bytes));
    if (!isLast) return;
    this.#write = undefined;
    this.#taken(session, request, request.fua);
  }

  #taken(session: SourceSession, request: Request, fua: boolean): void {
    if (!fua) this.#reply(request, session.error);
    else void session.flush().then((error) => this.#reply(request, error));
  }

  #reply({ cookie }: Request, error: number, data?: Buffer): void {
    this.#outstanding--;
    if (!this.#isClosed) this.options.socket.write(simpleReply(cookie, error, data));
    if (this.#isLeaving) this.#leave();
  }

  /** What is outstanding is answered before. */
  #leave(): void {
    this.#isLeaving = true;
    if (this.#outstanding === 0 || this.#write !== undefined) this.options.socket.destroySoon();
  }
}
