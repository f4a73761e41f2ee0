/** Tombstones are kept for a day, but a LAN or a router that makes and withdraws nodes all day does not fill the tables. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Ip } from '../../../src/net/ip.js';
import { mac } from '../../../src/net/mac.js';
import { Directory, TOMBSTONES_PER_ROUTER } from '../../../src/tables/directory.js';
import type { NodeRecord } from '../../../src/tables/model.js';
import { SimClock } from '../../support/sim-clock.js';
import { BLUE, record } from './fixtures.js';

const M9 = mac('52:54:00:00:00:09');

function tombstone(n: number, router: string, stamp: number): NodeRecord {
  return { ...record('10.1.0.1', router, 1, stamp, { state: 'withdrawn' }), ip: Ip.v4(0x0a000000 + n) };
}

test('of one router the newest are kept, here and at all others alike', () => {
  const clock = new SimClock();
  const owner = new Directory('vr-a', clock);
  const peer = new Directory('vr-b', clock);
  for (let n = 0; n < TOMBSTONES_PER_ROUTER + 500; n++) {
    for (const made of [
      owner.originate(BLUE, Ip.v4(0x0a000000 + n), M9, 1),
      owner.withdraw(BLUE, Ip.v4(0x0a000000 + n)),
    ])
      if (made !== undefined) peer.apply(made);
    clock.advance(1);
  }
  for (const each of [owner, peer]) {
    assert.equal(each.count('vr-a'), TOMBSTONES_PER_ROUTER);
    assert.equal(each.get(BLUE, Ip.v4(0x0a000000 + 499)), undefined);
    assert.equal(each.get(BLUE, Ip.v4(0x0a000000 + 500))?.state, 'withdrawn');
  }
  assert.deepEqual(owner.lackedBy(peer.digest('vr-a')), []);
});

test('in whatever order they come', () => {
  const order = fc.shuffledSubarray(
    Array.from({ length: TOMBSTONES_PER_ROUTER + 40 }, (_, n) => n),
    { minLength: TOMBSTONES_PER_ROUTER + 40 },
  );
  fc.assert(
    fc.property(order, (numbers) => {
      const directory = new Directory('vr-b', new SimClock());
      for (const n of numbers) directory.apply(tombstone(n, 'vr-a', 1_000 + n));
      assert.equal(directory.count('vr-a'), TOMBSTONES_PER_ROUTER);
      for (let n = 0; n < 40; n++) assert.equal(directory.get(BLUE, Ip.v4(0x0a000000 + n)), undefined);
      for (let n = 40; n < 80; n++) assert.ok(directory.get(BLUE, Ip.v4(0x0a000000 + n)));
    }),
    { numRuns: 5 },
  );
});

test('each router has its own; nodes that are here are not counted', () => {
  const directory = new Directory('vr-b', new SimClock());
  for (let n = 0; n < 5_000; n++)
    directory.apply({ ...record('10.1.0.1', 'vr-a', 1, n), ip: Ip.v4(0x0b000000 + n) });
  for (let n = 0; n < TOMBSTONES_PER_ROUTER; n++) directory.apply(tombstone(n, 'vr-a', 1_000 + n));
  directory.apply(tombstone(100_000, 'vr-c', 1_000));
  assert.equal(directory.size, 5_000 + TOMBSTONES_PER_ROUTER + 1);
});

test('a node whose tombstone was dropped is known anew', () => {
  const clock = new SimClock();
  const directory = new Directory('vr-a', clock);
  directory.originate(BLUE, Ip.of('10.1.0.9'), M9, 1);
  directory.withdraw(BLUE, Ip.of('10.1.0.9'));
  for (let n = 0; n < TOMBSTONES_PER_ROUTER; n++) {
    clock.advance(1);
    directory.originate(BLUE, Ip.v4(0x0b000000 + n), M9, 1);
    directory.withdraw(BLUE, Ip.v4(0x0b000000 + n));
  }
  assert.equal(directory.get(BLUE, Ip.of('10.1.0.9')), undefined);
  const made = directory.originate(BLUE, Ip.of('10.1.0.9'), M9, 1);
  assert.equal(directory.here(BLUE, Ip.of('10.1.0.9')), made);
});
