/** Debian's etcd on loopback with a directory of its own, and a way to it that can be cut, held and slowed down. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { waitFor } from '../lab/wait.js';

export const noEtcd = existsSync('/usr/bin/etcd')
  ? false
  : "no etcd: apt-get install etcd-server ('scripts/setup --tests')";

export class EtcdServer {
  readonly directory = mkdtempSync(join(tmpdir(), 'vine-etcd-'));
  readonly port: number;
  readonly #peerPort: number;
  readonly #tls: readonly string[];
  #process: ChildProcess | undefined;

  private constructor(port: number, peerPort: number, tls: readonly string[]) {
    this.port = port;
    this.#peerPort = peerPort;
    this.#tls = tls;
  }

  /** @param tls further options; it then listens with TLS */
  static async start(tls: readonly string[] = []): Promise<EtcdServer> {
    const server = new EtcdServer(await freePort(), await freePort(), tls);
    await server.start();
    return server;
  }

  get url(): string {
    return `${this.#tls.length > 0 ? 'https' : 'http'}://127.0.0.1:${this.port}`;
  }

  get dataDirectory(): string {
    return join(this.directory, 'data');
  }

  async start(): Promise<void> {
    const peer = `http://127.0.0.1:${this.#peerPort}`;
    const options = {
      name: 'one',
      'data-dir': this.dataDirectory,
      'listen-client-urls': this.url,
      'advertise-client-urls': this.url,
      'listen-peer-urls': peer,
      'initial-advertise-peer-urls': peer,
      'initial-cluster': `one=${peer}`,
      'heartbeat-interval': '20',
      'election-timeout': '200',
      'max-request-bytes': String(16 * 1024 * 1024),
      'log-level': 'error',
      logger: 'zap',
    };
    const argv = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
    const child = spawn('/usr/bin/etcd', [...argv, ...this.#tls], { stdio: 'ignore' });
    this.#process = child;
    await waitFor('etcd answers', async () => {
      if (child.exitCode !== null) throw new Error(`etcd has ended with ${child.exitCode}`);
      return canConnect(this.port);
    });
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process?.kill(name);
  }

  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Puts the bytes there as anybody may. @returns the store's revision */
  async put(key: string, value: Uint8Array | string): Promise<number> {
    const body = { key: base64(key), value: base64(value) };
    const answer = await this.call('/v3/kv/put', body);
    return Number((answer.header as { revision: string }).revision);
  }

  async delete(key: string): Promise<void> {
    await this.call('/v3/kv/deleterange', { key: base64(key) });
  }

  async compact(revision: number): Promise<void> {
    await this.call('/v3/kv/compaction', { revision: String(revision), physical: true });
  }

  /** From then on only root, and the user who may read the key and nothing else. */
  async protect(user: string, password: string, key: string): Promise<void> {
    for (const [name, word] of [
      ['root', 'root'],
      [user, password],
    ] as const)
      await this.call('/v3/auth/user/add', { name, password: word });
    for (const name of ['root', 'reader']) await this.call('/v3/auth/role/add', { name });
    const perm = { permType: 'READ', key: base64(key) };
    await this.call('/v3/auth/role/grant', { name: 'reader', perm });
    await this.call('/v3/auth/user/grant', { user: 'root', role: 'root' });
    await this.call('/v3/auth/user/grant', { user, role: 'reader' });
    await this.call('/v3/auth/enable', {});
  }

  /** The gateway, by another client than the product's. */
  call(path: string, body: object): Promise<Record<string, unknown>> {
    return new Promise((resolve, reject) => {
      const sent = request(`${this.url}${path}`, { method: 'POST', agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => {
          text += part;
        });
        response.on('end', () => {
          if (response.statusCode === 200) resolve(JSON.parse(text));
          else reject(new Error(`${path}: ${response.statusCode} ${text}`));
        });
      });
      sent.on('error', reject);
      sent.end(JSON.stringify(body));
    });
  }
}

export type WayMode = 'open' | 'cut' | 'held' | 'slow';

/** A TCP way to a port. */
export class Way {
  mode: WayMode = 'open';
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #port = 0;

  constructor(target: number) {
    this.#server = createServer((near) => {
      if (this.mode === 'cut') {
        near.resetAndDestroy();
        return;
      }
      const far = connect(target, '127.0.0.1');
      this.#join(near, far);
      this.#join(far, near);
    });
  }

  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const address = this.#server.address();
    this.#port = typeof address === 'object' && address !== null ? address.port : 0;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** `cut` ends what is open; the others act on what is open too. */
  set(mode: WayMode): void {
    this.mode = mode;
    if (mode === 'cut') for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  close(): void {
    this.set('cut');
    this.#server.close();
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.on('data', (bytes) => {
      if (this.mode === 'slow') setTimeout(() => to.write(bytes), 2_000).unref();
      else if (this.mode !== 'held') to.write(bytes);
    });
    from.on('end', () => to.end());
    from.on('error', () => to.destroy());
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
}

/** A CA, a certificate for 127.0.0.1 and one for a client, as PEM files. */
export function makeCertificates(directory: string): void {
  const openssl = (...argv: string[]): void => {
    execFileSync('openssl', argv, { cwd: directory, stdio: 'pipe' });
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const ca = ['-CA', 'ca.pem', '-CAkey', 'ca.key'];
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=ca');
  for (const [name, usage] of [
    ['server', 'serverAuth,clientAuth'],
    ['client', 'clientAuth'],
  ] as const) {
    const extensions = ['-addext', 'subjectAltName=IP:127.0.0.1', '-addext', `extendedKeyUsage=${usage}`];
    const out = ['-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', `/CN=${name}`];
    openssl(
      'req',
      '-x509',
      ...ca,
      ...key,
      ...out,
      ...extensions,
      '-addext',
      'basicConstraints=critical,CA:FALSE',
    );
  }
}

export function base64(value: Uint8Array | string): string {
  return Buffer.from(value).toString('base64');
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
