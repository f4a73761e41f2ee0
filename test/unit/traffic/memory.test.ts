/** What a day of counting takes, when there are always more pairs than are kept; and a tenth of it, in a tenth of the room. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Ip } from '../../../src/net/ip.js';
import { gather } from '../../../src/traffic/gather.js';
import { MOST_BYTES, Periods } from '../../../src/traffic/periods.js';
import { pair } from './counting.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const PERIODS = 288;
const ROOM_BYTES = MOST_BYTES / 10;
const START_MS = 1_767_225_600_000;
const MIB = 1_048_576;

/** Buffers are freed some time after they have been collected: the least of some looks. */
async function usedBytes(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let look = 0; look < 10; look++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    least = Math.min(least, heapUsed + arrayBuffers);
  }
  return least;
}

for (const family of [4, 6] as const)
  test(`IPv${family}: a tenth of a day, 5,000 pairs in each period`, async (t) => {
    const pairs = Array.from({ length: 5_000 }, (_, i) => {
      const ip = (high: number): Ip =>
        family === 4 ? Ip.v4(high * 65_536 + i) : Ip.v6(0xfd000000, high, 0, i);
      return pair(i, 0, { source: ip(0x0a01), destination: ip(0x0a02) });
    });
    const before = await usedBytes();
    const periods = new Periods(START_MS, { mostBytes: ROOM_BYTES });
    let slowestMs = 0;
    for (let period = 1; period <= PERIODS; period++) {
      for (const [i, one] of pairs.entries())
        periods.add(one, { packets: 1_000 + i, bytes: 1_000_000 + 1_000 * i });
      periods.roll(START_MS + period * 30_000);
      for (let isLeft = true; isLeft; ) {
        const startedMs = performance.now();
        isLeft = periods.tidy();
        slowestMs = Math.max(slowestMs, performance.now() - startedMs);
      }
    }
    const heldMib = ((await usedBytes()) - before) / MIB;
    assert.ok(periods.bytes <= ROOM_BYTES && periods.count === PERIODS);
    assert.ok(heldMib < 1.25 * (ROOM_BYTES / MIB) + 1, `${heldMib} MiB`);
    // The newest are whole.
    const kept = [...periods.between(0, Number.MAX_SAFE_INTEGER)].map(({ counted }) => counted.pairs.length);
    assert.equal(kept.at(-1), 4_096);
    const startedMs = performance.now();
    const question = {
      lastPeriod: periods.startSeconds / 30 - 1,
      periods: PERIODS,
      approximate: false,
      detail: false,
      weightPermille: 1_000,
      vnet: undefined,
      ips: [],
      mostPairs: 1_024,
    };
    let slices = 0;
    for (const work = gather(periods, question, START_MS + PERIODS * 30_000); work.next().done !== true; )
      slices++;
    const askedMs = performance.now() - startedMs;
    assert.equal(slices, PERIODS);
    t.diagnostic(
      `${heldMib.toFixed(1)} MiB; a step of tidying ${slowestMs.toFixed(1)} ms at most; a question about all ${askedMs.toFixed(0)} ms`,
    );
    t.diagnostic(
      `pairs kept, oldest to newest: ${kept.filter((_, i) => i % 29 === 0).join(' ')} … ${kept.at(-1)}`,
    );
  });
