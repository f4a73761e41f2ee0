import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeNeighbourFrame } from '../../src/arp/frame.js';
import { BLUE, SimWorld } from '../support/sim-lan-world.js';

describe('what can go wrong', () => {
  test('the network does not allow the router: nothing changes anywhere', () => {
    const world = new SimWorld({ sites: 3, hostsPerSite: 2, allow: () => ['vr-b'] });
    const node = world.host('h1-1');
    world.move(node, world.site(3), 'rarp');
    world.settle();
    for (const site of world.sites) assert.equal(site.directory.here(BLUE, node.ip)?.router, 'vr-a');
    assert(world.site(3).events.some(({ event }) => event === 'claim_refused'));
    world.move(node, world.site(2), 'rarp');
    world.settle();
    world.checkAll();
  });

  test("files that differ: the source's refusal puts the node back at every router", () => {
    const world = new SimWorld({
      sites: 4,
      hostsPerSite: 2,
      allow: (number) => (number === 1 ? ['vr-b'] : undefined),
    });
    const node = world.host('h1-1');
    world.move(node, world.site(3), 'gratuitous');
    world.settle();
    for (const site of world.sites) {
      assert.equal(site.directory.here(BLUE, node.ip)?.router, 'vr-a', `says ${site.id}`);
    }
    const [move] = world.site(3).mobility.moves();
    assert.deepEqual([move?.verdict, move?.reason], ['refused', 'not-allowed']);
    world.move(node, world.site(1), 'rarp');
    world.settle();
    world.checkAll();
  });

  test('the source is cut off during the move: it redirects its LAN when it hears of it', () => {
    const world = new SimWorld({ sites: 3, hostsPerSite: 3 });
    world.fillCaches();
    world.wan.cut('vr-a', 'vr-b');
    world.wan.cut('vr-a', 'vr-c');
    world.move(world.host('h1-1'), world.site(2), 'rarp');
    world.settle();
    assert.equal(world.site(3).directory.here(BLUE, world.host('h1-1').ip)?.router, 'vr-b');
    assert.equal(world.site(1).directory.here(BLUE, world.host('h1-1').ip)?.router, 'vr-a');
    world.wan.heal('vr-a', 'vr-b');
    world.wan.heal('vr-a', 'vr-c');
    world.settle(25);
    assert.equal(world.site(1).directory.here(BLUE, world.host('h1-1').ip)?.router, 'vr-b');
    world.settle();
    world.checkAll();
    assert.equal(world.site(1).mobility.moves()[0]?.trigger, 'records');
  });

  for (const announcement of ['rarp', 'gratuitous'] as const) {
    test(`there and home again while the WAN is cut, ${announcement}: its own VR repairs its cache`, () => {
      const world = new SimWorld({ sites: 2, hostsPerSite: 3 });
      world.fillCaches();
      const node = world.host('h1-1');
      world.wan.cut('vr-a', 'vr-b');
      for (const site of [2, 1]) {
        world.move(node, world.site(site), announcement);
        world.settle();
      }
      const gateway = world.host('gw1');
      assert.equal(node.cache.get(gateway.ip.key)?.mac, gateway.mac, 'before the WAN is back');
      world.wan.heal('vr-a', 'vr-b');
      world.settle();
      world.checkAll();
    });
  }

  test('half of the WAN fails while nodes move both ways, then heals', () => {
    const world = new SimWorld({ sites: 4, hostsPerSite: 3 });
    world.fillCaches();
    const wall = (action: 'cut' | 'heal'): void => {
      for (const a of ['vr-a', 'vr-b']) for (const b of ['vr-c', 'vr-d']) world.wan[action](a, b);
    };
    world.move(world.host('h1-1'), world.site(3), 'rarp');
    world.settle(35);
    wall('cut');
    world.move(world.host('h1-2'), world.site(4), 'gratuitous');
    world.move(world.host('h4-1'), world.site(1), 'gratuitous');
    world.settle(5_000);
    wall('heal');
    world.settle();
    world.checkAll();
  });

  test('every message is late, twice, or lost several times', () => {
    const wan = { delayMs: 40, jitterMs: 200, loss: 0.4, retryMs: 120, duplicate: 0.5 };
    const world = new SimWorld({ sites: 4, hostsPerSite: 3, wan, seed: 7 });
    world.fillCaches();
    for (const [name, site] of [
      ['h1-1', 2],
      ['h1-2', 3],
      ['h2-1', 1],
      ['h1-1', 3],
    ] as const) {
      world.move(world.host(name), world.site(site), 'gratuitous');
      world.settle(150);
    }
    world.settle(20_000);
    world.checkAll();
  });

  test('two VRs claim one node with the same number: the one that has it ends with it', () => {
    for (const last of [2, 3]) {
      const world = new SimWorld({ sites: 3, hostsPerSite: 2, wan: { delayMs: 50 } });
      world.fillCaches();
      const node = world.host('h1-1');
      const first = last === 2 ? 3 : 2;
      world.move(node, world.site(first), 'gratuitous', 1);
      world.settle(10);
      world.move(node, world.site(last), 'gratuitous', 1);
      world.settle(30);
      const claims = world.sites.flatMap(({ directory }) => directory.get(BLUE, node.ip)?.seq ?? 0);
      assert.deepEqual(claims, [1, 2, 2], 'both have claimed it with number 2');
      world.settle(20_000);
      world.checkAll();
    }
  });

  test('a claim that crosses the node’s return is undone within a round trip and a probe', () => {
    const world = new SimWorld({ sites: 3, hostsPerSite: 3, wan: { delayMs: 50 } });
    world.fillCaches();
    const node = world.host('h1-1');
    world.move(node, world.site(2), 'gratuitous', 1);
    world.settle(10);
    world.move(node, world.site(1), 'gratuitous', 1);
    world.settle(45);
    assert.equal(world.site(1).directory.here(BLUE, node.ip)?.seq, 3);
    world.settle(55);
    world.checkDirectories();
    world.settle();
    world.checkAll();
  });
});

