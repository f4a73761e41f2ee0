/** Nothing new is published while the description before it is on trial. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { sample } from '../config/sample.js';
import { startFixture } from '../control/fixture.js';
import { vinectl } from './harness.js';

const root = mkdtempSync(join(tmpdir(), 'vine-trial-'));
after(() => rmSync(root, { recursive: true }));

async function signed(): Promise<{ gndt: string; key: string; newKey: string }> {
  const gndt = join(root, 'gndt.json');
  const [key, newKey] = [join(root, 'network.key'), join(root, 'new', 'network.key')];
  assert.equal((await vinectl(['network', 'init', root])).status, 0);
  assert.equal((await vinectl(['network', 'init', join(root, 'new')])).status, 0);
  writeFileSync(gndt, JSON.stringify(sample().gndt));
  assert.equal((await vinectl(['network', 'sign', gndt, '--key', key])).status, 0);
  return { gndt, key, newKey };
}

test('publish says when to try again; rotate neither publishes the key nor signs anew', async (t) => {
  const { socket, router } = await startFixture(t);
  const { gndt, key, newKey } = await signed();
  const signature = readFileSync(`${gndt}.sig`, 'utf8');
  router.trial = { lost: [], of: 8, remainingSeconds: 43 };
  for (const json of [[], ['--json']]) {
    const publish = await vinectl([...json, 'network', 'publish', gndt], { socket });
    assert.deepEqual(publish, {
      status: 1,
      out: '',
      err: 'vinectl: version 5 is on trial here: it stands in 43 s if nothing changes\n',
    });
    const rotate = ['network', 'rotate', '--key', key, '--new-key', newKey, '--gndt', gndt];
    const { status, out, err } = await vinectl([...json, ...rotate], { socket });
    assert.deepEqual({ status, out }, { status: 1, out: '' });
    assert.match(err, /version 5 is on trial here for 43 s yet: rotate when it is over/);
  }
  assert.equal(router.published, undefined);
  assert.equal(readFileSync(`${gndt}.sig`, 'utf8'), signature);
  router.trial = null;
  assert.equal((await vinectl(['network', 'publish', gndt, '--no-wait'], { socket })).status, 0);
  assert.notEqual(router.published, undefined);
});
