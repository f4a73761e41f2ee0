/** HTTP servers whose clients can hold nothing for long: bounded connections, headers, and times to send and to read. */
import { createServer, type Server } from 'node:http';

export const MAX_HEADER_BYTES = 8 * 1024;
/** For who asks the router: it answers from memory, and one that takes so long hangs. */
export const ANSWER_PATIENCE_MS = 10_000;
const HEADERS_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 10_000;
/** A client that neither sends nor reads for so long is cut off. */
const IDLE_TIMEOUT_MS = 30_000;
const TIMEOUT_CHECK_MS = 1_000;

export function boundedServer(maxConnections: number): Server {
  const server = createServer({
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: TIMEOUT_CHECK_MS,
  });
  server.timeout = IDLE_TIMEOUT_MS;
  server.maxConnections = maxConnections;
  return server;
}
