/** Two routers at a site: one is active, and when it is not, the other is, whatever stalls, loses or dies. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Place } from '../../src/pair/heartbeat.js';
import { describe, PairWorld, type WorldOptions } from './pair-world.js';

/** A little more than what the machine needs to see a silence and to ask. */
const TAKEN_OVER_MS = 700;

/** A world in which one router has been active for a while. */
function settled(options: WorldOptions): { world: PairWorld; active: Place; standby: Place } {
  const world = new PairWorld(options);
  world.run(5_000);
  const [active] = world.active;
  assert.equal(world.active.length, 1, describe(world));
  if (active === undefined) throw new Error('nobody');
  world.forget();
  return { world, active, standby: active === 0 ? 1 : 0 };
}

function assertOneActive(world: PairWorld, expected?: Place): void {
  assert.equal(world.active.length, 1, describe(world));
  const [active] = world.active;
  if (expected !== undefined) assert.equal(active, expected, describe(world));
  for (const other of world.others) assert.equal(other.active, active, describe(world));
}

const seeds = Array.from({ length: 200 }, (_, i) => i + 1);

test('both start at once: one is active, the others follow it', () => {
  for (const seed of seeds) {
    const { world } = settled({ seed, loss: 0.05 });
    assertOneActive(world);
  }
});

test('the active router dies: the other is active in time', () => {
  const took: number[] = [];
  for (const seed of seeds) {
    const { world, active, standby } = settled({ seed, loss: 0.02 });
    world.run(world.random() * 1_000);
    world.forget();
    world.kill(active);
    world.run(5_000);
    assertOneActive(world, standby);
    took.push(world.nobodyMs);
    // It comes back, and takes nothing.
    world.start(active);
    world.run(5_000);
    assertOneActive(world, standby);
  }
  took.sort((a, b) => a - b);
  assert.ok((took.at(-1) ?? Infinity) < TAKEN_OVER_MS, `latest ${took.at(-1)}`);
});

test('its disk is lost, and it is active again later: terms only rise', () => {
  for (const seed of seeds) {
    const { world, active, standby } = settled({ seed });
    world.kill(active);
    world.run(3_000);
    world.start(active, false);
    world.run(3_000);
    world.kill(standby);
    world.run(3_000);
    assertOneActive(world, active);
    assert.ok(world.members[active].term > world.members[standby].term, describe(world));
  }
});

test('both have lost their disks: the others tell how far terms have come', () => {
  for (const seed of seeds) {
    const { world, active, standby } = settled({ seed });
    for (let i = 0; i < 3; i++) {
      world.tell(standby, { type: 'order', role: 'active' });
      world.run(500);
      world.tell(active, { type: 'order', role: 'active' });
      world.run(500);
    }
    for (const place of [0, 1] as const) world.kill(place);
    world.run(2_000);
    for (const place of [0, 1] as const) world.start(place, false);
    world.run(8_000);
    assertOneActive(world);
  }
});

test('24 hours of stalls of up to 200 ms, 5 % loss, reordering: nothing happens', () => {
  for (let seed = 1; seed <= 48; seed++) {
    const { world } = settled({ seed, loss: 0.05, jitterMs: 30 });
    const stall = (place: Place): void => {
      const forMs = world.random() * 200;
      world.stall(place, forMs);
      // One after another: two in a row would be a longer one.
      world.in(forMs + 50 + world.random() * 2_000, () => stall(place));
    };
    stall(0);
    stall(1);
    world.run(30 * 60_000);
    assert.equal(world.changes.length, 0, describe(world));
  }
});

test('a stall of the active router that is longer than the other waits: one is active soon after', () => {
  for (const seed of seeds) {
    const { world, active } = settled({ seed });
    world.stall(active, 300 + world.random() * 5_000);
    world.run(300 + 5_000 + 1_000);
    assertOneActive(world);
    // What the stalled one had in its sockets tells it at once.
    assert.ok(world.bothMs < 150, describe(world));
  }
});

for (const [what, cut] of [
  ['LAN', 'lanCut'],
  ['WAN', 'wanCut'],
] as const) {
  test(`the active router loses its ${what}: the other takes over, and keeps it`, () => {
    for (const seed of seeds) {
      const { world, active, standby } = settled({ seed, loss: 0.02 });
      world.members[active][cut] = true;
      world.run(8_000);
      assert.deepEqual(world.active, [standby], describe(world));
      world.members[active][cut] = false;
      world.run(5_000);
      assertOneActive(world, standby);
      assert.ok(world.bothMs < 1_000, describe(world));
    }
  });

  test(`the standby router loses its ${what}: nothing happens`, () => {
    for (const seed of seeds) {
      const { world, active, standby } = settled({ seed, loss: 0.02 });
      world.members[standby][cut] = true;
      world.run(8_000);
      world.members[standby][cut] = false;
      world.run(3_000);
      assertOneActive(world, active);
      assert.equal(world.changes.length, 0, describe(world));
    }
  });
}

test('the LAN between the two is split, and the WAN of one is cut: one serves each half, healed in a second', () => {
  for (const seed of seeds) {
    const { world, active } = settled({ seed });
    world.lanIsSplit = true;
    world.run(3_000);
    // They still hear each other over the WAN.
    assertOneActive(world, active);
    world.members[active].wanCut = true;
    world.run(5_000);
    assert.equal(world.active.length, 2, describe(world));
    world.members[active].wanCut = false;
    world.lanIsSplit = false;
    world.forget();
    world.run(1_000);
    assertOneActive(world);
    assert.ok(world.bothMs < 300, describe(world));
    assert.equal(world.lanPoints, world.active[0], describe(world));
  }
});

