/** What a lab's routers are given to read. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfigDirectory, type VineConfig } from '../../../src/config/load.js';
import { writeConfigurations } from '../../lab/configuration.js';
import { planOf, type Topology, topologies } from '../../lab/plan.js';

/** By tag. */
function configurationsOf(topology: Topology): Map<string, VineConfig> {
  const directory = mkdtempSync(join(tmpdir(), 'vine-lab-'));
  try {
    const plan = planOf(topology);
    writeConfigurations(directory, plan, {});
    return new Map(
      plan.routers.map(({ tag }) => {
        const outcome = loadConfigDirectory(join(directory, tag));
        assert.ok('config' in outcome, JSON.stringify(outcome));
        return [tag, outcome.config];
      }),
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
}

for (const topology of topologies)
  test(`${topology}: every router can read its files`, () => {
    assert.ok(configurationsOf(topology).size >= 2);
  });

test('pair: networks and who may take nodes name the site; both routers have the same gateway addresses', () => {
  const all = configurationsOf('pair');
  for (const { gndt } of all.values()) {
    assert.deepEqual(gndt.sites, [{ id: 'site-a', routers: ['vr-a1', 'vr-a2'] }]);
    assert.deepEqual(
      gndt.networks.map(({ prefix, router, allow }) => [prefix.toString(), router, allow]),
      ['10.1.0.0/24', 'fd00:1::/64']
        .map((prefix) => [prefix, 'site-a', ['site-a', 'vr-b']])
        .concat(['10.2.0.0/24', 'fd00:2::/64'].map((prefix) => [prefix, 'vr-b', ['site-a', 'vr-b']])),
    );
  }
  const gateways = ['a1', 'a2', 'b'].map((tag) => all.get(tag)?.router.lans[0]?.gateway?.map(String));
  assert.deepEqual(gateways, [['10.1.0.3', 'fd00:1::3'], ['10.1.0.3', 'fd00:1::3'], undefined]);
});
