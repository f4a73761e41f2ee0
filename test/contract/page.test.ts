/** The page of `vinectl web` in a real browser, before the control API of a network with a thousand nodes. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Browser } from 'playwright-core';
import type { AdviceView } from '../../src/control/advice-view.js';
import type { FindingView, PeerView } from '../../src/control/api.js';
import type { TrafficView } from '../../src/control/traffic-view.js';
import { bytes, milliseconds } from '../../src/control/units.js';
import type { GroupsView } from '../../src/control/web/views.js';
import { ARTEFACTS, noBrowser, rowsOf, startBrowser, untilText } from '../support/browser.js';
import { NODES, SITES } from './page-router.js';
import { open } from './page-world.js';

/** From the key to the rows, in the page. */
const FILTERING = `(() => {
  const input = document.querySelector('#node-filter');
  const began = performance.now();
  input.value = '10.3.';
  input.dispatchEvent(new Event('input'));
  return performance.now() - began;
})()`;

/** What is wider than the window; tables scroll in their own boxes. */
const OVERFLOW = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
/** Texts of less contrast with what is behind them than WCAG 2 asks for at AA, 4.5 to 1. */
const FAINT = `(() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = parts(colour).slice(0, 3).map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (one) => {
    const colour = getComputedStyle(one).backgroundColor;
    return parts(colour)[3] === 0 && one.parentElement !== null ? behind(one.parentElement) : colour;
  };
  const hasText = (one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '');
  const seen = [...document.body.querySelectorAll('*')]
    .filter((one) => hasText(one) && one.checkVisibility() && !one.disabled);
  if (seen.length < 100) return ['only ' + seen.length + ' texts'];
  return seen.flatMap((one) => {
    const both = [light(getComputedStyle(one).color), light(behind(one))];
    const contrast = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
    return contrast < 4.5 ? [one.tagName + '.' + one.className + ' ' + one.textContent + ': ' + contrast.toFixed(2)] : [];
  });
})()`;

