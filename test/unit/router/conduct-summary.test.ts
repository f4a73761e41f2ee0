/** How the other routers behave, as operators see it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { showPeers } from '../../../src/cli/show/tables.js';
import { plain } from '../../../src/cli/show/text.js';
import type { EventView } from '../../../src/control/api.js';
import { Conduct } from '../../../src/protocol/conduct.js';
import { ConductSummary } from '../../../src/router/view/conduct-summary.js';
import { checkConduct } from '../../../src/router/view/doctor.js';
import { EventHub } from '../../../src/router/view/event-hub.js';
import { Metrics } from '../../../src/router/view/metrics.js';
import { SimClock } from '../../support/sim-clock.js';
import { FakeRouter } from '../control/fake-router.js';
import { metricsSource } from './metrics-support.js';

const [B, C] = new FakeRouter().peers();
if (B === undefined || C === undefined) throw new Error('the fake router has two peers');

test('refusals are one line a peer in ten seconds, however many there are', () => {
  const clock = new SimClock();
  const conduct = new Conduct(clock);
  const hub = new EventHub(pino({ enabled: false }), clock);
  const events: EventView[] = [];
  hub.subscribe((event) => events.push(event));
  const summary = new ConductSummary(clock, conduct, hub);
  summary.start();
  for (let n = 0; n < 5_000; n++) conduct.refused('vr-b', 'claim', 'not-allowed');
  conduct.refused('vr-b', 'returned', 'not-asked');
  conduct.refused('vr-c', 'stale', 'not-asked');
  assert.deepEqual(events, []);
  clock.advance(10_000);
  const told = events.map(({ event, peer, misbehaving, refusals }) => [event, peer, misbehaving, refusals]);
  assert.deepEqual(told, [
    ['peer_refusals', 'vr-b', true, ['claim not-allowed 5000', 'returned not-asked 1']],
    ['peer_refusals', 'vr-c', false, ['stale not-asked 1']],
  ]);
  clock.advance(60_000);
  assert.equal(events.length, 2, 'nothing more was refused');
  conduct.refused('vr-c', 'stale', 'not-asked');
  summary.stop();
  assert.equal(events.length, 3);
});

test('vinectl peers has a column for it when there is something in it', () => {
  const look = { paint: plain, nowMs: 0 };
  assert.doesNotMatch(showPeers([B, C], look), /REFUSED/);
  const text = showPeers([{ ...B, refusals: 1_234, misbehaving: true }, C], look);
  assert.match(text, /REFUSED/);
  assert.match(text, /vr-b .* 1,234, misbehaving/);
});

test('doctor calls it a mistake while it goes on, and says nothing of a refusal now and then', () => {
  assert.deepEqual(checkConduct({ ...B, refusals: 3, misbehaving: false }), []);
  const [finding] = checkConduct({ ...B, refusals: 700, misbehaving: true });
  assert.equal(finding?.level, 'error');
  assert.match(finding?.message ?? '', /misbehaving.*700 times/);
});

test('the metrics have it for each peer', async () => {
  const peers = [{ ...B, refusals: 700, misbehaving: true }, C];
  const { text } = await new Metrics({ ...metricsSource(), peers: () => peers }).collect();
  assert.match(text, /^vine_peer_refusals_total\{peer="vr-b"\} 700$/m);
  assert.match(text, /^vine_peer_misbehaving\{peer="vr-b"\} 1$/m);
  assert.match(text, /^vine_peer_misbehaving\{peer="vr-c"\} 0$/m);
});
