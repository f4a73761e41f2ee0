/** Turns of writes to the same sectors: their order, and what many at once cost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ranges } from '../../../src/courier/volume/files/ranges.js';
import { Random } from '../../fuzz/random.js';

const CHUNK = 7;

test('whoever overlaps goes in the order of entering, others at once', async () => {
  const ranges = new Ranges();
  const random = new Random(3);
  const left: { from: number; to: number }[] = [];
  const running = new Set<{ from: number; to: number }>();
  const entered: { from: number; to: number }[] = [];
  const work = Array.from({ length: 400 }, async () => {
    const from = random.below(31);
    const to = from + 1 + random.below(random.chance(20) ? 32 - from : Math.min(3, 32 - from));
    const mine = { from, to };
    entered.push(mine);
    const turn = ranges.enter(CHUNK, from, to);
    await turn.before;
    for (const other of running)
      assert.ok(other.to <= from || to <= other.from, `${from}–${to} beside ${other.from}–${other.to}`);
    running.add(mine);
    for (let wait = random.below(4); wait > 0; wait--) await new Promise((done) => setImmediate(done));
    running.delete(mine);
    left.push(mine);
    turn.leave();
  });
  assert.ok(ranges.isBusy(CHUNK));
  await Promise.all(work);
  assert.ok(!ranges.isBusy(CHUNK));
  for (const [at, one] of left.entries())
    for (const later of left.slice(at + 1))
      if (one.from < later.to && later.from < one.to)
        assert.ok(entered.indexOf(one) < entered.indexOf(later), 'in the order of entering');
  assert.notDeepEqual(left, entered, 'some did not wait');
});

test('two thousand turns of one sector wait for one another, not each for all', () => {
  const ranges = new Ranges();
  const before = process.memoryUsage().heapUsed;
  const turns = Array.from({ length: 2000 }, () => ranges.enter(CHUNK, 5, 6));
  const bytes = process.memoryUsage().heapUsed - before;
  assert.equal(turns.filter((turn) => turn.before === undefined).length, 1);
  assert.ok(bytes < 16 * 1024 * 1024, `${bytes} bytes for ${turns.length} turns`);
});
