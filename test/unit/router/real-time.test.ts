import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RealTimePrecedence } from '../../../src/router/life/real-time.js';
import { SimClock } from '../../support/sim-clock.js';

const THREAD = 4711;

class World {
  readonly clock = new SimClock();
  readonly taken: number[] = [];
  has = false;
  allowed = true;
  cpuSeconds = 12.345;
  readonly precedence = new RealTimePrecedence(
    this.clock,
    {
      takeRealTime: (thread, limitMs) => {
        if (!this.allowed) throw new Error('no real-time precedence: Operation not permitted (EPERM)');
        assert.equal(thread, THREAD);
        assert.ok(limitMs > 0);
        this.taken.push(this.clock.nowMs());
        this.has = true;
      },
      leaveRealTime: (thread) => {
        assert.equal(thread, THREAD);
        this.has = false;
      },
      hasRealTime: (thread) => thread === THREAD && this.has,
      cpuSeconds: (thread) => (thread === THREAD ? this.cpuSeconds : 0),
    },
    THREAD,
  );

  /** The thread works for this share of the time. */
  pass(ms: number, share: number): void {
    for (let passed = 0; passed < ms; passed += 10) {
      this.cpuSeconds += 0.01 * share;
      this.clock.advance(10);
    }
  }
}

test('a thread that works little has it', () => {
  const world = new World();
  assert.equal(world.precedence.start(), undefined);
  world.pass(60_000, 0.04);
  assert.equal(world.has, true);
  assert.deepEqual(world.taken, [0]);
});

test('a burst of moves does not cost it', () => {
  const world = new World();
  world.precedence.start();
  world.pass(1_500, 0.01);
  world.pass(80, 1);
  world.pass(2_000, 0.01);
  assert.deepEqual([world.has, world.taken.length], [true, 1]);
});

test('a thread that is busy for a tenth of the time loses it within a second, and has it again after five calm ones', () => {
  const world = new World();
  world.precedence.start();
  world.pass(1_000, 0.12);
  assert.equal(world.has, false);
  world.pass(20_000, 0.07);
  assert.equal(world.has, false);
  world.pass(4_000, 0.02);
  assert.equal(world.has, false);
  world.pass(2_000, 0.02);
  assert.equal(world.has, true);
});

test('work in between begins the calm time anew', () => {
  const world = new World();
  world.precedence.start();
  world.pass(1_000, 0.6);
  for (let n = 0; n < 5; n++) {
    world.pass(3_000, 0.02);
    world.pass(1_000, 0.5);
  }
  assert.equal(world.has, false);
});

test('what the kernel ended comes back after a calm time', () => {
  const world = new World();
  world.precedence.start();
  world.pass(1_000, 0.02);
  world.has = false;
  world.pass(4_500, 0.02);
  assert.equal(world.has, false);
  world.pass(1_500, 0.02);
  assert.equal(world.has, true);
});

test('without the right to it the reason is said, and nothing more happens', () => {
  const world = new World();
  world.allowed = false;
  assert.match(world.precedence.start() ?? '', /EPERM/);
  world.allowed = true;
  world.pass(60_000, 0);
  assert.deepEqual(world.taken, []);
});

test('a thread whose work cannot be seen does not get it', () => {
  const world = new World();
  world.cpuSeconds = 0;
  assert.match(world.precedence.start() ?? '', /cannot be told/);
  world.pass(60_000, 0);
  assert.deepEqual(world.taken, []);
});

test('the end takes it away, for good', () => {
  const world = new World();
  world.precedence.start();
  world.pass(1_000, 0);
  world.precedence.stop();
  assert.equal(world.has, false);
  world.pass(60_000, 0);
  assert.deepEqual(world.taken, [0]);
});
