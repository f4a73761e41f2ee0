import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Unproven } from '../../../src/net/unproven.js';

test('one host has so many places and no more, all together so many', () => {
  const unproven = new Unproven(5, 2);
  const take = (address?: string): (() => void) => {
    const place = unproven.take(address);
    return typeof place === 'string' ? assert.fail(place) : place;
  };
  const first = take('10.1.0.1');
  take('::ffff:10.1.0.1');
  assert.equal(unproven.take('10.1.0.1'), 'too-many-of-one');
  take('fd00:1::1');
  take('fd00:1::2%eth0');
  assert.equal(unproven.take('fd00:1:0:0:ffff::3'), 'too-many-of-one', 'a /64 is one host');
  first();
  first();
  assert.equal(unproven.size, 3, 'a place is given back once');
  take('10.1.0.1');
  assert.equal(unproven.take('10.1.0.1'), 'too-many-of-one');
  const last = take('fd00:1:0:1::1');
  assert.equal(unproven.take('10.1.0.2'), 'too-many');
  last();
  take('10.1.0.2');
});

test('who comes by a Unix socket is bounded by the number of all alone', () => {
  const unproven = new Unproven(3, 1);
  const places = [unproven.take(undefined), unproven.take(undefined), unproven.take(undefined)];
  assert.ok(places.every((place) => typeof place === 'function'));
  assert.equal(unproven.take(undefined), 'too-many');
});
