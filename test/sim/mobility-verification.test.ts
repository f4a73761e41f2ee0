/** Spoofed announcements, two machines with one address, bouncing nodes: at several sites, over a WAN that takes time. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { MobilityConfig } from '../../src/tables/model.js';
import { SimHost } from '../support/sim-lan-host.js';
import { BLUE, SimWorld, type WorldOptions } from '../support/sim-lan-world.js';

/** A machine on site `number`'s LAN with the node's MAC and addresses. */
function double(world: SimWorld, of: SimHost, number: number, isMute: boolean): SimHost {
  const spoofer = new SimHost(world.clock, `double of ${of.name}`, of.mac, of.ips);
  if (isMute) spoofer.frame = () => {};
  spoofer.attach(world.site(number).lan);
  return spoofer;
}

/** Milliseconds during which each router sent the node's traffic to `site`. */
function divertedMs(world: SimWorld, node: SimHost, site: string, forMs: number): Map<string, number> {
  const found = new Map<string, number>();
  for (let ms = 0; ms < forMs; ms++) {
    world.settle(1);
    for (const { id, directory } of world.sites) {
      if (directory.here(BLUE, node.ip)?.router === site) found.set(id, (found.get(id) ?? 0) + 1);
    }
  }
  return found;
}

function worldOf(verify: MobilityConfig['verify'], options: Partial<WorldOptions> = {}): SimWorld {
  const world = new SimWorld({ sites: 3, hostsPerSite: 2, verify, wan: { delayMs: 25 }, ...options });
  world.fillCaches();
  return world;
}

describe('a spoofed announcement for a node that is alive at A', () => {
  for (const announcement of ['rarp', 'gratuitous'] as const) {
    test(`optimistic, ${announcement}: undone everywhere within 250 ms, and the caches are right`, (t) => {
      const world = worldOf('optimistic');
      const node = world.host('h1-1');
      const spoofer = double(world, node, 2, true);
      if (announcement === 'rarp') spoofer.announceRarp();
      else spoofer.announceGratuitous();
      const diverted = divertedMs(world, node, 'vr-b', 2_000);
      t.diagnostic(`diverted for [ms]: ${[...diverted].map(([id, ms]) => `${id} ${ms}`).join(', ')}`);
      for (const ms of diverted.values()) assert(ms < 250);
      const move = world.site(2).mobility.moves()[0];
      const undoneUs = move?.steps.find(({ step }) => step === 'undone')?.atUs ?? Number.NaN;
      t.diagnostic(`the time line says: undone after ${undoneUs / 1000} ms`);
      assert(undoneUs < 250_000);
      spoofer.detach();
      world.settle();
      world.checkAll();
    });

    test(`strict, ${announcement}: no router changes anything`, () => {
      const world = worldOf('strict');
      const node = world.host('h1-1');
      const spoofer = double(world, node, 2, true);
      if (announcement === 'rarp') spoofer.announceRarp();
      else spoofer.announceGratuitous();
      assert.deepEqual(divertedMs(world, node, 'vr-b', 10_000), new Map());
      spoofer.detach();
      world.settle();
      world.checkAll();
    });
  }

  test('again and again: contradicted once, then refused everywhere; the node stays where it really is', () => {
    const world = worldOf('optimistic');
    const node = world.host('h1-1');
    const spoofer = double(world, node, 2, true);
    for (let i = 0; i < 10; i++) {
      spoofer.announceGratuitous();
      world.settle(6_000);
    }
    for (const { directory } of world.sites) {
      const record = directory.here(BLUE, node.ip);
      assert.deepEqual([record?.router, record?.frozen], ['vr-a', undefined]);
    }
    const claims = world.site(2).events.filter(({ event }) => event === 'move_claimed');
    assert(claims.length <= 3, `${claims.length} claims`);
    spoofer.detach();
    world.settle(190_000);
    world.checkAll();
  });

  test('the double answers as well: it stays where it was, with an alarm, and the claims from there are refused', () => {
    const world = worldOf('optimistic');
    const node = world.host('h1-1');
    const twin = double(world, node, 2, false);
    twin.announceGratuitous();
    world.settle(250);
    for (const { directory, id } of world.sites) {
      const record = directory.here(BLUE, node.ip);
      // That it answers there is the word of one router: frozen for all for it, a liar could stop any node from moving.
      assert.deepEqual([record?.router, record?.frozen === true], ['vr-a', false], id);
    }
    assert(world.site(1).events.some(({ event }) => event === 'duplicate_address'));
    twin.announceRarp();
    world.settle(100_000);
    assert.equal(world.site(3).directory.here(BLUE, node.ip)?.router, 'vr-a');
    twin.detach();
    world.settle(100_000);
    world.checkAll();
  });
});

