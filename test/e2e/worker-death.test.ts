/** A packet worker that cannot go on takes the daemon down, with a word that says why: half a router is worse than none. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectRoot } from '../lab/daemon.js';
import { inNamespace, run } from '../lab/shell.js';
import { pause, waitFor } from '../lab/wait.js';
import { cannotRun, ping, withLab } from './support.js';

const limitMs = 20_000;

for (const [device, what] of [
  ['lan0', 'the LAN interface'],
  ['vine0', 'the TUN device'],
] as const) {
  test(`${what} is deleted under it: vined ends with status 1 and says why`, { skip: cannotRun }, (t) =>
    withLab(t, { topology: 'two-site', tun: ['a'], daemons: false }, async (lab) => {
      const { directory } = lab.daemon('a');
      lab.daemon('b').start();
      const command = [`${projectRoot}bin/vined`, '--config', directory];
      const ended = run(inNamespace(lab.namespace('vr-a'), command), { timeoutMs: 60_000 });
      const log = async (): Promise<string> => (await ended).stderr;
      await waitFor('it carries', async () => {
        await ping(lab, 'a1', '10.2.0.11');
        return true;
      });
      await lab.exec('vr-a', ['ip', 'link', 'del', device]);
      const outcome = await Promise.race([ended, pause(limitMs)]);
      assert.ok(outcome !== undefined, 'it runs on');
      assert.equal(outcome.status, 1, outcome.stderr);
      const last = (await log())
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as { level: string; event: string; error: string })
        .find(({ event }) => event === 'failed');
      t.diagnostic(`${last?.level}: ${last?.error}`);
      assert.equal(last?.level, 'fatal');
      assert.match(last?.error ?? '', new RegExp(`^lan-to-tunnel: .*no longer has ${device}$`));
      // In order all the same: its state is on disk for the next start.
      assert.match(readFileSync(join(directory, 'state', 'directory.json'), 'utf8'), /10\.1\.0\.11/);
    }),
  );
}
