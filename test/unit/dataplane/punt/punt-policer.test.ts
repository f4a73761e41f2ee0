/** How much of what a packet worker would hand up to the control thread may be handed up. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { Budgets, createBudgets } from '../../../../src/dataplane/budget/budgets.js';
import { MAX_PEERS } from '../../../../src/dataplane/engine.js';
import { PeerShares } from '../../../../src/dataplane/punt/peer-shares.js';
import { Tally, unitsOf } from '../../../../src/dataplane/punt/punt.js';
import { PuntPolicer, type PuntVerdict } from '../../../../src/dataplane/punt/punt-policer.js';
import { SimClock } from '../../../support/sim-clock.js';

const [A, B] = [0, 1];
/** Units that may wait: in all, and of one peer while there is nothing else. */
const ROOM = 16_384;
const MOST_OF_ONE = Math.floor(ROOM / 17);
/** Bytes. */
const [ACK, CLAIM, RECORDS] = [40, 300, 1_200];
const RECORDS_EACH = 16;
/** Of the channel: ordinary messages in flight. */
const WINDOW = 128;

class Bench {
  readonly clock = new SimClock();
  readonly shares = PeerShares.create();
  readonly policer: PuntPolicer;
  /** Of another worker of the same direction. */
  readonly other: PuntPolicer;
  readonly #done = new Int32Array(new SharedArrayBuffer(Tally.count * 4));
  /** Units that wait at the control thread, by tally. */
  readonly #waiting = new Map<number, number>();

