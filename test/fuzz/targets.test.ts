/** Every decoder of the tunnel for a moment; `scripts/test fuzz --minutes N` runs each for longer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ControlCodec } from '../../src/protocol/control-codec.js';
import { SAMPLES } from '../unit/protocol/control-samples.js';
import { runCase } from './target.js';
import { TARGETS } from './targets.js';

const ENOUGH_MS = 1_000;
const LIMIT_MS = 60_000;

for (const target of TARGETS)
  test(`${target.name}: nothing is found, and not everything is refused`, (t) => {
    const seed = Math.floor(Math.random() * 0x7fffffff) + 1;
    const missing = new Set(target.outcomes);
    const work = target.open();
    const startMs = performance.now();
    let cases = 0;
    for (
      let passedMs = 0;
      passedMs < (missing.size > 0 ? LIMIT_MS : ENOUGH_MS);
      passedMs = performance.now() - startMs
    )
      missing.delete(runCase(target, work, seed, cases++));
    t.diagnostic(`seed ${seed}, ${cases} cases`);
    assert.deepEqual([...missing], [], 'never came out');
  });

test('control payloads: padding of any length is no part of a message', () => {
  const codec = new ControlCodec();
  for (const body of SAMPLES) {
    const payload = codec.encode({ id: 7, acks: [1, 2], epoch: 3, ackEpoch: 4, oldest: 1, body });
    for (let zeros = 0; zeros < 16; zeros++)
      assert.deepEqual(
        codec.decode(Uint8Array.from([...payload, ...new Uint8Array(zeros)])),
        codec.decode(payload),
      );
    assert.equal(codec.decode(Uint8Array.from([...payload, 0, 1, 0])), 'not-protobuf');
  }
});
