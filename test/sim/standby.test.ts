/** A site's second router: its tables while it stands by, and what it makes of them when it takes over. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BLUE } from '../support/sim-lan-world.js';
import { StandbyWorld } from '../support/sim-standby-world.js';

/** Longer than a standby takes to decide, so that all announcements of a burst come before it does. */
const SILENCE_MS = 1_000;
const LONG_MS = 25_000;

describe('while it stands by', () => {
  test('its directory is like the active one’s, and it says nothing on the LAN or to other sites', () => {
    const world = new StandbyWorld({ families: '46' });
    const before = world.a2.said;
    world.fillCaches();
    world.checkAll();
    world.move(world.host('h1-1'), 'vr-b');
    world.move(world.host('h2-1'), 'site-a', 30, 'gratuitous');
    world.settle(8_000);
    world.checkAll();
    assert.equal(world.a2.said - before, 1, 'the digests to its partner');
    assert.deepEqual(world.a2.events, []);
    assert.equal(typeof world.a2.mobility.moveByHand(BLUE, world.host('h1-1').ip), 'string');
    assert.equal(typeof world.a2.mobility.unfreeze(BLUE, world.host('h1-2').ip), 'string');
  });

  for (const seed of [1, 2, 3, 4, 5]) {
    test(`its directory comes to be like the active one’s over a WAN that loses, doubles and reorders, ${seed}`, () => {
      const world = new StandbyWorld({ seed, wan: { loss: 0.2, jitterMs: 40, duplicate: 0.1 } });
      for (let n = 0; n < 20; n++) {
        const host = world.hosts[Math.floor(world.random() * world.hosts.length)];
        assert(host);
        world.move(host, ['site-a', 'vr-b', 'vr-c'][Math.floor(world.random() * 3)] ?? '');
        world.settle(200 + world.random() * 400);
      }
      world.settle(LONG_MS);
      world.checkAll();
    });
  }

  test('what it has missed while its partner could not reach it comes when the session is back', () => {
    const world = new StandbyWorld();
    world.wan.cut('vr-a1', 'vr-a2');
    world.move(world.host('h1-1'), 'vr-b');
    world.move(world.host('h3-1'), 'site-a');
    world.settle(5_000);
    assert.equal(world.a2.directory.get(BLUE, world.host('h1-1').ip)?.router, 'site-a');
    world.wan.heal('vr-a1', 'vr-a2');
    world.settle(100);
    world.checkAll();
  });

  for (const moves of [true, false]) {
    test(`killed again and again${moves ? ', while a machine moves,' : ''} it knows each time at once what it has missed`, () => {
      const world = new StandbyWorld();
      const node = world.host('h1-1');
      world.move(world.host('h1-2'), 'vr-b');
      for (let n = 0; n < 20; n++) {
        world.kill(world.a2);
        if (moves) world.move(node, n % 2 === 0 ? 'vr-b' : 'site-a');
        world.settle(1_000);
        world.boot(world.a2);
        world.settle(500);
        world.checkDirectories();
      }
    });
  }

  test('a router of another site that is killed again and again knows each time at once what it has missed', () => {
    const world = new StandbyWorld();
    world.move(world.host('h1-2'), 'vr-b');
    for (let n = 0; n < 20; n++) {
      world.c.save();
      world.kill(world.c);
      world.settle(1_000);
      world.boot(world.c);
      world.settle(500);
      world.checkDirectories();
    }
  });

  test('it forgets tombstones when they are a day old', () => {
    const world = new StandbyWorld();
    const { ip } = world.host('h1-1');
    world.a1.mobility.nodeGone(BLUE, ip);
    world.host('h1-1').detach();
    world.settle(100);
    assert.equal(world.a2.directory.get(BLUE, ip)?.state, 'withdrawn');
    assert.equal(world.a2.hwdt.get(BLUE, ip), undefined);
    world.clock.stepWall(25 * 3_600_000);
    world.settle(40_000);
    for (const router of world.routers) {
      assert.equal(router.directory.get(BLUE, ip), undefined, `what ${router.id} has kept`);
    }
  });
});

