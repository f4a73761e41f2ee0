/** A page of `vinectl web` in a browser, before the control API of a network with a thousand nodes. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { startControlServer } from '../../src/control/server.js';
import { askAsPage, startWeb, watch } from '../support/browser.js';
import { facesOf, temporaryDirectory } from '../unit/control/fixture.js';
import { PAGE_GNDT, PageRouter } from './page-router.js';

export interface World {
  readonly router: PageRouter;
  readonly page: Page;
  readonly port: number;
  readonly url: string;
  readonly complaints: readonly string[];
  /** What the page's server says, asked by the page itself. */
  api<Body>(path: string): Promise<Body>;
  closeRouter(): Promise<void>;
}

export interface Wanted {
  /** After `vinectl web`. */
  readonly args?: readonly string[];
  readonly look?: Parameters<Browser['newPage']>[0];
  /** Before anything is opened in it. */
  readonly prepare?: (page: Page) => Promise<unknown>;
}

/** Shown is all but the findings, and the advice, for which nobody has asked. */
export async function open(t: TestContext, browser: Browser, wanted: Wanted = {}): Promise<World> {
  const directory = await temporaryDirectory(t);
  const socket = join(directory, 'control.sock');
  const router = new PageRouter();
  const server = await startControlServer({
    socket,
    group: 'root',
    ...facesOf(router),
    onFault: (_call, fault) => t.diagnostic(String(fault)),
  });
  t.after(() => server.close());
  writeFileSync(join(directory, 'gndt.json'), JSON.stringify(PAGE_GNDT));
  const web = await startWeb(socket, ['--config', directory, ...(wanted.args ?? [])]);
  t.after(() => web.stop());
  const context = await browser.newContext({ viewport: { width: 1400, height: 1000 }, ...wanted.look });
  t.after(() => context.close());
  const page = await context.newPage();
  const complaints = watch(page, web.port);
  await wanted.prepare?.(page);
  await page.goto(web.url);
  await page.locator('#talker-table tbody th').first().waitFor();
  return {
    router,
    page,
    port: web.port,
    url: web.url,
    complaints,
    api: async <Body>(path: string) => (await askAsPage(page, path)).body as Body,
    closeRouter: () => server.close(),
  };
}