describe('the page in chromium', { skip: noBrowser }, () => {
  let browser: Browser;
  before(async () => {
    browser = await startBrowser();
  });
  after(() => browser.close());

  test('what is shown is what the API says', async (t) => {
    const { page, api, complaints, port, router } = await open(t, browser);
    assert.equal(page.url(), `http://127.0.0.1:${port}/`, 'the token or the key stays in the address');
    const peers = await api<readonly PeerView[]>('/v1/peers');
    const routers = await rowsOf(page, 'router-table');
    assert.equal(routers.length, SITES);
    assert.deepEqual(
      routers.slice(1).map(([, id, state, , , rtt]) => [id, state, rtt]),
      peers.map(({ id, state, rttMs }) => [id, state, rttMs === null ? '' : `${rttMs.toFixed(1)} ms`]),
    );
    await untilText(page, '#router-table tbody tr td:nth-child(8)', /\/s$/);

    const bySite = await api<TrafficView>('/v1/traffic?last=600&by=site&top=1024');
    const heat = await rowsOf(page, 'site-heat');
    const names = heat.map(([name]) => name);
    assert.equal(names.length, SITES);
    const cells = bySite.parts[0]?.rows ?? [];
    for (const { sourceSite, destinationSite, bytesPerSecond } of cells) {
      const shown = heat[names.indexOf(sourceSite)]?.[1 + names.indexOf(destinationSite)];
      assert.equal(shown, `${bytes(Math.round(bytesPerSecond))}/s`, `${sourceSite} to ${destinationSite}`);
    }
    assert.equal(heat.flatMap((row) => row.slice(1)).filter((text) => text !== '').length, cells.length);

    const byNode = await api<TrafficView>('/v1/traffic?last=600&by=node&top=20');
    assert.deepEqual(
      (await rowsOf(page, 'talker-table')).map(([from, , to, , , sum]) => [from, to, sum]),
      (byNode.parts[0]?.rows ?? []).map((row) => [row.source, row.destination, bytes(row.bytes)]),
    );
    const groups = await api<GroupsView>('/page/groups?last=600');
    assert.equal(groups.groups.length, 5);
    assert.deepEqual(
      (await rowsOf(page, 'group-table')).map(([, , , who]) => who),
      groups.groups.map(({ nodes }) => nodes.join(' ')),
    );

    const shownMoves = await rowsOf(page, 'move-table');
    assert.deepEqual(
      shownMoves.map(([, node, , from, to, verdict, , blackout]) => [node, from, to, verdict, blackout]),
      [...router.moves]
        .reverse()
        .map(({ ips, from, to, verdict, blackoutUs }) => [
          ips[0],
          from,
          to,
          verdict,
          blackoutUs === null ? '' : `${milliseconds(blackoutUs)} ms`,
        ]),
    );
    await page.locator('#move-table tbody tr').first().getByRole('button').click();
    assert.deepEqual(
      await page
        .locator('#step-list li')
        .evaluateAll((items) =>
          items.map((item) => [...item.children].slice(0, 2).map((part) => part.textContent)),
        ),
      router.moves.at(-1)?.steps.map(({ step, atUs }) => [step, `${milliseconds(atUs)} ms`]),
    );

    await untilText(page, '#finding-sum', /error/);
    const findings = await api<readonly FindingView[]>('/v1/doctor');
    const shownFindings = await rowsOf(page, 'finding-table');
    assert.deepEqual(
      shownFindings
        .map(([level, check, subject, message]) => `${level} ${check} ${subject} ${message}`)
        .sort(),
      findings.map(({ level, check, subject, message }) => `${level} ${check} ${subject} ${message}`).sort(),
    );

    await page.getByRole('button', { name: 'Ask' }).click();
    await page.locator('#advice-table tbody th').first().waitFor();
    const advice = await api<AdviceView>('/page/advice');
    assert.deepEqual(
      (await rowsOf(page, 'advice-table')).map(([, node, , from, to]) => [node, from, to]),
      advice.steps.flatMap(({ moves }) => moves.map(({ ips, from, to }) => [ips.join(', '), from, to])),
    );
    await page.evaluate('scrollTo(0, 0)');
    await page.screenshot({ path: join(ARTEFACTS, 'web-page.png'), fullPage: true });

    await page.getByLabel('Of the last').selectOption('24 h');
    await untilText(page, '#traffic-time', /^2026-02-28 11:10:00Z to /);
    await untilText(page, '#group-note', /^Found in the last 120 periods/);
    assert.equal(await page.locator('#traffic-notes').isHidden(), true);
    assert.deepEqual(complaints, []);
  });

  test('a thousand nodes: every one is on a page, and is found', async (t) => {
    const { page, router, complaints } = await open(t, browser);
    const seen = new Map<string, string>();
    const next = page.getByRole('button', { name: 'Next page' });
    for (;;) {
      for (const [ip = '', , , at = ''] of await rowsOf(page, 'node-table')) seen.set(ip, at);
      if (await next.isDisabled()) break;
      await next.click();
    }
    assert.equal(seen.size, NODES);
    for (const { ip, router: at } of router.rows) assert.equal(seen.get(ip), at, ip);
    const filter = page.getByLabel('Filter');
    await filter.fill('missing');
    assert.deepEqual(
      (await rowsOf(page, 'node-table')).map(([ip]) => ip),
      [router.rows[23]?.ip],
    );
    await filter.fill('nobody');
    assert.deepEqual(await rowsOf(page, 'node-table'), [['no such nodes']]);
    await filter.fill('');
    const tookMs = (await page.evaluate(FILTERING)) as number;
    t.diagnostic(`filter over ${NODES} nodes: ${tookMs.toFixed(1)} ms`);
    assert.equal(await page.locator('#node-count').textContent(), `1 to 50 of 100 (of ${NODES})`);
    await page.locator('#nodes').screenshot({ path: join(ARTEFACTS, 'web-nodes.png') });
    assert.deepEqual(complaints, []);
  });

  test('all of it can be done by keyboard, and every part has a name', async (t) => {
    const { page, api } = await open(t, browser);
    const frame = page.getByRole('application', { name: /^Traffic between nodes/ });
    await frame.focus();
    await page.keyboard.press('ArrowRight');
    const { groups } = await api<GroupsView>('/page/groups?last=600');
    const [from, to] = groups[0]?.nodes ?? [];
    const { parts } = await api<TrafficView>('/v1/traffic?last=600&by=node&top=1024');
    const row = parts[0]?.rows.find(({ source, destination }) => source === from && destination === to);
    assert.equal(
      await page.locator('#cell').textContent(),
      `${from} to ${to}: ${bytes(Math.round(row?.bytesPerSecond ?? 0))}/s; both in group 1`,
    );
    for (const name of ['Filter', 'Of the last', 'To have less'])
      assert.equal(await page.getByLabel(name).count(), 1, name);
    for (const name of [
      'Sites and routers',
      'Where each node is',
      'Moves',
      'Who talks to whom',
      'Advice',
      'Findings',
    ])
      assert.equal(await page.getByRole('region', { name, exact: true }).count(), 1, name);
    const nameless = await page
      .locator('button:visible, input:visible, select:visible, a:visible')
      .evaluateAll((all) =>
        all
          .filter((one) => (one.textContent ?? '').trim() === '' && one.closest('label') === null)
          .map((one) => one.outerHTML),
      );
    assert.deepEqual(nameless, []);
    const sort = page.locator('#node-table').getByRole('button', { name: 'At', exact: true });
    await sort.focus();
    await page.keyboard.press('Enter');
    assert.equal(await page.locator('#node-table th[aria-sort="ascending"]').textContent(), 'At');
    await page.keyboard.press('Enter');
    assert.equal((await rowsOf(page, 'node-table'))[0]?.[3], 'vr-09');
  });

  test('dark where the machine is dark', async (t) => {
    const ground = async (scheme: 'dark' | 'light'): Promise<number> => {
      const { page } = await open(t, browser, { look: { colorScheme: scheme } });
      await page.getByRole('button', { name: 'Ask' }).click();
      await page.locator('#advice-table tbody th').first().waitFor();
      assert.deepEqual(await page.evaluate(FAINT), [], `hard to read where it is ${scheme}`);
      await page.evaluate('scrollTo(0, 0)');
      await page.screenshot({ path: join(ARTEFACTS, `web-${scheme}.png`), fullPage: true });
      const colour = String(await page.evaluate('getComputedStyle(document.body).backgroundColor'));
      const [red = 0, green = 0, blue = 0] = (colour.match(/\d+/g) ?? []).map(Number);
      return red + green + blue;
    };
    assert.ok((await ground('dark')) < 100);
    assert.ok((await ground('light')) > 600);
  });

  test('nothing is wider than the window, also a small one', async (t) => {
    const { page } = await open(t, browser);
    for (const width of [1_400, 1_000, 400]) {
      await page.setViewportSize({ width, height: 900 });
      assert.equal(await page.evaluate(OVERFLOW), 0, `${width} pixels`);
      await page.screenshot({ path: join(ARTEFACTS, `web-${width}.png`), fullPage: true });
    }
  });
});
