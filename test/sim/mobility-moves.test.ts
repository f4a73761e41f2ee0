import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Announcement, BLUE, SimWorld } from '../support/sim-lan-world.js';

describe('a node moves from A to B', () => {
  for (const announcement of ['rarp', 'gratuitous', 'both'] as const) {
    test(`announced by ${announcement}`, () => {
      const world = new SimWorld({ sites: 3, hostsPerSite: 3 });
      world.fillCaches();
      world.checkAll();
      world.move(world.host('h1-1'), world.site(2), announcement);
      world.settle();
      world.checkAll();
    });
  }

  test('announced by nothing but its first question, which is answered at once', () => {
    const world = new SimWorld({ sites: 3, hostsPerSite: 3 });
    world.fillCaches();
    const node = world.host('h1-1');
    world.move(node, world.site(2), 'none');
    world.settle(100);
    node.ask(world.host('gw1').ip);
    world.settle(1);
    assert.equal(node.cache.get('10.1.0.254')?.mac, world.site(2).options.mac);
    world.settle();
    world.checkAll();
  });

  test('announced by an operator', () => {
    const world = new SimWorld({ sites: 2, hostsPerSite: 3 });
    world.fillCaches();
    const node = world.host('h1-1');
    world.move(node, world.site(2), 'none');
    world.settle(100);
    const move = world.site(2).mobility.moveByHand(1, node.ip);
    assert(typeof move !== 'string');
    assert.equal(move.trigger, 'operator');
    world.settle();
    world.checkAll();
  });

  test('with several addresses: one event, all of them', () => {
    const world = new SimWorld({ sites: 2, hostsPerSite: 2 });
    const twin = world.addHost(world.site(1), 'h1-twin', ['10.1.0.77', '10.1.0.78']);
    world.settle(100);
    world.fillCaches();
    world.move(twin, world.site(2), 'rarp');
    world.settle();
    world.checkAll();
    const claims = world.site(2).events.filter(({ event }) => event === 'move_claimed');
    assert.equal(claims.length, 1);
  });
});

const announcements: readonly Announcement[] = ['rarp', 'gratuitous'];
for (const largeSubnet of [false, true]) {
  for (const announcement of announcements) {
    describe(`${largeSubnet ? 'single large subnet' : 'classic'}, ${announcement}`, () => {
      const build = (): SimWorld => {
        const world = new SimWorld({ sites: 3, hostsPerSite: 4, largeSubnet });
        world.fillCaches();
        world.checkAll();
        return world;
      };

      test('there and home again', () => {
        const world = build();
        const node = world.host('h1-1');
        for (const site of [2, 1, 3, 1]) {
          world.move(node, world.site(site), announcement);
          world.settle();
          world.fillCaches();
          world.checkAll();
        }
      });

      test('caches are right without a new question', () => {
        const world = build();
        const node = world.host('h1-1');
        for (const site of [2, 3, 2, 1]) {
          world.move(node, world.site(site), announcement);
          world.settle();
          world.checkAll();
        }
      });

      test('onward to a third site: A, B, C', () => {
        const world = build();
        for (const site of [2, 3]) {
          world.move(world.host('h1-1'), world.site(site), announcement);
          world.move(world.host('h1-2'), world.site(2), announcement);
          world.settle();
          world.checkAll();
        }
      });

      test('two nodes of one network meet at B, and part', () => {
        const world = build();
        const [one, two] = [world.host('h1-1'), world.host('h1-2')];
        world.move(one, world.site(2), announcement);
        world.settle();
        world.move(two, world.site(2), announcement);
        world.settle();
        world.checkAll();
        world.fillCaches();
        world.checkAll();
        world.move(one, world.site(3), announcement);
        world.settle();
        world.checkAll();
        world.move(two, world.site(1), announcement);
        world.settle();
        world.checkAll();
      });

      test('two nodes swap sites', () => {
        const world = build();
        world.move(world.host('h1-1'), world.site(2), announcement);
        world.move(world.host('h2-1'), world.site(1), announcement);
        world.settle();
        world.checkAll();
        world.move(world.host('h1-1'), world.site(1), announcement);
        world.move(world.host('h2-1'), world.site(2), announcement);
        world.settle();
        world.checkAll();
      });

      test('20 nodes in one second', () => {
        const world = new SimWorld({ sites: 3, hostsPerSite: [20, 3, 3], largeSubnet });
        world.fillCaches();
        for (let n = 1; n <= 20; n++) {
          world.move(world.host(`h1-${n}`), world.site(2 + (n % 2)), announcement);
          world.settle(50);
        }
        world.settle();
        world.checkAll();
      });
    });
  }
}

describe('a node that moves to and fro, every 1.2 s', () => {
  test('third routers follow each move one way later, without asking anybody first', () => {
    const delayMs = 25;
    const world = new SimWorld({ sites: 3, hostsPerSite: 1, wan: { delayMs } });
    const node = world.host('h1-1');
    const third = world.site(3);
    for (let n = 0; n < 6; n++) {
      const to = world.site(n % 2 === 0 ? 2 : 1);
      world.move(node, to, 'rarp');
      const has = (): boolean => third.directory.here(BLUE, node.ip)?.router === to.id;
      let claimedMs = 0;
      while (to.directory.here(BLUE, node.ip)?.router !== to.id && claimedMs++ < 1_000) world.settle(1);
      let laterMs = 0;
      while (!has() && laterMs < 1_000) {
        world.settle(1);
        laterMs++;
      }
      assert(laterMs < 2 * delayMs, `move ${n}: ${laterMs} ms`);
      world.settle(1_200 - laterMs);
    }
  });
});
