/** The connection with another courier: frames over a socket, the proof of the token, and whether the other one lives. */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../../net/clock.js';
import { printable } from '../stream/item.js';
import { type Frame, type FrameName, FrameReader, frameOf } from '../wire/frame.js';
import {
  commonCodec,
  helloFrame,
  helloOf,
  isProof,
  NONCE_BYTES,
  proofOf,
  readHello,
  type Side,
} from '../wire/handshake.js';
import type { Codec } from '../wire/message.js';
import { OUR_CODECS } from './codecs.js';

/** From the connection's beginning until both have proven their token, however often something comes. */
export const HANDSHAKE_MS = 10_000;
const ALIVE_MS = 1_000;
/** So long the other side may take to close its end. */
const LINGER_MS = 2_000;
/** Nothing was heard for so long: the WAN is cut, or the other courier stands still. */
export const SILENT_MS = 10_000;

export interface LinkOptions {
  readonly socket: Socket;
  readonly side: Side;
  readonly token: string;
  readonly clock: Clock;
}

export interface LinkEvents {
  /** Both have proven that they know the token. */
  ready(codec: Codec): void;
  frame(frame: Frame): void;
  /** Once, whoever has ended it; `reason` is for people. Undefined: `end` was called here. */
  closed(reason: string | undefined): void;
}

export class PeerLink {
  readonly #reader = new FrameReader();
  readonly #hello = helloOf(OUR_CODECS, randomBytes(NONCE_BYTES));
  #theirs: Buffer | undefined;
  #codec: Codec = 'none';
  #ready = false;
  #closed = false;
  #heardAtMs: number;
  readonly #begunAtMs: number;
  #timer: Timer | undefined;
  #sent = 0;
  #received = 0;

  constructor(
    private readonly options: LinkOptions,
    private events: LinkEvents,
  ) {
    const { socket, side, clock } = options;
    this.#begunAtMs = clock.nowMs();
    this.#heardAtMs = this.#begunAtMs;
    socket.setNoDelay(true);
    socket.on('data', (piece: Buffer) => this.#heard(piece));
    socket.on('error', (error) => this.#close(error.message));
    // Nobody here says anything further to one who has said his last.
    for (const event of ['end', 'close'])
      socket.on(event, () => this.#close('the other courier has closed the connection'));
    this.#watch();
    if (side === 'caller') this.#write(helloFrame(this.#hello));
  }

  /** Bytes on the WAN, as they were given to TCP. */
  get sentBytes(): number {
    return this.#sent;
  }

  get receivedBytes(): number {
    return this.#received;
  }

  get isReady(): boolean {
    return this.#ready && !this.#closed;
  }

  /** What waits here because TCP does not take it yet. */
  get waitingBytes(): number {
    return this.options.socket.writableLength;
  }

  /** From now on somebody else is told what happens. */
  handOver(events: Omit<LinkEvents, 'ready'>): void {
    this.events = { ...events, ready: () => undefined };
  }

  /** Nothing happens when the connection is closed. */
  send(...parts: readonly Buffer[]): void {
    if (this.#closed) return;
    const { socket } = this.options;
    // Parts of one frame go in one call.
    socket.cork();
    for (const part of parts) this.#write(part);
    socket.uncork();
  }

  /** Tells the other side why, and closes. */
  fail(reason: string): void {
    if (this.#closed) return;
    if (this.#ready) this.#write(frameOf('fail', Buffer.from(reason.slice(0, 250))));
    this.#close(reason);
  }

  /** All is said. */
  end(): void {
    this.#close(undefined);
  }

  #write(bytes: Buffer): void {
    this.#sent += bytes.length;
    this.options.socket.write(bytes);
  }

  #close(reason: string | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    // What was written goes out. Who closes while something unread is there takes back what he has said last (RFC 1122, 4.2.2.13).
    const { socket, clock } = this.options;
    socket.end();
    const patience = clock.after('courier-linger', LINGER_MS, () => socket.destroy());
    socket.once('close', () => patience.cancel());
    if (socket.destroyed) patience.cancel();
    this.events.closed(reason);
  }

  #heard(piece: Buffer): void {
    if (this.#closed) return;
    this.#received += piece.length;
    this.#heardAtMs = this.options.clock.nowMs();
    const frames = this.#reader.push(piece);
    if (typeof frames !== 'string') for (const frame of frames) this.#take(frame);
    if (this.#reader.refused !== undefined) this.fail(this.#reader.refused);
  }

  #take(frame: Frame): void {
    if (this.#closed) return;
    if (!this.#ready) {
      const problem = this.#greet(frame);
      if (problem !== undefined) this.fail(problem);
      return;
    }
    if (frame.name === 'alive') return;
    if (frame.name === 'fail') {
      this.#close(`the other courier: ${printable(frame.payload.toString('latin1'))}`);
      return;
    }
    this.events.frame(frame);
  }

  #greet(frame: Frame): string | undefined {
    return this.#theirs === undefined ? this.#greeted(frame) : this.#proven(frame, this.#theirs);
  }

  #greeted(frame: Frame): string | undefined {
    if (frame.name !== 'hello') return `${frame.name} frame instead of a hello`;
    const hello = readHello(frame.payload);
    if (typeof hello === 'string') return hello;
    this.#theirs = Buffer.from(hello.bytes);
    this.#codec = commonCodec(OUR_CODECS, hello.codecs);
    if (this.options.side === 'listener') this.#write(helloFrame(this.#hello));
    else this.#write(frameOf('proof', this.#proof('caller', this.#theirs)));
    return undefined;
  }

  #proven(frame: Frame, theirs: Buffer): string | undefined {
    const other: Side = this.options.side === 'caller' ? 'listener' : 'caller';
    if (frame.name !== 'proof') return `${frame.name} frame instead of a proof`;
    if (!isProof(frame.payload, this.#proof(other, theirs))) return 'the other courier has another token';
    if (this.options.side === 'listener') this.#write(frameOf('proof', this.#proof('listener', theirs)));
    this.#ready = true;
    this.events.ready(this.#codec);
    return undefined;
  }

  #proof(by: Side, theirs: Buffer): Buffer {
    const [callers, listeners] =
      this.options.side === 'caller' ? [this.#hello, theirs] : [theirs, this.#hello];
    return proofOf(this.options.token, by, callers, listeners);
  }

  #late(): string | undefined {
    const nowMs = this.options.clock.nowMs();
    const silentMs = nowMs - this.#heardAtMs;
    if (silentMs > SILENT_MS)
      return `nothing was heard of the other courier for ${Math.round(silentMs / 1000)} s`;
    const isLate = !this.#ready && nowMs - this.#begunAtMs > HANDSHAKE_MS;
    return isLate ? 'the other courier has not proven that it knows the token' : undefined;
  }

  #watch(): void {
    this.#timer = this.options.clock.after('courier-alive', ALIVE_MS, () => {
      const problem = this.#late();
      if (problem !== undefined) {
        this.fail(problem);
        return;
      }
      if (this.#ready) this.send(frameOf('alive'));
      this.#watch();
    });
  }
}

/** Frames that a side may get; anything else ends the job. */
export function unexpected(name: FrameName): string {
  return `${name} frame where none may be`;
}
