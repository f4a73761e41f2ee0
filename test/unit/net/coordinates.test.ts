import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Coordinate,
  estimatedRttMs,
  measured,
  nearestRelay,
  ORIGIN,
} from '../../../src/net/coordinates.js';
import { Random } from '../../fuzz/random.js';

/** Light in fibre: 200 km a millisecond, there and back. */
const KM_PER_RTT_MS = 100;
const EARTH_KM = 6_371;

interface World {
  readonly rttMs: (a: number, b: number) => number;
  readonly unit: () => number;
  readonly random: Random;
}

/**
 * Sites drawn by lot on the globe, in ten regions; each pair's cable is 1.2 to 1.8 times as long as the arc between them, by
 * its own lot, so that the round trips obey no geometry exactly; each has a way to the core of 0.5 to 5 ms.
 */
function drawWorld(seed: number, sites: number): World {
  const random = new Random(seed);
  const unit = (): number => (random.word() >>> 0) / 2 ** 32;
  const between = (low: number, high: number): number => low + unit() * (high - low);
  const regions = Array.from({ length: 10 }, () => [between(-1, 1), between(-Math.PI, Math.PI)] as const);
  const places = Array.from({ length: sites }, () => {
    const [latitude, longitude] = random.pick(regions);
    const [phi, lambda] = [latitude + between(-0.15, 0.15), longitude + between(-0.15, 0.15)];
    return [Math.cos(phi) * Math.cos(lambda), Math.cos(phi) * Math.sin(lambda), Math.sin(phi)] as const;
  });
  const access = places.map(() => between(0.5, 5));
  const detours = places.map(() => places.map(() => between(1.2, 1.8)));
  const rttMs = (a: number, b: number): number => {
    const [one = [0, 0, 0], other = [0, 0, 0]] = [places[a], places[b]];
    const cosine = one[0] * other[0] + one[1] * other[1] + one[2] * other[2];
    const arcKm = EARTH_KM * Math.acos(Math.min(1, Math.max(-1, cosine)));
    const detour = detours[Math.min(a, b)]?.[Math.max(a, b)] ?? 1;
    return (access[a] ?? 0) + (access[b] ?? 0) + (arcKm * detour) / KM_PER_RTT_MS;
  };
  return { rttMs, unit, random };
}

