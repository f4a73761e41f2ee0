/** What a freeze is worth at routers that have not made it: vr-b hears of a node of vr-a. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { NodeRecord, RouterId } from '../../../src/tables/model.js';
import { BLUE, Harness, ip, NODE_MAC, recordOf } from './harness.js';

const AWAY = '10.1.0.9';

function known(): Harness {
  const harness = new Harness();
  harness.known(AWAY, NODE_MAC, 'vr-a');
  harness.clock.advance(3_000);
  harness.take();
  return harness;
}

function told(harness: Harness, by: RouterId, change: Partial<NodeRecord>): void {
  const records = [{ ...recordOf(AWAY, NODE_MAC, by), ...change }];
  harness.mobility.message(by, { type: 'records', records });
  harness.clock.advance(20);
}

function holder(harness: Harness): RouterId | undefined {
  return harness.directory.here(BLUE, ip(AWAY))?.router;
}

describe('what is known of a liar', () => {
  const said: readonly (readonly [what: string, change: Partial<NodeRecord>])[] = [
    ['a record', { frozen: true }],
    ['a tombstone', { frozen: true, state: 'withdrawn' }],
  ];
  for (const [what, change] of said) {
    test(`is not forgotten because it says that ${what} of its own is frozen no more`, () => {
      const harness = known();
      told(harness, 'vr-c', { seq: 2, stamp: 2 });
      told(harness, 'vr-c', { seq: 2, stamp: 3, ...change });
      told(harness, 'vr-c', { seq: 2, stamp: 4 });
      told(harness, 'vr-a', { seq: 3 });
      harness.take();
      told(harness, 'vr-c', { seq: 4, stamp: 5 });
      assert.equal(holder(harness), 'vr-a', 'it had the node for a moment only');
      assert.deepEqual(
        harness.takeMessages('whoHas').map(({ to }) => to),
        ['vr-a'],
      );
    });
  }
});