  /** @param done what has been worked on before, by every tally */
  constructor(done = 0) {
    const passed = new Int32Array(new SharedArrayBuffer(Tally.count * 4));
    for (const words of [this.#done, passed]) words.fill(done);
    const tallies = {
      puntsDone: this.#done.buffer as SharedArrayBuffer,
      puntsPassed: passed.buffer as SharedArrayBuffer,
    };
    const budgets = createBudgets();
    const policer = () =>
      new PuntPolicer(new Budgets(this.clock, budgets), tallies, PeerShares.attach(this.shares.memory));
    this.policer = policer();
    this.other = policer();
  }

  /** How many of so many messages pass, and why the last that did not did not. */
  send(count: number, peer: number, lengthBytes: number): { passed: number; refusal: PuntVerdict } {
    let [passed, refusal]: [number, PuntVerdict] = [0, 'pass'];
    for (let i = 0; i < count; i++) {
      // By turns, as if they came to two workers: the bounds are of both together.
      const verdict = (i % 2 === 0 ? this.policer : this.other).control(peer, lengthBytes);
      if (verdict === 'pass') passed++;
      else refusal = verdict;
    }
    this.#add(peer, passed * unitsOf(lengthBytes));
    return { passed, refusal };
  }

  count(tally: number, pass: () => boolean, times: number): number {
    let passed = 0;
    for (let i = 0; i < times; i++) passed += Number(pass());
    this.#add(tally, passed);
    return passed;
  }

  waiting(tally: number): number {
    return this.#waiting.get(tally) ?? 0;
  }

  get waitingInAll(): number {
    return [...this.#waiting.values()].reduce((sum, units) => sum + units, 0);
  }

  /** The control thread works on everything. */
  workOff(): void {
    for (const [tally, units] of this.#waiting) this.#doneWith(tally, units);
    this.#waiting.clear();
  }

  #add(tally: number, units: number): void {
    this.#waiting.set(tally, this.waiting(tally) + units);
  }

  #doneWith(tally: number, units: number): void {
    Atomics.add(this.#done, tally, units);
    if (tally < MAX_PEERS) Atomics.add(this.#done, Tally.peers, units);
  }
}

describe('control messages of peers', () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
  });

  it('one that floods fills its part, and no other’s', () => {
    const { passed, refusal } = bench.send(1_000_000, A, ACK);
    assert.ok(Math.abs(passed - MOST_OF_ONE) <= 16, `${passed}`);
    assert.equal(refusal, 'full');
    assert.equal(bench.send(500, B, CLAIM).passed, 500);
  });

  it('what is longer counts for more', () => {
    const { passed } = bench.send(10_000, A, 16_384);
    assert.ok(Math.abs(passed - MOST_OF_ONE / 9) <= 2, `${passed}`);
  });

  it('a thousand that flood leave room for whoever has said nothing yet', () => {
    for (let i = 0; i < 100; i++) for (let peer = 100; peer < 1_100; peer++) bench.send(4, peer, RECORDS);
    assert.ok(bench.waitingInAll <= ROOM, `${bench.waitingInAll}`);
    for (const peer of [A, B]) assert.equal(bench.send(8, peer, CLAIM).passed, 8);
  });

  it('as many as there can be, with messages as long as can be: never more than the room, and a place for the last', () => {
    for (let peer = 0; peer < MAX_PEERS - 1; peer++) bench.send(4, peer, ACK);
    assert.ok(bench.waitingInAll <= ROOM, `${bench.waitingInAll}`);
    assert.equal(bench.send(1, MAX_PEERS - 1, ACK).passed, 1);
    bench.workOff();
    for (let peer = 0; peer < MAX_PEERS; peer++) bench.send(4, peer, 16_384);
    assert.ok(bench.waitingInAll <= ROOM, `${bench.waitingInAll}`);
  });

  it('fifty moves at once while the control thread is busy: claims, results and their acknowledgements pass', () => {
    assert.equal(bench.send(100, A, CLAIM).passed + bench.send(100, A, ACK).passed, 200);
  });

  it('a first synchronisation of 100,000 records each way, as fast as the channel sends it, passes', () => {
    for (let records = 0; records < 100_000; records += WINDOW * RECORDS_EACH) {
      assert.equal(bench.send(WINDOW, A, RECORDS).passed, WINDOW);
      assert.equal(bench.send(WINDOW, A, ACK).passed, WINDOW);
      bench.workOff();
      bench.clock.advance(1);
    }
  });

  it('one that goes on has a rate; silent, it may speak at length again', () => {
    const passedIn = (seconds: number): number => {
      let passed = 0;
      for (let ms = 0; ms < seconds * 1_000; ms++) {
        passed += bench.send(100, A, ACK).passed;
        bench.workOff();
        bench.clock.advance(1);
      }
      return passed;
    };
    passedIn(1);
    const passed = passedIn(2);
    assert.ok(Math.abs(passed - 2 * 2_000) <= 1, `${passed} in two seconds`);
    assert.equal(bench.send(1_000, A, ACK).refusal, 'rate');
    assert.equal(bench.send(500, B, ACK).passed, 500, 'another peer has its own');
    bench.clock.advance(1_000);
    bench.workOff();
    assert.equal(bench.send(900, A, ACK).passed, 900);
  });

  it('the share of one that misbehaves can be made smaller, down to nothing, and whole again', () => {
    bench.shares.set(A, 1 / 8);
    const { passed } = bench.send(10_000, A, ACK);
    assert.ok(passed > 0 && passed <= ROOM / 16 / 8, `${passed}`);
    bench.workOff();
    bench.shares.set(A, 0);
    assert.deepEqual(bench.send(100, A, ACK), { passed: 0, refusal: 'rate' });
    for (const whole of [1, 7, Number.POSITIVE_INFINITY, Number.NaN]) {
      bench.shares.set(A, whole);
      assert.equal(bench.send(100, A, ACK).passed, 100, `${whole}`);
    }
    for (const nothing of [-1, Number.NEGATIVE_INFINITY, 1e-9]) {
      bench.shares.set(A, nothing);
      assert.equal(bench.send(100, A, ACK).passed, 0, `${nothing}`);
    }
  });

  it('goes on when its counts wrap', () => {
    for (const before of [2 ** 31 - 50, -50]) {
      bench = new Bench(before);
      for (let i = 0; i < 3; i++) {
        assert.equal(bench.send(500, A, ACK).passed, 500);
        bench.send(1_000, A, ACK);
        bench.workOff();
      }
    }
  });
});

describe('what else is handed up', () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
  });

  it('no more than 512 handshakes and 64 new connections wait', () => {
    const { policer } = bench;
    assert.equal(
      bench.count(Tally.handshake, () => policer.handshake(), 10_000),
      512,
    );
    assert.equal(
      bench.count(Tally.stream, () => policer.accepted(), 10_000),
      64,
    );
    bench.workOff();
    assert.equal(
      bench.count(Tally.handshake, () => policer.handshake(), 10),
      10,
    );
    assert.equal(
      bench.count(Tally.stream, () => policer.accepted(), 10),
      10,
    );
  });

  it('reports of one kind leave room for the others', () => {
    const { policer } = bench;
    const wants = bench.count(Tally.want, () => policer.report('want'), 100_000);
    assert.equal(wants, 2_048);
    assert.equal(
      bench.count(Tally.redirect, () => policer.report('redirect'), 500),
      500,
    );
  });
});
