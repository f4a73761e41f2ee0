/** Two couriers in this process, an NBD export in memory behind one, an NBD client at the other, and a WAN between that can be cut. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { loadConfig } from '../../../src/courier/config.js';
import { Courier } from '../../../src/courier/courier.js';
import { ClientHandshake } from '../../../src/courier/disk/nbd/client-handshake.js';
import { type Command, Replies } from '../../../src/courier/disk/nbd/replies.js';
import { type Request, RequestReader, simpleReply } from '../../../src/courier/disk/nbd/requests.js';
import { ServerHandshake } from '../../../src/courier/disk/nbd/server-handshake.js';
import { CMD, ERROR, type ExportFacts, FLAG } from '../../../src/courier/disk/nbd/spec.js';
import type { DiskView } from '../../../src/courier/disk/view.js';
import { systemClock } from '../../../src/net/system-clock.js';
import { waitFor } from '../../lab/wait.js';
import { CutWan } from '../../support/cut-wan.js';
import { TOKEN } from './couriers.js';

const ALL_FLAGS = FLAG.hasFlags | FLAG.sendFlush | FLAG.sendFua | FLAG.sendTrim | FLAG.sendWriteZeroes;

/** What is right comes long before, also on a machine that has no time. */
const PATIENCE_MS = 120_000;

export function until<Value>(what: string, probe: () => Value | undefined | false): Promise<Value> {
  return waitFor(what, probe, PATIENCE_MS);
}

/** An export in memory. It does its work in any order, as it may, and a flush makes durable what was answered before. */
export class MemoryExport {
  readonly data: Buffer;
  /** As of the last flush. */
  durable: Buffer;
  readonly seen: Request[] = [];
  flags = ALL_FLAGS;
  minimumBytes = 1;
  /** What requests of a kind are answered with; 0: they are done. */
  readonly errors: Partial<Record<Request['kind'], number>> = {};
  /** Nothing is answered. */
  isHeld = false;
  /** Requests are done when the next ones have come, in any order. */
  isShuffled = false;
  readonly #sockets = new Set<Socket>();
  readonly #waiting: (() => void)[] = [];
  readonly #server: Server;

  constructor(readonly sizeBytes: number) {
    this.data = Buffer.alloc(sizeBytes);
    this.durable = Buffer.alloc(sizeBytes);
    this.#server = createServer((socket) => this.#accept(socket));
  }

