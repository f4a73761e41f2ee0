/** The TCP connections of the fake addon: pairs of ends in memory, with the real framing. */
import type { TcpListener } from '../../src/dataplane/engine.js';
import type { SourceAddress as Address } from '../../src/wireguard/cookie.js';

export const LONGEST_STREAM_MESSAGE = 16 * 1024;
const STRANGERS_LONGEST = 2_000;
const SHORTEST = 32;
const MAX_STREAMS = 1024;
const EPROTO = 71;
const ECONNREFUSED = 111;

/** One end of a connection; raw ends have no number and are read by the test. */
interface End {
  readonly id: number | undefined;
  readonly far: Address;
  other: End | undefined;
  received: Buffer;
  isTrusted: boolean;
  isClosed: boolean;
  /** The other end has hung up: it ends when what has come is read. */
  isEnding: boolean;
  onData: (() => void) | undefined;
}

export interface FakeStreamEvent {
  readonly event: 1 | 2 | 3;
  readonly stream: number;
  readonly errno: number;
  readonly far: Address;
}

export interface FakeRawStream {
  send(bytes: Uint8Array): void;
  read(): Buffer;
  readonly isClosed: boolean;
  onData(listener: () => void): void;
  close(): void;
}

export class FakeStreams {
  readonly events: FakeStreamEvent[] = [];
  readonly #listeners = new Map<number, { readonly family: 4 | 6; readonly port: number }>();
  readonly #ends = new Map<number, End>();
  #nextId = 0;
  #nextPort = 50_000;

  constructor(private readonly newFd: () => number) {}

  listen(address: Uint8Array, port: number): TcpListener {
    const family = address.length === 4 ? 4 : 6;
    const bound = port === 0 ? this.#nextPort++ : port;
    if (this.#listening(family, bound)) throw Object.assign(new Error('EADDRINUSE'), { code: 'EADDRINUSE' });
    const fd = this.newFd();
    this.#listeners.set(fd, { family, port: bound });
    return { fd, family, port: bound };
  }

  closeListener(fd: number): void {
    this.#listeners.delete(fd);
  }

  connect(address: Uint8Array, port: number): number {
    const near = this.#make({ address: address.slice(), port }, true);
    const id = near.id ?? 0;
    if (!this.#listening(address.length === 4 ? 4 : 6, port)) this.#end(near, ECONNREFUSED);
    else {
      this.events.push({ event: 1, stream: id, errno: 0, far: near.far });
      this.#accept(near, address);
    }
    return id;
  }

  connectRaw(address: Uint8Array, port: number): FakeRawStream {
    const near = this.#make({ address, port }, false);
    this.#accept(near, address);
    return {
      send: (bytes) => this.#deliver(near, bytes),
      read: () => {
        const { received } = near;
        near.received = Buffer.alloc(0);
        return received;
      },
      get isClosed() {
        return near.isClosed;
      },
      onData: (listener) => {
        near.onData = listener;
      },
      close: () => this.#hangUp(near),
    };
  }

  close(id: number): void {
    const end = this.#ends.get(id);
    if (end !== undefined) this.#hangUp(end);
  }

  trust(id: number): void {
    const end = this.#ends.get(id);
    if (end !== undefined) end.isTrusted = true;
  }

  farOf(id: number): Address | undefined {
    return this.#ends.get(id)?.far;
  }

  send(id: number, message: Uint8Array): boolean {
    const end = this.#ends.get(id);
    if (end === undefined || message.length > LONGEST_STREAM_MESSAGE) return false;
    const framed = Buffer.alloc(2 + message.length);
    framed.writeUInt16BE(message.length);
    framed.set(message, 2);
    this.#deliver(end, framed);
    return true;
  }

  /** The next whole message of any connection. */
  next(): { readonly stream: number; readonly from: Address; readonly bytes: Uint8Array } | undefined {
    for (const end of this.#ends.values()) {
      if (end.received.length < 2) {
        if (end.isEnding) this.#end(end, 0);
        continue;
      }
      const length = end.received.readUInt16BE(0);
      if (length < SHORTEST || length > (end.isTrusted ? LONGEST_STREAM_MESSAGE : STRANGERS_LONGEST)) {
        this.#end(end, EPROTO);
        continue;
      }
      if (end.received.length < 2 + length) {
        if (end.isEnding) this.#end(end, 0);
        continue;
      }
      const bytes = new Uint8Array(end.received.subarray(2, 2 + length));
      end.received = end.received.subarray(2 + length);
      return { stream: end.id ?? 0, from: end.far, bytes };
    }
    return undefined;
  }

  #listening(family: 4 | 6, port: number): boolean {
    return [...this.#listeners.values()].some((one) => one.family === family && one.port === port);
  }

  #make(far: Address, numbered: boolean): End {
    const id = numbered ? this.#nextId++ : undefined;
    const blank = {
      other: undefined,
      received: Buffer.alloc(0),
      isTrusted: false,
      isClosed: false,
      isEnding: false,
    };
    const end: End = { id, far, ...blank, onData: undefined };
    if (id !== undefined) this.#ends.set(id, end);
    return end;
  }

  #accept(near: End, address: Uint8Array): void {
    if (this.#ends.size >= MAX_STREAMS) {
      near.isClosed = true;
      return;
    }
    const far = this.#make({ address: address.slice(), port: this.#nextPort++ }, true);
    near.other = far;
    far.other = near;
    this.events.push({ event: 2, stream: far.id ?? 0, errno: 0, far: far.far });
  }

  #deliver(from: End, bytes: Uint8Array): void {
    const { other } = from;
    if (other === undefined || other.isClosed) return;
    other.received = Buffer.concat([other.received, bytes]);
    other.onData?.();
  }

  /** The near side closes: the other hears of it. */
  #hangUp(end: End): void {
    if (end.isClosed) return;
    end.isClosed = true;
    if (end.id !== undefined) this.#ends.delete(end.id);
    if (end.other !== undefined) this.#ending(end.other);
  }

  #ending(end: End): void {
    end.isEnding = true;
    if (end.id === undefined || end.received.length === 0) this.#end(end, 0);
  }

  #end(end: End, errno: number): void {
    if (end.isClosed) return;
    end.isClosed = true;
    end.onData?.();
    if (end.id === undefined) return;
    this.#ends.delete(end.id);
    this.events.push({ event: 3, stream: end.id, errno, far: end.far });
    if (end.other !== undefined) this.#end(end.other, 0);
  }
}
