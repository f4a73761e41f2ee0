/** What workers report of packets: once a second for one subject, and never more than can be worked on. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { ZERO_MAC } from '../../../../src/net/mac.js';
import { PacketWorker } from '../../../support/packet-worker.js';
import { SimClock } from '../../../support/sim-clock.js';

describe('reports', () => {
  let worker: PacketWorker;
  const mayReport = (kind: 'want' | 'sourceElsewhere', n: number): boolean =>
    worker.context.mayReport(kind, 0, 1, { family: 4, words: [0, 0, 0, n] });
  const allowed = (kind: 'want' | 'sourceElsewhere', from: number, to: number): number => {
    let count = 0;
    for (let n = from; n < to; n++) count += Number(mayReport(kind, n));
    return count;
  };
  beforeEach(() => {
    worker = new PacketWorker({ clock: new SimClock(), self: 0, mac: ZERO_MAC, mtuBytes: 1_400 });
  });

  test('one a second for one subject', () => {
    assert.equal(mayReport('want', 1), true);
    worker.clock.advance(999);
    assert.equal(mayReport('want', 1), false);
    assert.equal(mayReport('want', 2), true);
    worker.clock.advance(1);
    assert.equal(mayReport('want', 1), true);
  });

  test('a flood of subjects loses reports, and leaves those of another kind alone', () => {
    assert.equal(allowed('want', 0, 100_000), 1_024);
    assert.equal(mayReport('sourceElsewhere', 1), true);
    worker.clock.advance(500);
    assert.equal(allowed('want', 100_000, 200_000), 0);
    worker.clock.advance(500);
    assert.equal(mayReport('want', 0), true, 'one of those that were reported a second ago');
    assert.equal(allowed('want', 200_000, 300_000), 1_023);
  });

  test('while nobody works on them they end', () => {
    let sum = 0;
    for (let second = 0; second < 20; second++) {
      sum += allowed('want', second * 1_000, second * 1_000 + 1_000);
      worker.clock.advance(1_000);
    }
    assert.equal(sum, 2_048);
    assert.ok(worker.counted('report_dropped_queue_full') > 10_000);
  });
});
