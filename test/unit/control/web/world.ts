/** The page's server before a control API of fixed tables, and a browser's requests to it. */
import { type IncomingMessage, request } from 'node:http';
import type { TestContext } from 'node:test';
import { object } from '../../../../src/control/reply.js';
import { startWebServer, type WebServer } from '../../../../src/control/web/server.js';
import type { FakeRouter } from '../fake-router.js';
import { type Response, startFixture } from '../fixture.js';

export const TOKEN = 'the-token';
export const SESSION = 'the-session';
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
  /** As the page does that has its session. */
  ask(path: string, asked?: Asked): Promise<Response>;
  /** With no header but those given, and Host. */
  bare(path: string, asked?: Asked): Promise<Response>;
  /** The answer's head; its body is for the caller. */
  open(path: string): Promise<IncomingMessage>;
}

export async function startWorld(t: TestContext, change: { allowChanges?: boolean } = {}): Promise<World> {
  const { router, socket, server } = await startFixture(t);
  const web = await startWebServer({
    port: 0,
    token: TOKEN,
    session: SESSION,
    socket,
    allowChanges: change.allowChanges ?? false,
    files: new Map([
      ['/', PAGE],
      ['/page.js', SCRIPT],
    ]),
    made: new Map([['/page/advice', async (query) => object({ asked: [...query] })]]),
    explain: () => `no router on ${socket}`,
  });
  t.after(() => web.close());
  const own = {
    origin: `http://127.0.0.1:${web.port}`,
    cookie: `other=1; vine-session-${web.port}=${SESSION}`,
    'sec-fetch-site': 'same-origin',
  };
  const bare = async (path: string, asked: Asked = {}): Promise<Response> =>
    read(await send(web.port, path, asked));
  return {
    router,
    web,
    socket,
    closeRouter: () => server.close(),
    bare,
    ask: (path, asked = {}) => bare(path, { ...asked, headers: { ...own, ...asked.headers } }),
    open: (path) => send(web.port, path, { headers: own }),
  };
}

function send(
  port: number,
  path: string,
  { method = 'GET', headers = {}, body }: Asked,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, path, headers, agent: false }, resolve);
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
