/** JavaScript is not entered for the packets of a flow that has been decided once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Lab } from '../lab/lab.js';
import { cannotRun, ping, withLab } from './support.js';

const PACKETS = 10_000;

/** By worker. */
async function flowsOf(lab: Lab, site: 'a' | 'b') {
  const { workers } = await lab.daemon(site).status();
  return Object.fromEntries(workers.map(({ name, flows }) => [name, flows]));
}

test('10,000 packets of known flows do not enter JavaScript', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site' }, async (lab) => {
    for (const address of ['10.2.0.11', 'fd00:2::11']) {
      await ping(lab, 'a1', address);
      await ping(lab, 'a1', address);
      const before = { a: await flowsOf(lab, 'a'), b: await flowsOf(lab, 'b') };
      const output = await lab.exec('a1', ['ping', '-q', '-f', '-c', String(PACKETS), address]);
      assert.match(output, new RegExp(`${PACKETS} packets transmitted`));
      const after = { a: await flowsOf(lab, 'a'), b: await flowsOf(lab, 'b') };
      for (const site of ['a', 'b'] as const) {
        for (const worker of ['lan-to-tunnel', 'tunnel-to-lan']) {
          const [was, is] = [before[site][worker], after[site][worker]];
          assert.ok(was && is);
          const [hits, misses] = [is.hits - was.hits, is.misses - was.misses];
          t.diagnostic(`${address}, site ${site}, ${worker}: ${hits} hits, ${misses} misses`);
          assert.ok(hits >= PACKETS * 0.99, `${hits} hits`);
          // What the routers and hosts say to each other meanwhile, and what a table's change makes be decided anew.
          assert.ok(misses <= PACKETS / 100, `${misses} misses`);
        }
      }
    }
    assert.match(await lab.vinectl('a', ['status']), /flow memory: [\d,]+ hits, [\d,]+ misses/);
  }),
);