  async listen(path: string): Promise<void> {
    await new Promise<void>((done) => this.#server.listen(path, done));
  }

  get connections(): number {
    return this.#sockets.size;
  }

  count(kind: Request['kind']): number {
    return this.seen.filter((request) => request.kind === kind).length;
  }

  /** Does what waits. */
  release(): void {
    this.isHeld = false;
    this.#drain();
  }

  disconnect(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.disconnect();
    this.#server.close();
  }

  #facts(): ExportFacts {
    const { sizeBytes, flags, minimumBytes } = this;
    return { sizeBytes, flags, minimumBytes, preferredBytes: 4096, mostPayloadBytes: 1 << 25 };
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket)).on('error', () => undefined);
    const handshake = new ServerHandshake(['']);
    let reader: RequestReader | undefined;
    const act = (actions: ReturnType<ServerHandshake['push']>): void => {
      for (const action of actions)
        if (action.is === 'say') socket.write(action.bytes);
        else if (action.is === 'choose') act(handshake.chosen(this.#facts()));
        else if (action.is === 'transmit') reader = new RequestReader(this.#facts(), handshake.rest);
        else socket.end();
    };
    socket.write(ServerHandshake.greeting());
    socket.on('data', (piece: Buffer) => {
      if (reader === undefined) act(handshake.push(piece));
      else reader.push(piece);
      if (reader !== undefined) this.#read(socket, reader);
    });
  }

  #read(socket: Socket, reader: RequestReader): void {
    let write: { request: Request; pieces: { offset: number; bytes: Buffer }[] } | undefined;
    for (let event = reader.next(); event !== undefined; event = reader.next()) {
      if (event.is === 'data') {
        this.#pieces.push({ offset: event.offset, bytes: Buffer.from(event.bytes) });
        if (!event.isLast || this.#write === undefined) continue;
        write = { request: this.#write, pieces: this.#pieces };
        this.#pieces = [];
        this.#enqueue(socket, write.request, write.pieces);
      } else if (event.is === 'request' && event.request.kind === 'write') {
        this.#write = event.request;
      } else if (event.is === 'request') this.#enqueue(socket, event.request, []);
      else if (event.is === 'refused') socket.write(simpleReply(event.cookie, event.error));
      else socket.end();
    }
    setImmediate(() => this.#drain());
  }

  #write: Request | undefined;
  #pieces: { offset: number; bytes: Buffer }[] = [];

  #enqueue(socket: Socket, request: Request, pieces: readonly { offset: number; bytes: Buffer }[]): void {
    this.seen.push(request);
    this.#waiting.push(() => {
      const error = this.errors[request.kind] ?? ERROR.none;
      if (error === ERROR.none) this.#do(request, pieces);
      const { offset, length, kind } = request;
      const isRead = kind === 'read' && error === ERROR.none;
      socket.write(
        simpleReply(request.cookie, error, isRead ? this.data.subarray(offset, offset + length) : undefined),
      );
    });
  }

  #drain(): void {
    while (!this.isHeld && this.#waiting.length > 0) {
      const at = this.isShuffled ? Math.floor(Math.random() * this.#waiting.length) : 0;
      for (const work of this.#waiting.splice(at, 1)) work();
    }
  }

  #do({ kind, offset, length }: Request, pieces: readonly { offset: number; bytes: Buffer }[]): void {
    for (const piece of pieces) piece.bytes.copy(this.data, piece.offset);
    if (kind === 'zeroes' || kind === 'trim') this.data.fill(0, offset, offset + length);
    if (kind === 'flush') this.durable = Buffer.from(this.data);
  }
}

/** An NBD client, as a hypervisor is one. */
export class DiskUser {
  readonly #replies: Replies;
  readonly #waiting = new Map<number, (reply: { error: number; data: Buffer | undefined }) => void>();
  isClosed = false;

  private constructor(
    private readonly socket: Socket,
    readonly facts: ExportFacts,
    handshake: ClientHandshake,
  ) {
    this.#replies = new Replies(handshake.rest);
    socket.on('data', (piece: Buffer) => {
      this.#replies.push(piece);
      for (let reply = this.#replies.next(); reply !== undefined; reply = this.#replies.next()) {
        if (typeof reply === 'string') throw new Error(reply);
        this.#waiting.get(reply.number)?.(reply);
        this.#waiting.delete(reply.number);
      }
    });
    socket.on('close', () => {
      this.isClosed = true;
    });
  }

  /** Rejects with what the server says. */
  static async open(path: string, name = ''): Promise<DiskUser> {
    const socket = connect(path);
    const handshake = new ClientHandshake(name);
    const facts = await new Promise<ExportFacts>((resolve, reject) => {
      socket.on('error', reject);
      socket.on('close', () => reject(new Error('closed')));
      const came = (piece: Buffer): void => {
        for (const action of handshake.push(piece))
          if (action.is === 'say') socket.write(action.bytes);
          else {
            socket.off('data', came);
            if (action.is === 'ready') resolve(action.facts);
            else reject(new Error(action.why));
          }
      };
      socket.on('data', came);
    }).catch((error: unknown) => {
      socket.destroy();
      throw error;
    });
    return new DiskUser(socket, facts, handshake);
  }

  do(command: Command): Promise<{ error: number; data: Buffer | undefined }> {
    const { number, bytes } = this.#replies.request(command);
    return new Promise((done) => {
      this.#waiting.set(number, done);
      this.socket.write(bytes);
    });
  }

