/** Every counter has a class, and what is a loss is shown as one: in the log's summary and in the metrics. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NEIGHBOUR_DROP_REASONS } from '../../../src/arp/frame.js';
import { PLANE_COUNTER_CLASSES } from '../../../src/dataplane/counters.js';
import { CounterBoard } from '../../../src/router/view/counter-board.js';
import { COUNTER_CLASSES } from '../../../src/router/view/counter-classes.js';
import { DropSummary } from '../../../src/router/view/drop-summary.js';
import { Metrics } from '../../../src/router/view/metrics.js';
import { SimClock } from '../../support/sim-clock.js';
import { metricsSource } from './metrics-support.js';

const LOST = [
  'control_dropped_queue_full',
  'control_dropped_peer_not_up',
  'control_drop_malformed',
  'control_drop_other_epoch',
  'control_send_failed',
  'mobility_claims_refused_not_allowed',
  'mobility_own_claims_refused_frozen',
  'mobility_records_not_yours',
  'handshake_drop_unknown_key',
  'handshake_send_failed',
  'neighbour_send_errors',
  'lan_queue_drops',
  'tunnel_queue_drops',
  'messages_expired',
  'handshakes_bad_mac1',
  'messages_not_authentic',
  'no_session',
  'drop_no_route',
  ...NEIGHBOUR_DROP_REASONS.map((reason) => `drop_neighbour_${reason.replaceAll('-', '_')}`),
];
const PASSED = [
  'to_tunnel',
  'control_sent_ping',
  'control_received',
  'mobility_records_accepted',
  'mobility_records_stale',
  'mobility_frames_local',
  'lan_frames_received',
  'tunnel_trains_refused',
];

test('what is a loss is shown by its class, not by what its name looks like', async () => {
  const clock = new SimClock();
  const board = new CounterBoard(COUNTER_CLASSES);
  let counts: Record<string, number> = {};
  board.add({ counters: () => counts });
  let reported: Record<string, number> = {};
  const summary = new DropSummary(clock, board, (drops) => {
    reported = drops;
  });
  summary.start();
  counts = Object.fromEntries([...LOST, ...PASSED].map((name) => [name, 7]));
  clock.advance(10_000);
  assert.deepEqual(Object.keys(reported).sort(), [...LOST].sort());
  const { text } = await new Metrics(metricsSource({ board })).collect();
  const reasons = [...text.matchAll(/^vine_drops_total\{reason="(\w+)"\} 7$/gm)].map(([, reason]) => reason);
  assert.deepEqual(reasons.sort(), LOST.map((name) => name.replace(/^drop_/, '')).sort());
  summary.stop();
});

test('all that the data plane counts has a class', () => {
  for (const name of Object.keys(PLANE_COUNTER_CLASSES)) assert.notEqual(COUNTER_CLASSES.of(name), undefined);
  assert.equal(COUNTER_CLASSES.of('nobody_counts_this'), undefined);
});
