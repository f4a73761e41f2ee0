/** Listening where it was configured. */
import { chmod, unlink } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { type Address, socketOptions } from './address.js';

/** The owner and his group: who may open it may migrate through it. */
const SOCKET_MODE = 0o660;

/** Rejects with the system's error. A Unix socket that nobody listens at any more is replaced. */
export async function listenAt(address: Address, accept: (socket: Socket) => void): Promise<Server> {
  if (address.kind === 'unix') await removeStale(address.path);
  const server = createServer({ allowHalfOpen: true }, accept);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socketOptions(address), resolve);
  });
  if (address.kind === 'unix') await chmod(address.path, SOCKET_MODE);
  return server;
}

export async function removeStale(path: string): Promise<void> {
  const answers = await new Promise<boolean>((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
  if (answers) throw new Error(`${path}: somebody listens there already`);
  await unlink(path).catch(() => undefined);
}
