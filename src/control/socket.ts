/** The control socket's place in the file system: who has it, who may open it. */
import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, readFile } from 'node:fs/promises';
import type { Server } from 'node:net';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { messageOf } from '../net/system-error.js';
import { listeningPrivately, MOST_PATH_BYTES, removeStaleSocket } from '../net/unix-socket.js';

/** Start-up cannot go on; the message names the path and a remedy. */
export class ControlSocketError extends Error {
  override readonly name = 'ControlSocketError';
}

/**
 * Binds `server` to `path`: makes the directory, replaces the socket file of a router that died, refuses one that
 * is served. Until {@link openToGroup} only the owner may connect.
 */
export async function bindSocket(server: Server, path: string, setting = 'control.socket'): Promise<void> {
  if (Buffer.byteLength(path) > MOST_PATH_BYTES) {
    throw new ControlSocketError(
      `${path} is longer than a Unix socket's ${MOST_PATH_BYTES} bytes: choose a shorter one`,
    );
  }
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    await removeStale(path, setting);
    await listeningPrivately(server, path);
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
  const occupied = await removeStaleSocket(path);
  if (occupied === 'served') throw new ControlSocketError(`another vined is running on ${path}`);
  if (occupied === 'no-socket') {
    throw new ControlSocketError(
      `${path} exists and is not a socket: remove it or choose another ${setting}`,
    );
  }
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
