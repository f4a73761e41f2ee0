/**
 * Serves the page of `vinectl web` on 127.0.0.1, and what it asks of the router. docs/web.md says what it enforces.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { boundedServer } from '../http-server.js';
import { type ObjectReply, refusal, sendObject } from '../reply.js';
import { Access, type Head, type Secrets } from './access.js';
import type { PageFile } from './files.js';
import { passOn, type Router, refusalOf } from './passing.js';
import { KEY_HEADER } from './views.js';

/** A browser opens six at most. The router has 64 for all, of which half may follow its events: a page takes a part of them. */
export const MAX_WEB_CONNECTIONS = 16;

/** An answer that is made here from several of the router's. The signal: nobody waits for it any more. */
export type Made = (query: URLSearchParams, signal: AbortSignal) => Promise<ObjectReply>;

export interface WebServerOptions extends Router, Secrets {
  /** 0: any that is free. */
  readonly port: number;
  readonly files: ReadonlyMap<string, PageFile>;
  /** By path. */
  readonly made: ReadonlyMap<string, Made>;
}

export interface WebServer {
  /** Opens the page, once. */
  readonly address: string;
  readonly port: number;
  /** Ends all connections. */
  close(): Promise<void>;
}

/** Nothing but this server is ever asked for anything, whatever is in a name that another router has given. */
const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
};

/** Rejects with the error of listen(2) when the port cannot be had. */
export async function startWebServer(options: WebServerOptions): Promise<WebServer> {
  const server = boundedServer(MAX_WEB_CONNECTIONS);
  const port = await listen(server, options.port);
  const access = new Access(port, options, options.files);
  server.on('request', (request, response) => {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    respond(options, access, request, response).catch((fault: unknown) => {
      if (response.headersSent) response.destroy();
      else sendObject(response, refusal(500, `fault in vinectl web: ${String(fault)}`));
    });
  });
  return {
    address: `http://127.0.0.1:${port}/?token=${options.token}`,
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      // After start-up an accept() that fails concerns one browser.
      server.on('error', () => {});
      resolve((server.address() as AddressInfo).port);
    });
  });
}

async function respond(
  options: WebServerOptions,
  access: Access,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const head = headOf(request);
  if (head === undefined) return sendObject(response, refusal(400, 'the request target is not a path'));
  const verdict = access.judge(head);
  if (verdict.kind === 'refused') return sendObject(response, refusal(verdict.status, verdict.error));
  if (verdict.kind === 'begun') {
    response.writeHead(303, { location: verdict.location, 'set-cookie': verdict.cookie });
    response.end();
    return;
  }
  const { method, url } = head;
  const file = options.files.get(url.pathname);
  const made = options.made.get(url.pathname);
  if (file === undefined && made === undefined) {
    const no = refusalOf(method, url.pathname, options);
    return no === undefined ? passOn(request, response, url, options) : sendObject(response, no);
  }
  if (method !== 'GET') return sendObject(response, onlyGet(method, url));
  if (file !== undefined) {
    response.writeHead(200, { 'content-type': file.type, 'content-length': file.bytes.length });
    response.end(file.bytes);
    return;
  }
  if (made !== undefined) await make(made, url, request, response);
}

/** It may take its time, each of the router's answers its own; who goes away takes it with him. */
async function make(
  made: Made,
  { searchParams }: URL,
  { socket }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const left = new AbortController();
  response.on('close', () => left.abort());
  const idleMs = socket.timeout ?? 0;
  socket.setTimeout(0);
  const reply = await made(searchParams, left.signal);
  if (response.destroyed) return;
  socket.setTimeout(idleMs);
  sendObject(response, reply);
}

function onlyGet(method: string, url: URL): ObjectReply {
  const error = `${url.pathname} takes GET, not ${method}`;
  return { kind: 'object', status: 405, body: { error }, allow: 'GET' };
}

/** Undefined: what is asked for is not a path. */
function headOf({ method = '', url = '', headers }: IncomingMessage): Head | undefined {
  if (!url.startsWith('/')) return undefined;
  const [fetchSite, key] = [headers['sec-fetch-site'], headers[KEY_HEADER]];
  return {
    method,
    // `//other/path` names another host in a URL, and is a path here.
    url: new URL(`http://page${url}`),
    host: headers.host,
    origin: headers.origin,
    fetchSite: typeof fetchSite === 'string' ? fetchSite : undefined,
    cookie: headers.cookie,
    key: typeof key === 'string' ? key : undefined,
  };
}
