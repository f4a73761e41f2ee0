/** What the page asks for again, and when. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TOPICS, topicsOf } from '../../../../src/control/web/model/changes.js';
import { Pace } from '../../../../src/control/web/model/pace.js';
import { documentedEvents } from '../../router/log-list.js';

test('an event names what is asked for again', () => {
  assert.deepEqual(topicsOf({ event: 'move_learned' }), ['moves', 'nodes']);
  assert.deepEqual(topicsOf({ event: 'peer_down' }), ['routers']);
  assert.deepEqual(topicsOf({ event: 'reload_undone' }), ['routers', 'nodes']);
  assert.deepEqual(topicsOf({ event: 'events_dropped' }), TOPICS);
  assert.deepEqual(topicsOf({ event: 'drops' }), []);
});

test('more events of a kind than are told are events of that kind', () => {
  assert.deepEqual(topicsOf({ event: 'events_suppressed', of: 'move_learned' }), ['moves', 'nodes']);
  assert.deepEqual(topicsOf({ event: 'events_suppressed', of: 'name_changed' }), []);
  assert.deepEqual(topicsOf({ event: 'events_suppressed' }), []);
});

/** What changes nothing that the page shows, or something of the status, which it looks at all the time anyway. */
const SILENT = [
  'ready',
  'clients_answered',
  'clients_called',
  'dhcp_answered',
  'dhcp_refused',
  'etcd_description_refused',
  'etcd_lost',
  'etcd_reached',
  'events_suppressed',
  'gateway_address_in_use',
  'gateways_differ',
  'hand_over',
  'hand_over_failed',
  'ignore_file_failed',
  'join_refused',
  'kernel_guard_lost',
  'lan_readdressed',
  'membership_not_applied',
  'name_address_skipped',
  'name_changed',
  'name_resolved',
  'name_unresolved',
  'network_key_changed',
  'network_key_signed_twice',
  'rescue_failed',
  'state_write_failed',
  'token_used_twice',
  'tun_route_failed',
  'virtual_mac_filtered',
  'vrrp_stranger',
];

test('every event of the stream has something asked for again, or is known to change nothing shown', () => {
  const silent = [...documentedEvents()].flatMap(([event, { stream }]) =>
    stream && topicsOf({ event }).length === 0 ? [event] : [],
  );
  assert.deepEqual(silent.sort(), [...SILENT].sort());
});

test('what changes in a moment is asked for together, and is not put off by what comes after', () => {
  const pace = new Pace();
  assert.equal(pace.nextMs, undefined);
  pace.want(['moves', 'nodes'], 1_000);
  pace.want(['moves', 'routers'], 1_100);
  assert.equal(pace.nextMs, 1_150);
  assert.deepEqual(pace.take(1_149), []);
  assert.deepEqual(pace.take(1_150), ['moves', 'nodes']);
  assert.equal(pace.nextMs, 1_250);
  assert.deepEqual(pace.take(1_300), ['routers']);
  assert.equal(pace.nextMs, undefined);
});

test('nodes are looked at once in a second at most, moves as often as they change', () => {
  const pace = new Pace();
  const looks: [atMs: number, topics: readonly string[]][] = [];
  for (let nowMs = 0; nowMs < 2_600; nowMs += 10) {
    if (nowMs % 50 === 0) pace.want(['moves', 'nodes'], nowMs);
    if ((pace.nextMs ?? Number.POSITIVE_INFINITY) <= nowMs) looks.push([nowMs, pace.take(nowMs)]);
  }
  const of = (topic: string): number[] =>
    looks.filter(([, topics]) => topics.includes(topic)).map(([at]) => at);
  assert.deepEqual(of('nodes'), [150, 1_150, 2_150]);
  assert.ok(of('moves').length >= 12, String(of('moves')));
});

test('what is forgotten is not asked for', () => {
  const pace = new Pace();
  pace.want(TOPICS, 0);
  pace.forget();
  assert.equal(pace.nextMs, undefined);
  assert.deepEqual(pace.take(10_000), []);
});
