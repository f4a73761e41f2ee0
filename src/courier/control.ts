/**
 * What operators ask a running courier, by HTTP on a Unix socket: /v1/status, /v1/jobs, /v1/disks, /v1/volumes, /v1/store, /v1/send,
 * /v1/receive, /metrics; and what they tell it: /v1/macs, and what volumes are to do. JSON, or text for people where that is asked for (`accept: text/plain`).
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { codeOf, messageOf } from '../net/system-error.js';
import { callUnix } from '../net/unix-http.js';
import { receiveCommands, sendCommands } from './commands.js';
import { isRefusal, type Refusal, readMacs, readReceive, readSend } from './control-requests.js';
import type { Courier } from './courier.js';
import { listenAt } from './listening.js';
import { metrics } from './metrics.js';
import { showCommands, showDisks, showJobs, showStatus, showStore, showVolumes } from './show.js';
import { orderVolume } from './volume-orders.js';

const ANSWER_MS = 5_000;
const MOST_BODY_BYTES = 4_096;
const JSON_TYPE = 'application/json';
const TEXT_TYPE = 'text/plain; charset=utf-8';

/** An answer, as programs and as people read it. */
interface Answer {
  readonly body: unknown;
  readonly text: () => string;
}

type Get = (courier: Courier, query: URLSearchParams) => Answer | Refusal;

const GETS = new Map<string, Get>([
  ['/v1/status', plain((courier) => courier.status(), showStatus)],
  [
    '/v1/jobs',
    plain(
      (courier) => courier.jobs(),
      (jobs, courier) => showJobs(jobs, courier.disks()),
    ),
  ],
  ['/v1/disks', plain((courier) => courier.disks(), showDisks)],
  ['/v1/volumes', plain((courier) => courier.volumes(), showVolumes)],
  ['/v1/store', plain((courier) => courier.storeView(), showStore)],
  ['/v1/send', (courier, query) => commands(readSend(query), (asked) => sendCommands(courier.config, asked))],
  [
    '/v1/receive',
    (courier, query) => commands(readReceive(query), (asked) => receiveCommands(courier.config, asked)),
  ],
]);

function plain<View>(view: (courier: Courier) => View, show: (view: View, courier: Courier) => string): Get {
  return (courier, query) => {
    const [name] = query.keys();
    if (name !== undefined) return { status: 400, error: `there is no parameter "${name}" here` };
    const body = view(courier);
    return { body, text: () => show(body, courier) };
  };
}

function commands<Request extends object>(
  asked: Request | Refusal,
  make: (asked: Request) => ReturnType<typeof sendCommands>,
): Answer | Refusal {
  if (isRefusal(asked)) return asked;
  const body = make(asked);
  if (typeof body === 'string') return { status: 409, error: body };
  return { body, text: () => showCommands(body) };
}

/** Rejects with the system's error. */
export async function serveControl(courier: Courier, path: string): Promise<Server> {
  const server = createServer((call, reply) => {
    answer(courier, call, reply).catch(() => reply.destroy());
  });
  await listenAt(server, { kind: 'unix', path });
  // A call that cannot be accepted concerns its caller alone.
  server.on('error', () => courier.counters.count('accepts_failed'));
  return server;
}

async function answer(courier: Courier, call: IncomingMessage, reply: ServerResponse): Promise<void> {
  const [pathname = '', ...query] = (call.url ?? '').split('?');
  if (pathname === '/v1/macs' && call.method === 'POST') return tell(courier, call, reply);
  if (call.method === 'POST') return orderVolume(courier.moves, call, reply);
  if (call.method !== 'GET') return refuse(reply, { status: 405, error: `${call.method} is not for here` });
  if (pathname === '/metrics') {
    reply.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(metrics(courier));
    return;
  }
  const get = GETS.get(pathname);
  const found = get?.(courier, new URLSearchParams(query.join('?'))) ?? {
    status: 404,
    error: `there is no ${pathname}`,
  };
  if (isRefusal(found)) return refuse(reply, found);
  if (call.headers.accept?.startsWith('text/plain'))
    reply.writeHead(200, { 'content-type': TEXT_TYPE }).end(found.text());
  else reply.writeHead(200, { 'content-type': JSON_TYPE }).end(`${JSON.stringify(found.body)}\n`);
}

async function tell(courier: Courier, call: IncomingMessage, reply: ServerResponse): Promise<void> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  // Read to its end: whoever has not said all does not hear the answer.
  for await (const piece of call as AsyncIterable<Buffer>) {
    bytes += piece.length;
    if (bytes <= MOST_BODY_BYTES) pieces.push(piece);
  }
  if (bytes > MOST_BODY_BYTES)
    return refuse(reply, { status: 413, error: `more than ${MOST_BODY_BYTES} bytes` });
  const asked = readMacs(Buffer.concat(pieces).toString());
  if (isRefusal(asked)) return refuse(reply, asked);
  const error = courier.nameMacs(asked.vm, asked.to, asked.macs);
  if (error !== undefined) return refuse(reply, { status: 409, error });
  reply.writeHead(200, { 'content-type': JSON_TYPE }).end(`${JSON.stringify(asked)}\n`);
}

function refuse(reply: ServerResponse, { status, error }: Refusal): void {
  reply.writeHead(status, { 'content-type': JSON_TYPE }).end(`${JSON.stringify({ error })}\n`);
}

export interface Asked {
  readonly path: string;
  /** What is told instead. */
  readonly body?: object;
  readonly accept?: 'application/json' | 'text/plain';
}

/** Rejects with a reason for people. */
export async function ask(socketPath: string, asked: Asked | string): Promise<string> {
  const { path, body, accept = JSON_TYPE } = typeof asked === 'string' ? { path: asked } : (asked as Asked);
  const method = body === undefined ? 'GET' : 'POST';
  const call = { ...({ socketPath, path, method, accept, timeoutMs: ANSWER_MS } as const) };
  const { status, text } = await callUnix({ ...call, ...(body && { body: JSON.stringify(body) }) }).catch(
    (error: unknown) => {
      const isGone = codeOf(error) !== 'EACCES';
      throw new Error(`${socketPath}: ${messageOf(error)}${isGone ? ': is vine-courier running?' : ''}`);
    },
  );
  if (status === 200) return text;
  throw new Error(reasonOf(text) ?? `answer ${status}`);
}

function reasonOf(text: string): string | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    return typeof error === 'string' ? error : undefined;
  } catch {
    return undefined;
  }
}
