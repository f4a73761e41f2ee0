/** Counting goes on in slices, and what it counts is in the period in which it was harvested. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Action } from '../../../src/dataplane/descriptor.js';
import type { Flow, FlowCounts } from '../../../src/dataplane/flows/flow-harvest.js';
import { FlowKind } from '../../../src/dataplane/flows/flow-memory.js';
import { Ip } from '../../../src/net/ip.js';
import { Prefix } from '../../../src/net/prefix.js';
import { Metering } from '../../../src/router/traffic/metering.js';
import { Directory } from '../../../src/tables/directory.js';
import { Gndt } from '../../../src/tables/gndt.js';
import { type TrafficCounters, trafficCounters } from '../../../src/traffic/asking/authority.js';
import { FlowDecoder } from '../../../src/traffic/collect/decoder.js';
import { Decoded } from '../../../src/traffic/collect/seen-flow.js';
import type { Question } from '../../../src/traffic/query.js';
import { SimClock } from '../../support/sim-clock.js';
import { ipfix, RECORD_256, set, TEMPLATE_256 } from '../traffic/collect/vectors.js';

const VNET = 1;
const START_MS = 1_767_225_600_000;
const key = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
const gndt = new Gndt(
  {
    vnets: [{ name: 'blue', id: VNET, subnet: undefined }],
    routers: ['vr-a', 'vr-b'].map((id, i) => ({ id, publicKey: key(i), endpoints: [], relay: false })),
    sites: [],
    networks: (['10.1.0.0/24', '10.2.0.0/24'] as const).map((prefix, i) => ({
      vnet: VNET,
      prefix: Prefix.of(prefix),
      router: i === 0 ? 'vr-a' : 'vr-b',
      gateway: undefined,
      allow: undefined,
    })),
    cipher: 'auto',
    nodes: [],
  },
  'vr-a',
);
const REMOTE = gndt.peerIndex('vr-b');

/** Flows whose counts are told by the next pass, one a slice. */
class FakePlane {
  pending: number[] = [];
  passes = 0;
  readonly steps: number[] = [];
  lost = { packets: 0, bytes: 0 };
  flow = flow;

  *harvest(told: (flow: Flow, counts: FlowCounts) => void): Generator<void> {
    this.passes++;
    const found = this.pending.splice(0);
    for (const host of found) {
      this.steps.push(host);
      told(this.flow(host), { packets: 1, bytes: 100 });
      yield;
    }
  }

  unattributed = (): FlowCounts => this.lost;
}

function flow(host: number): Flow {
  const words = (text: string) => Ip.of(text).words;
  return {
    family: 4,
    vnet: VNET,
    kind: FlowKind.frame,
    from: 0,
    source: words(`10.1.0.${host}`),
    destination: words('10.2.0.1'),
    action: Action.tunnel,
    to: REMOTE,
  };
}

let clock: SimClock;
let plane: FakePlane;
let counters: TrafficCounters;
let metering: Metering;
beforeEach(() => {
  clock = new SimClock(START_MS);
  plane = new FakePlane();
  const config = { keepSeconds: 86_400, export: [], listen: [], exporters: undefined, sensors: undefined };
  const directory = new Directory('vr-a', clock);
  counters = trafficCounters();
  metering = new Metering({ clock, gndt, directory, plane, counters, config, isActive: () => true });
});

function question(lastPeriod: number, approximate: boolean): Question {
  const all = { periods: 1, detail: false, weightPermille: 1_000, vnet: undefined, ips: [], mostPairs: 100 };
  return { ...all, lastPeriod, approximate };
}

/** Of each source: what is told, and how many slices it took. */
function ask(asked: Question): { hosts: string[]; bytes: number; slices: number } {
  const work = metering.gather(asked);
  for (let slices = 0; ; slices++) {
    const step = work.next();
    if (step.done !== true) continue;
    const { pairs, rest, unattributed } = step.value.parts.get(0) ?? {
      pairs: [],
      rest: [],
      unattributed: plane.lost,
    };
    const bytes = [...pairs, ...rest, unattributed].reduce((sum, one) => sum + one.bytes, 0);
    return { hosts: pairs.map(({ source }) => source?.key ?? '').sort(), bytes, slices };
  }
}

test('what a pass finds is in the period that it began in, however many slices it takes', () => {
  metering.start();
  plane.pending = [1, 2, 3];
  clock.advance(29_500);
  assert.deepEqual([plane.passes, plane.steps.length], [29, 3]);
  plane.pending = [4, 5];
  // The pass of the period's last instant.
  clock.advance(600);
  const before = ask(question(START_MS / 30_000, false));
  assert.deepEqual(before.hosts, ['10.1.0.1', '10.1.0.2', '10.1.0.3', '10.1.0.4', '10.1.0.5']);
  // Nothing of its own: all that is told of the one that runs is an estimate by the one before.
  assert.equal(ask(question(START_MS / 30_000 + 1, true)).bytes, before.bytes);
});

