/** `GET /metrics` over TCP for Prometheus: nothing else is served there, and nothing can be changed. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { listening } from '../net/unix-socket.js';
import { boundedServer } from './http-server.js';

const MAX_CONNECTIONS = 16;

export interface MetricsServerOptions {
  readonly address: string;
  /** 0: any free one. */
  readonly port: number;
  /** The exposition text and its media type. */
  readonly collect: () => Promise<{ readonly text: string; readonly type: string }>;
  readonly onFault: (fault: unknown) => void;
}

export interface MetricsServer {
  /** The port that is really bound. */
  readonly port: number;
  /** Stops listening at once and ends the connections that are open. */
  close(): Promise<void>;
}

/** Rejects when the address cannot be had, with the `code` of the system call (EADDRINUSE …). */
export async function startMetricsServer(options: MetricsServerOptions): Promise<MetricsServer> {
  const server = boundedServer(MAX_CONNECTIONS);
  server.on('request', (request, response) => {
    answer(options, request, response).catch((fault: unknown) => {
      options.onFault(fault);
      if (response.headersSent) response.destroy();
      else say(response, 500, 'fault in the router, see its log\n');
    });
  });
  await listening(server, { host: options.address, port: options.port, exclusive: true });
  server.on('error', options.onFault);
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : options.port,
    close: () => close(server),
  };
}

async function answer(
  options: MetricsServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? '').split('?')[0];
  if (path !== '/metrics') return say(response, 404, 'the metrics are at /metrics\n');
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    return say(response, 405, 'only GET\n');
  }
  const { text, type } = await options.collect();
  if (response.destroyed) return;
  response.writeHead(200, { 'content-type': type });
  response.end(request.method === 'HEAD' ? undefined : text);
}

function say(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(text);
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
