/** One disk that NBD clients may write to: its clients share a session; with the last of them it ends, and the next one begins anew. */
import type { Socket } from 'node:net';
import type { DiskWorld } from '../view.js';
import { ExportConnection } from './connection.js';
import type { SourceSession } from './session.js';

const MOST_CLIENTS = 16;
/** So long a client waits for the end of the session before: hypervisors stand still meanwhile. */
const LAST_MS = 10_000;

export class ExportedDisk {
  readonly #clients = new Set<ExportConnection>();
  readonly #users = new Map<SourceSession, Set<ExportConnection>>();
  #session: SourceSession | undefined;

  constructor(
    private readonly destination: string,
    private readonly world: DiskWorld,
    private readonly begin: () => SourceSession,
  ) {}

  accept(socket: Socket): void {
    if (this.#clients.size >= MOST_CLIENTS) {
      this.world.counters.count('disk_clients_refused');
      socket.destroy();
      return;
    }
    // The default export, and by its name.
    const names = ['', this.destination];
    const client = new ExportConnection({
      ...{ socket, names, world: this.world },
      join: (connection) => this.#join(connection),
      closed: (connection) => this.#left(connection),
    });
    this.#clients.add(client);
  }

  /** Of whatever is under way. */
  stop(): void {
    for (const client of this.#clients) client.close();
  }

  async #join(client: ExportConnection): Promise<SourceSession | string> {
    const last = this.#session;
    if (last?.isFinishing === true && !(await this.#ends(last))) return 'the last session has not ended yet';
    if (this.#session === undefined || this.#session.isOver) this.#session = this.begin();
    const session = this.#session;
    const users = this.#users.get(session) ?? new Set();
    this.#users.set(session, users.add(client));
    // While it waited for the last session's end, it may have gone.
    if (!this.#clients.has(client)) this.#leave(client, session);
    return session;
  }

  #ends(session: SourceSession): Promise<boolean> {
    return new Promise((resolve) => {
      const patience = this.world.clock.after('disk-last', LAST_MS, () => resolve(false));
      void session.over().then(() => {
        patience.cancel();
        resolve(true);
      });
    });
  }

  #left(client: ExportConnection): void {
    this.#clients.delete(client);
    for (const [session, users] of this.#users) if (users.has(client)) this.#leave(client, session);
  }

  #leave(client: ExportConnection, session: SourceSession): void {
    const users = this.#users.get(session);
    users?.delete(client);
    if (users === undefined || users.size > 0) return;
    this.#users.delete(session);
    session.finish();
  }
}
