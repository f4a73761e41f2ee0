/** Machines that nobody announced, in whole overlays: moves in silence, ports that forward late, dead machines, cuts. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { MobilityConfig } from '../../src/tables/model.js';
import type { SimHost } from '../support/sim-lan-host.js';
import { randomOf, type SimWan } from '../support/sim-lan-wan.js';
import { BLUE, SimWorld, type WorldOptions } from '../support/sim-lan-world.js';

const DELAY_MS = 20;
/** Of the packets of whoever wants a node, as the data plane tells of them. */
const WANT_EVERY_MS = 100;
/** Asked for 200 ms; three stages of the search, 100 ms apart; a claim, a question before it in strict mode, three sites. */
const FOUND_MS = 200 + 200 + 6 * DELAY_MS + 100;

const WAN = { delayMs: DELAY_MS, jitterMs: 0, loss: 0, duplicate: 0 };

function build(options: Partial<WorldOptions> = {}): SimWorld {
  const world = new SimWorld({ sites: 3, hostsPerSite: 3, wan: WAN, ...options });
  world.fillCaches();
  return world;
}

function areKnown(world: SimWorld, host: SimHost): boolean {
  const at = world.siteOf(host);
  return world.sites.every(({ directory }) =>
    host.ips.every((ip) => directory.here(BLUE, ip)?.router === at?.id),
  );
}

/** Packets for the hosts go to where each router believes them to be. */
function want(world: SimWorld, hosts: readonly SimHost[]): void {
  for (const { ips } of hosts) {
    for (const ip of ips) {
      for (const site of world.sites) {
        if (site.isUp && site.directory.get(BLUE, ip)?.router === site.id) site.mobility.wanted(BLUE, ip);
      }
    }
  }
}

/** Milliseconds until all routers know where the host is. */
function untilFound(
  world: SimWorld,
  host: SimHost,
  limitMs: number,
  others: readonly SimHost[] = [],
): number {
  const startMs = world.clock.nowMs();
  while (!areKnown(world, host)) {
    const tookMs = world.clock.nowMs() - startMs;
    assert(tookMs <= limitMs, `${host.name} is not found within ${limitMs} ms`);
    want(world, [host, ...others]);
    world.settle(WANT_EVERY_MS);
  }
  return world.clock.nowMs() - startMs;
}

for (const verify of ['optimistic', 'strict', 'off'] as const satisfies readonly MobilityConfig['verify'][]) {
  describe(`a node that is wanted, ${verify}`, () => {
    test('is found where it has gone in silence, there, onward, and home again', () => {
      const world = build({ verify, families: () => '46' });
      const node = world.host('h1-1');
      for (const to of [2, 3, 1, 3]) {
        // It is left in peace for so long after it has answered.
        world.settle(6_000);
        world.move(node, world.site(to), 'none', 0);
        world.settle(1);
        untilFound(world, node, FOUND_MS);
        world.settle();
        world.checkAll();
      }
      assert.equal([...world.sites.flatMap(({ mobility }) => [...mobility.missing()])].length, 0);
    });

    test('is found when its port begins to forward', () => {
      for (const silentMs of [5_000, 15_000, 29_500, 45_000]) {
        const world = build({ verify });
        const node = world.host('h1-1');
        world.settle(6_000);
        world.move(node, world.site(2), 'none', silentMs);
        for (let ms = 0; ms < silentMs; ms += WANT_EVERY_MS) {
          want(world, [node]);
          world.settle(WANT_EVERY_MS);
        }
        untilFound(world, node, 1_500);
      }
    });
  });
}

test('a search waits for the WAN: the node is found when the routers hear each other again', () => {
  const world = build();
  const wan = world.wan as SimWan;
  const node = world.host('h1-1');
  wan.cut(world.site(1).id, world.site(2).id);
  wan.cut(world.site(2).id, world.site(3).id);
  world.settle(6_000);
  world.move(node, world.site(2), 'none', 0);
  for (let ms = 0; ms < 20_000; ms += WANT_EVERY_MS) {
    want(world, [node]);
    world.settle(WANT_EVERY_MS);
  }
  assert(!areKnown(world, node));
  wan.heal(world.site(1).id, world.site(2).id);
  wan.heal(world.site(2).id, world.site(3).id);
  // The next search is at most a minute away.
  untilFound(world, node, 60_000);
});

