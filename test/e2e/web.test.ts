/** `vinectl web` of a real network: what is shown is what the router says, and a move is seen within a second. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { DirectoryView, PeerView } from '../../src/control/api.js';
import { controlSocket, routerDirectory } from '../lab/configuration.js';
import { waitFor } from '../lab/wait.js';
import {
  ARTEFACTS,
  noBrowser,
  rowsOf,
  startBrowser,
  startWeb,
  untilMoveShown,
  untilText,
  watch,
} from '../support/browser.js';
import { moverAddress } from './families.js';
import { cannotRun, ping, untilKnownAt, withLab } from './support.js';

const SHOWN_MS = 1_000;

test('live moves are on the page within a second', { skip: cannotRun || noBrowser }, (t) =>
  withLab(t, { topology: 'two-site', wanDelayMs: 5 }, async (lab) => {
    const address = moverAddress(lab, 'vm', 4);
    await untilKnownAt(lab, 'a', address, 'a');
    await ping(lab, 'b1', address);
    const browser = await startBrowser();
    const web = await startWeb(controlSocket(lab.directory, 'a'), [
      '--config',
      routerDirectory(lab.directory, 'a'),
    ]);
    try {
      const page = await browser.newPage({ viewport: { width: 1300, height: 900 } });
      const complaints = watch(page, web.port);
      await page.goto(web.url);
      await untilText(page, '#live', /^live$/);
      await waitFor(
        'the router table is shown',
        async () => (await rowsOf(page, 'router-table')).length === 2,
      );
      const peers = await lab.daemon('a').get<readonly PeerView[]>('/v1/peers');
      const [, shown] = await rowsOf(page, 'router-table');
      assert.deepEqual(shown?.slice(1, 3), [peers[0]?.id, peers[0]?.state]);
      for (const to of ['b', 'a'] as const) {
        const seen = untilMoveShown(page, address, `vr-${to}`);
        await lab.move('vm', to, { announce: 'rarp' });
        const seenMs = await seen;
        const moves = await lab
          .daemon('a')
          .get<readonly { to: string; startedUnixMs: number }[]>('/v1/migrations');
        const startedMs = moves.filter((move) => move.to === `vr-${to}`).at(-1)?.startedUnixMs ?? 0;
        t.diagnostic(
          `to ${to}: on the page ${(seenMs - startedMs).toFixed(0)} ms after the router heard of it`,
        );
        assert.ok(seenMs - startedMs < SHOWN_MS, `${seenMs - startedMs} ms`);
      }
      const directory = await lab.daemon('a').get<readonly DirectoryView[]>('/v1/directory?state=here');
      await waitFor('the nodes are those of the directory', async () => {
        const rows = (await rowsOf(page, 'node-table')).map(([ip, , , at]) => `${ip} ${at}`);
        assert.deepEqual(rows.sort(), directory.map(({ ip, router }) => `${ip} ${router}`).sort());
        return true;
      });
      await page.locator('#move-table tbody tr').first().getByRole('button').click();
      await page.screenshot({ path: join(ARTEFACTS, 'web-lab.png'), fullPage: true });
      assert.deepEqual(complaints, []);
    } finally {
      await browser.close();
      assert.equal(await web.stop(), 0);
    }
  }),
);
