/**
 * A member without tables: it joins with a router's key, by the project's own tunnel, and says what it is told to.
 *   node speak.js CONFIG-DIRECTORY INNER-MTU
 * stdin: lines of JSON, see `Order`. stdout: lines of JSON, see `Notice`. It ends with its stdin.
 */
import { createSocket } from 'node:dgram';
import { createInterface } from 'node:readline';
import { gndtDigest } from '../../../src/config/digest.js';
import { loadConfigDirectory } from '../../../src/config/load.js';
import { ControlCodec } from '../../../src/protocol/control-codec.js';
import type { TableMessage } from '../../../src/protocol/table-message.js';
import { Tunnel } from '../../../src/tunnel/tunnel.js';
import { tunnelPort } from '../configuration.js';
import { SoftwareEngine } from './software-engine.js';

/** Say a message, in an envelope of any numbers; past the channel if it is to be said many times. */
export interface Order {
  readonly to: string;
  /** A control payload, base64. */
  readonly payload: string;
  readonly times: number;
}

export type Notice =
  | { readonly up: string }
  | { readonly down: string; readonly reason: string }
  | { readonly from: string; readonly payload: string }
  | { readonly said: number };

/** So many are sealed before the program looks at what has come. */
const AT_A_TIME = 64;

const codec = new ControlCodec();
const [directory = '', innerMtu = '1400'] = process.argv.slice(2);

function notice(what: Notice): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

const loaded = loadConfigDirectory(directory);
if ('errors' in loaded) throw new Error(JSON.stringify(loaded.errors));
const { gndt, router, privateKey } = loaded.config;
const socket = createSocket('udp4');
const engine = new SoftwareEngine(socket);
const numberOf = (id: string): number => gndt.routers.findIndex((entry) => entry.id === id);
/** By peer: the epochs of the channel, as the tunnel's own envelopes name them. */
const epochs = new Map<number, { readonly epoch: number; readonly ackEpoch: number }>();
engine.onSealed = (peer, payload) => {
  const decoded = payload.length > 0 ? codec.decode(payload) : 'empty';
  if (typeof decoded !== 'string') epochs.set(peer, decoded.envelope);
};

const tunnel = new Tunnel({
  gndt,
  self: router.id,
  privateKey,
  description: {
    version: '0.1.0',
    capabilities: [],
    gndtDigest: gndtDigest(gndt),
    innerMtuBytes: Number(innerMtu),
  },
  ports: engine.ports(),
  listeners: {
    message: (from, message) => notice({ from, payload: base64(message) }),
    up: (id) => notice({ up: id }),
    down: (id, reason) => notice({ down: id, reason }),
  },
});

function base64(body: TableMessage): string {
  const payload = codec.encode({ id: 1, acks: [], epoch: 1, ackEpoch: 1, oldest: 1, body });
  return Buffer.from(payload).toString('base64');
}

async function obey({ to, payload, times }: Order): Promise<void> {
  const bytes = Buffer.from(payload, 'base64');
  const decoded = codec.decode(bytes);
  if (typeof decoded === 'string') {
    // With a number that no router takes: it is said all the same.
    for (let n = 0; n < times; n++) engine.seal(numberOf(to), bytes);
    notice({ said: times });
    return;
  }
  const { body } = decoded.envelope;
  if (times === 1) tunnel.send(to, body as TableMessage);
  else {
    const { epoch = 0, ackEpoch = 0 } = epochs.get(numberOf(to)) ?? {};
    const one = codec.encode({ id: 0, acks: [], epoch, ackEpoch, oldest: 1, body });
    for (let n = 0; n < times; n++) {
      engine.seal(numberOf(to), one);
      if (n % AT_A_TIME === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  }
  notice({ said: times });
}

socket.bind(tunnelPort, () => {
  engine.feed(tunnel);
  tunnel.start();
  const orders = createInterface({ input: process.stdin });
  let last: Promise<void> = Promise.resolve();
  orders.on('line', (line) => {
    last = last.then(() => obey(JSON.parse(line) as Order));
  });
  orders.on('close', () => {
    tunnel.stop('the test is over');
    socket.close(() => process.exit(0));
  });
});
