/** The page of `vinectl web` in a real browser: who else gets nothing by it, and what it can change. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, type TestContext, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { askAsPage, noBrowser, rowsOf, startBrowser, untilText } from '../support/browser.js';
import { until } from '../unit/control/fixture.js';
import { open } from './page-world.js';

/** What the page could do to the node whose end of freeze nobody has asked for. */
const FROZEN = { ip: '10.7.0.17' };

interface OtherServer {
  readonly url: string;
  /** What browsers have sent it. */
  readonly cookies: readonly string[];
}

/** Of somebody else, on another port of this machine. */
async function startOther(t: TestContext): Promise<OtherServer> {
  const cookies: string[] = [];
  const server = createServer((request, response) => {
    cookies.push(request.headers.cookie ?? '');
    response.writeHead(200, { 'content-type': 'text/html' });
    response.end('<title>x</title><link rel="icon" href="data:,">');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, cookies };
}

/** What the servers answer to a page's requests, in their order; the page itself may not be told. */
async function statusesOf(page: Page): Promise<readonly number[]> {
  const statuses: number[] = [];
  const session = await page.context().newCDPSession(page);
  session.on('Network.responseReceivedExtraInfo', ({ statusCode }) => statuses.push(statusCode));
  await session.send('Network.enable');
  return statuses;
}

describe('the page in chromium, and others', { skip: noBrowser }, () => {
  let browser: Browser;
  before(async () => {
    browser = await startBrowser();
  });
  after(() => browser.close());

  test('the token opens one browser; another page gets nothing', async (t) => {
    const { page, url, port, router } = await open(t, browser, { args: ['--allow-changes'] });
    const other = await browser.newContext();
    t.after(() => other.close());
    const second = await other.newPage();
    assert.equal((await second.goto(url))?.status(), 403);
    assert.equal((await second.goto(`http://127.0.0.1:${port}/v1/status`))?.status(), 401);
    // The browser with the session, asked to by a page of another origin (another port of the same machine).
    const hostile = await page.context().newPage();
    await hostile.goto((await startOther(t)).url);
    const statuses = await statusesOf(hostile);
    await hostile.evaluate(
      async ({ server, body }) => {
        const attempts: [path: string, how: RequestInit][] = [
          ['status', {}],
          ['status', { mode: 'no-cors' }],
          ['unfreeze', { method: 'POST', body, mode: 'no-cors' }],
        ];
        for (const [path, how] of attempts)
          await fetch(`${server}/v1/${path}`, { credentials: 'include', ...how }).catch(() => undefined);
      },
      { server: `http://127.0.0.1:${port}`, body: JSON.stringify(FROZEN) },
    );
    await until(() => statuses.length >= 3);
    assert.deepEqual(statuses, [403, 403, 403]);
    assert.deepEqual(router.unfrozen, []);
    // A name that resolves to this machine.
    const rebound = await page
      .context()
      .request.get(`http://127.0.0.1:${port}/v1/status`, { headers: { host: `vine.example:${port}` } });
    assert.equal(rebound.status(), 403);
  });

  test('the cookie, which a browser sends to other ports too, opens nothing by itself', async (t) => {
    const { page, port, url } = await open(t, browser);
    const other = await startOther(t);
    await page.goto(other.url);
    const cookie = other.cookies[0] ?? '';
    assert.match(cookie, new RegExp(`vine-session-${port}=`), 'when it is sent no more, there may be no key');
    const answers = await Promise.all(
      ['/v1/status', '/v1/events?follow=1', '/page/about'].map((path) =>
        fetch(`http://127.0.0.1:${port}${path}`, { headers: { cookie } }),
      ),
    );
    assert.deepEqual(
      answers.map(({ status }) => status),
      [401, 401, 401],
    );
    const again = await fetch(url, { headers: { cookie }, redirect: 'manual' });
    assert.deepEqual(
      [again.status, again.headers.get('location')],
      [303, '/'],
      'no key for the token that was used',
    );
  });

  test('a link with another key does not take the place of the right one', async (t) => {
    const { page, port } = await open(t, browser);
    await page.goto('about:blank');
    await page.goto(`http://127.0.0.1:${port}/#key=of-somebody-else`);
    await untilText(page, '#live', /^live$/);
    assert.equal(page.url(), `http://127.0.0.1:${port}/`);
    const tab = await page.context().newPage();
    await tab.goto(`http://127.0.0.1:${port}/`);
    await untilText(tab, '#live', /^live$/);
  });

  test('buttons that change something are there only when they are allowed', async (t) => {
    const looking = await open(t, browser);
    await looking.page.getByLabel('Filter').fill('frozen');
    assert.deepEqual(
      (await rowsOf(looking.page, 'node-table')).map(([ip]) => ip),
      [FROZEN.ip],
    );
    assert.equal(await looking.page.getByRole('button', { name: /Ping|End freeze/ }).count(), 0);
    assert.equal((await askAsPage(looking.page, '/v1/unfreeze', FROZEN)).status, 403);
    assert.deepEqual(looking.router.unfrozen, []);
    const { page, router } = await open(t, browser, { args: ['--allow-changes'] });
    await page.getByRole('button', { name: 'Ping' }).first().click();
    await untilText(page, '#said', /^vr-01: 40\.125 ms$/);
    assert.deepEqual(router.unfrozen, []);
    await page.getByLabel('Filter').fill('frozen');
    await page.getByRole('button', { name: 'End freeze' }).first().click();
    await untilText(page, '#said', /^10\.7\.0\.17 is no longer frozen$/);
    assert.deepEqual(router.unfrozen, [FROZEN.ip]);
  });
});