describe('a takeover', () => {
  test('follows a machine that announced itself by RARP, and of which this router knew nothing', () => {
    const world = new StandbyWorld();
    const node = world.host('h2-1');
    world.kill(world.a1);
    const record = world.a2.directory.get(BLUE, node.ip);
    assert(record);
    world.a2.directory.drop(record);
    world.move(node, 'site-a', 0);
    world.settle(SILENCE_MS);
    world.takeOver(world.a2);
    world.settle(600);
    assert.equal(world.b.directory.here(BLUE, node.ip)?.router, 'site-a');
    world.settle(LONG_MS);
    world.checkAll();
  });

  test('by a router that knew less, and died at once, leaves no machine’s cache wrong', () => {
    const world = new StandbyWorld();
    world.move(world.host('h1-3'), 'vr-c');
    world.fillCaches();
    world.wan.cut('vr-a1', 'vr-a2');
    world.move(world.host('h1-3'), 'site-a');
    world.settle(5_000);
    world.checkCaches();
    world.takeOver(world.a2);
    world.settle(5);
    world.kill(world.a2);
    world.settle(SILENCE_MS);
    world.takeOver(world.a1);
    world.settle(LONG_MS);
    world.checkAll();
  });

  test('loses no record, and everybody is reached', () => {
    const world = new StandbyWorld({ hostsPerSite: 8 });
    world.fillCaches();
    world.move(world.host('h1-1'), 'vr-b');
    world.move(world.host('h2-1'), 'site-a');
    world.settle(5_000);
    const records = [...world.a1.directory.all()];
    world.kill(world.a1);
    world.settle(SILENCE_MS);
    for (const record of records) assert.deepEqual(world.a2.directory.get(BLUE, record.ip), record);
    world.takeOver(world.a2);
    world.settle(LONG_MS);
    world.checkAll();
    for (const record of records) assert.deepEqual(world.b.directory.get(BLUE, record.ip), record);
  });

  for (const announcement of ['rarp', 'gratuitous'] as const) {
    for (const [when, moveMs] of [
      ['while nobody is active', 100],
      ['10 ms before the active one dies', -10],
      ['just before the active one dies', -0.1],
    ] as const) {
      const build = (): StandbyWorld => {
        const world = new StandbyWorld();
        world.fillCaches();
        return world;
      };
      const play = (world: StandbyWorld, name: string, to: string): void => {
        const [first, then] = moveMs < 0 ? [0, -moveMs] : [moveMs, 0];
        if (moveMs < 0) {
          world.move(world.host(name), to, 0, announcement);
          world.settle(then);
          world.kill(world.a1);
          world.settle(SILENCE_MS);
        } else {
          world.kill(world.a1);
          world.settle(first);
          world.move(world.host(name), to, 0, announcement);
          world.settle(SILENCE_MS - first);
        }
      };

      test(`a machine that has arrived ${when} is followed, ${announcement}`, () => {
        const world = build();
        play(world, 'h2-1', 'site-a');
        world.takeOver(world.a2);
        world.settle(50);
        for (const router of [world.a2, world.b, world.c]) {
          assert.equal(router.directory.here(BLUE, world.host('h2-1').ip)?.router, 'site-a', router.id);
        }
        world.settle(LONG_MS);
        world.checkAll();
      });

      test(`a machine that has left ${when} is where it is, ${announcement}`, () => {
        const world = build();
        play(world, 'h1-1', 'vr-b');
        world.takeOver(world.a2);
        world.settle(100);
        for (const router of [world.a2, world.b, world.c]) {
          assert.equal(router.directory.here(BLUE, world.host('h1-1').ip)?.router, 'vr-b', router.id);
        }
        world.settle(LONG_MS);
        world.checkAll();
      });
    }
  }
});