test('only routers that may have the node are asked, and one that may not does not take it', () => {
  const world = build({ allow: () => ['vr-3'] });
  const [site1, site2] = [world.site(1), world.site(2)];
  const node = world.host('h1-1');
  world.settle(6_000);
  world.move(node, site2, 'none', 0);
  for (let ms = 0; ms < 5_000; ms += WANT_EVERY_MS) {
    want(world, [node]);
    world.settle(WANT_EVERY_MS);
  }
  assert.equal(site1.directory.here(BLUE, node.ip)?.router, site1.id);
  assert.equal(site2.mobility.counters().mobility_searches_received ?? 0, 0);
});

for (const verify of ['optimistic', 'strict'] as const) {
  test(`a machine elsewhere that answers in the node’s name diverts nothing while the node answers, ${verify}`, () => {
    const world = build({ verify });
    const node = world.host('h1-1');
    const clone = world.addSilentHost(world.site(2), 'clone', node);
    let diverted = 0;
    for (const { directory } of world.sites)
      directory.subscribe(({ after }) => {
        if (after.ip.equals(node.ip) && after.router !== world.site(1).id) diverted++;
      });
    world.settle(6_000);
    for (let ms = 0; ms < 120_000; ms += WANT_EVERY_MS) {
      want(world, [node]);
      world.settle(WANT_EVERY_MS);
    }
    assert(clone.lan !== undefined);
    assert.equal(diverted, 0);
    assert.equal(world.sites.flatMap(({ mobility }) => [...mobility.missing()]).length, 0);
  });
}

test('three hundred dead machines that are wanted all the time keep no move waiting', () => {
  const world = new SimWorld({ sites: 3, hostsPerSite: 2, wan: WAN, slots: 4_096 });
  const dead = Array.from({ length: 240 }, (_, i) =>
    world.addHost(world.site(1), `dead-${i}`, [`10.1.0.${i + 12}`]),
  );
  world.settle(3_000);
  world.fillCaches();
  world.settle(6_000);
  for (const host of dead) host.detach();
  let searches = 0;
  for (const [i, to] of [2, 3, 1, 2, 3].entries()) {
    for (let ms = 0; ms < 2_000; ms += WANT_EVERY_MS) {
      want(world, dead);
      world.settle(WANT_EVERY_MS);
    }
    const now = world.site(1).mobility.counters().mobility_searches ?? 0;
    assert(now - searches <= 50 * (i === 0 ? 3 : 2.2), `${now - searches} searches in 2 s`);
    searches = now;
    const node = world.host('h2-1');
    world.move(node, world.site(to), 'rarp', 0);
    world.settle(DELAY_MS + 10);
    assert(areKnown(world, node), `move ${i}`);
  }
  assert(searches >= 200);
});

test('two hundred random histories of moves in silence: each is found while it is wanted', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = randomOf(seed);
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
    const world = build({
      seed,
      verify: pick(['optimistic', 'strict', 'off']),
      largeSubnet: pick([false, false, true]),
      families: () => pick(['4', '6', '46'] as const),
      wan: { delayMs: DELAY_MS, jitterMs: DELAY_MS, loss: pick([0, 0.1]), duplicate: 0.05 },
    });
    try {
      for (let step = 0; step < 6; step++) {
        const node = pick(world.nodes());
        world.move(node, pick(world.sites), pick(['none', 'none', 'rarp']), random() * 3_000);
        world.settle(3_001);
        // Another may have moved before it, and be wanted too.
        untilFound(world, node, 8_000, world.nodes());
      }
      world.settle(6_000);
      for (const node of world.nodes()) untilFound(world, node, 8_000);
      world.settle(35_000);
      world.checkDirectories();
      world.checkForwarding();
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
  }
});
