/** The active router dies, or hands over, at any moment of a move: in the end all agree, and everybody is reached. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { SiteId } from '../../src/tables/model.js';
import { StandbyWorld, type StandbyWorldOptions } from '../support/sim-standby-world.js';

/** As fast as a standby decides. */
const SILENCE_MS = 300;
const LONG_MS = 40_000;
/** A move, its announcements and answers, take so long. */
const MOVE_MS = 900;

function build(options: StandbyWorldOptions): StandbyWorld {
  const world = new StandbyWorld(options);
  world.fillCaches();
  return world;
}

for (const verify of ['optimistic', 'strict'] as const) {
  for (const loss of [0, 0.2]) {
    for (const [from, name, to] of [
      ['vr-b', 'h2-1', 'site-a'],
      ['site-a', 'h1-1', 'vr-b'],
    ] as const) {
      const wan = { loss, jitterMs: loss * 100, duplicate: loss / 2 };
      test(`killed at 20 moments of a move from ${from} to ${to}, ${verify}, ${loss * 100} % lost`, () => {
        for (let seed = 1; seed <= 20; seed++) {
          const world = build({ seed, wan, verify });
          const announcement = world.random() < 0.5 ? 'rarp' : 'gratuitous';
          world.move(world.host(name), to, 30, announcement);
          world.settle(world.random() * world.random() * MOVE_MS);
          world.kill(world.a1);
          world.settle(SILENCE_MS);
          world.takeOver(world.a2, 150);
          world.settle(LONG_MS);
          try {
            world.checkAll();
          } catch (error) {
            throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
          }
        }
      });

      test(`handed over at 20 moments of a move from ${from} to ${to}, ${verify}, ${loss * 100} % lost`, () => {
        for (let seed = 1; seed <= 20; seed++) {
          const world = build({ seed, wan, verify });
          world.move(world.host(name), to, 30, world.random() < 0.5 ? 'rarp' : 'gratuitous');
          world.settle(world.random() * world.random() * MOVE_MS);
          world.takeOver(world.a2, 150);
          world.settle(LONG_MS);
          try {
            world.checkAll();
            for (const { mobility } of world.routers) {
              for (const { verdict } of mobility.moves()) assert.notEqual(verdict, 'claiming');
            }
          } catch (error) {
            throw new Error(`seed ${seed}: ${String(error)}`, { cause: error });
          }
        }
      });
    }
  }
}

describe('nobody is claimed on old evidence', () => {
  const goesOn = (world: StandbyWorld, name: string, to: SiteId): void => {
    world.move(world.host(name), to, 0, 'gratuitous');
    world.settle(100);
  };

  for (const [when, isAccepted] of [
    ['before it could be claimed', false],
    ['when it had been claimed', true],
  ] as const) {
    test(`a machine that came and left again while nobody was active, ${when}`, () => {
      const world = build({});
      const node = world.host('h2-1');
      world.move(node, 'site-a', 0, 'rarp');
      world.settle(isAccepted ? 60 : 0.1);
      world.kill(world.a1);
      world.settle(100);
      goesOn(world, 'h2-1', 'vr-c');
      world.takeOver(world.a2);
      const moves: string[] = [];
      world.b.directory.subscribe(({ after }) => {
        if (after.ip.equals(node.ip)) moves.push(after.router);
      });
      world.settle(LONG_MS);
      assert.deepEqual(moves, [], 'nobody has claimed it any more');
      world.checkAll();
    });
  }

  test('machines that were heard, and are where they are said to be, are not asked', () => {
    const world = build({ hostsPerSite: 8 });
    world.kill(world.a1);
    world.settle(SILENCE_MS);
    world.takeOver(world.a2);
    world.settle(5_000);
    assert.equal(world.a2.mobility.counters().mobility_heard_asked, undefined);
  });

  test('thousands that were heard and are unknown are asked a few at a time', () => {
    const world = build({});
    world.kill(world.a1);
    const lan = world.lan('site-a');
    for (let n = 0; n < 3_000; n++) {
      const machine = world.addSilent('site-a', n);
      machine.announceGratuitous();
      machine.detach();
      if (n % 100 === 0) world.settle(1);
    }
    world.settle(5);
    let [now, most] = [0, 0];
    lan.tap = (from) => {
      if (from === world.a2) most = Math.max(most, ++now);
    };
    world.takeOver(world.a2);
    for (let ms = 0; ms < 5_000; ms++) {
      now = 0;
      world.settle(1);
    }
    assert(most <= 32 * 3 + 64, `${most} frames in a millisecond`);
    world.settle(LONG_MS);
    assert.equal(world.a2.mobility.openWork().probes, 0);
    world.checkDirectories();
  });
});
