/** Two couriers in this process, with a hypervisor that sends and one that waits; sockets are Unix sockets and loopback. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type CourierConfig, loadConfig } from '../../../src/courier/config.js';
import { Courier } from '../../../src/courier/courier.js';
import type { JobView } from '../../../src/courier/job/job.js';
import type { Clock } from '../../../src/net/clock.js';
import { systemClock } from '../../../src/net/system-clock.js';

export const TOKEN = 'a token that has more than thirty-two characters';
/** Two guests can be on their way at once. */
const ROUTES = ['vm', 'vm2'];
const PATIENCE_MS = 20_000;

export async function until<Value>(what: string, probe: () => Value | undefined | false): Promise<Value> {
  const endMs = performance.now() + PATIENCE_MS;
  while (performance.now() < endMs) {
    const value = probe();
    if (value !== undefined && value !== false) return value;
    await new Promise((done) => setTimeout(done, 5));
  }
  throw new Error(`not within ${PATIENCE_MS} ms: ${what}`);
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Two ends of a TCP connection. */
export async function connected(t: TestContext): Promise<[caller: Socket, listener: Socket]> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  const caller = connect(typeof address === 'object' && address !== null ? address.port : 0, '127.0.0.1');
  const listener = await new Promise<Socket>((done) => server.once('connection', done));
  server.close();
  t.after(() => {
    caller.destroy();
    listener.destroy();
  });
  return [caller, listener];
}

/** A hypervisor that waits for a guest: what came to it, and its connection. */
export class Waiting {
  readonly received: Buffer[] = [];
  socket: Socket | undefined;
  ended = false;
  closed = false;

  bytes(): Buffer {
    return Buffer.concat(this.received);
  }
}

export class Couriers {
  readonly directory: string;
  readonly logA: string[] = [];
  a!: Courier;
  b!: Courier;
  readonly arrivals: Waiting[] = [];
  readonly #destination: Server;
  #port = 0;

  private constructor(
    private readonly t: TestContext,
    private readonly changes: Changes,
  ) {
    this.directory = mkdtempSync(join(tmpdir(), 'couriers-'));
    this.#destination = createServer({ allowHalfOpen: true }, (socket) => this.#arrives(socket));
  }

  static async start(t: TestContext, changes: Changes = {}): Promise<Couriers> {
    const couriers = new Couriers(t, changes);
    t.after(() => couriers.#stop());
    couriers.#port = await freePort();
    const path = join(couriers.directory, 'incoming.sock');
    await new Promise<void>((done) => couriers.#destination.listen(path, done));
    await couriers.startA();
    await couriers.startB();
    return couriers;
  }

  async startA(): Promise<void> {
    const send = ROUTES.map((destination, number) => ({
      listen: `unix:${this.directory}/a${number}.sock`,
      ...{ peer: 'b', destination, ...this.changes.send },
    }));
    const peers = { b: `tcp:127.0.0.1:${this.#port}` };
    const config = this.#config('a', this.changes.tokenOfA ?? TOKEN, { peers, send });
    this.a = await Courier.start(config, this.clock, (line) => this.logA.push(line));
  }

  async startB(): Promise<void> {
    const place = { connect: `unix:${this.directory}/incoming.sock`, ...this.changes.receive };
    const receive = Object.fromEntries(ROUTES.map((destination) => [destination, place]));
    const config = this.#config('b', TOKEN, { listen: `tcp:127.0.0.1:${this.#port}`, receive });
    this.b = await Courier.start(config, this.clock, () => undefined);
  }

  private get clock(): Clock {
    return this.changes.clock ?? systemClock;
  }

  get port(): number {
    return this.#port;
  }

  /** A hypervisor that migrates: connected with courier A. @param route its number in ROUTES */
  async source(route = 0): Promise<Socket> {
    const socket = connect({ path: join(this.directory, `a${route}.sock`), allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    socket.on('error', () => undefined);
    return socket;
  }

  /** A whole migration, in pieces; resolves with the source's job when both have ended. */
  async migrate(stream: Buffer): Promise<{ a: JobView; b: JobView | undefined; arrived: Buffer }> {
    const before = this.a.jobs().length;
    const arrivedBefore = this.arrivals.length;
    const source = await this.source();
    source.resume();
    for (let at = 0; at < stream.length; at += 40_000) source.write(stream.subarray(at, at + 40_000));
    source.end();
    const job = await until('the job is over', () => {
      const last = this.a.jobs()[before];
      return last !== undefined && isOver(last) && last;
    });
    const other = await until('the other job is over', () =>
      this.b.jobs().every(isOver) ? { job: this.b.jobs().find(({ job: id }) => id === job.job) } : undefined,
    );
    return { a: job, b: other.job, arrived: this.arrivals[arrivedBefore]?.bytes() ?? Buffer.alloc(0) };
  }

  #config(name: string, token: string, more: object): CourierConfig {
    writeFileSync(join(this.directory, `${name}.token`), `${token}\n`);
    const path = join(this.directory, `${name}.json`);
    const store = { memoryMb: 16, directory: join(this.directory, `${name}-store`), ...this.changes.store };
    writeFileSync(path, JSON.stringify({ name, tokenFile: `${name}.token`, store, ...more }));
    const config = loadConfig(path);
    if ('errors' in config) throw new Error(config.errors.join('\n'));
    return config;
  }

  #arrives(socket: Socket): void {
    const waiting = new Waiting();
    waiting.socket = socket;
    this.arrivals.push(waiting);
    socket.on('data', (bytes: Buffer) => {
      waiting.received.push(bytes);
      this.changes.onArrival?.(waiting, bytes);
    });
    socket.on('end', () => {
      waiting.ended = true;
      socket.end();
    });
    socket.on('close', () => {
      waiting.closed = true;
    });
    socket.on('error', () => undefined);
  }

  async #stop(): Promise<void> {
    await this.a?.stop();
    await this.b?.stop();
    for (const { socket } of this.arrivals) socket?.destroy();
    this.#destination.close();
    rmSync(this.directory, { recursive: true, force: true });
    void this.t;
  }
}

export interface Changes {
  readonly tokenOfA?: string;
  readonly send?: object;
  readonly receive?: object;
  readonly store?: object;
  /** Both couriers'. */
  readonly clock?: Clock;
  readonly onArrival?: (waiting: Waiting, bytes: Buffer) => void;
}

export function isOver({ state }: JobView): boolean {
  return state === 'complete' || state === 'failed';
}
