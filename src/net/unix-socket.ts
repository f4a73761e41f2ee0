/** Servers at a Unix socket's path: what is there already, and who may open it. */
import { lstat, unlink } from 'node:fs/promises';
import { connect, type ListenOptions, type Server } from 'node:net';

/** `sun_path` of unix(7) less its closing zero; a longer path would silently be cut. */
export const MOST_PATH_BYTES = 107;

/** Why a path cannot be had: something else is there, or somebody listens. */
export type Occupied = 'no-socket' | 'served';

/**
 * Removes the socket file of a process that died, and nothing else: a file that is no socket and a socket at which somebody
 * answers stay. Rejects with the system's error.
 */
export async function removeStaleSocket(path: string): Promise<Occupied | undefined> {
  const found = await lstat(path).catch(ignoreMissing);
  if (found === undefined) return undefined;
  if (!found.isSocket()) return 'no-socket';
  if (await isServed(path)) return 'served';
  await unlink(path).catch(ignoreMissing);
  return undefined;
}

/** Whether somebody listens at a socket's path. Rejects with the system's error when that cannot be told. */
export function isServed(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false);
      // Its queue of connections is full: somebody holds it.
      else if (error.code === 'EAGAIN') resolve(true);
      else reject(error);
    });
  });
}

/** Resolves when it listens; what goes wrong afterwards is the caller's. Rejects with the system's error. */
export function listening(server: Server, where: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** At a socket that its owner alone may open (0600): the file is made in the call, nobody can slip in before its mode is set. */
export function listeningPrivately(server: Server, path: string): Promise<void> {
  const before = process.umask(0o177);
  try {
    return listening(server, { path });
  } finally {
    process.umask(before);
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
