import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Burst } from '../../../src/mobility/burst.js';
import type { Mac } from '../../../src/net/mac.js';
import { TimerGroup } from '../../../src/net/timer-group.js';
import { SimClock } from '../../support/sim-clock.js';
import { arpOf, BLUE, Harness, ip, rarpOf, recordOf, type Sent, VR_MAC } from './harness.js';

describe('a burst', () => {
  const bench = () => {
    const clock = new SimClock();
    const burst = new Burst(clock, new TimerGroup(clock));
    const done: [string, number][] = [];
    const move = (name: string): void => {
      const act = (): void => void done.push([name, clock.nowMs()]);
      if (burst.joined()) burst.later(act);
      else act();
    };
    return { clock, burst, done, move };
  };

  test('four at a time are none', () => {
    const { clock, burst, done, move } = bench();
    for (let round = 0; round < 3; round++) {
      for (const name of ['a', 'b', 'c', 'd']) move(name);
      assert.equal(done.length, 4 * (round + 1));
      assert.equal(burst.isOn, false);
      clock.advance(8);
    }
    assert.deepEqual(clock.waiting, []);
  });

  test('what is one waits until nothing has come for 8 ms, and keeps its order', () => {
    const { clock, burst, done, move } = bench();
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) move(name);
    assert.deepEqual(done.map(([name]) => name).join(''), 'abcd');
    assert.equal(burst.isOn, true);
    clock.advance(7);
    move('g');
    clock.advance(7.9);
    assert.equal(done.length, 4);
    clock.advance(0.1);
    assert.deepEqual(done.slice(4), [
      ['e', 15],
      ['f', 15],
      ['g', 15],
    ]);
    assert.equal(burst.isOn, false);
    move('h');
    assert.deepEqual(done.at(-1), ['h', 15], 'the next one is alone again');
  });

  test('nothing waits longer than 60 ms, and many are dealt with in turns', () => {
    const { clock, done, move } = bench();
    for (let ms = 0; ms < 100; ms++) {
      move(String(ms));
      clock.advance(1);
    }
    clock.advance(100);
    assert.equal(done.length, 100);
    assert.deepEqual(
      done.map(([name]) => Number(name)),
      Array.from({ length: 100 }, (_, i) => i),
    );
    // Four each millisecond: what has come in 60 ms, and meanwhile, takes twenty more.
    for (const [name, atMs] of done) assert(atMs - Number(name) <= 80, `${name} at ${atMs}`);
    const perMs = new Map<number, number>();
    for (const [, atMs] of done) perMs.set(atMs, (perMs.get(atMs) ?? 0) + 1);
    assert(Math.max(...perMs.values()) <= 5, JSON.stringify([...perMs]));
    assert.deepEqual(clock.waiting, []);
  });
});

const NODES = 12;
const nodeMac = (n: number): Mac => (0x525400000100 + n) as Mac;

/** The place of each thing among all that was sent. */
function placesOf(sent: readonly Sent[], fits: (one: Sent) => boolean): number[] {
  return sent.flatMap((one, place) => (fits(one) ? [place] : []));
}

test('at the destination: the claims of all before the ARP of most, and nobody is left out', () => {
  const harness = new Harness();
  for (let n = 0; n < NODES; n++) harness.known(`10.1.0.${100 + n}`, nodeMac(n), 'vr-a');
  harness.clock.advance(1_000);
  harness.take();
  for (let n = 0; n < NODES; n++) harness.see(rarpOf(nodeMac(n)));
  for (let n = 0; n < NODES; n++) {
    assert.equal(harness.directory.here(BLUE, ip(`10.1.0.${100 + n}`))?.router, 'vr-b');
  }
  const toNodes = (one: Sent): boolean => one.what === 'frame' && one.frame.ethernetDestination >= nodeMac(0);
  assert.equal(
    new Set(harness.sent.filter(toNodes).map((one) => one.what === 'frame' && one.frame.ethernetDestination))
      .size,
    4,
  );
  harness.clock.advance(40);
  const sent = harness.take();
  const claims = placesOf(sent, (one) => one.what === 'message' && one.message.type === 'claim');
  const told = new Map<number, number>();
  for (const [place, one] of sent.entries()) {
    if (one.what === 'frame' && toNodes(one))
      told.set(one.frame.ethernetDestination, told.get(one.frame.ethernetDestination) ?? place);
  }
  assert.equal(told.size, NODES);
  const late = [...told.values()].filter((place) => place > Math.max(...claims));
  assert.equal(late.length, NODES - 4);
  const steps = harness.mobility.moves().map((move) => move.steps.map(({ step }) => step));
  for (const names of steps) assert.deepEqual(names.filter((name) => name === 'first_arp').length, 1);
});

