/**
 * `vinectl web` of a real network: what is shown is what the router says, and moves are seen when the router hears of them. How
 * soon is told and not judged: it is the machine's affair too.
 * The picture in the README is build/artefacts/web-readme.png of this test.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import type { DirectoryView, PeerView } from '../../src/control/api.js';
import type { TrafficView } from '../../src/control/traffic-view.js';
import { bytes } from '../../src/control/units.js';
import { controlSocket, routerDirectory } from '../lab/configuration.js';
import type { Lab } from '../lab/lab.js';
import type { SiteLetter } from '../lab/plan.js';
import { TcpStream } from '../lab/traffic/traffic.js';
import { waitFor } from '../lab/wait.js';
import {
  ARTEFACTS,
  holdLooks,
  noBrowser,
  requestsFor,
  rowsOf,
  startBrowser,
  startWeb,
  untilMoveShown,
  untilText,
  watch,
} from '../support/browser.js';
import { hostAddress, moverAddress } from './families.js';
import { cannotRun, untilKnownAt, withLab } from './support.js';

/** A period has to end, and its traffic to be asked for. */
const PERIOD_LIMIT_MS = 120_000;
const ASK_EVERY_MS = 3_000;
const VIEWPORT = { width: 1_200, height: 1_000 };
/** Moves and traffic, with the page's head above them. */
const README_HEIGHT = 1_100;

/** Who talks with whom, and how much. */
const STREAMS = [
  ['b1', 'vm', 400_000],
  ['c1', 'vm20', 120_000],
  ['a1', 'vmb', 30_000],
  ['b2', 'vmb', 2_000],
] as const;

function openStreams(lab: Lab): Promise<TcpStream[]> {
  return Promise.all(
    STREAMS.map(([host, node, bytesPerSecond]) =>
      TcpStream.open(lab, host, node, moverAddress(lab, node, 4), bytesPerSecond),
    ),
  );
}

async function moveAndSee(lab: Lab, page: Page, name: string, to: SiteLetter): Promise<number> {
  const seen = untilMoveShown(page, moverAddress(lab, name, 4), `vr-${to}`);
  await lab.move(name, to, { announce: 'rarp' });
  const seenMs = await seen;
  const moves = await lab.daemon('a').get<readonly { to: string; startedUnixMs: number }[]>('/v1/migrations');
  const startedMs = moves.filter((move) => move.to === `vr-${to}`).at(-1)?.startedUnixMs ?? 0;
  return seenMs - startedMs;
}

async function peersAreShown(lab: Lab, page: Page): Promise<void> {
  await waitFor('the routers are shown as they are', async () => {
    const peers = await lab.daemon('a').get<readonly PeerView[]>('/v1/peers');
    const [, ...shown] = await rowsOf(page, 'router-table');
    assert.deepEqual(
      shown.map(([, id, state]) => `${id} ${state}`).sort(),
      peers.map(({ id, state }) => `${id} ${state}`).sort(),
    );
    return true;
  });
}

async function nodesAreShown(lab: Lab, page: Page): Promise<void> {
  await waitFor('the nodes are those of the directory', async () => {
    const directory = await lab.daemon('a').get<readonly DirectoryView[]>('/v1/directory?state=here');
    const rows = (await rowsOf(page, 'node-table')).map(([ip, , , at]) => `${ip} ${at}`);
    assert.deepEqual(rows.sort(), directory.map(({ ip, router }) => `${ip} ${router}`).sort());
    return true;
  });
}

