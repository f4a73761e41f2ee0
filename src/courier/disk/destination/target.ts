/** The destination's export, which this courier writes to as an NBD client. */
import type { Socket } from 'node:net';
import type { Clock } from '../../../net/clock.js';
import { ClientHandshake } from '../nbd/client-handshake.js';
import { type Command, Replies, type Reply } from '../nbd/replies.js';
import { CMD, ERROR, type ExportFacts, FLAG, NO_HOLE } from '../nbd/spec.js';
import { type DiskRecord, MOST_READ_BYTES } from '../record.js';

const CONNECT_MS = 10_000;
/** Zeroes for a destination that cannot be told of them. */
const ZEROES = Buffer.alloc(MOST_READ_BYTES);

export interface Done {
  readonly error: number;
  readonly data: Buffer | undefined;
}

export class NbdTarget {
  readonly #replies: Replies;
  readonly #waiting = new Map<number, (done: Done) => void>();
  #isClosed = false;

  private constructor(
    private readonly socket: Socket,
    readonly facts: ExportFacts,
    handshake: ClientHandshake,
    private readonly lost: (reason: string) => void,
  ) {
    this.#replies = new Replies(handshake.rest);
    socket.on('data', (piece: Buffer) => {
      this.#replies.push(piece);
      this.#take();
    });
    socket.on('close', () => this.#lost('the destination has closed its connection'));
    this.#take();
  }

  /** Rejects with a reason for people. @param lost called once, when the connection ends and `close` was not called */
  static async open(
    socket: Socket,
    name: string,
    clock: Clock,
    lost: (reason: string) => void,
  ): Promise<NbdTarget> {
    const handshake = new ClientHandshake(name);
    const patience = clock.after('disk-destination', CONNECT_MS, () =>
      socket.destroy(new Error(`the destination has not answered in ${CONNECT_MS / 1000} s`)),
    );
    socket.setNoDelay(true);
    try {
      const facts = await shakeHands(socket, handshake);
      const problem = whyNot(facts);
      if (problem !== undefined) throw new Error(`the destination’s export ${problem}`);
      return new NbdTarget(socket, facts, handshake, lost);
    } catch (error) {
      socket.destroy();
      throw error;
    } finally {
      patience.cancel();
    }
  }

  /** Resolves with what NBD says; never rejects: a connection that ends is an I/O error. */
  async do(record: DiskRecord): Promise<Done> {
    const { kind, offset, length, noHole, data } = record;
    switch (kind) {
      case 'write':
        return this.#send({ type: CMD.write, offset, ...(data && { data }) });
      case 'read':
        return this.#send({ type: CMD.read, offset, length });
      case 'flush':
        return this.#send({ type: CMD.flush });
      case 'trim':
        // A hint.
        if ((this.facts.flags & FLAG.sendTrim) !== 0) await this.#send({ type: CMD.trim, offset, length });
        return { error: ERROR.none, data: undefined };
      case 'zeroes':
        return (this.facts.flags & FLAG.sendWriteZeroes) !== 0
          ? this.#send({ type: CMD.writeZeroes, flags: noHole ? NO_HOLE : 0, offset, length })
          : this.#writeZeroes(offset, length);
    }
  }

  /** Says goodbye. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.socket.end(this.#replies.request({ type: CMD.disc }).bytes);
  }

  destroy(): void {
    this.#isClosed = true;
    this.socket.destroy();
  }

  async #writeZeroes(offset: number, length: number): Promise<Done> {
    for (let at = 0; at < length; at += ZEROES.length) {
      const data = ZEROES.subarray(0, Math.min(ZEROES.length, length - at));
      const done = await this.#send({ type: CMD.write, offset: offset + at, data });
      if (done.error !== ERROR.none) return done;
    }
    return { error: ERROR.none, data: undefined };
  }

  #send(command: Command): Promise<Done> {
    if (this.#isClosed) return Promise.resolve({ error: ERROR.io, data: undefined });
    const { number, bytes } = this.#replies.request(command);
    return new Promise((done) => {
      this.#waiting.set(number, done);
      this.socket.write(bytes);
    });
  }

  #take(): void {
    for (;;) {
      const reply = this.#replies.next();
      if (reply === undefined) return;
      if (typeof reply === 'string') {
        this.#lost(`the destination: ${reply}`);
        this.socket.destroy();
        return;
      }
      this.#answer(reply);
    }
  }

  #answer({ number, error, data }: Reply): void {
    const done = this.#waiting.get(number);
    this.#waiting.delete(number);
    done?.({ error, data });
  }

  #lost(reason: string): void {
    const wasClosed = this.#isClosed;
    this.#isClosed = true;
    if (!wasClosed) this.lost(reason);
    for (const done of this.#waiting.values()) done({ error: ERROR.io, data: undefined });
    this.#waiting.clear();
  }
}

function shakeHands(socket: Socket, handshake: ClientHandshake): Promise<ExportFacts> {
  return new Promise((resolve, reject) => {
    socket.on('error', (error) => reject(new Error(`the destination: ${error.message}`)));
    socket.once('close', () => reject(new Error('the destination has closed its connection')));
    const came = (piece: Buffer): void => {
      for (const action of handshake.push(piece))
        if (action.is === 'say') socket.write(action.bytes);
        else {
          socket.off('data', came);
          if (action.is === 'ready') resolve(action.facts);
          else reject(new Error(`the destination: ${action.why}`));
        }
    };
    socket.on('data', came);
  });
}

/** What a disk needs. */
function whyNot({ flags, mostPayloadBytes }: ExportFacts): string | undefined {
  if ((flags & FLAG.readOnly) !== 0) return 'is read-only';
  if ((flags & FLAG.sendFlush) === 0) return 'cannot flush: nothing that is written to it is ever durable';
  return mostPayloadBytes < MOST_READ_BYTES
    ? `takes no more than ${mostPayloadBytes} bytes at once`
    : undefined;
}
