/**
 * TCP connections with the addon at one end: messages behind their lengths, cut anywhere, with lengths that lie, and
 * with far ends that read slowly or not at all. Everything is compared with what a reader of the same bytes in
 * TypeScript finds, message by message.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Kind, StreamEvent, type TcpListener } from '../../../src/dataplane/engine.js';
import { type Described, Rig } from '../../contract/rig.js';
import { LOOPBACK, type World } from '../../contract/world.js';
import { joined } from '../mutate.js';
import type { Random } from '../random.js';
import type { NativeFuzzer } from './target.js';

const MOST_LINES = 6;
const SHORTEST = 32;
/** Longest message: of a peer, of a stranger. */
const LONGEST = { peer: 16 * 1024, stranger: 2_000 } as const;
const EPROTO = 71;
const HANDSHAKE_BYTES: Readonly<Record<number, number>> = { 1: 148, 2: 92, 3: 64 };
const LIMIT_MS = 5_000;

function framed(message: Uint8Array): Uint8Array {
  return joined(Uint8Array.of(message.length >>> 8, message.length & 0xff), message);
}

/** The framing again, the slow and obvious way. */
class Reader {
  #bytes: Uint8Array = new Uint8Array(0);
  /** A length that no message can have has come: nothing after it counts. */
  lied = false;

  constructor(readonly longest: number) {}

