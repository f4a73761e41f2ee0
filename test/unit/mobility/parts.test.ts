import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Context } from '../../../src/mobility/context.js';
import { Journal } from '../../../src/mobility/journal.js';
import { Pacer } from '../../../src/mobility/pacer.js';
import { ANNOUNCEMENT_TIMES_MS, Rounds } from '../../../src/mobility/rounds.js';
import { BoundedMap } from '../../../src/net/bounded-map.js';
import { TimerGroup } from '../../../src/net/timer-group.js';
import { SimClock } from '../../support/sim-clock.js';
import { BLUE, Harness, ip, NODE_MAC } from './harness.js';

describe('rounds', () => {
  test('at 0, 100, 300, 700, 1500 and 3000 ms, and then no more', () => {
    const clock = new SimClock();
    const at: number[] = [];
    new Rounds(new TimerGroup(clock)).repeat('a', () => at.push(clock.nowMs()) > 0);
    clock.advance(60_000);
    assert.deepEqual(at, [0, 100, 300, 700, 1500, 3000]);
    assert.deepEqual(at, [...ANNOUNCEMENT_TIMES_MS]);
  });

  test('end when the action says so, when cancelled, and when a new series begins', () => {
    const clock = new SimClock();
    const rounds = new Rounds(new TimerGroup(clock));
    const said: string[] = [];
    rounds.repeat('a', (round) => said.push(`a${round}`) > 0 && round < 1);
    rounds.repeat('b', (round) => said.push(`b${round}`) > 0);
    rounds.repeat('c', (round) => said.push(`c${round}`) > 0);
    clock.advance(99);
    rounds.cancel('b');
    rounds.repeat('c', (round) => said.push(`C${round}`) > 0);
    clock.advance(101);
    assert.deepEqual(said, ['a0', 'b0', 'c0', 'C0', 'a1', 'C1']);
    clock.advance(60_000);
    assert.deepEqual(said.slice(6), ['C2', 'C3', 'C4', 'C5']);
  });
});

describe('frames on their way to the LANs', () => {
  const bench = () => {
    const { clock, dependencies } = new Harness();
    const sent: [string, number][] = [];
    const sendFrame = (_lan: number, frame: Uint8Array): void =>
      void sent.push([`${frame[0]}-${frame[1]}`, clock.nowMs()]);
    const context = new Context({ ...dependencies, ports: { ...dependencies.ports, sendFrame } });
    return { clock, sent, pacer: new Pacer(context), burst: context.burst };
  };
  const framesOf = (batch: number, count: number): Uint8Array[] =>
    Array.from({ length: count }, (_, i) => Uint8Array.of(batch, i));

  test('many are spread over ticks, in order', () => {
    const { clock, sent, pacer } = bench();
    let first = 0;
    pacer.send(0, framesOf(1, 150), false, () => first++);
    assert.deepEqual([sent.length, first], [0, 0]);
    clock.advance(10);
    assert.deepEqual(
      sent.map(([name]) => name),
      framesOf(1, 150).map(([batch, i]) => `${batch}-${i}`),
    );
    assert.deepEqual(new Set(sent.map(([, atMs]) => atMs)), new Set([1, 2, 3, 4, 5, 6, 7]));
    assert.equal(first, 1);
  });

  test('what is urgent goes first, and of that every set in turn', () => {
    const { clock, sent, pacer } = bench();
    pacer.send(0, framesOf(1, 100), false);
    for (const batch of [2, 3, 4]) pacer.send(0, framesOf(batch, 40), true);
    const names = (): string[] => sent.map(([name]) => name);
    assert.equal(sent.length, 65);
    assert.deepEqual(names().slice(-2), ['3-23', '4-0'], 'the first of what is urgent waits for nothing');
    clock.advance(2);
    assert.deepEqual(names().slice(65, 69), ['3-24', '4-1', '3-25', '4-2']);
    clock.advance(20);
    assert.equal(sent.length, 220);
    assert.equal(names().findIndex((name) => name.startsWith('1-')) > names().indexOf('4-39'), true);
    assert.equal(sent.at(-1)?.[0], '1-99');
  });

  test('what is not urgent waits until a burst is over, but not for ever', () => {
    const { clock, sent, pacer, burst } = bench();
    for (let nodes = 0; nodes < 5; nodes++) burst.joined();
    pacer.send(0, framesOf(1, 1), false);
    for (let ms = 0; ms < 100; ms += 2) {
      burst.joined();
      pacer.send(0, framesOf(2, 1), true);
      clock.advance(2);
    }
    assert.equal(sent.find(([name]) => name === '1-0')?.[1], 50);

    const short = bench();
    for (let nodes = 0; nodes < 5; nodes++) short.burst.joined();
    short.pacer.send(0, framesOf(1, 1), false);
    short.clock.advance(20);
    assert.deepEqual(short.sent, [['1-0', 8]]);
  });

  test('of a node that moves alone, what is not urgent goes at the next tick, behind what is', () => {
    const { clock, sent, pacer } = bench();
    pacer.send(0, framesOf(2, 1), true);
    pacer.send(0, framesOf(1, 1), false);
    clock.advance(0.5);
    pacer.send(0, framesOf(3, 1), true);
    clock.advance(10);
    assert.deepEqual(sent, [
      ['2-0', 0],
      ['3-0', 0.5],
      ['1-0', 1],
    ]);
  });
});

