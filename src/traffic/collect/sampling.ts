/** Of how many packets an exporter looks at one, as it says in options records, or in a flow's own record. */
import type { FlowRecord } from './records.js';
import { isRate } from './seen-flow.js';

const MOST_SAMPLERS = 64;
/** Of all flows whose record names no sampler. */
const EVERYBODY = -1;
/** What it said makes no sense: neither does what it has counted, until it says something else. */
const NO_RATE = 0;

/** One exporter's, of one observation domain. */
export class Sampling {
  /** By sampler; oldest first. */
  readonly #rates = new Map<number, number>();

  /** What an options record says. False: a rate that cannot be. */
  learn(record: FlowRecord): boolean {
    const said = rateIn(record);
    if (said === undefined) return true;
    const sampler = record.number('sampler') ?? EVERYBODY;
    this.#rates.delete(sampler);
    this.#rates.set(sampler, isRate(said) ? said : NO_RATE);
    const [oldest] = this.#rates.keys();
    if (this.#rates.size > MOST_SAMPLERS && oldest !== undefined) this.#rates.delete(oldest);
    return isRate(said);
  }

  /** Of a flow; no rate (`isRate`) when it was sampled nobody knows how. */
  rateOf(record: FlowRecord): number {
    const own = rateIn(record);
    if (own !== undefined) return own;
    const sampler = record.number('sampler');
    const told = this.#rates.get(sampler ?? EVERYBODY);
    if (told !== undefined) return told;
    // Sampler 0 is none, where it is not explained.
    if (sampler !== undefined && sampler !== 0) return NO_RATE;
    const [first = 1, ...others] = new Set(this.#rates.values());
    return others.length === 0 ? first : NO_RATE;
  }
}

/** RFC 5477 §8; undefined: it says nothing of it. */
function rateIn(record: FlowRecord): number | undefined {
  const interval = record.number('interval');
  if (interval !== undefined) return (interval + (record.number('space') ?? 0)) / interval;
  const [size, population] = [record.number('size'), record.number('population')];
  if (size !== undefined && population !== undefined) return population / size;
  const probability = record.number('probability');
  if (probability !== undefined) return 1 / probability;
  return record.number('oneIn');
}
