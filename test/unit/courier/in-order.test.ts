import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InOrder } from '../../../src/courier/job/in-order.js';
import { until } from './couriers.js';

function keeper() {
  const errors: string[] = [];
  return {
    errors,
    failed: (error: unknown) => void errors.push(String(error)),
    get isOver() {
      return errors.length > 0;
    },
  };
}

function later<Value>(): { promise: Promise<Value>; resolve: (value: Value) => void } {
  let resolve: (value: Value) => void = () => undefined;
  const promise = new Promise<Value>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

test('steps are in their order, whichever need is there first', async () => {
  const done: number[] = [];
  const order = new InOrder(keeper());
  const first = later<number>();
  order.add(first.promise, (number) => void done.push(number));
  order.add(2, (number) => void done.push(number));
  await new Promise((next) => setImmediate(next));
  assert.deepEqual(done, []);
  first.resolve(1);
  await until('both are done', () => done.length === 2);
  assert.deepEqual(done, [1, 2]);
});

test('a need that fails before its turn ends the steps in its turn, and not the process', async (t) => {
  const unhandled: unknown[] = [];
  const hear = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', hear);
  t.after(() => process.off('unhandledRejection', hear));
  const done: number[] = [];
  const told = keeper();
  const order = new InOrder(told);
  const first = later<number>();
  order.add(first.promise, (number) => void done.push(number));
  order.add(Promise.reject(new Error('no memory')), () => assert.fail('a step without its need'));
  order.add(3, () => assert.fail('a step after the end'));
  await new Promise((next) => setTimeout(next, 20));
  assert.deepEqual([told.errors, unhandled], [[], []]);
  first.resolve(1);
  await until('it is told', () => told.errors.length > 0);
  await new Promise((next) => setTimeout(next, 20));
  assert.deepEqual([done, told.errors, unhandled], [[1], ['Error: no memory'], []]);
});
