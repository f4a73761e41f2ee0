/** Limits that several packet workers of a direction keep to together (src/dataplane/budget). */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { Budgets, createBudgets } from '../../../src/dataplane/budget/budgets.js';
import { SharedRate } from '../../../src/dataplane/budget/shared-rate.js';
import { HoldRoom } from '../../../src/dataplane/forward/hold-room.js';
import { HandshakeGate } from '../../../src/dataplane/punt/handshake-gate.js';
import type { AddressWords } from '../../../src/dataplane/punt/punt.js';
import { type Rate, RateLimit } from '../../../src/net/rate-limit.js';
import { SimClock } from '../../support/sim-clock.js';

const v4 = (n: number): AddressWords => ({ family: 4, words: [0, 0, 0, n] });
const RATES: readonly Rate[] = [
  { perSecond: 100, burst: 100 },
  { perSecond: 2_000, burst: 16_384 },
  { perSecond: 20, burst: 5 },
  { perSecond: 1, burst: 1 },
];

describe('a rate in shared memory', () => {
  for (const rate of RATES) {
    it(`of ${rate.perSecond} a second, ${rate.burst} at once, is what one worker alone would keep to`, () => {
      const clock = new SimClock();
      const alone = new RateLimit(clock, rate);
      const words = new Int32Array(new SharedArrayBuffer(4));
      const together = [new SharedRate(clock, rate, words), new SharedRate(clock, rate, words)];
      let [own, shared] = [0, 0];
      // Slower and quicker than the rate, with pauses, for longer than its numbers last before they wrap.
      for (let turn = 0; turn < 60_000; turn++) {
        const everyMs = (1_000 / rate.perSecond) * ([0.2, 1, 3][turn % 3] ?? 1);
        clock.skip(turn % 1_000 === 0 ? 400_000 : everyMs);
        if (alone.allow()) own++;
        if (together[turn % 2]?.allow(0)) shared++;
      }
      assert.ok(Math.abs(own - shared) <= 0.002 * own + 2, `${own} alone, ${shared} together`);
    });
  }

  it('is not passed by threads that take from it at the same moment', async () => {
    const words = new Int32Array(new SharedArrayBuffer(4));
    const module = JSON.stringify(
      new URL('../../../src/dataplane/budget/shared-rate.js', import.meta.url).href,
    );
    const code = `
      import { parentPort, workerData } from 'node:worker_threads';
      const { SharedRate } = await import(${module});
      const rate = new SharedRate({ nowMs: () => 1 }, { perSecond: 1, burst: 50_000 }, new Int32Array(workerData));
      let taken = 0;
      for (let i = 0; i < 50_000; i++) if (rate.allow(0)) taken++;
      parentPort.postMessage(taken);`;
    const url = new URL(`data:text/javascript,${encodeURIComponent(code)}`);
    const counts = await Promise.all(
      [0, 1].map(
        () =>
          new Promise<number>((resolve, reject) => {
            const worker = new Worker(url, { workerData: words.buffer });
            worker.once('message', resolve);
            worker.once('error', reject);
          }),
      ),
    );
    const sum = counts.reduce((a, b) => a + b, 0);
    assert.ok(sum >= 50_000 && sum <= 51_000, counts.join(' + '));
  });
});

describe('two workers of a direction', () => {
  let clock: SimClock;
  let both: readonly [Budgets, Budgets];
  beforeEach(() => {
    clock = new SimClock();
    const memory = createBudgets();
    both = [new Budgets(clock, memory), new Budgets(clock, memory)];
  });

  it('answer a subject once, and remember others', () => {
    const [a, b] = both.map((budgets) => budgets.keyed('want', { perSecond: 1, burst: 1 }));
    assert.deepEqual(
      [a?.allow('x'), b?.allow('x'), b?.allow('y'), a?.allow('y')],
      [true, false, true, false],
    );
    clock.skip(1_001);
    assert.deepEqual([b?.allow('x'), a?.allow('x')], [true, false]);
  });

  it('take from made-up subjects no more than there are places', () => {
    const [a, b] = both.map((budgets) => budgets.keyed('want', { perSecond: 1, burst: 1 }));
    let taken = 0;
    for (let i = 0; i < 50_000; i++) if ((i % 2 === 0 ? a : b)?.allow(`subject ${i}`)) taken++;
    assert.ok(taken > 3_000 && taken <= 4_096, `${taken}`);
  });

  it('let fifty handshakes of strangers through in a second, and cookies for the others', () => {
    const gates = both.map((budgets) => new HandshakeGate(budgets));
    const verdicts = { pass: 0, cookie: 0, limited: 0 };
    for (let i = 0; i < 20_000; i++) {
      const verdict = gates[i % 2]?.judge(1, false, v4(i));
      if (verdict !== undefined) verdicts[verdict]++;
      clock.skip(0.05);
    }
    assert.ok(verdicts.pass >= 98 && verdicts.pass <= 102, JSON.stringify(verdicts));
    assert.ok(Math.abs(verdicts.cookie - 11_000) < 150, JSON.stringify(verdicts));
  });

  it('share the twenty a second of an address that is proven', () => {
    const gates = both.map((budgets) => new HandshakeGate(budgets));
    for (let i = 0; i < 60; i++) gates[i % 2]?.judge(1, false, v4(1));
    let passed = 0;
    for (let i = 0; i < 100; i++) if (gates[i % 2]?.judge(1, true, v4(2)) === 'pass') passed++;
    assert.equal(passed, 5);
  });

  it('hold 64 packets for a node and 256 in all', () => {
    const rooms = both.map((budgets) => new HoldRoom(budgets));
    const take = (node: number): number => {
      let taken = 0;
      for (let i = 0; i < 100; i++) if (rooms[i % 2]?.take(1, v4(node))) taken++;
      return taken;
    };
    assert.equal(take(1), 64);
    // Some may share the word of another.
    const sum = Array.from({ length: 20 }, (_, i) => take(2 + i)).reduce((a, b) => a + b, 64);
    assert.equal(sum, 256);
    for (let i = 0; i < 10; i++) rooms[0]?.give(1, v4(1));
    assert.equal(take(1), 10);
  });
});
