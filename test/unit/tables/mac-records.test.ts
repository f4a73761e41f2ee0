import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Ip } from '../../../src/net/ip.js';
import { MacRecords } from '../../../src/tables/mac-records.js';
import type { NodeRecord } from '../../../src/tables/model.js';
import { anyRecord, BLUE, RED, record } from './fixtures.js';

test('agrees with a list, whatever is added and taken out', () => {
  const steps = fc.array(fc.record({ made: anyRecord, removes: fc.option(fc.nat()) }), { maxLength: 60 });
  fc.assert(
    fc.property(steps, (history) => {
      const index = new MacRecords('vr-a');
      const held: NodeRecord[] = [];
      for (const { made, removes } of history) {
        index.add(made);
        held.push(made);
        if (removes === null) continue;
        const [victim] = held.splice(removes % held.length, 1);
        if (victim !== undefined) index.delete(victim);
        for (const { mac } of history.map((step) => step.made))
          for (const vnet of [BLUE, RED]) {
            const wanted = held.filter((each) => each.vnet === vnet && each.mac === mac);
            assert.deepEqual(index.of(vnet, mac), wanted);
            const isElsewhere = wanted.length > 0 && wanted.every(({ router }) => router !== 'vr-a');
            assert.equal(index.isElsewhere(vnet, mac), isElsewhere);
          }
      }
    }),
  );
});

test('a list that was handed out does not change', () => {
  const index = new MacRecords('vr-a');
  const [one, two] = [record('10.1.0.1', 'vr-a', 1, 1), record('10.1.0.2', 'vr-a', 1, 2)];
  index.add(one);
  index.add(two);
  const list = index.of(BLUE, one.mac);
  index.add(record('10.1.0.3', 'vr-a', 1, 3));
  index.delete(one);
  assert.deepEqual(list, [one, two]);
});

test('thousands of addresses of one MAC cost no walk through all of them for each', () => {
  const index = new MacRecords('vr-a');
  let looks = 0;
  const records = Array.from({ length: 10_000 }, (_, n) => ({
    ...record('10.1.0.1', 'vr-b', 1, n),
    ip: Ip.v4(0x0a000000 + n),
    get router(): string {
      looks++;
      return 'vr-b';
    },
  }));
  for (const each of records) {
    index.add(each);
    assert.ok(index.isElsewhere(BLUE, each.mac));
  }
  for (const each of records) index.delete(each);
  assert.ok(looks <= 4 * records.length, `${looks} looks`);
});
