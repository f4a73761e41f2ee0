import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { StartSequence, type Step, takeDown } from '../../../src/router/life/sequence.js';

/** Steps that each wait until they are let go; what has begun, and how to let the next one go on. */
function gates(count: number) {
  const begun: number[] = [];
  const release: (() => void)[] = [];
  const steps: Step[] = Array.from({ length: count }, (_, n) => ({
    name: `step ${n}`,
    run: () =>
      new Promise<void>((resolve) => {
        begun.push(n);
        release.push(resolve);
      }),
  }));
  return { steps, begun, release };
}

test('every step is begun when the one before it has ended', async () => {
  const { steps, begun, release } = gates(3);
  const running = new StartSequence(steps).run();
  for (let n = 0; n < 3; n++) {
    assert.deepEqual(begun, [0, 1, 2].slice(0, n + 1));
    release[n]?.();
    await nextTurn();
  }
  assert.equal(await running, true);
});

test('called off while any one of its steps is waited for, it begins no further one', async () => {
  const count = 5;
  for (let at = 0; at < count; at++) {
    const { steps, begun, release } = gates(count);
    const sequence = new StartSequence(steps);
    const running = sequence.run();
    for (let n = 0; n < at; n++) {
      release[n]?.();
      await nextTurn();
    }
    let hasAborted = false;
    const aborted = sequence.abort().then(() => {
      hasAborted = true;
    });
    await nextTurn();
    assert.equal(hasAborted, false, 'the end does not overtake the step that is under way');
    release[at]?.();
    await aborted;
    assert.equal(await running, false);
    await nextTurn();
    assert.deepEqual(begun.length, at + 1);
  }
});

test('called off before it began, and after it has ended', async () => {
  const before = gates(1);
  const sequence = new StartSequence(before.steps);
  await sequence.abort();
  assert.equal(await sequence.run(), false);
  assert.deepEqual(before.begun, []);

  const after = new StartSequence([{ name: 'one', run: () => {} }]);
  assert.equal(await after.run(), true);
  await after.abort();
});

test('a step that fails ends it, and whoever called it off is not told again', async () => {
  const later: string[] = [];
  const sequence = new StartSequence([
    { name: 'bad', run: () => Promise.reject(new Error('no')) },
    { name: 'later', run: () => void later.push('later') },
  ]);
  const running = assert.rejects(sequence.run(), /^Error: no$/);
  await sequence.abort();
  await running;
  assert.deepEqual(later, []);
});

test('taking down goes on after what fails, and says what did', async () => {
  const done: string[] = [];
  const steps: Step[] = [
    { name: 'a', run: () => Promise.reject(new Error('x')) },
    { name: 'b', run: () => void done.push('b') },
    {
      name: 'c',
      run: () => {
        throw new Error('y');
      },
    },
    { name: 'd', run: () => void done.push('d') },
  ];
  await assert.rejects(takeDown(steps), /^AggregateError: a: x; c: y$/);
  assert.deepEqual(done, ['b', 'd']);
});
