/** What others say of this router's own records, and damaged state, must never make it mute. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Ip } from '../../../src/net/ip.js';
import { mac } from '../../../src/net/mac.js';
import { Directory } from '../../../src/tables/directory.js';
import type { NodeRecord } from '../../../src/tables/model.js';
import { MAX_SEQUENCE, MAX_STAMP } from '../../../src/tables/record.js';
import { SimClock } from '../../support/sim-clock.js';
import { anyIp, anyMac, BLUE, RED, record } from './fixtures.js';

const NODE = Ip.of('10.1.0.9');
const M9 = mac('52:54:00:00:00:09');
const DAY_US = 86_400_000_000;

function isDecodable({ seq, stamp }: NodeRecord): boolean {
  const fits = (value: number, most: number): boolean =>
    Number.isInteger(value) && value >= 1 && value <= most;
  return fits(seq, MAX_SEQUENCE) && fits(stamp, MAX_STAMP);
}

test('a record of this router with a stamp at the end of the range does not push its own', () => {
  const clock = new SimClock();
  const directory = new Directory('vr-a', clock);
  directory.apply(record('10.1.0.7', 'vr-a', 1, MAX_STAMP));
  directory.load([record('10.1.0.8', 'vr-a', 1, MAX_STAMP - 1)]);
  const made = directory.originate(BLUE, NODE, M9, 1);
  assert.equal(made.stamp, clock.wallMs() * 1000);
});

test('a stamp up to a day ahead of the clock is this router’s own, from before its clock was set', () => {
  const clock = new SimClock();
  const directory = new Directory('vr-a', clock);
  const ahead = clock.wallMs() * 1000 + DAY_US;
  directory.apply(record('10.1.0.7', 'vr-a', 1, ahead));
  assert.equal(directory.originate(BLUE, NODE, M9, 1).stamp, ahead + 1);
  directory.apply(record('10.1.0.8', 'vr-a', 1, ahead + 2 * DAY_US));
  assert.equal(directory.originate(BLUE, NODE, M9, 1).stamp, ahead + 2);
});

test('where a stamp cannot be beaten by a later one, the sequence number rises by one', () => {
  const directory = new Directory('vr-a', new SimClock());
  directory.apply(record('10.1.0.9', 'vr-a', 3, MAX_STAMP));
  const made = directory.originate(BLUE, NODE, M9, 3);
  assert.equal(made.seq, 4);
  assert.equal(directory.get(BLUE, NODE), made);
  assert.equal(directory.originate(BLUE, NODE, M9, 4).seq, 4, 'once is enough');
});

test('a node with an absurd stamp can be withdrawn', () => {
  const directory = new Directory('vr-a', new SimClock());
  directory.apply(record('10.1.0.9', 'vr-a', 3, MAX_STAMP));
  const gone = directory.withdraw(BLUE, NODE);
  assert.equal(gone?.seq, 4);
  assert.equal(directory.get(BLUE, NODE), gone);
});

test('numbers never leave their range, whatever seq and wall clock are handed in', () => {
  const clock = new SimClock();
  const directory = new Directory('vr-a', clock);
  clock.stepWall(MAX_STAMP);
  assert.equal(directory.originate(BLUE, NODE, M9, 0).seq, 1);
  for (let i = 0; i < 3; i++) assert.ok(isDecodable(directory.originate(BLUE, NODE, M9, MAX_SEQUENCE + 1)));
  assert.ok(isDecodable(directory.draft(BLUE, NODE, M9, MAX_SEQUENCE + 1)));
  assert.equal(directory.get(BLUE, NODE)?.seq, MAX_SEQUENCE);
});

test('a record of this router at the end of both ranges, which nothing could beat, is not taken', () => {
  const directory = new Directory('vr-a', new SimClock());
  assert.equal(directory.apply(record('10.1.0.9', 'vr-a', MAX_SEQUENCE, MAX_STAMP)), 'stale');
  assert.equal(directory.get(BLUE, NODE), undefined);
});

test('a stamp that went out with a draft is not given out again', () => {
  const directory = new Directory('vr-a', new SimClock());
  const draft = directory.draft(BLUE, NODE, M9, 1);
  assert.ok(directory.originate(BLUE, Ip.of('10.1.0.7'), M9, 1).stamp > draft.stamp);
});

interface Heard {
  readonly record: NodeRecord;
  /** Which of the others have heard it; vr-a has heard all. */
  readonly by: readonly boolean[];
}

type Step = Heard | { readonly wallStepMs: number };

const WALL_US = 1_767_225_600_000_000;

const anyForeignRecord: fc.Arbitrary<NodeRecord> = fc.record({
  vnet: fc.constantFrom(BLUE, RED),
  ip: anyIp,
  mac: anyMac,
  router: fc.constantFrom('vr-0', 'vr-a', 'vr-b'),
  seq: fc.constantFrom(0, 1, 2, 3, 2 ** 32, MAX_SEQUENCE - 2, MAX_SEQUENCE - 1),
  state: fc.constantFrom('here' as const, 'withdrawn' as const),
  stamp: fc.constantFrom(
    ...[0, WALL_US - 1, WALL_US, WALL_US + DAY_US - 1, WALL_US + DAY_US, WALL_US + DAY_US + 1],
    ...[WALL_US + 400 * DAY_US, MAX_STAMP - 1, MAX_STAMP],
  ),
});

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({ record: anyForeignRecord, by: fc.array(fc.boolean(), { maxLength: 2 }) }),
  },
  { weight: 1, arbitrary: fc.record({ wallStepMs: fc.integer({ min: -(2 ** 41), max: 2 ** 41 }) }) },
);

test('after any history of foreign numbers the next own record is decodable and wins at everybody', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 30 }), anyIp, anyMac, (history, ip, m) => {
      const clock = new SimClock();
      const own = new Directory('vr-a', clock);
      const others = [new Directory('vr-0', clock), new Directory('vr-b', clock)];
      for (const step of history) {
        if ('wallStepMs' in step) clock.stepWall(step.wallStepMs);
        else {
          own.apply(step.record);
          for (const [i, hears] of step.by.entries()) if (hears) others[i]?.apply(step.record);
        }
      }
      const win = (made: NodeRecord | undefined): void => {
        assert.ok(made !== undefined && isDecodable(made));
        assert.equal(own.get(BLUE, ip), made);
        for (const other of others) {
          assert.equal(other.apply(made), 'applied');
          assert.equal(other.get(BLUE, ip), made);
        }
      };
      for (let round = 0; round < 4; round++) {
        const known = own.get(BLUE, ip);
        const seq = known === undefined ? 1 : known.router === 'vr-a' ? known.seq : known.seq + 1;
        win(own.originate(BLUE, ip, m, seq));
        win(own.withdraw(BLUE, ip));
      }
    }),
    { numRuns: 1_000 },
  );
});
