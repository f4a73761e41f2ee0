import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { DESCRIPTOR_WORDS } from '../../../../src/dataplane/engine.js';
import { LanForwarder } from '../../../../src/dataplane/forward/lan-forwarder.js';
import { TunnelForwarder } from '../../../../src/dataplane/forward/tunnel-forwarder.js';
import { decideAll, warmUp } from '../../../../src/dataplane/worker/warm-up.js';
import type { WorkerInput } from '../../../../src/dataplane/worker-input.js';
import { macFromHalves } from '../../../../src/net/mac.js';
import { MemoryEngine } from '../../../support/memory-engine.js';
import { workerInput } from '../../../support/worker-input.js';

/** Bits of what `%GetOptimizationStatus` answers (V8, src/runtime/runtime.h). */
const OPTIMISED = 1 << 4;

setFlagsFromString('--allow-natives-syntax');
const optimisationStatus = new Function('f', 'return %GetOptimizationStatus(f)') as (f: unknown) => number;

function input(role: 'lan' | 'tunnel'): WorkerInput {
  const given = workerInput(macFromHalves(1, 2), { vnets: new SharedArrayBuffer(65_536), lanVnets: [7] });
  return { ...given, engine: { ...given.engine, role } };
}

describe('the warm-up of a packet worker', () => {
  for (const [role, Forwarder] of [
    ['lan', LanForwarder],
    ['tunnel', TunnelForwarder],
  ] as const) {
    test(`leaves the decisions of the ${role} worker compiled, and nothing else behind`, () => {
      const engine = new MemoryEngine();
      const own = input(role);
      // Compiled by itself, or as a part of what calls it.
      const compiled = (): boolean =>
        [decideAll, Forwarder.prototype.decide].some((f) => (optimisationStatus(f) & OPTIMISED) !== 0);
      // Once is enough where the compiler's thread gets its share of a processor.
      for (let turn = 0; turn < 200 && (turn === 0 || !compiled()); turn++)
        warmUp(engine, own, { nowMs: () => 0 });
      assert.ok(compiled());
      assert.deepEqual(engine.sent, []);
      assert.ok(engine.descriptors.subarray(0, DESCRIPTOR_WORDS).every((word) => word === 0));
      for (const shared of [
        own.counters,
        own.vnetCounters,
        own.control,
        own.words,
        own.peerMtu,
        own.puntsDone,
      ])
        assert.ok(new Uint8Array(shared).every((byte) => byte === 0));
    });
  }

  test('gives up where the processor is wanted by others', () => {
    const looksWithin = (msPerLook: number): number => {
      let looks = 0;
      warmUp(new MemoryEngine(), input('lan'), { nowMs: () => msPerLook * looks++ });
      return looks;
    };
    // The packet path looks at the clock too, now and then.
    assert.ok(looksWithin(50) < looksWithin(0) / 10);
  });
});