describe('the time budget, where nothing but the WAN takes time', () => {
  test('destination: forwarding and first ARP with the announcement; source: one delay later; all: the farthest delay', () => {
    const world = new SimWorld({ sites: 3, hostsPerSite: 3, wan: { delayMs: 25 } });
    world.fillCaches();
    const node = world.host('h1-1');
    const firsts = new Map<string, number>();
    const startedMs = world.clock.nowMs() + 30;
    for (const number of [1, 2]) {
      const site = world.site(number);
      site.lan.tap = (from, bytes) => {
        const frame = decodeNeighbourFrame(bytes);
        const byVr = from === site && typeof frame !== 'string' && frame.kind === 'arp';
        if (byVr && !firsts.has(site.id)) firsts.set(site.id, world.clock.nowMs() - startedMs);
      };
    }
    world.move(node, world.site(2), 'rarp', 30);
    world.settle(30 + 26);
    world.checkDirectories();
    world.checkForwarding();
    assert((firsts.get('vr-b') ?? 1e9) < 0.1, `first ARP at the destination after ${firsts.get('vr-b')} ms`);
    assert((firsts.get('vr-a') ?? 1e9) < 25.1, `first ARP at the source after ${firsts.get('vr-a')} ms`);
    world.settle(100);
    const [move] = world.site(2).mobility.moves();
    const steps = new Map(move?.steps.map(({ step, atUs }) => [step, atUs]));
    assert.equal(steps.get('first_arp'), 0);
    assert.equal(steps.get('accepted:vr-a'), 50_000);
  });

  test('50 nodes at one moment: forwarding everywhere one delay and a few milliseconds later, few messages', () => {
    const world = new SimWorld({ sites: 3, hostsPerSite: [50, 2, 2], wan: { delayMs: 25 } });
    world.fillCaches();
    const before = world.wan.sent;
    for (let n = 1; n <= 50; n++) world.move(world.host(`h1-${n}`), world.site(2), 'gratuitous', 30);
    world.settle(30 + 25 + 5);
    world.checkDirectories();
    world.checkForwarding();
    world.settle(45);
    const told = world
      .nodes()
      .filter((host) => host.cache.get('10.1.0.254')?.mac === world.site(2).options.mac);
    assert.equal(told.length, 50, 'every node has its gateway at the VR');
    world.settle(300);
    const confirmations = 2 * 2;
    assert.equal(world.wan.sent - before, 2 * (2 + 2) + confirmations, 'claims and answers');
    world.settle();
    world.checkAll();
  });

  test('a move costs one claim and one answer a peer, and one question of each third router to the old place', () => {
    const messages = (hostsPerSite: number): number => {
      const world = new SimWorld({ sites: 4, hostsPerSite });
      const before = world.wan.sent;
      world.move(world.host('h1-1'), world.site(2), 'both');
      world.settle(5_000);
      return world.wan.sent - before;
    };
    assert.equal(messages(1), 6 + 4);
    assert.equal(messages(30), 6 + 4);
  });
});