test('a question counts what has come by then, also when a pass is half done', () => {
  plane.pending = [1, 2, 3];
  const first = metering.gather(question(START_MS / 30_000, true));
  first.next();
  first.next();
  assert.deepEqual(plane.steps, [1, 2]);
  // Of what the pass has gone by already.
  plane.pending.push(1);
  const { hosts, bytes, slices } = ask(question(START_MS / 30_000, true));
  assert.deepEqual(hosts, ['10.1.0.1', '10.1.0.2', '10.1.0.3']);
  assert.equal(bytes, 400);
  assert.ok(slices > 3, 'something else has had its turn in between');
  assert.equal(plane.passes, 2);
});

test('what an exporter tells of a pair that the router forwards between is not counted beside it, also at first', () => {
  const [one, two] = [Ip.of('10.1.0.1'), Ip.of('10.1.0.2')];
  plane.flow = (host) => ({
    ...flow(host),
    destination: two.words,
    action: Action.lan,
    to: 0,
  });
  plane.pending = [1];
  const told = (source: Ip, destination: Ip): void => {
    const decoded = new Decoded('10.1.0.9 0');
    decoded.add(source, destination, { packets: 1, bytes: 100 }, 1);
    metering.seen(decoded);
  };
  told(one, two);
  told(two, one);
  const { hosts, bytes } = ask(question(START_MS / 30_000, true));
  assert.deepEqual(hosts, ['10.1.0.1', '10.1.0.2']);
  assert.equal(bytes, 200);
  assert.equal(counters.counters().traffic_flows_ignored_counted, 1);
});

test('exporters that tell all that they may neither hold up a period nor heap up', () => {
  metering.start();
  const tell = (flows: number): void => {
    const decoded = new Decoded('10.1.0.9 0');
    for (let i = 0; i < flows; i++)
      decoded.add(Ip.of('10.1.0.1'), Ip.of('10.1.0.2'), { packets: 1, bytes: 100 }, 1);
    metering.seen(decoded);
  };
  // As many datagrams as all of them may send, for a minute, each with one flow.
  for (let ms = 0; ms < 60_000; ms++) {
    tell(1);
    clock.advance(1);
  }
  const { bytes } = ask(question(START_MS / 30_000, false));
  assert.ok(bytes >= 2_900_000 && bytes <= 3_000_000, `${bytes} bytes in the period's thirty seconds`);
  clock.advance(2_000);
  const before = counters.counters();
  for (let i = 0; i < 100; i++) tell(1_000);
  assert.equal(counters.counters().traffic_flows_dropped_no_room, 100_000 - 32_768);
  clock.advance(2_000);
  assert.equal(
    (counters.counters().traffic_flows_counted ?? 0) - (before.traffic_flows_counted ?? 0),
    32_768,
  );
});

test('what could not be read, or is no flow, has its counter', () => {
  const decoded = new Decoded('10.1.0.9 0');
  decoded.drop('unknown-template');
  decoded.ignore('no-addresses');
  metering.seen(decoded);
  assert.deepEqual(counters.counters(), {
    traffic_flows_dropped_unknown_template: 1,
    traffic_flows_ignored_no_addresses: 1,
  });
});

for (const offSeconds of [-60, 60])
  test(`what an exporter whose clock is ${offSeconds} s off tells is in the period in which it is told`, () => {
    metering.start();
    clock.advance(29_500);
    const message = ipfix(7, set(2, TEMPLATE_256), set(256, RECORD_256));
    const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
    view.setUint32(4, Math.floor(clock.wallMs() / 1_000) + offSeconds);
    metering.seen(new FlowDecoder().decode(message, { address: '10.1.0.9', port: 40_000 }));
    clock.advance(600);
    const { hosts, bytes } = ask(question(START_MS / 30_000, false));
    assert.deepEqual([hosts, bytes], [['10.1.0.5'], 300]);
  });

test('what is nobody’s is counted once, and not taken back', () => {
  for (const packets of [3, 2, 5]) {
    plane.lost = { packets, bytes: 10 * packets };
    ask(question(START_MS / 30_000, true));
  }
  assert.equal(ask(question(START_MS / 30_000, true)).bytes, 50);
});

test('what was counted since the start is summed by sites, whatever becomes of the periods', () => {
  metering.start();
  for (let second = 0; second < 90; second++) {
    plane.pending = [1, 2, 3];
    plane.lost = { packets: second, bytes: 10 * second };
    clock.advance(1_000);
  }
  const { rest, unattributed } = metering.totals();
  assert.deepEqual(
    rest.map((total) => ({ ...total })),
    [{ vnet: VNET, sourceSite: 'vr-a', destinationSite: 'vr-b', packets: 270, bytes: 27_000 }],
  );
  assert.deepEqual(unattributed, { packets: 89, bytes: 890 });
});
