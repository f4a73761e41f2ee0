import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pino } from 'pino';
import { END_LIMIT_MS, Ending, LAST_LINES_LIMIT_MS } from '../../../src/router/life/ending.js';
import { SimClock } from '../../support/sim-clock.js';

function world() {
  const clock = new SimClock();
  const lines: { event: string; reason?: string; error?: string }[] = [];
  const exits: { status: number; flushed: boolean }[] = [];
  let flushed = false;
  let isRead = true;
  const ending = new Ending({
    clock,
    logger: pino({}, { write: (line) => lines.push(JSON.parse(line)) }),
    logged: async () => {
      if (!isRead) await new Promise(() => {});
      flushed = true;
    },
    exit: (status) => exits.push({ status, flushed }),
  });
  const stopReading = (): void => {
    isRead = false;
  };
  return { clock, lines, exits, ending, stopReading, events: () => lines.map(({ event }) => event) };
}

test('a signal: what is to be done is done in order, then status 0', async () => {
  const { ending, exits, events } = world();
  const done: string[] = [];
  ending.before('first', async () => {
    await nextTurn();
    done.push('first');
  });
  ending.before('second', () => void done.push('second'));
  ending.ask('SIGTERM');
  assert.equal(ending.isEnding, true);
  assert.deepEqual(exits, []);
  await nextTurn();
  await nextTurn();
  assert.deepEqual(done, ['first', 'second']);
  assert.deepEqual(exits, [{ status: 0, flushed: true }]);
  assert.deepEqual(events(), ['stopping']);
});

for (const [how, broken] of [
  ['rejects', () => Promise.reject(new Error('no disk'))],
  [
    'throws',
    () => {
      throw new Error('no disk');
    },
  ],
] as const) {
  test(`what ${how} at the end keeps neither the rest from being done nor the process from ending`, async () => {
    const { ending, exits, lines } = world();
    const done: string[] = [];
    ending.before('router', broken);
    ending.before('rest', () => void done.push('rest'));
    ending.ask('SIGTERM');
    await nextTurn();
    assert.deepEqual(done, ['rest']);
    assert.deepEqual(exits, [{ status: 1, flushed: true }]);
    assert.equal(lines[1]?.event, 'stop_failed');
    assert.equal(lines[1]?.reason, 'router: no disk');
  });
}

test('what never settles is given up, with a status that says so', async () => {
  const { clock, ending, exits, events } = world();
  ending.before('router', () => new Promise(() => {}));
  ending.ask('SIGTERM');
  await nextTurn();
  clock.advance(END_LIMIT_MS - 1);
  assert.deepEqual(exits, []);
  clock.advance(1);
  await nextTurn();
  assert.deepEqual(exits, [{ status: 1, flushed: true }]);
  assert.deepEqual(events(), ['stopping', 'stop_hangs']);
});

test('a failure ends it with status 1, also one that comes while it is ending', async () => {
  const first = world();
  first.ending.fail(new Error('a worker died'));
  await nextTurn();
  assert.deepEqual(first.exits, [{ status: 1, flushed: true }]);
  assert.equal(first.lines[0]?.error, 'a worker died');

  const second = world();
  let let_go: () => void = () => {};
  second.ending.before(
    'router',
    () =>
      new Promise((resolve) => {
        let_go = resolve;
      }),
  );
  second.ending.ask('SIGTERM');
  second.ending.fail('late');
  let_go();
  await nextTurn();
  assert.deepEqual(second.exits, [{ status: 1, flushed: true }]);
});

test('however often it is asked, it ends once', async () => {
  const { ending, exits, events } = world();
  let stops = 0;
  ending.before('router', () => void stops++);
  ending.ask('SIGTERM');
  ending.ask('SIGINT');
  ending.fail(new Error('x'));
  await nextTurn();
  assert.equal(stops, 1);
  assert.equal(exits.length, 1);
  assert.deepEqual(events(), ['stopping', 'failed']);
});

test('a log whose reader stands still does not keep the process alive', async () => {
  const { clock, ending, exits, stopReading } = world();
  stopReading();
  ending.ask('SIGTERM');
  await nextTurn();
  clock.advance(LAST_LINES_LIMIT_MS - 1);
  await nextTurn();
  assert.deepEqual(exits, []);
  clock.advance(1);
  await nextTurn();
  assert.deepEqual(exits, [{ status: 0, flushed: false }]);
});
