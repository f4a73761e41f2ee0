import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { createPacketCounters, createVnetCounters } from '../../../src/dataplane/counters.js';
import { DESCRIPTOR_WORDS } from '../../../src/dataplane/engine.js';
import { LanForwarder } from '../../../src/dataplane/lan-forwarder.js';
import { RelayTable } from '../../../src/dataplane/relay-table.js';
import { TunnelForwarder } from '../../../src/dataplane/tunnel-forwarder.js';
import { decideAll, warmUp } from '../../../src/dataplane/warm-up.js';
import { ControlWord, type WorkerInput, WorkerWord } from '../../../src/dataplane/worker-message.js';
import { ForwardingTable } from '../../../src/tables/forwarding-table.js';
import { MacTable } from '../../../src/tables/mac-table.js';
import { MemoryEngine } from '../../support/memory-engine.js';

/** Bits of what `%GetOptimizationStatus` answers (V8, src/runtime/runtime.h). */
const OPTIMISED = 1 << 4;

setFlagsFromString('--allow-natives-syntax');
const optimisationStatus = new Function('f', 'return %GetOptimizationStatus(f)') as (f: unknown) => number;

function input(role: 'lan' | 'tunnel'): WorkerInput {
  const shared = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes);
  return {
    engine: {
      role,
      lans: [{ fd: -1, index: 0, macHigh: 1, macLow: 2, mtuBytes: 1500, vnetHeader: true }],
      tuns: [],
      udp: [],
      wakeupFd: -1,
      slots: 8,
      slotBytes: 4096,
      counters: shared(1024),
    },
    lanVnets: [7],
    tunsFrom: 1,
    lanAddresses: [{ v4: undefined, v6: undefined }],
    vnets: shared(65_536),
    table: ForwardingTable.create({ slots: 64 }).memory,
    macs: MacTable.create(4).memory,
    selfPeer: 1,
    relays: RelayTable.create(4).memory,
    clientVnets: shared(16),
    peerMtu: shared(16),
    counters: createPacketCounters().buffer as SharedArrayBuffer,
    vnetCounters: createVnetCounters().buffer as SharedArrayBuffer,
    control: shared(ControlWord.count * 4),
    words: shared(4 * WorkerWord.count),
  };
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
      for (let turn = 0; turn < 200 && (turn === 0 || !compiled()); turn++) warmUp(engine, own, () => 0);
      assert.ok(compiled());
      assert.deepEqual(engine.sent, []);
      assert.ok(engine.descriptors.subarray(0, DESCRIPTOR_WORDS).every((word) => word === 0));
      for (const shared of [own.counters, own.vnetCounters, own.control, own.words, own.peerMtu])
        assert.ok(new Uint8Array(shared).every((byte) => byte === 0));
    });
  }
});