test('a router without LAN and without WAN answers nothing', () => {
  for (const seed of seeds) {
    const { world, active, standby } = settled({ seed });
    world.members[active].lanCut = true;
    world.members[active].wanCut = true;
    world.run(5_000);
    assert.deepEqual(world.active, [standby], describe(world));
    world.members[active].lanCut = false;
    world.run(10_000);
    // Now the LAN joins them again.
    assert.deepEqual(world.active, [standby], describe(world));
    world.members[active].wanCut = false;
    world.run(2_000);
    assertOneActive(world, standby);
  }
});

test('hand-over by hand: never nobody', () => {
  let handedOver = 0;
  for (const seed of seeds) {
    const { world, active, standby } = settled({ seed, loss: 0.02 });
    world.tell(active, { type: 'order', role: 'standby' });
    world.run(2_000);
    if (world.active[0] === active) continue; // the request was lost: said again by the operator
    handedOver++;
    assertOneActive(world, standby);
    assert.equal(world.nobodyMs, 0, describe(world));
    world.tell(active, { type: 'order', role: 'active' });
    world.run(2_000);
    assertOneActive(world, active);
    assert.equal(world.nobodyMs, 0, describe(world));
  }
  assert.ok(handedOver > 0.9 * seeds.length, `${handedOver}`);
});

test('forged advertisements keep nobody from taking over, and make nobody stand down', () => {
  for (const seed of seeds) {
    const { world, active, standby } = settled({ seed });
    const forge = (): void => {
      const priority = world.random() < 0.3 ? 0 : 255;
      for (const place of [0, 1] as const) world.tell(place, { type: 'advertisement', priority });
      world.in(20, forge);
    };
    forge();
    world.run(10_000);
    assertOneActive(world, active);
    assert.equal(world.changes.length, 0, describe(world));
    world.kill(active);
    world.run(3_000);
    assertOneActive(world, standby);
  }
});

test('forged advertisements of a router that is hardly fit: what it says of itself in the session counts', () => {
  for (const seed of seeds) {
    const { world, active, standby } = settled({ seed });
    const forge = (): void => {
      world.tell(standby, { type: 'advertisement', priority: 1 });
      world.in(2, forge);
    };
    forge();
    world.run(10_000);
    assertOneActive(world, active);
    assert.equal(world.changes.length, 0, describe(world));
  }
});

test('the two hear each other on the LAN only, and a WAN that loses: nothing happens', () => {
  for (const seed of seeds) {
    const { world } = settled({ seed, loss: 0.05, jitterMs: 30 });
    world.sessionIsCut = true;
    world.run(60_000);
    assert.equal(world.changes.length, 0, describe(world));
  }
});

test('the two hear each other on the LAN only, and the active one stands still: one of them is active in the end', () => {
  for (const seed of seeds) {
    const { world, active, standby } = settled({ seed, loss: 0.02 });
    world.sessionIsCut = true;
    world.run(3_000);
    world.stall(active, 3_000);
    world.run(7_000);
    assertOneActive(world, standby);
    world.forget();
    world.run(30_000);
    assert.equal(world.changes.length, 0, describe(world));
    world.sessionIsCut = false;
    world.run(3_000);
    assertOneActive(world, standby);
  }
});

/** Random faults of all kinds for a minute, then a whole network. */
function playFaults(seed: number): void {
  const { world } = settled({ seed, loss: 0.03, jitterMs: 10 });
  const fault = (): void => {
    const place: Place = world.random() < 0.5 ? 0 : 1;
    const member = world.members[place];
    const forMs = world.random() * 4_000;
    const faults: (() => void)[] = [
      () => world.stall(place, forMs),
      () => {
        world.kill(place);
        world.in(forMs, () => world.start(place, world.random() < 0.7));
      },
      () => {
        member.lanCut = true;
        world.in(forMs, () => {
          member.lanCut = false;
        });
      },
      () => {
        member.wanCut = true;
        world.in(forMs, () => {
          member.wanCut = false;
        });
      },
      () => {
        world.lanIsSplit = true;
        world.in(forMs, () => {
          world.lanIsSplit = false;
        });
      },
      () => world.tell(place, { type: 'order', role: world.random() < 0.5 ? 'active' : 'standby' }),
    ];
    faults[Math.floor(world.random() * faults.length)]?.();
    if (world.nowMs < 60_000) world.in(world.random() * 3_000, fault);
  };
  fault();
  world.run(66_000);
  // Whole now.
  for (const place of [0, 1] as const) world.start(place);
  world.run(RESTED_MS);
  world.forget();
  world.run(10_000);
  assertOneActive(world);
  assert.equal(world.changes.length, 0, `seed ${seed}\n${describe(world)}`);
  assert.equal(world.bothMs + world.nobodyMs, 0, `seed ${seed}\n${describe(world)}`);
}

/** The network is whole again for so long. */
const RESTED_MS = 4_000;

test('five hundred histories of faults: whole again, one is active, and the others know', () => {
  for (let seed = 1; seed <= 500; seed++) playFaults(seed);
});
