import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MembershipView } from '../../../src/control/membership-view.js';
import type { NetworkView } from '../../../src/control/network-view.js';
import { Metrics } from '../../../src/router/view/metrics.js';
import { MEMBERSHIP, NETWORK } from '../control/fake-router.js';
import { metricsSource } from './metrics-support.js';

const OURS = /^vine_(descriptions?|network|memberships|joins|tokens|etcd)_?[^ ]* /;

async function samples(
  network: NetworkView | undefined,
  counters = {},
  memberships: readonly MembershipView[] = [],
): Promise<string[]> {
  const source = {
    ...metricsSource(),
    network: () => network,
    memberships: () => memberships,
    counters: () => counters,
  };
  const { text } = await new Metrics(source).collect();
  return text.split('\n').filter((line) => OURS.test(line));
}

test('a description that others try already, memberships, an etcd', async () => {
  const trial = { lost: ['vr-x'], of: 8, remainingSeconds: 43 };
  const counters = {
    descriptions_applied: 3,
    descriptions_undone: 1,
    descriptions_signed_twice: 2,
    joins_admitted: 4,
    tokens_used_twice: 5,
  };
  const leftOut = { ...MEMBERSHIP, state: 'left-out' as const };
  assert.deepEqual(await samples({ ...NETWORK, trial, version: 4 }, counters, [MEMBERSHIP, leftOut]), [
    'vine_description_version 4',
    'vine_description_newest_version 5',
    'vine_description_on_trial 1',
    'vine_description_trial_lost_peers 1',
    'vine_description_not_kept{outcome="refused"} 1',
    'vine_description_not_kept{outcome="undone"} 0',
    'vine_description_routers{state="current"} 1',
    'vine_description_routers{state="trial"} 0',
    'vine_description_routers{state="older"} 1',
    'vine_description_routers{state="newer"} 0',
    'vine_description_routers{state="differs"} 0',
    'vine_description_routers{state="unknown"} 1',
    'vine_descriptions_total{result="applied"} 3',
    'vine_descriptions_total{result="confirmed"} 0',
    'vine_descriptions_total{result="refused"} 0',
    'vine_descriptions_total{result="undone"} 1',
    'vine_network_signed_twice_total{what="description"} 2',
    'vine_network_signed_twice_total{what="key"} 0',
    'vine_memberships{state="counts"} 1',
    'vine_memberships{state="absorbed"} 0',
    'vine_memberships{state="left_out"} 1',
    'vine_joins_total{result="admitted"} 4',
    'vine_joins_total{result="refused"} 0',
    'vine_tokens_used_twice_total 5',
    'vine_etcd_reached 1',
  ]);
});

test('what another router has refused is the newest all the same; its verdict is not this one’s', async () => {
  const [own, other] = NETWORK.routers;
  assert.ok(own !== undefined && other !== undefined);
  const verdict = { outcome: 'undone' as const, version: 9, reason: 'x' };
  const lines = await samples({
    ...NETWORK,
    etcd: null,
    routers: [
      { ...own, id: 'vr-b' },
      { ...other, id: 'vr-c', verdict },
    ],
  });
  assert.ok(lines.includes('vine_description_newest_version 9'));
  assert.ok(lines.includes('vine_description_not_kept{outcome="undone"} 0'));
  assert.ok(!lines.some((line) => line.startsWith('vine_etcd')));
});

test('a pinned key and nothing signed yet is version 0; without a key there are no figures', async () => {
  const lines = await samples({ ...NETWORK, version: null, routers: [] });
  assert.ok(
    lines.includes('vine_description_version 0') && lines.includes('vine_description_newest_version 0'),
  );
  assert.deepEqual(await samples(undefined, { joins_admitted: 1 }, [MEMBERSHIP]), []);
});
