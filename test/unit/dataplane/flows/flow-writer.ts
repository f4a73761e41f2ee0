/** A thread that notes forwarded packets in a flow memory, as fast as it can, by the engine that it is given. */
import { parentPort, workerData } from 'node:worker_threads';
import {
  Action,
  D,
  DESCRIPTOR_WORDS,
  EngineCounter,
  FlowNote,
  Kind,
  SCRATCH_SLOTS,
} from '../../../../src/dataplane/engine.js';
import { loadNative } from '../../../../src/dataplane/native.js';
import { GENERATION_WORDS } from '../../../../src/tables/forwarding/generations.js';
import { Random } from '../../../fuzz/random.js';
import { createFakeAddon } from '../../../support/fake-addon.js';

export interface WriterStart {
  readonly addon: 'native' | 'fake';
  readonly memory: SharedArrayBuffer;
  readonly flows: number;
  readonly batches: number;
  readonly seed: number;
}

/** Packets and bytes by flow: the last word of its destination. */
export type Written = readonly (readonly [packets: number, bytes: number])[];

const VNET = 9;

export function write({ addon, memory, flows, batches, seed }: WriterStart): Written {
  const native = addon === 'native' ? loadNative() : createFakeAddon();
  const shared = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes);
  const wakeupFd = native.createWakeup();
  const engine = native.createEngine({
    role: 'lan',
    lans: [],
    tuns: [],
    udp: [],
    lanRoles: shared(4),
    wakeupFd,
    slots: 1,
    slotBytes: 256,
    counters: shared(8 * EngineCounter.count),
    flows: {
      memory,
      generations: shared(4 * GENERATION_WORDS),
      generationsWord: 0,
      packetCounters: shared(8),
      vnetCounters: shared(8),
      activity: shared(8),
      stop: shared(4),
      turns: shared(4),
    },
  });
  const written = Array.from({ length: flows }, (): [number, number] => [0, 0]);
  const random = new Random(seed);
  for (let i = 0; i < SCRATCH_SLOTS; i++) engine.packets[engine.scratchOffset(i)] = 0x45;
  for (let batch = 0; batch < batches; batch++) {
    for (let i = 0; i < SCRATCH_SLOTS; i++) {
      // Some flows have most of the packets.
      const flow = random.chance(70) ? random.below(Math.ceil(flows / 16)) : random.below(flows);
      const length = 20 + random.below(100);
      const offset = engine.scratchOffset(i);
      new DataView(engine.packets.buffer, engine.packets.byteOffset).setUint32(offset + 16, flow);
      const at = (engine.capacity + i) * DESCRIPTOR_WORDS;
      const words = engine.descriptors;
      words[at + D.offset] = offset;
      words[at + D.length] = length;
      words[at + D.kind] = Kind.frame;
      words[at + D.action] = Action.drop;
      words[at + D.flow] = FlowNote.forwarded | FlowNote.keyed | (random.chance(95) ? FlowNote.keep : 0);
      words[at + D.flowVnet] = VNET;
      const counts = written[flow];
      if (counts === undefined) continue;
      counts[0]++;
      counts[1] += length;
    }
    engine.send(engine.capacity, SCRATCH_SLOTS);
  }
  engine.close();
  native.closeSocket(wakeupFd);
  return written;
}

parentPort?.postMessage(write(workerData as WriterStart));