  /** The messages that are whole now. */
  take(bytes: Uint8Array): Uint8Array[] {
    this.#bytes = joined(this.#bytes, bytes);
    const whole: Uint8Array[] = [];
    while (!this.lied && this.#bytes.length >= 2) {
      const length = ((this.#bytes[0] ?? 0) << 8) | (this.#bytes[1] ?? 0);
      this.lied = length < SHORTEST || length > this.longest;
      if (this.lied || this.#bytes.length < 2 + length) break;
      whole.push(this.#bytes.slice(2, 2 + length));
      this.#bytes = this.#bytes.slice(2 + length);
    }
    return whole;
  }
}

class Line {
  readonly reader: Reader;
  /** Handshake messages that the engine must bring up, in this order. */
  readonly expected: Uint8Array[] = [];
  /** What the addon has taken to send, and this end has not read yet. */
  promised: Buffer = Buffer.alloc(0);
  closed = false;
  ended = false;
  /** This end has gone away with bytes unread: what it sent may be lost. */
  destroyed = false;
  wrong: string | undefined;

  constructor(
    readonly socket: Socket,
    readonly stream: number,
    readonly longest: number,
  ) {
    this.reader = new Reader(longest);
    socket.on('error', () => undefined);
    socket.on('data', (bytes: Buffer) => {
      if (Buffer.compare(this.promised.subarray(0, bytes.length), bytes) !== 0)
        this.wrong = 'reads what was not sent';
      this.promised = this.promised.subarray(bytes.length);
    });
  }

  say(bytes: Uint8Array): void {
    if (this.ended || this.destroyed) return;
    this.socket.write(bytes);
    for (const message of this.reader.take(bytes)) {
      const type = message[0] ?? 0;
      const isTyped = message[1] === 0 && message[2] === 0 && message[3] === 0;
      if (isTyped && HANDSHAKE_BYTES[type] === message.length) this.expected.push(message);
    }
  }
}

export class StreamFuzzer implements NativeFuzzer {
  readonly #world: World;
  readonly #random: Random;
  readonly #rig: Rig;
  readonly #listener: TcpListener;
  readonly #server: Server;
  readonly #lines = new Map<number, Line>();
  /** Connections that have been closed here: what was read of them before may still come. */
  readonly #gone = new Set<number>();
  readonly #events: Described[] = [];
  readonly #tally = { connections: 0, messages: 0, lies: 0, sent: 0, refused: 0 };

  static async open(world: World, random: Random): Promise<StreamFuzzer> {
    const server = createServer({ noDelay: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new StreamFuzzer(world, random, server);
  }

  private constructor(world: World, random: Random, server: Server) {
    this.#world = world;
    this.#random = random;
    this.#server = server;
    this.#rig = new Rig(world.addon, { role: 'tunnel', streams: true, slots: 16, slotBytes: 66_000 });
    this.#listener = world.addon.listenTcp(LOOPBACK[4], 0);
  }

  async round(): Promise<void> {
    const random = this.#random;
    if (this.#lines.size < MOST_LINES) await this.#add();
    for (const line of [...this.#lines.values()]) {
      this.#speak(line);
      this.#answer(line);
      if (random.chance(10)) random.chance(50) ? line.socket.pause() : line.socket.resume();
      if (random.chance(3)) this.#leave(line);
      if (random.chance(30)) this.#receive();
    }
    await new Promise((resolve) => setImmediate(resolve));
    this.#receive();
    for (const line of [...this.#lines.values()]) {
      assert.equal(line.wrong, undefined);
      if (line.reader.lied) await this.#until('the end of a line that lied', () => line.closed);
    }
  }

  report(): string {
    return JSON.stringify(this.#tally);
  }

  close(): void {
    for (const line of this.#lines.values()) line.socket.destroy();
    this.#server.close();
    this.#rig.close();
    this.#world.addon.closeSocket(this.#listener.fd);
  }

  /** Dialled by either end; a peer's from the start, or a stranger's to its end. */
  async #add(): Promise<void> {
    const isPeer = this.#random.chance(60);
    const { socket, stream } = this.#random.chance(50) ? await this.#accepted() : await this.#dialled();
    if (isPeer) this.#world.addon.trustStream(stream);
    this.#lines.set(stream, new Line(socket, stream, isPeer ? LONGEST.peer : LONGEST.stranger));
    this.#tally.connections++;
  }

  async #accepted(): Promise<{ socket: Socket; stream: number }> {
    const socket = connect({ host: '127.0.0.1', port: this.#listener.port, noDelay: true });
    await once(socket, 'connect');
    return { socket, stream: await this.#event('accepted', (one) => one.sourcePort === socket.localPort) };
  }

  async #dialled(): Promise<{ socket: Socket; stream: number }> {
    const { port } = this.#server.address() as AddressInfo;
    const arrived = once(this.#server, 'connection');
    const stream = this.#world.addon.connectTcp(LOOPBACK[4], port);
    const [socket] = (await arrived) as [Socket];
    await this.#event('connected', ({ session }) => session === stream);
    return { socket, stream };
  }

  async #event(kind: 'accepted' | 'connected', isIt: (one: Described) => boolean): Promise<number> {
    const find = (): number =>
      this.#events.findIndex((one) => one.sessionFlags === StreamEvent[kind] && isIt(one));
    await this.#until(kind, () => find() >= 0);
    return this.#events.splice(find(), 1)[0]?.session ?? -1;
  }

  async #until(what: string, condition: () => boolean): Promise<void> {
    const endMs = performance.now() + LIMIT_MS;
    while (!condition()) {
      assert.ok(performance.now() < endMs, `${what} did not come`);
      this.#receive();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Some messages, perhaps a lie, cut into pieces anywhere. */
  #speak(line: Line): void {
    const random = this.#random;
    const parts = Array.from({ length: random.below(5) }, () => this.#part(line));
    let rest = joined(...parts);
    // The first half of a message, whose second half comes with the next words or never.
    if (random.chance(5)) rest = rest.subarray(0, random.below(rest.length + 1));
    while (rest.length > 0) {
      const length = random.chance(50) ? rest.length : 1 + random.below(rest.length);
      line.say(rest.subarray(0, length));
      rest = rest.subarray(length);
    }
  }

  #part(line: Line): Uint8Array {
    const random = this.#random;
    if (random.chance(3)) return random.bytes(random.below(40));
    if (random.chance(2)) {
      const lie = random.pick([0, 1, 31, line.longest + 1, 65_535]);
      return joined(Uint8Array.of(lie >>> 8, lie & 0xff), random.bytes(random.below(100)));
    }
    const type = 1 + random.below(4);
    const length =
      HANDSHAKE_BYTES[type] ?? SHORTEST + random.below(random.pick([100, line.longest - SHORTEST + 1]));
    const message = random.bytes(
      random.chance(90) ? length : SHORTEST + random.below(line.longest - SHORTEST + 1),
    );
    message.set(random.chance(95) ? [type, 0, 0, 0] : random.bytes(4));
    return framed(message);
  }

  /** The addon's turn to speak: what it says it has taken must arrive whole and in order. */
  #answer(line: Line): void {
    const random = this.#random;
    for (let count = random.below(4); count > 0; count--) {
      const message = random.bytes(SHORTEST + random.below(random.pick([200, LONGEST.peer - SHORTEST])));
      const isTaken = this.#world.addon.sendByStream(line.stream, message);
      if (!isTaken) this.#tally.refused++;
      if (!isTaken || line.closed) continue;
      this.#tally.sent++;
      line.promised = Buffer.concat([line.promised, framed(message)]);
    }
  }

  /** One of the ends has had enough. */
  #leave(line: Line): void {
    const random = this.#random;
    if (random.chance(30)) {
      this.#world.addon.closeStream(line.stream);
      this.#forget(line);
      line.socket.destroy();
    } else if (random.chance(50)) {
      line.ended = true;
      line.socket.resume();
      line.socket.end();
    } else {
      line.destroyed = true;
      line.socket.destroy();
    }
  }

  #forget(line: Line): void {
    line.closed = true;
    this.#lines.delete(line.stream);
    this.#gone.add(line.stream);
  }

  #receive(): void {
    for (;;) {
      const all = this.#rig.receiveOnce(0);
      for (const one of all) this.#take(one);
      if (all.length === 0) return;
    }
  }

  #take(one: Described): void {
    if (one.kind === Kind.stream) {
      if (one.sessionFlags === StreamEvent.closed) this.#ended(one);
      else this.#events.push(one);
      return;
    }
    assert.equal(one.kind, Kind.handshake, 'a message of a session that nobody has');
    const stream = one.sourceStream - 1;
    const line = this.#lines.get(stream);
    if (line === undefined) {
      assert.ok(this.#gone.has(stream), `connection ${stream} is nobody's`);
      return;
    }
    this.#tally.messages++;
    const expected = line.expected.shift();
    assert.deepEqual(one.bytes, expected, 'another message than was sent');
  }

  #ended({ session, length: errno }: Described): void {
    const line = this.#lines.get(session);
    if (line === undefined) {
      assert.ok(this.#gone.has(session), `connection ${session} is nobody's`);
      return;
    }
    if (line.reader.lied && !line.destroyed) {
      this.#tally.lies++;
      assert.equal(errno, EPROTO, 'a length that lies is no reason');
    }
    assert.ok(errno !== EPROTO || line.reader.lied, 'ended although no length lied');
    assert.ok(line.reader.lied || line.ended || line.destroyed, `ended by itself: ${errno}`);
    if (!line.destroyed) assert.deepEqual(line.expected, [], 'messages before the end are lost');
    this.#forget(line);
    line.socket.destroy();
  }
}
