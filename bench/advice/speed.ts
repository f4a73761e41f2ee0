/** How long an advice takes for many machines at many sites. */
import { advise } from '../../src/traffic/advice/advise.js';
import type { AdviceInput } from '../../src/traffic/advice/input.js';
import { type Distribution, distributionOf } from '../lib/distribution.js';
import { lots } from './lots.js';
import { LINK } from './policies.js';

export interface Speed {
  readonly machines: number;
  readonly sites: number;
  readonly pairs: number;
  /** Of each run, another network each. */
  readonly ms: Distribution;
  /** Of all threads: what it takes when nobody else is at work. */
  readonly processorMs: Distribution;
}

const HOUR_MS = 3_600_000;
/** Partners of each machine; four in five are of its own group of ten. */
const PARTNERS = 10;
const GROUP = 10;

/** @param isTight each site has room for a tenth more than its share, no more */
export function largeInput(seed: number, machines: number, sites: number, isTight: boolean): AdviceInput {
  const random = lots(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const nodes = isTight ? Math.ceil((1.1 * machines) / sites) : undefined;
  const pair = (from: number) => {
    const isOwn = random() < 0.8;
    const to = isOwn ? Math.min(machines - 1, from - (from % GROUP) + below(GROUP)) : below(machines);
    const bytes = (isOwn ? 4e9 : 1e8) * random();
    const [source, destination] = [String(from), String(to)];
    return { vnet: 1, source, destination, sourceSite: '', destinationSite: '', packets: 1, bytes };
  };
  return {
    sites: Array.from({ length: sites }, (_, site) => ({ id: String(site), nodes })),
    machines: Array.from({ length: machines }, (_, machine) => ({
      vnet: 1,
      addresses: [String(machine)],
      site: String((machine * 7919) % sites),
      load: { memoryBytes: 4 * 2 ** 30, dirtyBytesPerSecond: 10e6, diskBytes: 0 },
      isAssumed: true,
    })),
    matrix: {
      seconds: 3_600,
      pairs: Array.from({ length: machines * PARTNERS }, (_, n) => pair(n % machines)),
      rest: [],
      unattributed: { packets: 0, bytes: 0 },
      missing: [],
    },
    link: () => LINK,
    together: [],
    apart: [],
  };
}

export function measureSpeed(machines: number, sites: number, runs: number): Speed {
  const times: number[] = [];
  const processor: number[] = [];
  let pairs = 0;
  for (let run = 0; run < runs; run++) {
    const input = largeInput(run + 1, machines, sites, run % 2 === 1);
    pairs = input.matrix.pairs.length;
    const used = process.cpuUsage();
    const start = process.hrtime.bigint();
    const { steps } = advise(input, {
      objective: 'traffic',
      horizonMs: 24 * HOUR_MS,
      nowMs: 0,
      most: 20,
      restMs: HOUR_MS,
    });
    times.push(Number(process.hrtime.bigint() - start) / 1e6);
    const { user, system } = process.cpuUsage(used);
    processor.push((user + system) / 1000);
    if (steps.length === 0) throw new Error('there was nothing to advise: the measurement says nothing');
  }
  return { machines, sites, pairs, ms: distributionOf(times), processorMs: distributionOf(processor) };
}
