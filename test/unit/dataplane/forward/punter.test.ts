/** What workers report of packets: once a second for one subject, and never more than can be worked on. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { C, createPacketCounters } from '../../../../src/dataplane/counters.js';
import { Punter } from '../../../../src/dataplane/forward/punter.js';
import { WorkerContext } from '../../../../src/dataplane/forward/worker-context.js';
import { markDone, type Punt } from '../../../../src/dataplane/punt/punt.js';
import { ZERO_MAC } from '../../../../src/net/mac.js';
import { MemoryEngine } from '../../../support/memory-engine.js';
import { SimClock } from '../../../support/sim-clock.js';
import { workerInput } from '../../../support/worker-input.js';

class Bench {
  readonly clock = new SimClock();
  readonly counters = createPacketCounters();
  readonly #input = workerInput(ZERO_MAC, { counters: this.counters.buffer as SharedArrayBuffer });
  readonly #punts: Punt[] = [];
  readonly punter: Punter;

  constructor() {
    const context = new WorkerContext(new MemoryEngine(), this.#input, this.clock);
    this.punter = new Punter(context, this.#input, {
      punt: (punt) => this.#punts.push(punt) > 0,
      closeStream: () => {},
    });
  }

  /** How many reports there are when packets wait for the MACs of these many addresses. */
  want(from: number, count = 1): number {
    const before = this.#punts.length;
    for (let n = from; n < from + count; n++) this.punter.want(1, { family: 4, words: [0, 0, 0, n] });
    return this.#punts.length - before;
  }

  clientWanted(peer: number): number {
    const before = this.#punts.length;
    this.punter.clientWanted(peer);
    return this.#punts.length - before;
  }

  workOff(): void {
    const done = new Int32Array(this.#input.puntsDone);
    for (const punt of this.#punts.splice(0)) markDone(done, punt);
  }
}

describe('reports of packets', () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
  });

  test('one a second for one subject', () => {
    assert.equal(bench.want(1), 1);
    bench.clock.advance(999);
    assert.equal(bench.want(1), 0);
    assert.equal(bench.want(2), 1);
    bench.clock.advance(1);
    assert.equal(bench.want(1), 1);
  });

  test('a flood of subjects loses reports, and leaves those of another kind alone', () => {
    assert.equal(bench.want(0, 100_000), 1_024);
    assert.equal(bench.clientWanted(1), 1);
    bench.clock.advance(500);
    assert.equal(bench.want(100_000, 100_000), 0);
    bench.clock.advance(500);
    assert.equal(bench.want(0), 1, 'one of those that were reported a second ago');
    assert.equal(bench.want(200_000, 100_000), 1_023);
  });

  test('while nobody works on them there are no more than some', () => {
    let sum = 0;
    for (let second = 0; second < 20; second++) {
      sum += bench.want(second * 1_000, 1_000);
      bench.clock.advance(1_000);
    }
    assert.equal(sum, 2_048);
    assert.equal(bench.counters[C.report_dropped_queue_full], 20_000 - 2_048);
    bench.workOff();
    assert.equal(bench.want(1), 1);
  });
});
