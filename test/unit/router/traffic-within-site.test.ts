import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ip } from '../../../src/net/ip.js';
import { parseMac } from '../../../src/net/mac.js';
import { Prefix } from '../../../src/net/prefix.js';
import { WithinSite } from '../../../src/router/traffic/within-site.js';
import { Directory } from '../../../src/tables/directory.js';
import { Gndt } from '../../../src/tables/gndt.js';
import type { GndtConfig, NodeRecord } from '../../../src/tables/model.js';
import { trafficCounters } from '../../../src/traffic/asking/authority.js';
import { Decoded } from '../../../src/traffic/collect/seen-flow.js';
import { Periods } from '../../../src/traffic/periods.js';
import { SimClock } from '../../support/sim-clock.js';

const [BLUE, RED] = [1, 2];
const key = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);

/** This is site a. Red has a network of blue's addresses too. */
const CONFIG: GndtConfig = {
  vnets: [
    { name: 'blue', id: BLUE, subnet: undefined },
    { name: 'red', id: RED, subnet: undefined },
  ],
  routers: ['vr-a', 'vr-b'].map((id, i) => ({ id, publicKey: key(i), endpoints: [], relay: false })),
  sites: [],
  networks: [
    [BLUE, '10.1.0.0/24', 'vr-a'],
    [BLUE, '10.1.1.0/24', 'vr-a'],
    [BLUE, 'fd00:1::/64', 'vr-a'],
    [BLUE, '10.2.0.0/24', 'vr-b'],
    [RED, '10.1.1.0/24', 'vr-a'],
  ].map(([vnet, prefix, router]) => ({
    vnet: vnet as number,
    prefix: Prefix.of(prefix as string),
    router: router as string,
    gateway: undefined,
    allow: undefined,
  })),
  cipher: 'auto',
  nodes: [{ vnet: BLUE, ip: Ip.of('10.1.0.200'), publicKey: key(8), via: 'vr-a' }],
};

function world() {
  const clock = new SimClock();
  const counters = trafficCounters();
  const directory = new Directory('vr-a', clock);
  const gndt = new Gndt(CONFIG, 'vr-a');
  const state = { isActive: true };
  const within = new WithinSite({ clock, gndt, directory, counters, isActive: () => state.isActive });
  const periods = new Periods(0);
  let stamp = 1_000;
  const at = (ip: string, router: string): void => {
    const mac = parseMac('52:54:00:00:00:09') ?? assert.fail();
    const record: NodeRecord = {
      vnet: BLUE,
      ip: Ip.of(ip),
      mac,
      router,
      seq: stamp,
      state: 'here',
      stamp: stamp++,
    };
    assert.equal(directory.apply(record), 'applied');
  };
  /** @returns what was counted of it, and the counters that rose */
  const tell = (source: string, destination: string, observer = 'x', isEgress = false): string => {
    const before = counters.counters();
    const decoded = new Decoded(observer);
    decoded.add(Ip.of(source), Ip.of(destination), { packets: 2, bytes: 300, isEgress }, 1);
    for (const flow of decoded.flows) within.count(flow, observer, periods);
    return Object.entries(counters.counters())
      .filter(([name, count]) => count !== (before[name] ?? 0))
      .map(([name]) => name.replace('traffic_flows_', ''))
      .join();
  };
  const counted = (): string[] =>
    periods
      .running()
      .pairs.map(({ vnet, source, destination, sourceSite, destinationSite, packets, bytes }) =>
        [vnet, source, destination, sourceSite, destinationSite, packets, bytes].join(' '),
      )
      .sort();
  return { clock, counters, within, at, tell, counted, state };
}

test('two nodes on one link of this site', () => {
  const { tell, counted } = world();
  assert.equal(tell('10.1.0.5', '10.1.0.6'), 'counted');
  assert.equal(tell('10.1.0.5', '10.1.0.6'), 'counted');
  assert.equal(tell('fd00:1::5', 'fd00:1::6'), 'counted');
  assert.deepEqual(counted(), [
    '1 10.1.0.5 10.1.0.6 vr-a vr-a 4 600',
    '1 fd00:1::5 fd00:1::6 vr-a vr-a 2 300',
  ]);
});

