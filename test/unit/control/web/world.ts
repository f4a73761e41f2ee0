/** The page's server before a control API of fixed tables, and a browser's requests to it. */
import { type IncomingMessage, request } from 'node:http';
import type { TestContext } from 'node:test';
import { object } from '../../../../src/control/reply.js';
import { startControlServer } from '../../../../src/control/server.js';
import { type Made, startWebServer, type WebServer } from '../../../../src/control/web/server.js';
import { KEY_HEADER } from '../../../../src/control/web/views.js';
import type { FakeRouter } from '../fake-router.js';
import { facesOf, type Response, startFixture } from '../fixture.js';

export const TOKEN = 'the-token';
export const SESSION = 'the-session';
export const KEY = 'the-key';
const PAGE = { type: 'text/html; charset=utf-8', bytes: Buffer.from('<!doctype html><title>page</title>') };
const SCRIPT = { type: 'text/javascript; charset=utf-8', bytes: Buffer.from('void 0') };

export interface Asked {
  readonly method?: string;
  /** Undefined: those of the page in its own browser. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface World {
  readonly router: FakeRouter;
  readonly web: WebServer;
  readonly socket: string;
  closeRouter(): Promise<void>;
  /** After {@link closeRouter}. */
  openRouter(): Promise<void>;
  /** As the page does that has its session. */
  ask(path: string, asked?: Asked): Promise<Response>;
  /** With no header but those given, and Host. */
  bare(path: string, asked?: Asked): Promise<Response>;
  /** The answer's head; its body is for the caller. */
  open(path: string, signal?: AbortSignal): Promise<IncomingMessage>;
}

export interface Change {
  readonly allowChanges?: boolean;
  readonly patienceMs?: number;
  /** Instead of what `/page/advice` says. */
  readonly advice?: Made;
}

const adviceOf: Made = async (query) => object({ asked: [...query] });

/** What the code of an error makes of it. */
function explain(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ETIMEDOUT' ? 'the router does not answer' : `no router: ${code}`;
}

export async function startWorld(t: TestContext, change: Change = {}): Promise<World> {
  const { router, socket, server } = await startFixture(t);
  const web = await startWebServer({
    port: 0,
    token: TOKEN,
    session: SESSION,
    key: KEY,
    socket,
    allowChanges: change.allowChanges ?? false,
    ...(change.patienceMs && { patienceMs: change.patienceMs }),
    files: new Map([
      ['/', PAGE],
      ['/page.js', SCRIPT],
    ]),
    made: new Map([['/page/advice', change.advice ?? adviceOf]]),
    explain,
  });
  t.after(() => web.close());
  const own = {
    origin: `http://127.0.0.1:${web.port}`,
    cookie: `other=1; vine-session-${web.port}=${SESSION}`,
    'sec-fetch-site': 'same-origin',
    [KEY_HEADER]: KEY,
  };
  const bare = async (path: string, asked: Asked = {}): Promise<Response> =>
    read(await send(web.port, path, asked));
  return {
    router,
    web,
    socket,
    closeRouter: () => server.close(),
    async openRouter() {
      const again = await startControlServer({
        socket,
        group: 'root',
        ...facesOf(router),
        onFault: () => {},
      });
      t.after(() => again.close());
    },
    bare,
    ask: (path, asked = {}) => bare(path, { ...asked, headers: { ...own, ...asked.headers } }),
    open: (path, signal) => send(web.port, path, { headers: own }, signal),
  };
}

function send(
  port: number,
  path: string,
  { method = 'GET', headers = {}, body }: Asked,
  signal?: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const to = { host: '127.0.0.1', port, agent: false, ...(signal && { signal }) };
    const sent = request({ ...to, method, path, headers }, resolve);
    sent.on('error', reject);
    sent.end(body);
  });
}

function read(response: IncomingMessage): Promise<Response> {
  return new Promise((resolve, reject) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (part) => {
      text += part;
    });
    response.on('error', reject);
    response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
  });
}
