import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Watchdog } from '../../../src/router/life/watchdog.js';
import { SimClock } from '../../support/sim-clock.js';

const LIMIT_MS = 10_000;

class World {
  readonly clock = new SimClock();
  readonly fedAtMs: number[] = [];
  readonly stalls: string[] = [];
  readonly turns = { lan: 0, tunnel: 0 };
  readonly watchdog: Watchdog;

  constructor(limitMs = LIMIT_MS) {
    this.watchdog = new Watchdog({
      clock: this.clock,
      limitMs,
      turns: () => Object.entries(this.turns).map(([name, turns]) => ({ name, turns })),
      alive: () => this.fedAtMs.push(this.clock.nowMs()),
      onStall: (worker) => this.stalls.push(worker),
    });
  }

  /** Lets time pass in steps of a worker's longest wait; the workers named go on. */
  pass(ms: number, ...going: ('lan' | 'tunnel')[]): void {
    for (let passed = 0; passed < ms; passed += 200) {
      for (const name of going) this.turns[name]++;
      this.clock.advance(200);
    }
  }

  /** The longest time without a sign of life, from `sinceMs` until now. */
  silenceMs(sinceMs = 0): number {
    const times = [...this.fedAtMs.filter((at) => at >= sinceMs), this.clock.nowMs()];
    return Math.max(...times.map((at, i) => at - (times[i - 1] ?? sinceMs)));
  }
}

test('idle workers, which turn every 200 ms, keep it fed well within the limit', () => {
  const world = new World();
  world.watchdog.start();
  world.pass(60_000, 'lan', 'tunnel');
  assert.ok(world.silenceMs() <= LIMIT_MS / 2, `${world.silenceMs()} ms of silence`);
  assert.deepEqual(world.stalls, []);
});

for (const [stuck, other] of [
  ['lan', 'tunnel'],
  ['tunnel', 'lan'],
] as const) {
  test(`when the ${stuck} worker alone hangs, it is fed no more, and the worker is named once`, () => {
    const world = new World();
    world.watchdog.start();
    world.pass(20_000, 'lan', 'tunnel');
    const before = world.fedAtMs.length;
    world.pass(60_000, other);
    assert.ok(world.fedAtMs.length <= before + 1, 'fed although a worker hangs');
    assert.ok(world.silenceMs(20_000) > LIMIT_MS);
    assert.deepEqual(world.stalls, [stuck]);
  });
}

test('a worker that was slow for a moment and goes on does not cost the limit', () => {
  const world = new World();
  world.watchdog.start();
  world.pass(5_000, 'lan', 'tunnel');
  world.pass(4_000, 'lan');
  world.pass(20_000, 'lan', 'tunnel');
  assert.ok(world.silenceMs() < LIMIT_MS, `${world.silenceMs()} ms of silence`);
});

test('a count that wraps is progress all the same', () => {
  const world = new World();
  world.turns.lan = 2 ** 31 - 1;
  world.watchdog.start();
  world.turns.lan = -(2 ** 31);
  world.turns.tunnel++;
  world.clock.advance(LIMIT_MS / 4);
  assert.equal(world.fedAtMs.length, 2);
});

test('with a short limit it still does not look more often than workers wake', () => {
  const world = new World(2_000);
  world.watchdog.start();
  world.pass(20_000, 'lan', 'tunnel');
  assert.deepEqual(world.stalls, []);
  assert.ok(world.silenceMs() <= 1_000);
});

test('stopped, it says nothing more', () => {
  const world = new World();
  world.watchdog.start();
  world.watchdog.stop();
  world.pass(20_000, 'lan', 'tunnel');
  assert.equal(world.fedAtMs.length, 1);
});
