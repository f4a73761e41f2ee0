import assert from 'node:assert/strict';
import { it } from 'node:test';
import {
  CLIENT_MTU_BYTES,
  innerBytes,
  outerBytes,
  overheadBytes,
  ownInnerMtu,
  payloadBytes,
  TUN_MTU_BYTES,
} from '../../../src/protocol/overhead.js';

it('what a packet gains is what the wire’s description says', () => {
  assert.deepEqual([overheadBytes(4), overheadBytes(6)], [64, 84]);
  assert.deepEqual([overheadBytes(4, true), overheadBytes(6, true)], [108, 128]);
  assert.deepEqual([outerBytes(1_436, 4), outerBytes(1_416, 6)], [1_500, 1_500]);
  assert.deepEqual([TUN_MTU_BYTES, CLIENT_MTU_BYTES], [1_416, 1_420]);
  assert.equal(innerBytes(payloadBytes(1_280)), 1_280);
});

it('a router says what its LANs take, and nothing that others refuse', () => {
  assert.equal(ownInnerMtu([]), 1_500);
  assert.equal(ownInnerMtu([9_000, 1_400]), 1_400);
  assert.equal(ownInnerMtu([65_536]), 9_000);
  assert.equal(ownInnerMtu([68]), 576);
});