  async write(offset: number, data: Uint8Array, flags = 0): Promise<number> {
    return (await this.do({ type: CMD.write, flags, offset, data })).error;
  }

  async flush(): Promise<number> {
    return (await this.do({ type: CMD.flush })).error;
  }

  /** Requests that are not answered yet. */
  get outstanding(): number {
    return this.#waiting.size;
  }

  /** @param raw bytes that are no request */
  say(raw: Uint8Array): void {
    this.socket.write(raw);
  }

  /** Reads nothing any more. */
  freeze(): void {
    this.socket.pause();
  }

  close(): void {
    this.socket.end(this.#replies.request({ type: CMD.disc }).bytes);
  }

  destroy(): void {
    this.socket.destroy();
  }
}

export interface DiskChanges {
  readonly disk?: object;
  readonly place?: object;
  readonly store?: object;
  readonly sizeBytes?: number;
}

export class DiskCouriers {
  readonly directory = mkdtempSync(join(tmpdir(), 'disks-'));
  readonly wan = new CutWan();
  readonly logA: string[] = [];
  readonly target: MemoryExport;
  a!: Courier;
  b!: Courier;
  #portB = 0;
  #portWan = 0;

  private constructor(private readonly changes: DiskChanges) {
    this.target = new MemoryExport(changes.sizeBytes ?? 8 * 1024 * 1024);
  }

  static async start(t: TestContext, changes: DiskChanges = {}): Promise<DiskCouriers> {
    const couriers = new DiskCouriers(changes);
    t.after(() => couriers.#stop());
    await couriers.target.listen(join(couriers.directory, 'target.sock'));
    const probe = createServer();
    await new Promise<void>((done) => probe.listen(0, '127.0.0.1', done));
    const address = probe.address();
    couriers.#portB = typeof address === 'object' && address !== null ? address.port : 0;
    await new Promise((done) => probe.close(done));
    couriers.wan.to = couriers.#portB;
    couriers.#portWan = await couriers.wan.listen();
    await couriers.startA();
    await couriers.startB();
    return couriers;
  }

  /** Where NBD clients of courier a connect to. */
  get path(): string {
    return join(this.directory, 'disk.sock');
  }

  get wanPort(): number {
    return this.#portWan;
  }

  async startA(): Promise<void> {
    const disks = [
      { listen: `unix:${this.path}`, peer: 'b', destination: 'disk', ...this.changes.disk },
      { listen: `unix:${this.path}2`, peer: 'b', destination: 'disk', ...this.changes.disk },
    ];
    const peers = { b: `tcp:127.0.0.1:${this.#portWan}` };
    this.a = await this.#start('a', { peers, disks }, (line) => this.logA.push(line));
  }

  async startB(): Promise<void> {
    const place = { connect: `unix:${this.directory}/target.sock`, ...this.changes.place };
    this.b = await this.#start('b', {
      listen: `tcp:127.0.0.1:${this.#portB}`,
      receiveDisks: { disk: place },
    });
  }

  user(): Promise<DiskUser> {
    return DiskUser.open(this.path);
  }

  diskA(): DiskView | undefined {
    return this.a.disks().at(-1);
  }

  diskB(): DiskView | undefined {
    return this.b.disks().at(-1);
  }

  async #start(name: string, more: object, log: (line: string) => void = () => undefined): Promise<Courier> {
    writeFileSync(join(this.directory, 'token'), `${TOKEN}\n`);
    const path = join(this.directory, `${name}.json`);
    const store = { memoryMb: 16, directory: join(this.directory, `${name}-store`), ...this.changes.store };
    writeFileSync(path, JSON.stringify({ name, tokenFile: 'token', store, ...more }));
    const config = loadConfig(path);
    if ('errors' in config) throw new Error(config.errors.join('\n'));
    return Courier.start(config, systemClock, log);
  }

  async #stop(): Promise<void> {
    this.wan.close();
    await this.a?.stop();
    await this.b?.stop();
    this.target.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