/** What of every stream is shown, in both directions. The routers are not asked too: they refuse who asks all the time. */
async function trafficIsShown(lab: Lab, page: Page): Promise<void> {
  const shown = async (): Promise<string[][]> =>
    (await rowsOf(page, 'talker-table')).map(([from = '', , to = '', , , sum = '']) => [from, to, sum]);
  await waitFor(
    'a period with all streams in it is shown',
    async () => {
      const rows = await shown();
      for (const [host, node] of STREAMS) {
        const [one, other] = [hostAddress(lab, host, 4), moverAddress(lab, node, 4)];
        for (const [source, destination] of [
          [one, other],
          [other, one],
        ])
          assert.ok(
            rows.some(([from, to]) => from === source && to === destination),
            `${source} ${destination}: ${rows.join('; ')}`,
          );
      }
      assert.match(rows[0]?.[2] ?? '', /MiB$/, 'less than a period');
      return true;
    },
    PERIOD_LIMIT_MS,
  );
  // Not equal while a period has just ended, and the page has not asked again.
  await waitFor(
    'what is shown is what the router says',
    async () => {
      const view = await lab.daemon('a').get<TrafficView>('/v1/traffic?last=600&by=node&top=20');
      const told = (view.parts[0]?.rows ?? []).map((row) => [row.source, row.destination, bytes(row.bytes)]);
      if (JSON.stringify(await shown()) === JSON.stringify(told)) return true;
      await pause(ASK_EVERY_MS);
      assert.deepEqual(await shown(), told);
      return true;
    },
    PERIOD_LIMIT_MS,
  );
  const heat = await rowsOf(page, 'site-heat');
  assert.deepEqual(
    heat.map(([site]) => site),
    ['vr-a', 'vr-b', 'vr-c'],
  );
}

test('live moves are on the page by their events', { skip: cannotRun || noBrowser }, (t) =>
  withLab(t, { topology: 'three-site', moreVms: 1, wanDelayMs: 5 }, async (lab) => {
    for (const [node, site] of [
      ['vm', 'a'],
      ['vm20', 'a'],
      ['vmb', 'b'],
    ] as const)
      await untilKnownAt(lab, 'a', moverAddress(lab, node, 4), site);
    const browser = await startBrowser();
    const directory = routerDirectory(lab.directory, 'a');
    const web = await startWeb(controlSocket(lab.directory, 'a'), ['--config', directory]);
    try {
      const page = await browser.newPage({ viewport: VIEWPORT });
      const complaints = watch(page, web.port);
      const looksGoOn = await holdLooks(page);
      const streams = requestsFor(page, '/v1/events?follow=1');
      await page.goto(web.url);
      await untilText(page, '#live', /^live$/);
      const talks = await openStreams(lab);
      await peersAreShown(lab, page);
      for (const [name, to] of [
        ['vm', 'b'],
        ['vmb', 'c'],
        ['vm', 'c'],
        ['vmb', 'b'],
        ['vm', 'a'],
      ] as const) {
        const tookMs = await moveAndSee(lab, page, name, to);
        t.diagnostic(`${name} to ${to}: on the page ${tookMs.toFixed(0)} ms after the router heard of it`);
      }
      assert.equal(streams.length, 1, 'a stream that is opened anew has the page look too');
      await looksGoOn();
      await nodesAreShown(lab, page);
      await trafficIsShown(lab, page);
      await page.locator('#move-table tbody tr').first().getByRole('button').click();
      await page.getByRole('button', { name: 'Ask' }).click();
      await untilText(page, '#advice-sum', /a day/);
      await page.mouse.move(0, 0);
      await page.evaluate('document.activeElement.blur(); scrollTo(0, 0)');
      await page.screenshot({ path: join(ARTEFACTS, 'web-lab.png'), fullPage: true });
      await page.emulateMedia({ colorScheme: 'dark' });
      await page.screenshot({ path: join(ARTEFACTS, 'web-lab-dark.png'), fullPage: true });
      await page.emulateMedia({ colorScheme: 'light' });
      await page.setViewportSize({ ...VIEWPORT, height: README_HEIGHT });
      await page.evaluate("scrollTo(0, document.querySelector('#moves').offsetTop - 64)");
      await page.screenshot({ path: join(ARTEFACTS, 'web-readme.png') });
      assert.deepEqual(complaints, []);
      await Promise.all(talks.map((stream) => stream.finish()));
    } finally {
      await browser.close();
      assert.equal(await web.stop(), 0);
    }
  }),
);
