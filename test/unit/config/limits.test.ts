/** How far tables may grow: what an operator may set, and what a list may hold. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type JsonObject, lines, parse, sample, spoilt } from './sample.js';

const WRONG: readonly (readonly [limits: JsonObject, line: string])[] = [
  [{ nodesPerLan: 0 }, 'limits.nodesPerLan: expected a whole number from 1 to 65536, got 0'],
  [{ nodesPerLan: 65_537 }, 'limits.nodesPerLan: expected a whole number from 1 to 65536, got 65537'],
  [
    { nodesPerRouter: 131_073 },
    'limits.nodesPerRouter: expected a whole number from 1 to 131072, got 131073',
  ],
  [{ nodes: 262_144 }, 'limits.nodes: expected a whole number from 1 to 131072, got 262144'],
  [{ nodes: null }, 'limits.nodes: expected a whole number from 1 to 131072, got null'],
  [
    { nodesPerlan: 1 },
    'limits.nodesPerlan: unknown key (did you mean "nodesPerLan"?); the keys here are nodesPerLan, nodesPerRouter, nodes',
  ],
];

for (const [limits, line] of WRONG) {
  test(`limits ${JSON.stringify(limits)} are refused`, () => {
    assert.deepEqual(lines(parse(spoilt(['router', 'limits'], limits))), [`router.json: ${line}`]);
  });
}

test('lndt.json has an end: each of its entries is a route', () => {
  const written = sample();
  const entries = (count: number): JsonObject[] =>
    Array.from({ length: count }, (_, n) => ({ vnet: 'blue', ip: `fd00:1::${n.toString(16)}` }));
  written.gndt.networks = [{ vnet: 'blue', prefix: 'fd00:1::/64', router: 'vr-a' }];
  written.lndt = { nodes: entries(16_384) };
  assert.deepEqual(lines(parse(written)), []);
  written.lndt = { nodes: entries(16_385) };
  assert.deepEqual(lines(parse(written)), [
    'lndt.json: nodes: expected at most 16384 entries (a prefix stands for many addresses), got 16385',
  ]);
});
