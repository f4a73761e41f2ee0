/** Debian's chromium by playwright-core, and `vinectl web` as a process of its own for it to open. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { TABLES_MS } from '../../src/control/web/model/pace.js';
import { KEY_HEADER } from '../../src/control/web/views.js';

const PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const EXECUTABLE = PATHS.find((path) => existsSync(path));
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Why there is no browser; false when there is one. For node:test's `skip`. */
export const noBrowser: string | false = EXECUTABLE === undefined ? 'chromium is not installed' : false;

/** What the tests leave to look at. */
export const ARTEFACTS = join(ROOT, 'build/artefacts');

export function startBrowser(): Promise<Browser> {
  mkdirSync(ARTEFACTS, { recursive: true });
  return chromium.launch({
    ...(EXECUTABLE && { executablePath: EXECUTABLE }),
    // Without it chromium does not run as root, which the tests are.
    chromiumSandbox: false,
  });
}

/** Generous: the machine may have much else to do. */
const PATIENCE_MS = 30_000;

export interface Web {
  readonly url: string;
  readonly port: number;
  /** By Ctrl-C; its exit status. */
  stop(): Promise<number | null>;
}

/** @param args after `vinectl web` */
export async function startWeb(socket: string, args: readonly string[] = []): Promise<Web> {
  const child = spawn(join(ROOT, 'bin/vinectl'), ['web', '--json', '--socket', socket, ...args]);
  const { url, port } = JSON.parse(await firstLine(child)) as { url: string; port: number };
  return {
    url,
    port,
    async stop() {
      const ended = once(child, 'close') as Promise<[number | null]>;
      child.kill('SIGINT');
      return (await ended)[0];
    },
  };
}

async function firstLine(child: ChildProcessWithoutNullStreams): Promise<string> {
  let [out, err] = ['', ''];
  child.stderr.on('data', (part) => {
    err += part;
  });
  for await (const part of child.stdout) {
    out += part;
    const [line, ...rest] = out.split('\n');
    if (line !== undefined && rest.length > 0) return line;
  }
  throw new Error(`vinectl web has ended: ${err}`);
}

export interface Said {
  readonly status: number;
  readonly body: unknown;
}

/** What the page's server says to the page: with its session. @param body posted; undefined: it is a GET */
export function askAsPage(page: Page, path: string, body?: object): Promise<Said> {
  const key = `localStorage.getItem(${JSON.stringify(KEY_HEADER)})`;
  const posted = body === undefined ? '' : `method: 'POST', body: ${JSON.stringify(JSON.stringify(body))}, `;
  return page.evaluate(`(async () => {
    const how = { ${posted}headers: { ${JSON.stringify(KEY_HEADER)}: ${key} } };
    const answer = await fetch(${JSON.stringify(path)}, how);
    return { status: answer.status, body: await answer.json() };
  })()`) as Promise<Said>;
}

/**
 * Before the page is opened: what is shown of nodes and moves comes by events alone, as the timer of the looks that come now and
 * then is held. Settles with a function that lets it go on; it fails when there is none.
 */
export async function holdLooks(page: Page): Promise<() => Promise<void>> {
  await page.addInitScript(`(() => {
    const real = window.setTimeout;
    window.setTimeout = (action, delayMs, ...rest) => {
      if (delayMs !== ${TABLES_MS} || window.heldLook !== undefined) return real(action, delayMs, ...rest);
      window.heldLook = action;
      return 0;
    };
  })()`);
  return () => page.evaluate('heldLook()') as Promise<void>;
}

/** What the page has asked for at this path, growing as it does. */
export function requestsFor(page: Page, path: string): readonly string[] {
  const urls: string[] = [];
  page.on('request', (request) => {
    if (request.url().endsWith(path)) urls.push(request.url());
  });
  return urls;
}

/** As when the reader turns to another tab, and back. */
export async function hidePage(page: Page, hidden: boolean): Promise<void> {
  await page.evaluate(`Object.defineProperty(document, 'hidden', { configurable: true, get: () => ${hidden} });
    document.dispatchEvent(new Event('visibilitychange'))`);
}

/** What a page has done that it must not: errors, complaints of the browser, requests to anywhere else. */
export function watch(page: Page, port: number): readonly string[] {
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()))
      complaints.push(`${message.type()}: ${message.text()}`);
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(`http://127.0.0.1:${port}/`))
      complaints.push(`request to ${request.url()}`);
  });
  return complaints;
}

/** Texts of a table's rows, a string a cell. */
export function rowsOf(page: Page, table: string): Promise<string[][]> {
  return page
    .locator(`#${table} tbody tr`)
    .evaluateAll((lines) => lines.map((line) => [...line.children].map((cell) => cell.textContent ?? '')));
}

// What is waited for is an expression that is evaluated once and then looks for itself: the page's Content-Security-Policy lets
// nothing be evaluated again and again, and the tests are compiled without the browser's types.

/** Looks with every frame that is drawn. Unix time of when the expression was true; throws with what is there instead. */
async function untilTrue(page: Page, what: string, expression: string, text: string): Promise<number> {
  const found = (await page.evaluate(`new Promise((resolve) => {
    const look = () => (${expression}) ? resolve(Date.now()) : requestAnimationFrame(look);
    setTimeout(() => resolve(${text}), ${PATIENCE_MS});
    look();
  })`)) as number | string;
  if (typeof found === 'number') return found;
  throw new Error(`${what}: not within ${PATIENCE_MS} ms; there is "${found}"`);
}

/** Until the first element that the selector finds has a text like it; Unix time of then. */
export function untilText(page: Page, selector: string, pattern: RegExp): Promise<number> {
  const text = `String(document.querySelector(${JSON.stringify(selector)})?.textContent)`;
  const expression = `new RegExp(${JSON.stringify(pattern.source)}).test(${text})`;
  return untilTrue(page, `${selector} like ${pattern}`, expression, text);
}

/** Until the newest move on the page is this one; Unix time of then. */
export function untilMoveShown(page: Page, ip: string, to: string): Promise<number> {
  const cells = "[...(document.querySelector('#move-table tbody tr')?.children ?? [])]";
  const texts = `${cells}.map((cell) => cell.textContent)`;
  const expression = `((texts) => (texts[1] ?? '').split(', ').includes(${JSON.stringify(ip)}) &&
    texts[4] === ${JSON.stringify(to)})(${texts})`;
  return untilTrue(page, `the move of ${ip} to ${to}`, expression, `${texts}.join(' ')`);
}
