import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Mac, macHigh, macLow } from '../../../src/net/mac.js';
import { MacTable } from '../../../src/tables/forwarding/mac-table.js';

const has = (table: MacTable, vnet: number, mac: Mac): boolean => table.has(vnet, macHigh(mac), macLow(mac));

describe('MAC table', () => {
  test('agrees with a plain set whatever is added and deleted, also as seen through its memory', () => {
    // Few keys and a small table: chains that wrap and close are the rule.
    const key = fc.tuple(fc.constantFrom(1, 2, 65_535), fc.integer({ min: 0, max: 12 }));
    const step = fc.record({ add: fc.boolean(), key });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const table = MacTable.create(32);
        const reader = MacTable.attach(table.memory);
        const oracle = new Set<string>();
        const macOf = (n: number): Mac => (0xfe54_0000_0000 + n * 0x1_0001_0007) as Mac;
        for (const {
          add,
          key: [vnet, n],
        } of steps) {
          const text = `${vnet} ${n}`;
          if (add) {
            const fits = oracle.has(text) || oracle.size < 24;
            assert.equal(table.add(vnet, macOf(n)), fits);
            if (fits) oracle.add(text);
          } else {
            table.delete(vnet, macOf(n));
            oracle.delete(text);
          }
          assert.equal(table.size, oracle.size);
          for (const v of [1, 2, 65_535]) {
            for (let i = 0; i <= 12; i++) assert.equal(has(reader, v, macOf(i)), oracle.has(`${v} ${i}`));
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  test('is not to be had from other memory', () => {
    assert.throws(() => MacTable.attach(new SharedArrayBuffer(64)), /not a MAC table/);
    assert.throws(() => MacTable.create(3), RangeError);
  });
});