/** Nodes at home here, and their claims by vr-a in one message. */
function claimedAway(verify: 'optimistic' | 'strict' = 'optimistic'): Harness {
  const harness = new Harness({ verify });
  for (let n = 0; n < NODES; n++) harness.see(arpOf(`10.2.0.${100 + n}`, nodeMac(n)));
  harness.clock.advance(1_000);
  harness.take();
  harness.mobility.message('vr-a', {
    type: 'claim',
    claimId: 1,
    moves: Array.from({ length: NODES }, (_, n) => ({
      vnet: BLUE,
      mac: nodeMac(n),
      records: [recordOf(`10.2.0.${100 + n}`, nodeMac(n), 'vr-a', 2)],
      trigger: 'rarp' as const,
      sinceDetectionUs: 100,
    })),
  });
  return harness;
}

const broadcasts = (sent: readonly Sent[]): Set<string> =>
  new Set(
    sent.flatMap((one) =>
      one.what === 'frame' &&
      one.frame.kind === 'arp' &&
      one.frame.senderMac === VR_MAC &&
      !one.frame.senderIp.isUnspecified
        ? [one.frame.senderIp.key]
        : [],
    ),
  );
const probes = (sent: readonly Sent[]): Sent[] =>
  sent.filter((one) => one.what === 'frame' && one.frame.kind === 'arp' && one.frame.senderIp.isUnspecified);

test('at the source: all the tables and the answer at once, then the LAN hears of every node', () => {
  const harness = claimedAway();
  const atOnce = harness.take();
  const answers = atOnce.filter((one) => one.what === 'message' && one.message.type === 'claimResult');
  assert.equal(answers.length, 1);
  assert.equal(broadcasts(atOnce).size, 4);
  assert.equal(harness.mobility.moves().length, NODES);
  harness.clock.advance(40);
  const later = harness.take();
  assert.equal(broadcasts(later).size, NODES - 4);
  assert(probes([...atOnce, ...later]).length >= NODES, 'every node is asked whether it is really gone');
  for (const { steps } of harness.mobility.moves()) {
    assert.deepEqual(steps.map(({ step }) => step).slice(0, 2), ['directory', 'first_arp']);
  }
});

test('a node that is asked late is asked three times all the same, 20 ms apart', () => {
  const harness = new Harness();
  for (let n = 0; n < NODES; n++) harness.see(arpOf(`10.2.0.${100 + n}`, nodeMac(n)));
  harness.clock.advance(1_000);
  harness.take();
  for (let n = 0; n < NODES; n++) {
    const records = [recordOf(`10.2.0.${100 + n}`, nodeMac(n), 'vr-a', 2)];
    harness.mobility.message('vr-a', {
      type: 'claim',
      claimId: n,
      moves: [{ vnet: BLUE, mac: nodeMac(n), records, trigger: 'rarp', sinceDetectionUs: 100 }],
    });
    // The burst goes on, and the first that wait do so for the longest time that there is.
    harness.clock.advance(7);
  }
  harness.clock.advance(500);
  const asked = new Map<number, number[]>();
  for (const one of probes(harness.take())) {
    if (one.what !== 'frame') continue;
    const mac = one.frame.ethernetDestination;
    asked.set(mac, [...(asked.get(mac) ?? []), one.atMs]);
  }
  assert.equal(asked.size, NODES);
  for (const [mac, times] of asked) {
    const gaps = times.slice(1).map((atMs, i) => atMs - (times[i] ?? 0));
    assert.deepEqual(gaps, [20, 20], `${mac.toString(16)}: ${times}`);
  }
});

test('a node that is back before the LAN was told is not announced elsewhere', () => {
  const harness = claimedAway();
  harness.take();
  const back = `10.2.0.${100 + NODES - 1}`;
  harness.clock.advance(1);
  harness.see(arpOf(back, nodeMac(NODES - 1)));
  assert.equal(harness.directory.here(BLUE, ip(back))?.router, 'vr-b');
  harness.clock.advance(5_000);
  const sent = harness.take();
  assert(!broadcasts(sent).has(back));
  assert.equal(broadcasts(sent).size, NODES - 1);
});

test('a node of a burst that answers here contradicts the claim, asked or not yet', () => {
  const harness = claimedAway();
  harness.clock.advance(1);
  const node = NODES - 2;
  harness.see({ ...arpOf(`10.2.0.${100 + node}`, nodeMac(node), '0.0.0.0', 2), ethernetDestination: VR_MAC });
  assert.equal(harness.directory.here(BLUE, ip(`10.2.0.${100 + node}`))?.router, 'vr-b');
  assert(harness.eventNames().includes('move_undone'));
});
