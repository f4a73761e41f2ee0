import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RoleView } from '../../../src/control/role-view.js';
import { Metrics } from '../../../src/router/view/metrics.js';
import { ROLE } from '../control/fake-router.js';
import { metricsSource } from './metrics-support.js';

async function samples(role: RoleView, counters = {}): Promise<string[]> {
  const source = { ...metricsSource(), role: () => role, counters: () => counters };
  const { text } = await new Metrics(source).collect();
  return text.split('\n').filter((line) => line.startsWith('vine_pair_'));
}

test('the figures of a site’s two routers', async () => {
  const [lan] = ROLE.lans;
  assert.ok(lan !== undefined);
  const role: RoleView = {
    ...ROLE,
    lans: [
      lan,
      { ...lan, interface: 'eth2', advertising: 'none', strangers: ['a', 'b'], virtualMacPasses: null },
    ],
  };
  assert.deepEqual(await samples(role, { pair_role_changed: 3 }), [
    'vine_pair_active{site="site-a"} 1',
    'vine_pair_role{site="site-a",role="active"} 1',
    'vine_pair_role{site="site-a",role="standby"} 0',
    'vine_pair_role{site="site-a",role="isolated"} 0',
    'vine_pair_term{site="site-a"} 7',
    'vine_pair_role_changes_total 3',
    'vine_pair_heard_ago_seconds{partner="vr-a2",way="session"} 0.012',
    'vine_pair_priority{router="vr-a1"} 250',
    'vine_pair_priority{router="vr-a2"} 250',
    'vine_pair_lan_advertising{lan="eth1"} 1',
    'vine_pair_lan_advertising{lan="eth2"} 0',
    'vine_pair_lan_strangers{lan="eth1"} 0',
    'vine_pair_lan_strangers{lan="eth2"} 2',
    'vine_pair_lan_virtual_mac_passes{lan="eth1"} 1',
  ]);
});

test('a router without a partner has none of them, one that has heard nothing of it has no figures of it', async () => {
  assert.deepEqual(await samples({ ...ROLE, partner: null }), []);
  const never = {
    role: null,
    term: null,
    priority: null,
    health: null,
    heardAgoMs: null,
    advertisedAgoMs: null,
  };
  const unheard = await samples({ ...ROLE, role: 'isolated', partner: { router: 'vr-a2', ...never } });
  assert.ok(unheard.includes('vine_pair_active{site="site-a"} 0'));
  assert.ok(unheard.includes('vine_pair_role{site="site-a",role="isolated"} 1'));
  assert.deepEqual(
    unheard.filter((line) => line.includes('vr-a2')),
    [],
  );
});

test('gateway addresses that somebody else has: of each LAN that has any, pair or not', async () => {
  const source = { ...metricsSource(), gatewayConflicts: () => [{ lan: 'eth1', kernel: 1, machine: 0 }] };
  const { text } = await new Metrics(source).collect();
  assert.match(text, /^vine_gateway_conflicts\{lan="eth1",holder="kernel"\} 1\n.*holder="machine"\} 0$/m);
});
