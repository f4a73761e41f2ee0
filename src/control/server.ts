/** The control API: HTTP/1.1 with JSON on a Unix socket. docs/control-api.md describes every call. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ErrorView, EventSource, RouterActions, RouterView } from './api.js';
import { type Body, MAX_BODY_BYTES, readBody } from './body.js';
import { type Call, controlCalls } from './calls.js';
import { EventLog } from './events.js';
import { boundedServer, MAX_HEADER_BYTES } from './http-server.js';
import { type Reply, refusal, sendObject, sendRows } from './reply.js';
import { bindSocket, openToGroup } from './socket.js';

export { ControlSocketError } from './socket.js';

export const MAX_CONNECTIONS = 64;

export interface ControlServerOptions {
  /** Absolute path of the socket. */
  readonly socket: string;
  /** Name of the group that may read and write. */
  readonly group: string;
  readonly view: RouterView;
  readonly actions: RouterActions;
  readonly events: EventSource;
  /** Told of a fault within the router while it answered `call` (`GET /v1/status`); the client gets a 500. */
  readonly onFault: (call: string, fault: unknown) => void;
}

export interface ControlServer {
  /** For operators, one sentence each; empty when all is as configured. */
  readonly warnings: readonly string[];
  /** Ends all connections and removes the socket; settles within a turn or two of the event loop. */
  close(): Promise<void>;
}

/** Serves once it settles. Rejects with {@link ControlSocketError} when the socket cannot be had. */
export async function startControlServer(options: ControlServerOptions): Promise<ControlServer> {
  const events = new EventLog(options.events);
  const calls = byPath(controlCalls(options.view, options.actions, events));
  const server = createHttpServer();
  server.on('request', (request, response) => {
    response.shouldKeepAlive = false;
    respond(calls, events, request, response).catch((fault: unknown) => {
      options.onFault(`${request.method} ${request.url}`, fault);
      giveUp(response);
    });
  });
  try {
    await bindSocket(server, options.socket);
  } catch (error) {
    events.close();
    throw error;
  }
  // After start-up an accept() that fails (out of descriptors) concerns one client, not the router.
  server.on('error', (fault) => options.onFault('accept', fault));
  const warning = await openToGroup(options.socket, options.group);
  return {
    warnings: warning === undefined ? [] : [warning],
    close: () => close(server, events),
  };
}

/** Path → what can be called there, one a method. */
type Calls = ReadonlyMap<string, readonly Call[]>;

function byPath(all: ReturnType<typeof controlCalls>): Calls {
  const calls = new Map<string, Call[]>();
  for (const [path, call] of all) calls.set(path, [...(calls.get(path) ?? []), call]);
  return calls;
}

function createHttpServer(): Server {
  const server = boundedServer(MAX_CONNECTIONS);
  // One request per connection: a thousand requests in one segment are not a thousand tables made before the
  // event loop goes on.
  server.maxRequestsPerSocket = 1;
  server.on('clientError', refuseMalformed);
  return server;
}

async function respond(
  calls: Calls,
  events: EventLog,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const reply = await answer(calls, request);
  if (response.destroyed) return;
  if (reply.kind === 'object') sendObject(response, reply);
  else if (reply.kind === 'rows') await sendRows(response, reply.rows);
  else startFollowing(events, request, response);
}

async function answer(calls: Calls, request: IncomingMessage): Promise<Reply> {
  const url = URL.canParse(request.url ?? '', 'http://vined')
    ? new URL(request.url ?? '', 'http://vined')
    : undefined;
  if (url === undefined) return refusal(400, 'the request target is not a path');
  const there = calls.get(url.pathname);
  if (there === undefined) return refusal(404, `no such call: ${url.pathname}`);
  const call = there.find(({ method }) => method === request.method);
  if (call === undefined) {
    const methods = there.map(({ method }) => method);
    const error = `${url.pathname} takes ${methods.join(' and ')}, not ${request.method}`;
    return { kind: 'object', status: 405, body: { error } satisfies ErrorView, allow: methods.join(', ') };
  }
  if (call.method === 'GET') {
    if (call.patienceMs !== undefined) request.socket.setTimeout(call.patienceMs);
    return call.answer(url.searchParams);
  }
  const { mostBytes = MAX_BODY_BYTES } = call;
  const body = await readBody(request, mostBytes);
  return body.kind === 'json' ? call.answer(url.searchParams, body.value) : refuseBody(body.kind, mostBytes);
}

function refuseBody(kind: Exclude<Body['kind'], 'json'>, mostBytes: number): Reply {
  if (kind === 'too-long') return refusal(413, `the body is longer than ${mostBytes} bytes`);
  return refusal(400, 'the body is not JSON');
}

function startFollowing(events: EventLog, request: IncomingMessage, response: ServerResponse): void {
  request.socket.setTimeout(0); // idle until there is an event
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  response.flushHeaders();
  events.follow(response);
}

/** After a fault: a 500 if nothing has been said yet, else the answer stays visibly incomplete. */
function giveUp(response: ServerResponse): void {
  if (response.headersSent) response.destroy();
  else
    sendObject(response, {
      kind: 'object',
      status: 500,
      body: { error: 'fault in the router, see its log' },
    });
}

/** What the HTTP parser refuses never becomes a request; the client is told all the same. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, reason] = PARSER_REFUSALS[error.code ?? ''] ?? ['400 Bad Request', 'this is not HTTP/1.1'];
  const body = `${JSON.stringify({ error: reason } satisfies ErrorView)}\n`;
  const head = `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
  socket.end(`${head}Connection: close\r\n\r\n${body}`, () => socket.destroy());
}

const PARSER_REFUSALS: Readonly<Record<string, readonly [status: string, reason: string]>> = {
  HPE_HEADER_OVERFLOW: [
    '431 Request Header Fields Too Large',
    `the request's headers are longer than ${MAX_HEADER_BYTES} bytes`,
  ],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'the request was not complete in time'],
};

function close(server: Server, events: EventLog): Promise<void> {
  return new Promise((resolve) => {
    events.close();
    server.close(() => resolve());
    // A turn later: the followers' closing chunks have gone out.
    setImmediate(() => server.closeAllConnections());
  });
}
