import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualMacWatch } from '../../../src/router/lan/virtual-mac-watch.js';

test('each LAN by itself, and the latest frame counts, in whatever order they are told', () => {
  const watch = new VirtualMacWatch();
  assert.equal(watch.heardAgoMs(0, 1_000), undefined);
  watch.heard(0, 1_000);
  assert.equal(watch.heardAgoMs(0, 1_000), 0);
  assert.equal(watch.heardAgoMs(0, 3_500), 2_500);
  assert.equal(watch.heardAgoMs(1, 3_500), undefined);
  watch.heard(0, 900);
  assert.equal(watch.heardAgoMs(0, 3_500), 2_500);
  watch.heard(0, 4_000);
  assert.equal(watch.heardAgoMs(0, 3_999), 0, 'captured after the question was begun');
  assert.equal(watch.heardAgoMs(0, 4_250), 250);
});
