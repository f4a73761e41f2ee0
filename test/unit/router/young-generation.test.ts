import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { YoungGeneration, youngSpace } from '../../../src/router/life/young-generation.js';
import { SimClock } from '../../support/sim-clock.js';

class World {
  readonly clock = new SimClock();
  fullness = 0;
  collections = 0;
  readonly young = new YoungGeneration(this.clock, {
    fullness: () => this.fullness,
    collect: () => {
      this.collections++;
      this.fullness = 0.2;
    },
  });
}

test('it is collected when it is half full, not before', () => {
  const world = new World();
  world.young.start();
  world.fullness = 0.49;
  world.clock.advance(60_000);
  assert.equal(world.collections, 0);
  world.fullness = 0.5;
  world.clock.advance(1_000);
  assert.equal(world.collections, 1);
  world.clock.advance(60_000);
  assert.equal(world.collections, 1);
  world.fullness = 0.9;
  world.clock.advance(1_000);
  assert.equal(world.collections, 2);
});

test('after the end nothing is collected', () => {
  const world = new World();
  world.young.start();
  world.young.stop();
  world.fullness = 1;
  world.clock.advance(60_000);
  assert.equal(world.collections, 0);
});

test('without the flag there is nothing to collect with', { skip: globalThis.gc !== undefined }, () => {
  assert.equal(youngSpace(), undefined);
});

test('V8 says how full it is, and collects it', () => {
  const program = `
    const { youngSpace } = await import('${new URL('../../../src/router/life/young-generation.js', import.meta.url).pathname}');
    const space = youngSpace();
    space.collect();
    const empty = space.fullness();
    const kept = [];
    while (space.fullness() < 0.7) for (let n = 0; n < 100; n++) kept[n] = { n };
    const full = space.fullness();
    space.collect();
    console.log(JSON.stringify({ empty, full, collected: space.fullness() }));
  `;
  const flags = ['--max-semi-space-size=1', '--expose-gc', '--input-type=module'];
  const { stdout, stderr } = spawnSync('node', [...flags, '-e', program], { encoding: 'utf8' });
  assert.ok(stdout !== '', stderr);
  const { empty, full, collected } = JSON.parse(stdout) as Record<string, number>;
  assert.ok(empty !== undefined && full !== undefined && collected !== undefined, stdout);
  assert.ok(full >= 0.7 && full <= 1 && empty < 0.6 && collected < 0.6, stdout);
});
