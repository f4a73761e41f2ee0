/**
 * Carries the bytes of connections from one address to another, as they are: node relay.js FROM TO, each "unix:PATH" or
 * "tcp:ADDRESS:PORT". Says "ready" on standard output, and at the end of each connection how many bytes went each way.
 */
import { connect, createServer, type NetConnectOpts, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';

function addressOf(text: string): NetConnectOpts {
  if (text.startsWith('unix:')) return { path: text.slice('unix:'.length) };
  const [, host, port] = /^tcp:(.+):(\d+)$/.exec(text) ?? [];
  if (host === undefined) throw new Error(`"${text}" is no address`);
  return { host, port: Number(port) };
}

async function carry(from: Socket, to: Socket): Promise<void> {
  // Who ends the migration badly ends the relay's other side, too.
  await Promise.allSettled([pipeline(from, to), pipeline(to, from)]);
  console.log(`${from.bytesRead} there, ${to.bytesRead} back`);
}

const [from = '', to = ''] = process.argv.slice(2);
const target = addressOf(to);
createServer({ allowHalfOpen: true }, (socket) => {
  void carry(socket, connect({ ...target, allowHalfOpen: true, noDelay: true } as NetConnectOpts));
}).listen(addressOf(from), () => console.log('ready'));
