/** The simulated day of scripts/bench advice, in a small world; and what its judge takes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Day, runDay } from '../../../bench/advice/day.js';
import { bytesOf, type JudgedWorld, judge } from '../../../bench/advice/judge.js';
import { POLICIES } from '../../../bench/advice/policies.js';
import type { Speed } from '../../../bench/advice/speed.js';
import { World, type WorldSize } from '../../../bench/advice/world.js';
import { distributionOf } from '../../../bench/lib/distribution.js';

const SMALL: WorldSize = { sites: 3, hostsPerSite: 3, nodes: 60, seed: 1, deployed: 'evenly' };

test('a small day: every policy runs, within the limits; the advice saves, and moves nobody back', () => {
  const days = new Map(Object.keys(POLICIES).map((policy) => [policy, runDay(policy, SMALL, 24)]));
  const bytes = (policy: string): number => bytesOf(days.get(policy) as Day);
  const nothing = days.get('nothing') as Day;
  assert.deepEqual([nothing.moves, nothing.migrationBytes], [0, 0]);
  assert.ok(nothing.trafficBytes > 0);
  assert.ok(bytes('advice') < 0.8 * bytes('nothing'));
  assert.equal(days.get('advice')?.flaps, 0);
  assert.ok((days.get('advice')?.moves ?? 0) > 0);
  assert.ok(bytes('random') > bytes('nothing'), 'to move anyhow costs');
  for (const day of days.values()) {
    const byHour = day.hourBytes.reduce((sum, one) => sum + one, 0);
    assert.ok(Math.abs(byHour - bytesOf(day)) < 1e-6 * byHour);
    assert.equal(day.hourBytes.length, 24);
  }
});

test('the world is the same whatever is done in it, and another one for another seed', () => {
  const total = (seed: number): number => runDay('nothing', { ...SMALL, seed }, 2).trafficBytes;
  assert.equal(total(1), total(1));
  assert.notEqual(total(1), total(2));
  const flows = (size: WorldSize) => {
    const world = new World(size);
    for (let tick = 0; tick < 100; tick++) world.advance(600);
    return world.flows;
  };
  assert.deepEqual(flows(SMALL), flows({ ...SMALL, deployed: 'by application' }));
});

test('deployed by application, most talk is within a site', () => {
  const share = (deployed: WorldSize['deployed']): number => {
    const world = new World({ ...SMALL, deployed });
    const sum = (all: World['flows']): number => all.reduce((bytes, flow) => bytes + flow.bytesPerSecond, 0);
    return (
      sum(world.flows.filter(({ from, to }) => world.homes[from] !== world.homes[to])) / sum(world.flows)
    );
  };
  assert.ok(share('evenly') > 0.5 && share('by application') < 0.3);
});

const DAY: Day = {
  policy: '',
  trafficBytes: 100,
  migrationBytes: 0,
  moves: 0,
  flaps: 0,
  noRoom: 0,
  migratingSeconds: 0,
  downtimeSeconds: 0,
  overloadShare: 0,
  hourBytes: [],
};
const SPEED: Speed = {
  machines: 1_000,
  sites: 50,
  pairs: 1,
  ms: distributionOf([2_000]),
  processorMs: distributionOf([999]),
};

function world(deployed: JudgedWorld['deployed'], advice: Partial<Day>): JudgedWorld {
  const others = ['nothing', 'affinity', 's-core'].map((policy) => ({ ...DAY, policy }));
  return { deployed, days: [...others, { ...DAY, policy: 'advice', ...advice }] };
}

function failed(evenly: Partial<Day>, byApplication: Partial<Day>, speed = SPEED): string[] {
  const worlds = [world('evenly', evenly), world('by application', byApplication)];
  return judge(worlds, speed)
    .filter(({ holds }) => !holds)
    .map(({ what }) => what);
}

test('the judge', () => {
  const good = { trafficBytes: 40, migrationBytes: 20 };
  assert.deepEqual(failed(good, {}), []);
  assert.deepEqual(failed({ ...good, migrationBytes: 21 }, {}), [
    'bytes between sites, of those when nothing moves',
  ]);
  assert.deepEqual(failed(good, { migrationBytes: 1 }), [
    '… where each application was at one site before',
    '… of those by affinity',
  ]);
  assert.match(failed({}, { migrationBytes: 1 }).join(), /S-CORE/);
  assert.deepEqual(failed(good, { flaps: 1 }), ['moves back to a site that was left that day']);
  assert.match(
    failed(good, {}, { ...SPEED, processorMs: distributionOf([1, 1_001]) })[0] ?? '',
    /^ms of processor/,
  );
  assert.throws(() => judge([{ deployed: 'evenly', days: [] }], SPEED), /no day of/);
});