describe('timers that end together', () => {
  test('none fires after stop, none can be set', () => {
    const clock = new SimClock();
    const timers = new TimerGroup(clock);
    const fired: string[] = [];
    timers.after('a', 10, () => fired.push('a'));
    timers.after('b', 20, () => fired.push('b'));
    timers.after('c', 5, () => fired.push('c')).cancel();
    clock.advance(10);
    timers.stop();
    timers.after('d', 1, () => fired.push('d'));
    clock.advance(100);
    assert.deepEqual(fired, ['a']);
    assert.deepEqual(clock.waiting, []);
  });
});

describe('bounded memory', () => {
  test('the entry set longest ago goes first; setting again makes it young', () => {
    const map = new BoundedMap<string, number>(2);
    map.set('a', 1);
    map.set('b', 2);
    map.set('a', 3);
    map.set('c', 4);
    assert.deepEqual([map.get('a'), map.get('b'), map.get('c'), map.size], [3, undefined, 4, 2]);
  });
});

describe('journal', () => {
  const start = {
    vnet: BLUE,
    mac: NODE_MAC,
    ips: [ip('10.1.0.9')],
    from: 'vr-a',
    to: 'vr-b',
    trigger: 'rarp',
    seq: 2,
    role: 'destination',
  } as const;

  test('steps are in microseconds after the announcement, the start in Unix time', () => {
    const clock = new SimClock(1_700_000_000_000);
    clock.advance(5);
    const journal = new Journal(clock);
    const move = journal.begin({ ...start, startedMs: 3.25 });
    move.step('detected', 3.25);
    move.step('directory');
    move.judge('refused', 'stale');
    assert.deepEqual(journal.views(), [
      {
        ...start,
        verdict: 'refused',
        reason: 'stale',
        blackoutUs: undefined,
        startedWallMs: 1_700_000_000_003.25,
        steps: [
          { step: 'detected', atUs: 0 },
          { step: 'directory', atUs: 1750 },
        ],
      },
    ]);
  });

  test('keeps the last thousand', () => {
    const journal = new Journal(new SimClock());
    for (let seq = 1; seq <= 1_001; seq++) journal.begin({ ...start, seq, startedMs: 0 });
    const views = journal.views();
    assert.deepEqual([views.length, views[0]?.seq, views.at(-1)?.seq], [1_000, 2, 1_001]);
  });
});
