/**
 * One process at a time has a directory. The lock is a Unix socket in it at which the process listens: the kernel ends it with the
 * process, whatever that dies of, and no number of a process can be another's by now.
 *
 * Each listens at a name of its own first and looks for others then. Of two that come at once both may be refused, never are both
 * let in.
 */
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { listeningPrivately, removeStaleSocket } from '../../net/unix-socket.js';

const NAME = /^lock\.[0-9a-f]{8}$/;
/** What the socket's name adds to the directory's. */
export const LOCK_NAME_BYTES = '/lock.01234567'.length;

export class DirectoryLock {
  private constructor(private readonly server: Server) {}

  /** Rejects when another one has it, or with the system's error; nothing is left of it then. */
  static async take(directory: string): Promise<DirectoryLock> {
    const name = `lock.${randomBytes(4).toString('hex')}`;
    const server = createServer((socket) => socket.destroy());
    await listeningPrivately(server, join(directory, name));
    // Who cannot be accepted has learned all the same that it is taken.
    server.on('error', () => {});
    server.unref();
    const lock = new DirectoryLock(server);
    try {
      await lookForOthers(directory, name);
    } catch (error) {
      await lock.release();
      throw error;
    }
    return lock;
  }

  async release(): Promise<void> {
    await new Promise<void>((done) => this.server.close(() => done()));
  }
}

async function lookForOthers(directory: string, own: string): Promise<void> {
  const names = await readdir(directory);
  // Another one that found it before it was listened at has taken it for a dead one's, and removed it.
  const isGone = !names.includes(own);
  const others = names.filter((name) => NAME.test(name) && name !== own);
  const occupied = await Promise.all(others.map((name) => removeStaleSocket(join(directory, name))));
  if (isGone || occupied.includes('served')) throw new Error(`${directory}: in use by another process`);
}
