import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prefix } from '../../../src/net/prefix.js';
import { Counting } from '../../../src/sensor/counting.js';
import { sensorFilter } from '../../../src/sensor/filter.js';
import { countPairs } from '../../support/pair-counts.js';
import { bytesOf, FRAME4, FRAME6 } from '../traffic/collect/vectors.js';

function world() {
  const frames: Uint8Array[] = [];
  const counting = new Counting({ take: () => countPairs(frames.splice(0)) });
  const count = (frame: Uint8Array): void => void frames.push(frame.slice(0, FRAME_BYTES));
  return { counting, count };
}

/** Of which the addon sees this much. */
const FRAME_BYTES = 64;

const shown = (counting: Counting): string[] =>
  counting
    .take()
    .pairs.map(({ source, destination, packets, bytes }) => `${source} ${destination} ${packets} ${bytes}`);

test('frames of both families by pair, and anew after each time', () => {
  const { counting, count } = world();
  count(bytesOf(FRAME4));
  counting.harvest();
  for (const frame of [FRAME4, FRAME6]) count(bytesOf(frame));
  count(bytesOf('ffffffffffff 525400000005 0806', '00'.repeat(28)));
  count(bytesOf('ffff'));
  assert.deepEqual(shown(counting), ['10.1.0.5 10.1.0.6 2 3000', 'fd00:1::5 fd00:1::6 1 1040']);
  assert.deepEqual(shown(counting), []);
  assert.equal(counting.frames, 5);
});

test('of more pairs than are told, the largest are told, and how much the others had', () => {
  const { counting, count } = world();
  const frame = bytesOf(FRAME4);
  for (let i = 0; i < 5_000; i++) {
    frame.set([i >> 8, i & 255], 28);
    frame.set([4 + (i >> 8), i & 255], 16);
    count(frame);
  }
  const { pairs, restBytes } = counting.take();
  assert.equal(pairs.length, 4_096);
  const told = pairs.reduce((sum, { bytes }) => sum + bytes, 0);
  const all = Array.from({ length: 5_000 }, (_, i) => (4 + (i >> 8)) * 256 + (i & 255));
  assert.equal(
    told + restBytes,
    all.reduce((sum, bytes) => sum + bytes, 0),
  );
  assert.equal(Math.min(...pairs.map(({ bytes }) => bytes)), all.sort((a, b) => b - a)[4_095]);
});

test('what the addon had no room for is said too, once', () => {
  const counting = new Counting({ take: () => ({ ...countPairs([bytesOf(FRAME4)]), restBytes: 700 }) });
  counting.harvest();
  assert.equal(counting.take().restBytes, 1_400);
  assert.equal(counting.take().restBytes, 700);
});

test('what the kernel is to let through', () => {
  const links = [Prefix.of('10.1.0.0/24'), Prefix.of('fd00:1::/64')];
  const wanted =
    '((ip and src net 10.1.0.0/24 and dst net 10.1.0.0/24) or (ip6 and src net fd00:1::/64 and dst net fd00:1::/64)) and not ether multicast and not vlan';
  assert.equal(sensorFilter(links), wanted);
  const many = Array.from({ length: 65 }, (_, i) => Prefix.of(`10.${i}.0.0/16`));
  assert.equal(sensorFilter(many), '((ip or ip6)) and not ether multicast and not vlan');
});
