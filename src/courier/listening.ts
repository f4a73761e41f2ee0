/** Listening where it was configured. */
import { chmod } from 'node:fs/promises';
import type { Server } from 'node:net';
import { listening, listeningPrivately, removeStaleSocket } from '../net/unix-socket.js';
import { type Address, socketOptions } from './address.js';

/** The owner and his group: who may open it may migrate through it, or ask. */
const SOCKET_MODE = 0o660;

/** Rejects with the system's error, or with what is there already; the server does not listen then. */
export async function listenAt(server: Server, address: Address): Promise<void> {
  if (address.kind === 'tcp') return listening(server, socketOptions(address));
  const { path } = address;
  const occupied = await removeStaleSocket(path);
  if (occupied === 'served') throw new Error(`${path}: somebody listens there already`);
  if (occupied === 'no-socket')
    throw new Error(`${path}: exists and is not a socket: remove it or choose another place`);
  await listeningPrivately(server, path);
  try {
    await chmod(path, SOCKET_MODE);
  } catch (error) {
    server.close();
    throw error;
  }
}
