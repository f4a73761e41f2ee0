/** Every packet is told of once, while a thread replaces entries at full speed. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { FlowHarvest } from '../../../../src/dataplane/flows/flow-harvest.js';
import {
  createFlowMemory,
  E,
  F,
  FLOW_ENTRY_WORDS,
  FLOW_HEADER_WORDS,
  flowsInUse,
} from '../../../../src/dataplane/flows/flow-memory.js';
import type { WriterStart, Written } from './flow-writer.js';

interface Sums {
  packets: number;
  bytes: number;
}

class Reader {
  readonly harvest: FlowHarvest;
  readonly flows: Sums[] = [];
  readonly all: Sums = { packets: 0, bytes: 0 };
  rounds = 0;

  constructor(memory: SharedArrayBuffer) {
    this.harvest = new FlowHarvest(memory);
  }

  /** In slices, between which the writer goes on. */
  async round(): Promise<void> {
    this.rounds++;
    const pass = this.harvest.pass(({ destination, vnet }, { packets, bytes }) => {
      assert.equal(vnet, 9);
      assert.ok(packets >= 0 && bytes >= 0);
      const flow = destination[3];
      this.flows[flow] ??= { packets: 0, bytes: 0 };
      for (const sums of [this.flows[flow], this.all]) {
        if (sums === undefined) continue;
        sums.packets += packets;
        sums.bytes += bytes;
      }
    });
    while (pass.next().done !== true) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Harvests while a thread writes, and once more when it has ended. */
async function runBeside(start: WriterStart, pauseMs: number): Promise<{ reader: Reader; written: Written }> {
  const reader = new Reader(start.memory);
  const worker = new Worker(new URL('./flow-writer.js', import.meta.url), { workerData: start });
  let written: Written | undefined;
  worker.once('message', (all: Written) => {
    written = all;
  });
  let hasEnded = false;
  // Rejects when it dies of an error.
  const ended = once(worker, 'exit').finally(() => {
    hasEnded = true;
  });
  while (!hasEnded) {
    await reader.round();
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  await ended;
  assert.ok(written !== undefined, 'the writer has ended without a word');
  await reader.round();
  return { reader, written };
}

function sumOf(written: Written): Sums {
  return written.reduce(
    (sum, [packets, bytes]) => ({ packets: sum.packets + packets, bytes: sum.bytes + bytes }),
    { packets: 0, bytes: 0 },
  );
}

for (const addon of ['native', 'fake'] as const) {
  const batches = addon === 'native' ? 60_000 : 6_000;
  describe(`the harvest of the flow memory of the ${addon} engine`, () => {
    for (const [name, size, flows, pauseMs] of [
      ['where there is room for all flows', { entries: 4_096, ring: 16 }, 64, 0],
      ['while entries are replaced', { entries: 64, ring: 4_096 }, 400, 0],
      ['while the ring is full most of the time', { entries: 16, ring: 2 }, 200, 1],
    ] as const)
      it(`is right to the packet ${name}`, async () => {
        const memory = createFlowMemory(size);
        const { reader, written } = await runBeside({ addon, memory, flows, batches, seed: 7 }, pauseMs);
        const sum = sumOf(written);
        const { unattributed } = reader.harvest;
        assert.deepEqual(
          [reader.all.packets + unattributed.packets, reader.all.bytes + unattributed.bytes],
          [sum.packets, sum.bytes],
        );
        for (const [flow, [packets, bytes]] of written.entries()) {
          const told = reader.flows[flow] ?? { packets: 0, bytes: 0 };
          assert.ok(told.packets <= packets && told.bytes <= bytes, `flow ${flow}`);
        }
        assert.ok(reader.rounds > 10 && flowsInUse(memory) > 0);
        if (flows === 64) assert.ok(unattributed.packets < sum.packets / 100);
        if (size.ring === 2) assert.ok(unattributed.packets > sum.packets / 100);
      });
  });
}

it('tells of nothing twice, and of an entry only when it has had packets', () => {
  const memory = createFlowMemory({ entries: 2, ring: 2 });
  const harvest = new FlowHarvest(memory);
  const told: number[] = [];
  for (let i = 0; i < 3; i++) harvest.harvest((_flow, { packets }) => told.push(packets));
  assert.deepEqual(told, []);
  assert.deepEqual(harvest.unattributed, { packets: 0, bytes: 0 });
});

it('tells once of an entry that is in the ring already and that no other flow has yet', () => {
  const memory = createFlowMemory({ entries: 2, ring: 2 });
  const [words, wide] = [new Int32Array(memory), new BigUint64Array(memory)];
  const [first, second, place] = [0, 1, 2].map((i) => FLOW_HEADER_WORDS + i * FLOW_ENTRY_WORDS) as [
    number,
    number,
    number,
  ];
  const has = (entry: number, serial: number, packets: bigint): void => {
    words[entry + E.serial] = serial;
    wide[(entry + E.packets) / 2] = packets;
    words[F.counted] = (words[F.counted] ?? 0) + 1;
  };
  const harvest = new FlowHarvest(memory);
  const told: number[] = [];
  // After the first entry was looked at and before the ring is, as a worker that is interrupted between the ring and `has`.
  let between = (): void => {
    has(first, 7, 3n);
    words.copyWithin(place, first, first + FLOW_ENTRY_WORDS);
    words[place + E.sequence] = 0;
    words[F.head] = 1;
  };
  const round = (): void =>
    harvest.harvest((_flow, { packets }) => {
      told.push(packets);
      between();
      between = () => {};
    });
  has(second, 6, 2n);
  round();
  assert.deepEqual(told.splice(0), [2, 3]);
  round();
  assert.deepEqual(told.splice(0), []);
  has(first, 8, 5n);
  round();
  round();
  assert.deepEqual(told, [5]);
  assert.deepEqual(harvest.unattributed, { packets: 0, bytes: 0 });
});

it('where nothing was counted since, nothing is looked at; whatever its number is, what was counted is found', () => {
  const memory = createFlowMemory({ entries: 2, ring: 1 });
  const [words, wide] = [new Int32Array(memory), new BigUint64Array(memory)];
  const at = FLOW_HEADER_WORDS;
  const harvest = new FlowHarvest(memory);
  const told = (): number => {
    let sum = 0;
    harvest.harvest((_flow, { packets }) => {
      sum += packets;
    });
    return sum;
  };
  words[at + E.serial] = 1;
  wide[(at + E.packets) / 2] = 3n;
  assert.equal(told(), 0);
  for (const number of [1, 0x7fff_ffff, -0x8000_0000, -1, 0]) {
    words[F.counted] = number;
    assert.equal(told(), number === 1 ? 3 : 1);
    wide[(at + E.packets) / 2] = (wide[(at + E.packets) / 2] ?? 0n) + 1n;
    assert.equal(told(), 0);
  }
});
