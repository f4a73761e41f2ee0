import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MOST_TOTALS, SiteTotals } from '../../../src/traffic/site-totals.js';

const sites = (sourceSite: string, destinationSite: string, vnet = 1) => ({
  vnet,
  sourceSite,
  destinationSite,
});

test('each direction between two sites, of each vnet, has its own sum', () => {
  const totals = new SiteTotals();
  totals.add(sites('a', 'b'), { packets: 1, bytes: 10 });
  totals.add(sites('b', 'a'), { packets: 2, bytes: 20 });
  totals.add(sites('a', 'b', 2), { packets: 3, bytes: 30 });
  totals.add(sites('a', 'b'), { packets: 4, bytes: 40 });
  totals.addUnattributed({ packets: 5, bytes: 50 });
  const { rest, unattributed } = totals.totals();
  assert.deepEqual(rest, [
    { ...sites('a', 'b'), packets: 5, bytes: 50 },
    { ...sites('b', 'a'), packets: 2, bytes: 20 },
    { ...sites('a', 'b', 2), packets: 3, bytes: 30 },
  ]);
  assert.deepEqual(unattributed, { packets: 5, bytes: 50 });
});

test('what finds no room is counted as nobody’s, and what is there goes on', () => {
  const totals = new SiteTotals();
  for (let i = 0; i < MOST_TOTALS + 500; i++) totals.add(sites('a', `site-${i}`), { packets: 1, bytes: 100 });
  totals.add(sites('a', 'site-0'), { packets: 1, bytes: 1 });
  const { rest, unattributed } = totals.totals();
  assert.equal(rest.length, MOST_TOTALS);
  assert.equal(rest[0]?.bytes, 101);
  assert.deepEqual(unattributed, { packets: 500, bytes: 50_000 });
});
