/** What of the control API the page gets: calls that look, and those that an operator has let it make. */
import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream';
import { readBody } from '../body.js';
import { ANSWER_PATIENCE_MS } from '../http-server.js';
import { type ObjectReply, refusal, sendObject } from '../reply.js';
import { TRAFFIC_PATIENCE_MS } from '../traffic-view.js';

/** What the page shows; everything else stays behind the socket. */
const LOOKS: ReadonlySet<string> = new Set([
  '/v1/status',
  '/v1/peers',
  '/v1/gndt',
  '/v1/directory',
  '/v1/migrations',
  '/v1/events',
  '/v1/traffic',
  '/v1/doctor',
]);

/** With `--allow-changes`: what the page has a button for. */
const CHANGES: ReadonlySet<string> = new Set(['/v1/ping', '/v1/unfreeze']);

export interface Router {
  /** Path of its control socket. */
  readonly socket: string;
  readonly allowChanges: boolean;
  /** What to tell people of a connection that failed; of a call that has had no answer in time, the code is ETIMEDOUT. */
  readonly explain: (error: unknown) => string;
  /** For an answer from its memory; what it asks other routers for has more. Undefined: as vinectl waits. */
  readonly patienceMs?: number;
}

/** The browser's connection is held for longer than the router's, so that it can be told. */
const TELLING_MS = 5_000;

/** @returns why the call is not passed on; undefined: it is */
export function refusalOf(
  method: string,
  path: string,
  { allowChanges }: Pick<Router, 'allowChanges'>,
): ObjectReply | undefined {
  if (method === 'GET' && LOOKS.has(path)) return undefined;
  if (method === 'POST' && CHANGES.has(path))
    return allowChanges
      ? undefined
      : refusal(403, 'this page only looks: start it with "vinectl web --allow-changes"');
  if (!LOOKS.has(path) && !CHANGES.has(path)) return refusal(404, `no such call for a page: ${path}`);
  const methods = [LOOKS.has(path) ? 'GET' : '', CHANGES.has(path) && allowChanges ? 'POST' : ''];
  const error = `the page may not ${method} ${path}`;
  return {
    kind: 'object',
    status: 405,
    body: { error },
    allow: methods.filter((one) => one !== '').join(', '),
  };
}

/** Asks the router and hands its answer on as it comes, also one that goes on for hours. */
export async function passOn(
  asked: IncomingMessage,
  response: ServerResponse,
  url: URL,
  router: Router,
): Promise<void> {
  const follows = url.pathname === '/v1/events' && url.searchParams.get('follow') === '1';
  const patienceMs =
    url.pathname === '/v1/traffic' ? TRAFFIC_PATIENCE_MS : (router.patienceMs ?? ANSWER_PATIENCE_MS);
  asked.socket.setTimeout(follows ? 0 : patienceMs + TELLING_MS);
  let body: string | undefined;
  if (asked.method === 'POST') {
    const read = await readBody(asked);
    if (read.kind !== 'json')
      return sendObject(
        response,
        read.kind === 'too-long'
          ? refusal(413, 'the body is too long')
          : refusal(400, 'the body is not JSON'),
      );
    body = JSON.stringify(read.value ?? {});
  }
  const call = request({
    socketPath: router.socket,
    method: asked.method,
    path: `${url.pathname}${url.search}`,
    agent: false,
    ...(follows ? {} : { timeout: patienceMs }),
  });
  response.on('close', () => call.destroy());
  call.on('timeout', () => call.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })));
  call.on('error', (error) => {
    if (response.headersSent) response.destroy();
    else sendObject(response, refusal(502, router.explain(error)));
  });
  call.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, {
      'content-type': answer.headers['content-type'] ?? 'application/json',
    });
    response.flushHeaders();
    // An answer that breaks off stays visibly incomplete: pipeline destroys both ends.
    pipeline(answer, response, () => {});
  });
  call.end(body);
}