/** Each measures only its neighbours; the rest is what coordinates are for. */
function simulate(world: World, sites: number, neighbours: number, rounds: number) {
  const lists = Array.from({ length: sites }, (_, a) => {
    const others = new Set<number>();
    while (others.size < neighbours) {
      const b = world.random.below(sites);
      if (b !== a) others.add(b);
    }
    return [...others];
  });
  const points: Coordinate[] = Array.from({ length: sites }, () => ORIGIN);
  for (let round = 0; round < rounds; round++)
    for (const [a, others] of lists.entries()) {
      const b = world.random.pick(others);
      // A tenth of the round trip more at times: queues.
      const rttMs = world.rttMs(a, b) * (1 + 0.1 * world.unit());
      points[a] = measured(points[a] as Coordinate, points[b] as Coordinate, rttMs, world.unit);
    }
  return { points, lists };
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

for (const seed of [1, 2, 3, 4, 5])
  test(`pairs that never measured each other: half within 15 % of the true round trip (seed ${seed})`, (t) => {
    const sites = 60;
    const world = drawWorld(seed, sites);
    const { points, lists } = simulate(world, sites, 16, 1500);
    const errors: number[] = [];
    for (let a = 0; a < sites; a++)
      for (let b = 0; b < a; b++) {
        if (lists[a]?.includes(b) || lists[b]?.includes(a)) continue;
        const truth = world.rttMs(a, b);
        errors.push(
          Math.abs(estimatedRttMs(points[a] as Coordinate, points[b] as Coordinate) - truth) / truth,
        );
      }
    assert.ok(errors.length > 500);
    const middle = median(errors);
    t.diagnostic(`median relative error ${(100 * middle).toFixed(1)} % of ${errors.length} pairs`);
    assert.ok(middle <= 0.15, `median relative error ${middle}`);
  });

test('choosing a relay by coordinates is nearly as good as by true round trips', (t) => {
  const sites = 60;
  const world = drawWorld(9, sites);
  const { points } = simulate(world, sites, 16, 1500);
  const relays = new Map([3, 13, 23, 33, 43].map((site) => [site, points[site] as Coordinate]));
  const losses: number[] = [];
  for (let a = 0; a < sites; a++)
    for (let b = 0; b < a; b++) {
      if (relays.has(a) || relays.has(b)) continue;
      const known = [...relays].map(([relay, at]) => ({ relay, rttMs: world.rttMs(a, relay), at }));
      const chosen = nearestRelay(points[b] as Coordinate, known)?.relay ?? 0;
      const by = (relay: number): number => world.rttMs(a, relay) + world.rttMs(relay, b);
      losses.push(by(chosen) / Math.min(...[...relays.keys()].map(by)) - 1);
    }
  const middle = median(losses);
  t.diagnostic(`half are within ${(100 * middle).toFixed(1)} % of the shortest way`);
  assert.ok(middle <= 0.05);
  assert.equal(nearestRelay(ORIGIN, []), undefined);
});

test('a site that has moved to another network is found again', () => {
  const sites = 30;
  const world = drawWorld(4, sites);
  const { points } = simulate(world, sites, 12, 300);
  // It is where site 1 is now.
  let own = points[0] as Coordinate;
  for (let round = 0; round < 300; round++) {
    const b = 2 + world.random.below(sites - 2);
    own = measured(own, points[b] as Coordinate, world.rttMs(1, b), world.unit);
  }
  const errors = Array.from({ length: sites - 2 }, (_, i) => {
    const truth = world.rttMs(1, i + 2);
    return Math.abs(estimatedRttMs(own, points[i + 2] as Coordinate) - truth) / truth;
  });
  assert.ok(median(errors) <= 0.2);
});

test('what is no round trip, or no coordinate, changes nothing', () => {
  const own: Coordinate = { point: [1, 2, 3], heightMs: 1, error: 0.5 };
  const half = (): number => 0.5;
  for (const rttMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 10_001])
    assert.equal(measured(own, ORIGIN, rttMs, half), own);
  const lies: Coordinate[] = [
    { ...ORIGIN, point: [1, 2] },
    { ...ORIGIN, point: [Number.NaN, 0, 0] },
    { ...ORIGIN, point: [1e9, 0, 0] },
    { ...ORIGIN, heightMs: -1 },
    { ...ORIGIN, error: 2 },
    { ...ORIGIN, error: Number.NaN },
  ];
  for (const lie of lies) assert.equal(measured(own, lie, 20, half), own);
});

test('two at one point part, in whatever direction', () => {
  const random = new Random(1);
  for (const draw of [() => (random.word() >>> 0) / 2 ** 32, () => 0.5]) {
    let [one, other] = [ORIGIN, ORIGIN];
    for (let round = 0; round < 100; round++) {
      one = measured(one, other, 50, draw);
      other = measured(other, one, 50, draw);
    }
    assert.ok(Math.abs(estimatedRttMs(one, other) - 50) < 1, `${estimatedRttMs(one, other)}`);
  }
});

test('who is sure of itself is hardly moved by who is not', () => {
  const sure: Coordinate = { point: [0, 0, 0], heightMs: 1, error: 0.01 };
  const unsure: Coordinate = { point: [10, 0, 0], heightMs: 1, error: 1 };
  const moved = (a: Coordinate, b: Coordinate): number =>
    Math.abs((measured(a, b, 100, () => 0.5).point[0] ?? 0) - (a.point[0] ?? 0));
  assert.ok(moved(sure, unsure) < moved(unsure, sure) / 20);
});
