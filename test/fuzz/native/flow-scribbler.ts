/** A flow memory in which not only its engine writes, and notes for it that no decision would make. */
import { D, FlowNote } from '../../../src/dataplane/engine.js';
import type { EngineFlows } from '../../../src/dataplane/flows/engine-flows.js';
import {
  createFlowMemory,
  FLOW_ENTRY_WORDS,
  FLOW_HEADER_WORDS,
} from '../../../src/dataplane/flows/flow-memory.js';
import { GENERATION_WORDS } from '../../../src/tables/forwarding/generations.js';
import type { Random } from '../random.js';

const [ENTRIES, RING] = [8, 2];
const COUNTERS = 4;
const shared = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes);

export class FlowScribbler {
  readonly flows: EngineFlows = {
    memory: createFlowMemory({ entries: ENTRIES, ring: RING }),
    generations: shared(4 * GENERATION_WORDS),
    generationsWord: 0,
    packetCounters: shared(8 * COUNTERS),
    vnetCounters: shared(8 * COUNTERS),
    activity: shared(8 * COUNTERS),
    stop: shared(4),
    turns: shared(4),
  };
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Between two calls of the engine. */
  scribble(): void {
    const random = this.#random;
    const words = new Int32Array(this.flows.memory);
    if (random.chance(10))
      Atomics.add(
        new Int32Array(this.flows.generations),
        random.below(GENERATION_WORDS),
        1 + random.below(2),
      );
    if (random.chance(5)) Atomics.add(new Int32Array(this.flows.generations), 0, 2);
    if (random.chance(5)) words[random.below(FLOW_HEADER_WORDS)] = random.oddWord();
    if (random.chance(10)) {
      const entry = random.below(ENTRIES + RING);
      words[FLOW_HEADER_WORDS + entry * FLOW_ENTRY_WORDS + random.below(FLOW_ENTRY_WORDS)] = random.oddWord();
    }
  }

  /** In a descriptor with an action. */
  note(words: Int32Array): void {
    const random = this.#random;
    const kind = random.pick([0, 0, FlowNote.overlay, FlowNote.bare]);
    const spends = random.chance(50) ? FlowNote.spendsTtl : 0;
    words[D.flow] = FlowNote.forwarded | FlowNote.keyed | FlowNote.keep | kind | spends;
    if (random.chance(10)) words[D.flowGeneration] = random.oddWord();
    words[D.flowVnet] = 1;
    words[D.flowCounter] = random.pick([0, 1, COUNTERS, 0x10001, random.word()]);
    words[D.flowVnetCounter] = random.pick([-1, 0, COUNTERS - 1, random.word()]);
    words[D.flowHeard] = random.pick([-1, 0, COUNTERS, random.word()]);
    words[D.flowSent] = random.pick([-1, 0, COUNTERS, random.word()]);
  }
}
