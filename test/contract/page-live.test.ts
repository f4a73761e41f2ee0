/** The page of `vinectl web` in a real browser: what it asks for and when, and what it says when there is no answer. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import { LOOK_MS } from '../../src/control/web/model/pace.js';
import {
  hidePage,
  holdLooks,
  noBrowser,
  requestsFor,
  rowsOf,
  startBrowser,
  untilMoveShown,
  untilText,
} from '../support/browser.js';
import { until } from '../unit/control/fixture.js';
import { SITES } from './page-router.js';
import { open } from './page-world.js';

const STREAM = '/v1/events?follow=1';
const LOOKS = [
  STREAM,
  '/v1/status',
  '/v1/peers',
  '/v1/directory?state=here',
  '/v1/gndt',
  '/v1/migrations?last=200',
];

describe('the page in chromium, live', { skip: noBrowser }, () => {
  let browser: Browser;
  before(async () => {
    browser = await startBrowser();
  });
  after(() => browser.close());

  test('a move is shown when the router tells of it, and said to who does not see it', async (t) => {
    let streams: readonly string[] = [];
    const prepare = (page: Page): Promise<unknown> => {
      streams = requestsFor(page, STREAM);
      return holdLooks(page);
    };
    const { page, router } = await open(t, browser, { prepare });
    await untilText(page, '#live', /^live$/);
    for (const [node, site] of [
      [5, 8],
      [6, 2],
      [7, 1],
    ] as const) {
      const { ips, to } = router.moveTo(node, site);
      const began = Date.now();
      const shown = await untilMoveShown(page, ips[0] ?? '', to);
      t.diagnostic(`shown after ${shown - began} ms`);
    }
    assert.equal(streams.length, 1, 'a stream that is opened anew has the page look too');
    await untilText(page, '#news', /moved from vr-07 to vr-01: (accepted|refused)\./);
    await page.getByLabel('Filter').fill('visiting');
    await untilText(page, '#node-count', /^1 to 3 of 3 /);
  });

  test('without an event a move is shown too, when the page looks again', async (t) => {
    let lookAgain = (): Promise<void> => Promise.reject(new Error('not prepared'));
    let looks = 0;
    const { page, router } = await open(t, browser, {
      prepare: async (prepared) => {
        prepared.on('requestfinished', (request) => {
          if (request.url().includes('/v1/migrations')) looks++;
        });
        lookAgain = await holdLooks(prepared);
      },
    });
    // At the start, and when the stream is there.
    await until(() => looks === 2);
    const { ips, to } = router.moveTo(5, 8, { isTold: false });
    await lookAgain();
    await untilMoveShown(page, ips[0] ?? '', to);
  });

  test('a page that nobody sees asks for nothing and follows nothing; seen again it is up to date', async (t) => {
    const { page, router } = await open(t, browser);
    await untilText(page, '#live', /^live$/);
    const ended = page.waitForEvent('requestfailed', (request) => request.url().endsWith(STREAM));
    await hidePage(page, true);
    await ended;
    const asked = LOOKS.map((path) => requestsFor(page, path));
    const { ips, to } = router.moveTo(5, 8);
    await pause(LOOK_MS * 2.5);
    assert.deepEqual(asked.flat(), []);
    await hidePage(page, false);
    await untilMoveShown(page, ips[0] ?? '', to);
    await untilText(page, '#live', /^live$/);
  });

  test('many events are few looks at all nodes', async (t) => {
    const { page, router } = await open(t, browser);
    await untilText(page, '#live', /^live$/);
    const looks = requestsFor(page, '/v1/directory?state=here');
    const began = Date.now();
    for (let n = 0; n < 40; n++) {
      router.moveTo(n, 9);
      await pause(50);
    }
    await page.getByLabel('Filter').fill('visiting');
    // The four that were there already have moved nowhere, and visit by their route.
    await untilText(page, '#node-count', /^1 to 40 of 40 /);
    const seconds = (Date.now() - began) / 1_000;
    t.diagnostic(`${looks.length} looks in ${seconds.toFixed(1)} s`);
    assert.ok(looks.length <= seconds + 1, `${looks.length} looks in ${seconds} s`);
  });

  test('traffic is asked for one after the other, and an answer that is no longer wanted is not shown', async (t) => {
    const { page, router } = await open(t, browser);
    await untilText(page, '#group-note', /^Found in the last/);
    let tell = (): void => {};
    router.dayMayBeTold = new Promise<void>((resolve) => {
      tell = resolve;
    });
    await page.evaluate(`window.shown = [];
      new MutationObserver(() => shown.push(document.querySelector('#traffic-time').textContent))
        .observe(document.querySelector('#traffic-time'), { childList: true })`);
    const last = page.getByLabel('Of the last');
    await last.selectOption('24 h');
    await until(() => router.daysAsked === 1);
    await last.selectOption('1 h');
    tell();
    await untilText(page, '#traffic-time', /^2026-03-01 10:10:00Z to /);
    await last.selectOption('90 s');
    await untilText(page, '#traffic-time', /^2026-03-01 11:08:30Z to /);
    assert.deepEqual(
      ((await page.evaluate('shown')) as string[]).map((text) => text.slice(0, 20)),
      ['2026-03-01 10:10:00Z', '2026-03-01 11:08:30Z'],
    );
    assert.equal(router.mostQuestions, 1);
  });

  test('without groups there are the maps and the largest pairs', async (t) => {
    const { page, router } = await open(t, browser);
    router.noPeriods = 'there are four questions already';
    await page.getByLabel('Of the last').selectOption('1 h');
    await untilText(page, '#traffic-time', /^2026-03-01 10:10:00Z to /);
    await untilText(page, '#group-note', /^there are four questions already$/);
    assert.equal((await rowsOf(page, 'talker-table')).length, 20);
    assert.equal((await rowsOf(page, 'site-heat')).length, SITES);
    assert.deepEqual(await rowsOf(page, 'group-table'), [['no groups are known']]);
    assert.equal(await page.locator('#traffic-notes').isHidden(), true);
  });

  test('an answer that cannot be shown is a fault of the page, and the next one is shown', async (t) => {
    const { page } = await open(t, browser);
    await page.route(/\/v1\/traffic\?last=90&/, (route) => route.fulfill({ json: {} }));
    const last = page.getByLabel('Of the last');
    await last.selectOption('90 s');
    await untilText(page, '#traffic-notes', /^fault in the page: TypeError/);
    await last.selectOption('1 h');
    await untilText(page, '#traffic-time', /^2026-03-01 10:10:00Z to /);
    assert.equal(await page.locator('#traffic-notes').isHidden(), true);
  });

  test('what was cut away is said, and is not taken for nothing', async (t) => {
    const { page, router } = await open(t, browser);
    router.shareOfBytes = 0.876;
    await page.getByLabel('Of the last').selectOption('1 h');
    await untilText(page, '#traffic-notes', /^Sites by sites: shown are the \d+ largest pairs, /);
    const pairs = await page.locator('#site-heat td:not(.heat-0)').count();
    assert.deepEqual(await page.locator('#traffic-notes li').allTextContents(), [
      `Sites by sites: shown are the ${pairs} largest pairs, with 87.6 % of the bytes.`,
      'Nodes by nodes: shown are the 1,000 largest pairs, with 87.6 % of the bytes.',
    ]);
    await page.getByRole('application', { name: /^Traffic between nodes/ }).focus();
    await untilText(page, '#cell', /: not among the 1,000 largest pairs; both in group 1$/);
  });

  test('a page that cannot ask at its start says so, and goes on when it can', async (t) => {
    let answers = 0;
    const { page } = await open(t, browser, {
      prepare: async (prepared) => {
        await prepared.route(/\/page\/about$/, (route) =>
          ++answers <= 2 ? route.abort() : route.continue(),
        );
        await prepared.addInitScript(`window.said = new Set();
          setInterval(() => said.add(document.querySelector('#answer')?.textContent), 50)`);
      },
    });
    const said = (await page.evaluate('[...said]')) as string[];
    assert.ok(
      said.some((text) => text?.startsWith('vinectl web does not answer')),
      said.join('; '),
    );
    await untilText(page, '#answer', /^$/);
    assert.equal((await rowsOf(page, 'router-table')).length, SITES);
  });

  test('a router that stops is told, and what was shown stays', async (t) => {
    const { page, closeRouter } = await open(t, browser);
    await closeRouter();
    await untilText(page, '#answer', /no router on/);
    await untilText(page, '#live', /no router on|has stopped/);
    assert.equal((await rowsOf(page, 'router-table')).length, SITES);
  });
});