describe('a frozen node', () => {
  const frozen = (): { world: SimWorld; node: SimHost } => {
    const world = worldOf('optimistic', { maxMoves: 5, moveWindowSeconds: 180 });
    const node = world.host('h1-1');
    for (const site of [2, 1, 2, 1, 3]) {
      world.move(node, world.site(site), 'rarp');
      world.settle(2_000);
    }
    assert.equal(world.site(1).directory.here(BLUE, node.ip)?.frozen, true);
    return { world, node };
  };

  test('stays where it was, though it moves on; 180 s later it is found where it is, without saying a word', () => {
    const { world, node } = frozen();
    world.move(node, world.site(2), 'rarp');
    world.settle(100_000);
    for (const { directory } of world.sites) assert.equal(directory.here(BLUE, node.ip)?.router, 'vr-c');
    world.settle(100_000);
    world.checkAll();
  });

  test('is found at once when an operator releases it', () => {
    const { world, node } = frozen();
    world.move(node, world.site(2), 'rarp');
    world.settle(5_000);
    assert(typeof world.site(3).mobility.unfreeze(BLUE, node.ip) !== 'string');
    world.settle(200);
    world.checkDirectories();
    world.settle();
    world.checkAll();
  });

  test('its VR is cut off for ever: the others let it go 5 s later', () => {
    const { world, node } = frozen();
    for (const other of ['vr-a', 'vr-b']) world.wan.cut('vr-c', other);
    world.move(node, world.site(2), 'rarp');
    world.settle(190_000);
    for (const number of [1, 2]) {
      assert.equal(world.site(number).directory.here(BLUE, node.ip)?.router, 'vr-b');
    }
    for (const other of ['vr-a', 'vr-b']) world.wan.heal('vr-c', other);
    world.settle();
    world.checkAll();
  });
});

for (const largeSubnet of [false, true]) {
  test(`strict: there, onward, and home again${largeSubnet ? ', one large subnet' : ''}`, () => {
    const world = new SimWorld({ sites: 3, hostsPerSite: 3, verify: 'strict', largeSubnet });
    world.fillCaches();
    for (const site of [2, 3, 1]) {
      world.move(world.host('h1-1'), world.site(site), 'rarp');
      world.settle();
      world.checkAll();
    }
  });
}

test('an address goes to another machine at another site when its old one is gone, not before', () => {
  const world = worldOf('optimistic');
  const node = world.host('h1-1');
  const heir = new SimHost(world.clock, 'heir', world.host('h2-1').mac, node.ips);
  const at = (): (string | undefined)[] =>
    world.sites.map(({ directory }) => directory.here(BLUE, node.ip)?.router);
  heir.attach(world.site(2).lan);
  heir.announceGratuitous();
  world.settle(6_000);
  assert.deepEqual(at(), ['vr-a', 'vr-a', 'vr-a']);
  assert(world.site(1).events.some(({ event }) => event === 'duplicate_address'));
  node.detach();
  heir.announceGratuitous();
  world.settle(500);
  assert.deepEqual(at(), ['vr-b', 'vr-b', 'vr-b']);
});
