/**
 * A process of a parallel program, as far as the network sees it: sends others messages, each a datagram, evenly over a time.
 *   node ranks.js PORT
 * stdin: a line of JSON for each program, `RankTask`; stdout: "ready", then a line "done RECEIVED" after each.
 */
import { createSocket, type Socket } from 'node:dgram';
import { createInterface } from 'node:readline';

export interface RankTask {
  readonly durationMs: number;
  readonly messages: readonly { readonly to: string; readonly bytes: number; readonly times: number }[];
}

const TICK_MS = 20;
const port = Number(process.argv[2]);
let received = 0;

function open(type: 'udp4' | 'udp6'): Socket {
  const socket = createSocket({ type, ipv6Only: type === 'udp6' });
  socket.on('message', () => {
    received++;
  });
  socket.bind(port);
  return socket;
}

function send(sockets: readonly [Socket, Socket], { durationMs, messages }: RankTask): void {
  const beganMs = performance.now();
  const sent = messages.map(() => 0);
  const timer = setInterval(() => {
    const share = Math.min(1, (performance.now() - beganMs) / durationMs);
    for (const [i, { to, bytes, times }] of messages.entries())
      for (; (sent[i] ?? 0) < Math.floor(share * times); sent[i] = (sent[i] ?? 0) + 1)
        sockets[to.includes(':') ? 1 : 0].send(Buffer.alloc(bytes), port, to);
    if (share < 1) return;
    clearInterval(timer);
    console.log(`done ${received}`);
  }, TICK_MS);
}

function main(): void {
  const sockets = [open('udp4'), open('udp6')] as const;
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => send(sockets, JSON.parse(line)));
  lines.once('close', () => process.exit(0));
  console.log('ready');
}

main();
