/**
 * Random histories of moves, deaths, returns and hand-overs of a site's two routers, over a WAN that loses and reorders. In the
 * end everybody agrees, the standby too. `VINE_SEED=n` plays one, `VINE_HISTORIES=n` so many.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SITES, StandbyWorld } from '../support/sim-standby-world.js';

const HISTORIES = 300;
const STEPS = 25;

const counts = { withWrongEntries: 0, moves: 0, kills: 0, boots: 0, handOvers: 0, cuts: 0 };

function isSuppressed({ routers }: StandbyWorld): boolean {
  return routers.some(({ mobility }) => mobility.suppressed().length > 0);
}

function play(seed: number): void {
  const isRough = seed % 3 !== 0;
  const world = new StandbyWorld({
    ...{ seed, verify: seed % 4 === 0 ? 'strict' : 'optimistic', families: seed % 5 === 0 ? '46' : '4' },
    wan: isRough ? { loss: 0.15, jitterMs: 30, duplicate: 0.1 } : {},
  });
  const { random, a1, a2 } = world;
  const below = (most: number): number => Math.floor(random() * most);
  world.fillCaches();
  for (let n = 0; n < STEPS; n++) {
    const active = a1.isActive ? a1 : a2;
    const other = world.partnerOf(active);
    const what = below(10);
    if (what < 6) {
      const host = world.hosts[below(world.hosts.length)];
      assert(host);
      world.move(host, SITES[below(3)] ?? '', below(150), random() < 0.5 ? 'rarp' : 'gratuitous');
      counts.moves++;
    } else if (what === 6 && other.isUp && !other.isActive) {
      world.kill(active);
      world.settle(150 + below(600));
      world.takeOver(other, 100);
      counts.kills++;
    } else if (what === 7 && other.isUp && !other.isActive) {
      world.takeOver(other, 100, below(2) * below(50));
      counts.handOvers++;
    } else if (what === 8 && !other.isUp) {
      world.boot(other);
      counts.boots++;
    } else if (what === 9 && other.isUp) {
      if (random() < 0.5) {
        world.wan.cut(a1.id, a2.id);
        counts.cuts++;
      } else world.wan.heal(a1.id, a2.id);
    }
    world.settle(random() < 0.3 ? below(50) : below(1_500));
  }
  world.settle(4_000);
  for (const router of [a1, a2]) if (!router.isUp) world.boot(router);
  world.wan.heal(a1.id, a2.id);
  world.settle(90_000);
  // Who moves and is back before its claim has come looks like two: such claims are refused for a while.
  for (let n = 0; n < 20 && isSuppressed(world); n++) world.settle(30_000);
  world.checkDirectories();
  world.checkForwarding();
  // A machine that is gone before its router may claim it (strict mode, or a claim is refused) has told its LAN of itself.
  if (world.useWrongEntries() > 0) counts.withWrongEntries++;
  world.checkCaches();
  for (const { id, mobility } of world.routers) {
    for (const { verdict } of mobility.moves()) assert.notEqual(verdict, 'claiming', `a move at ${id}`);
  }
}

test('any history of moves and of a site’s two routers ends in agreement with the truth', (t) => {
  const only = process.env.VINE_SEED;
  const first = Number(only ?? 1);
  const count = only === undefined ? Number(process.env.VINE_HISTORIES ?? HISTORIES) : 1;
  const failed: string[] = [];
  for (let seed = first; seed < first + count; seed++) {
    try {
      play(seed);
    } catch (error) {
      failed.push(`history ${seed} (VINE_SEED=${seed} replays it): ${String(error)}`);
    }
  }
  t.diagnostic(`seeds ${first} to ${first + count - 1}: ${JSON.stringify(counts)}`);
  assert.deepEqual(failed, []);
  assert(counts.withWrongEntries <= 1 + count / 200, `${counts.withWrongEntries} left wrong entries`);
});
