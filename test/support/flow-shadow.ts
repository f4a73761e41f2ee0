/**
 * A flow memory beside a worker that decides over every packet: what it would do with a packet that it knows must be what is
 * decided, to the last word, byte and count.
 */
import assert from 'node:assert/strict';
import { PACKET_COUNTERS, V } from '../../src/dataplane/counters.js';
import { Action, D, DESCRIPTOR_WORDS } from '../../src/dataplane/engine.js';
import { createFlowMemory } from '../../src/dataplane/flows/flow-memory.js';
import type { WorkerInput } from '../../src/dataplane/worker-input.js';
import { ForwardingTable } from '../../src/tables/forwarding/forwarding-table.js';
import { NO_GENERATION } from '../../src/tables/forwarding/generations.js';
import { FakeFlows } from './fake-flows.js';
import type { MemoryEngine } from './memory-engine.js';

/** Counts of vnets with higher numbers are not compared. */
const VNETS = 16;
/** What an action leaves open. */
const WORDS: Readonly<Record<number, readonly number[]>> = {
  [Action.tunnel]: [D.action, D.to, D.vnet, D.hops, D.mtu, D.offset, D.length],
  [Action.bare]: [D.action, D.to, D.mtu, D.offset, D.length],
  [Action.lan]: [D.action, D.to, D.outMacHigh, D.outMacLow, D.offset, D.length],
};

export class FlowShadow {
  /** Packets that it would have forwarded. */
  known = 0;
  readonly #engine: MemoryEngine;
  readonly #input: WorkerInput;
  readonly #flows: FakeFlows;
  readonly #own: Counts;
  readonly #table: ForwardingTable;
  #inputs: Uint8Array = new Uint8Array(0);
  #generation = NO_GENERATION;

  constructor(engine: MemoryEngine, input: WorkerInput) {
    this.#engine = engine;
    this.#input = input;
    this.#table = ForwardingTable.attach(input.table);
    const shared = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes);
    const own = {
      counters: shared(8 * PACKET_COUNTERS.length),
      vnetCounters: shared(8 * V.count * VNETS),
      activity: shared(input.activity.byteLength),
    };
    this.#own = new Counts(own);
    this.#flows = new FakeFlows({
      memory: createFlowMemory({ entries: 64, ring: 2 }),
      generations: input.table,
      generationsWord: ForwardingTable.generationsWord,
      packetCounters: own.counters,
      vnetCounters: own.vnetCounters,
      activity: own.activity,
      stop: shared(4),
      turns: shared(4),
    });
  }

  /**
   * Decides over the packet in the first descriptor by `decide`, and compares: with what was known of it before, and with what
   * is known of the same packet, come once more.
   */
  watch(decide: () => void, punts: () => number): void {
    this.#followInputs();
    const packets = this.#engine.packets.slice(0, this.#engine.slotBytes);
    const words = this.#engine.descriptors.slice(0, DESCRIPTOR_WORDS);
    const before = new Counts(this.#input).all();
    const puntsBefore = punts();
    const first = this.#forward(packets, words);
    // The engine's part, which this one's has none of.
    this.#engine.descriptors[D.flowGeneration] = this.#generation;
    decide();
    const now = new Counts(this.#input).all();
    const decided = { counts: now.map((count, i) => count - (before[i] ?? 0)), punts: punts() - puntsBefore };
    this.#compare(first, decided);
    this.#flows.note(this.#engine.packets, this.#engine.descriptors.subarray(0, DESCRIPTOR_WORDS));
    this.#compare(this.#forward(packets, words), decided);
  }

  /** What is done with copies of the packet and its descriptor; undefined: it is not known. */
  #forward(packets: Uint8Array, words: Int32Array): Known | undefined {
    const known = { packets: packets.slice(), words: words.slice() };
    this.#own.clear();
    const left = this.#flows.forward(1, known.packets, known.words);
    this.#generation = known.words[D.flowGeneration] ?? NO_GENERATION;
    if (left.length > 0) return undefined;
    this.known++;
    return { ...known, counts: this.#own.all() };
  }

  #compare(
    known: Known | undefined,
    decided: { readonly counts: Float64Array; readonly punts: number },
  ): void {
    if (known === undefined) return;
    const { words, packets } = known;
    const now = this.#engine.descriptors.subarray(0, DESCRIPTOR_WORDS);
    for (const word of WORDS[words[D.action] ?? 0] ?? [D.action])
      assert.equal(words[word], now[word], `word ${word}`);
    const [offset = 0, length = 0] = [words[D.offset], words[D.length]];
    assert.deepEqual(
      Buffer.from(packets.subarray(offset, offset + length)),
      Buffer.from(this.#engine.packets.subarray(offset, offset + length)),
    );
    assert.deepEqual(known.counts, decided.counts, 'counts');
    assert.equal(decided.punts, 0, 'what is handed up');
  }

  /** Tests write to what the data plane writes to, which would change the version (`DataPlane`, `planeOptions`). */
  #followInputs(): void {
    const { peerMtu, clientVnets, engine, sitePeers, macs, activityMacs } = this.#input;
    const memories = [peerMtu, clientVnets, engine.lanRoles, sitePeers];
    const views = memories.map((memory) => new Uint8Array(memory));
    views.push(new Uint8Array(this.#input.vnets, 0, VNETS));
    views.push(...[macs, activityMacs].map((memory) => new Uint8Array(memory, 0, 16)));
    if (!this.#differs(views)) return;
    this.#table.touch();
  }

  /** From what they were when this was asked last. */
  #differs(views: readonly Uint8Array[]): boolean {
    const now = new Uint8Array(views.reduce((sum, { length }) => sum + length, 0));
    let offset = 0;
    for (const view of views) {
      now.set(view, offset);
      offset += view.length;
    }
    if (Buffer.compare(now, this.#inputs) === 0) return false;
    this.#inputs = now;
    return true;
  }
}

interface Known {
  readonly packets: Uint8Array;
  readonly words: Int32Array;
  readonly counts: Float64Array;
}

/** What is counted for packets. */
class Counts {
  readonly #arrays: readonly (Float64Array | Int32Array)[];

  constructor({
    counters,
    vnetCounters,
    activity,
  }: Pick<WorkerInput, 'counters' | 'vnetCounters' | 'activity'>) {
    this.#arrays = [
      new Float64Array(counters),
      new Float64Array(vnetCounters, 0, V.count * VNETS),
      new Int32Array(activity),
    ];
  }

  all(): Float64Array {
    const all = new Float64Array(this.#arrays.reduce((sum, { length }) => sum + length, 0));
    let offset = 0;
    for (const array of this.#arrays) {
      all.set(array, offset);
      offset += array.length;
    }
    return all;
  }

  clear(): void {
    for (const array of this.#arrays) array.fill(0);
  }
}
