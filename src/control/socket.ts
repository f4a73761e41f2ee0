/** The control socket's place in the file system: who has it, who may open it. */
import { execFile } from 'node:child_process';
import { chmod, chown, lstat, mkdir, readFile, unlink } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { dirname } from 'node:path';
import { promisify } from 'node:util';

/** `sun_path` of unix(7) less its closing zero; a longer path would silently be cut. */
const MAX_PATH_BYTES = 107;

/** Start-up cannot go on; the message names the path and a remedy. */
export class ControlSocketError extends Error {
  override readonly name = 'ControlSocketError';
}

/**
 * Binds `server` to `path`: makes the directory, replaces the socket file of a router that died, refuses one that
 * is served. Until {@link openToGroup} only the owner may connect.
 */
export async function bindSocket(server: Server, path: string, setting = 'control.socket'): Promise<void> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
    throw new ControlSocketError(
      `${path} is longer than a Unix socket's ${MAX_PATH_BYTES} bytes: choose a shorter one`,
    );
  }
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    await removeStale(path, setting);
    await listen(server, path);
  } catch (error) {
    if (error instanceof ControlSocketError) throw error;
    throw new ControlSocketError(`cannot open the control socket ${path}: ${messageOf(error)}`);
  }
}

/**
 * Lets the group connect (0660). When that cannot be, the socket stays at 0600 and a warning for operators is
 * returned.
 */
export async function openToGroup(path: string, group: string): Promise<string | undefined> {
  const closed = `${path} is open to its owner only`;
  const gid = await groupId(group);
  if (gid === undefined) {
    return `group "${group}" does not exist, ${closed}: create it with "groupadd --system ${group}" and restart`;
  }
  try {
    await chown(path, -1, gid);
    await chmod(path, 0o660);
    return undefined;
  } catch (error) {
    return `cannot give the control socket to group "${group}", ${closed}: ${messageOf(error)}`;
  }
}

async function removeStale(path: string, setting: string): Promise<void> {
  const found = await lstat(path).catch(ignoreMissing);
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new ControlSocketError(
      `${path} exists and is not a socket: remove it or choose another ${setting}`,
    );
  }
  if (await isServed(path)) throw new ControlSocketError(`another vined is running on ${path}`);
  await unlink(path).catch(ignoreMissing);
}

function isServed(path: string): Promise<boolean> {
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

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
    // The file is made within listen(): with this mask nobody can slip in before its group is set.
    const before = process.umask(0o177);
    try {
      server.listen(path);
    } finally {
      process.umask(before);
    }
  });
}

/** From /etc/group, or else from wherever this machine keeps its groups. */
async function groupId(name: string): Promise<number | undefined> {
  const local = gidOf(name, await readFile('/etc/group', 'utf8').catch(() => ''));
  if (local !== undefined) return local;
  const run = promisify(execFile)('getent', ['--', 'group', name], { timeout: 2000 });
  return gidOf(name, await run.then(({ stdout }) => stdout).catch(() => ''));
}

/** @param text lines of group(5): `name:password:gid:members` */
function gidOf(name: string, text: string): number | undefined {
  const line = text.split('\n').find((entry) => entry.startsWith(`${name}:`));
  const gid = line?.split(':')[2] ?? '';
  return /^\d+$/.test(gid) ? Number(gid) : undefined;
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
