import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import type { EventView } from '../../../src/control/api.js';
import { Ip } from '../../../src/net/ip.js';
import { mac } from '../../../src/net/mac.js';
import { EventHub } from '../../../src/router/view/event-hub.js';
import { MobilityEvents } from '../../../src/router/view/mobility-events.js';
import { Gndt } from '../../../src/tables/gndt.js';
import { SimClock } from '../../support/sim-clock.js';
import { BLUE, gndtConfig } from '../tables/fixtures.js';

function setUp() {
  const clock = new SimClock();
  const lines: Record<string, unknown>[] = [];
  const hub = new EventHub(pino({}, { write: (line) => lines.push(JSON.parse(line)) }), clock);
  const followed: EventView[] = [];
  hub.subscribe((event) => followed.push(event));
  const of = (event: string): number => lines.filter((line) => line.event === event).length;
  return { clock, hub, lines, followed, of };
}

test('an event is a line in the log and goes to those who follow, with its own time', () => {
  const { clock, hub, lines, followed } = setUp();
  hub.emit('warn', 'peer_down', 'a peer is down', { peer: 'vr-b' }, clock.wallMs() - 1_000);
  assert.equal(lines[0]?.event, 'peer_down');
  assert.equal(lines[0]?.msg, 'a peer is down');
  assert.deepEqual(followed, [{ at: '2025-12-31T23:59:59.000Z', event: 'peer_down', peer: 'vr-b' }]);
});

test('60,000 events of a kind in ten seconds: 300 lines, and one that says how many more there were', () => {
  const { clock, hub, lines, followed, of } = setUp();
  for (let ms = 0; ms < 10_000; ms++) {
    for (let n = 0; n < 6; n++) {
      hub.emit('warn', 'unauthorised_seen', 'a machine was seen', { vnet: 'blue', ip: `10.1.0.${n}` });
    }
    clock.advance(1);
  }
  clock.advance(10_000);
  const told = of('unauthorised_seen');
  assert.ok(told >= 290 && told <= 310, `${told} lines`);
  const gaps = lines.filter(({ event }) => event === 'events_suppressed');
  assert.equal(
    gaps.reduce((sum, { count }) => sum + Number(count), told),
    60_000,
    'every event is a line or counted in one',
  );
  assert.ok(gaps.length <= 2);
  assert.equal(gaps[0]?.of, 'unauthorised_seen');
  assert.match(String(gaps[0]?.sample), /^vnet=blue ip=10\.1\.0\.\d$/);
  assert.equal(followed.length, lines.length, 'those who follow see the gap too');
  assert.equal(hub.counters().events_suppressed, 60_000 - told);
});

test('a flood of one kind keeps no other back', () => {
  const { hub, of } = setUp();
  for (let n = 0; n < 1_000; n++) hub.emit('info', 'node_learned', 'a node is known', {});
  hub.emit('error', 'duplicate_address', 'one address twice', {});
  assert.equal(of('node_learned'), 100);
  assert.equal(of('duplicate_address'), 1);
});

test('what is suppressed costs no text: its fields are made only when they are told', () => {
  const { clock, hub } = setUp();
  let made = 0;
  for (let n = 0; n < 1_000; n++) {
    hub.emit('info', 'node_learned', 'a node is known', () => {
      made++;
      return { n };
    });
  }
  assert.equal(made, 101, 'those that are told, and the sample');
  clock.advance(10_000);
  assert.equal(made, 101);
});

test('mobility’s events wait for the end of the burst; those beyond the budget do not wait at all', () => {
  const { clock, hub, of } = setUp();
  const events = new MobilityEvents(hub, new Gndt(gndtConfig([]), 'vr-a'), clock);
  for (let n = 0; n < 100_000; n++) {
    const ip = Ip.v4(0x0a000000 + n);
    events.tell({ event: 'unauthorised_seen', vnet: BLUE, ip, mac: mac('52:54:00:00:00:09') });
  }
  assert.equal(of('unauthorised_seen'), 0);
  assert.equal(events.waiting, 100);
  clock.advance(50);
  assert.equal(of('unauthorised_seen'), 100);
  clock.advance(10_000);
  assert.equal(of('events_suppressed'), 1);
});

test('at the end the gaps are told at once', () => {
  const { hub, lines } = setUp();
  for (let n = 0; n < 150; n++) hub.emit('info', 'node_learned', 'a node is known', {});
  hub.stop();
  assert.equal(lines.at(-1)?.event, 'events_suppressed');
  assert.equal(lines.at(-1)?.count, 50);
});