test('what the router sees itself, or what is not here, is not counted', () => {
  const { tell, counted } = world();
  for (const [source, destination] of [
    ['10.1.0.5', '10.2.0.5'],
    ['10.2.0.5', '10.1.0.5'],
    ['10.2.0.5', '10.2.0.6'],
    ['10.1.0.5', '10.1.1.5'],
    ['10.1.0.5', '192.0.2.1'],
    ['192.0.2.1', '192.0.2.2'],
    ['10.1.0.5', '10.1.0.200'],
    ['10.1.0.200', '10.1.0.5'],
    ['fe80::1', 'fe80::2'],
    ['10.1.0.5', '224.0.0.1'],
  ] as const)
    assert.equal(tell(source, destination), 'ignored_elsewhere', `${source} ${destination}`);
  assert.deepEqual(counted(), []);
});

test('where the directory says that they are counts, not where their address is from', () => {
  const { tell, at } = world();
  at('10.1.0.5', 'vr-b');
  assert.equal(tell('10.1.0.5', '10.1.0.6'), 'ignored_elsewhere');
  at('10.2.0.5', 'vr-a');
  assert.equal(tell('10.2.0.5', '10.2.0.6'), 'ignored_elsewhere');
  at('10.2.0.6', 'vr-a');
  assert.equal(tell('10.2.0.5', '10.2.0.6'), 'counted');
});

test('in two vnets at once nobody knows whose it is', () => {
  const { tell, counted } = world();
  assert.equal(tell('10.1.1.5', '10.1.1.6'), 'dropped_ambiguous');
  assert.deepEqual(counted(), []);
});

test('a pair that the router forwards between is its own, for a while', () => {
  const { within, clock, tell, counted } = world();
  within.forwarded(BLUE, Ip.of('10.1.0.5'), Ip.of('10.1.0.6'));
  assert.equal(tell('10.1.0.5', '10.1.0.6'), 'ignored_counted');
  assert.equal(tell('10.1.0.6', '10.1.0.5'), 'counted');
  clock.advance(150_000);
  assert.equal(tell('10.1.0.5', '10.1.0.6'), 'ignored_counted');
  clock.advance(1);
  assert.equal(tell('10.1.0.5', '10.1.0.6'), 'counted');
  within.forwarded(BLUE, Ip.of('10.1.0.5'), Ip.of('10.1.0.6'));
  assert.equal(tell('10.1.0.5', '10.1.0.6'), 'ignored_counted');
  assert.equal(counted().length, 2);
});

test('of two exporters that see a pair one counts, until it is silent', () => {
  const { clock, tell, counted } = world();
  assert.equal(tell('10.1.0.5', '10.1.0.6', 'x'), 'counted');
  assert.equal(tell('10.1.0.5', '10.1.0.6', 'y'), 'ignored_counted');
  clock.advance(100_000);
  assert.equal(tell('10.1.0.5', '10.1.0.6', 'x'), 'counted');
  clock.advance(100_000);
  assert.equal(tell('10.1.0.5', '10.1.0.6', 'y'), 'ignored_counted');
  clock.advance(50_001);
  assert.equal(tell('10.1.0.5', '10.1.0.6', 'y'), 'counted');
  assert.equal(tell('10.1.0.5', '10.1.0.6', 'x'), 'ignored_counted');
  assert.deepEqual(counted(), ['1 10.1.0.5 10.1.0.6 vr-a vr-a 6 900']);
});

test('where one tells of what comes in and of what leaves, one of the two counts', () => {
  const { tell, counted } = world();
  assert.equal(tell('10.1.0.5', '10.1.0.6'), 'counted');
  assert.equal(tell('10.1.0.5', '10.1.0.6', 'x', true), 'ignored_counted');
  // As softflowd tells of an answer.
  assert.equal(tell('10.1.0.6', '10.1.0.5', 'x', true), 'counted');
  assert.equal(tell('10.1.0.6', '10.1.0.5', 'x', true), 'counted');
  assert.deepEqual(counted(), ['1 10.1.0.5 10.1.0.6 vr-a vr-a 2 300', '1 10.1.0.6 10.1.0.5 vr-a vr-a 4 600']);
});

test('more pairs than can be held apart are refused, until others are silent', () => {
  const { clock, tell, within } = world();
  for (let i = 0; i < 65_536; i++)
    within.forwarded(BLUE, Ip.v6(0xfd000001, 0, 1, i), Ip.v6(0xfd000001, 0, 0, 1));
  assert.equal(tell('10.1.0.5', '10.1.0.6'), 'dropped_no_room');
  clock.advance(150_001);
  assert.equal(tell('10.1.0.5', '10.1.0.6'), 'counted');
});

test('the router that does not serve the site counts nothing', () => {
  const { state, tell, counted } = world();
  state.isActive = false;
  assert.equal(tell('10.1.0.5', '10.1.0.6'), 'ignored_standby');
  assert.deepEqual(counted(), []);
});
