import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Prefix } from '../../../src/net/prefix.js';
import { Counting } from '../../../src/sensor/counting.js';
import { Sensor } from '../../../src/sensor/sensor.js';
import { FlowDecoder } from '../../../src/traffic/collect/decoder.js';
import { countPairs } from '../../support/pair-counts.js';
import { SimClock } from '../../support/sim-clock.js';
import { bytesOf, FRAME4 } from '../traffic/collect/vectors.js';

function world() {
  const clock = new SimClock();
  const frames: Uint8Array[] = [];
  const harvests: number[] = [];
  const counting = new Counting({
    take: () => {
      harvests.push(clock.nowMs());
      return countPairs(frames.splice(0));
    },
  });
  const decoder = new FlowDecoder();
  const done: string[] = [];
  const state = { isConnected: true, drops: 0 };
  const sensor = new Sensor({
    clock,
    counting,
    captures: {
      setLinks: (links) => void done.push(`links ${links.join()}`),
      look: () => void done.push('look'),
      takeDrops: () => state.drops,
      close: () => void done.push('close'),
    },
    link: {
      start: () => void done.push('start'),
      stop: () => void done.push('stop'),
      send: (messages) => {
        if (!state.isConnected) return false;
        for (const message of messages) {
          const { flows } = decoder.decode(message, { address: 'sensor', port: 0 });
          done.push(...flows.map(({ source, packets, bytes }) => `${source} ${packets} ${bytes}`));
        }
        return true;
      },
    },
    log: (text) => void done.push(`log: ${text}`),
  });
  /** What was done since the last time. */
  const taken = (): string[] => done.splice(0);
  const count = (): void => void frames.push(bytesOf(FRAME4));
  return { clock, sensor, state, taken, count, harvests };
}

test('it tells half a second before each tenth second of the wall clock', () => {
  const { clock, sensor, taken, count } = world();
  const untilTenth = 10_000 - (clock.wallMs() % 10_000);
  sensor.start();
  assert.deepEqual(taken(), ['start']);
  count();
  clock.advance(untilTenth - 501);
  assert.deepEqual(taken(), []);
  clock.advance(1);
  assert.deepEqual(taken(), ['10.1.0.5 1 1500', 'look']);
  count();
  count();
  clock.advance(9_999);
  assert.deepEqual(taken(), []);
  clock.advance(1);
  assert.deepEqual(taken(), ['10.1.0.5 2 3000', 'look']);
});

test('what cannot be told in its time is not told later, and it is said', () => {
  const { clock, sensor, state, taken, count } = world();
  sensor.start();
  state.isConnected = false;
  state.drops = 3;
  count();
  clock.advance(10_000);
  assert.deepEqual(taken(), [
    'start',
    "log: 3 frames were lost: the kernel's buffer was full",
    'log: 1 pairs could not be told: there is no router',
    'look',
  ]);
  state.isConnected = true;
  state.drops = 0;
  count();
  clock.advance(10_000);
  assert.deepEqual(taken(), ['10.1.0.5 1 1500', 'look']);
});

test('it captures when the router has said what, and tells the last of it at the end', () => {
  const { clock, sensor, taken, count } = world();
  sensor.start();
  sensor.accepted([Prefix.of('10.1.0.0/24')]);
  let ended = 0;
  sensor.stop(() => ended++);
  // The kernel hands it over late.
  clock.advance(150);
  count();
  assert.equal(ended, 0);
  clock.advance(60_000);
  assert.equal(ended, 1);
  assert.deepEqual(taken(), [
    'start',
    'links 10.1.0.0/24',
    'log: accepted; counting on 10.1.0.0/24',
    '10.1.0.5 1 1500',
    'close',
    'stop',
  ]);
});

test('it takes what the addon has counted each second, and nothing after the end', () => {
  const { clock, sensor, harvests } = world();
  sensor.start();
  clock.advance(3_000);
  assert.deepEqual(harvests, [1_000, 2_000, 3_000]);
  sensor.stop(() => {});
  clock.advance(60_000);
  assert.equal(harvests.length, 4);
});
