/** Sites, machines and their traffic for tests of the advice: machine n has the address 10.1.0.n. */
import type {
  AdviceInput,
  AdviceOptions,
  AdvisedMachine,
  AdvisedSite,
  SiteLink,
} from '../../../../src/traffic/advice/input.js';
import type { PairTraffic } from '../../../../src/traffic/matrix.js';

export const NOW_MS = Date.parse('2026-03-01T12:00:00Z');
export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

export const OPTIONS: AdviceOptions = {
  objective: 'traffic',
  horizonMs: DAY_MS,
  nowMs: NOW_MS,
  most: 10,
  restMs: HOUR_MS,
};

/** 1 GB of memory, hardly written to. */
export function machine(n: number, site: string, change: Partial<AdvisedMachine> = {}): AdvisedMachine {
  return {
    vnet: 1,
    addresses: [`10.1.0.${n}`],
    site,
    load: { memoryBytes: 1e9, dirtyBytesPerSecond: 0, diskBytes: 0 },
    isAssumed: false,
    ...change,
  };
}

/** @param gbPerDay of each direction, over the hour that the matrix is of */
export function talk(
  from: number | string,
  to: number | string,
  gbPerDay: number,
  sites = 'ab',
): PairTraffic {
  const name = (end: number | string): string => (typeof end === 'number' ? `10.1.0.${end}` : end);
  const bytes = (gbPerDay * 1e9) / 24;
  const [sourceSite = '', destinationSite = ''] = sites;
  return {
    vnet: 1,
    source: name(from),
    destination: name(to),
    sourceSite,
    destinationSite,
    packets: 1,
    bytes,
  };
}

interface Sample {
  readonly machines: readonly AdvisedMachine[];
  readonly pairs: readonly PairTraffic[];
  readonly sites?: readonly AdvisedSite[];
  readonly link?: (from: string, to: string) => Partial<SiteLink>;
  readonly together?: readonly (readonly number[])[];
  readonly apart?: readonly (readonly number[])[];
}

export function inputOf({ machines, pairs, sites, link, together = [], apart = [] }: Sample): AdviceInput {
  return {
    sites: sites ?? [{ id: 'a' }, { id: 'b' }, { id: 'c' }],
    machines,
    matrix: { seconds: 3_600, pairs, rest: [], unattributed: { packets: 0, bytes: 0 }, missing: [] },
    link: (from, to) => ({ rttMs: 20, pricePerGb: 0.1, bytesPerSecond: 125e6, ...link?.(from, to) }),
    together,
    apart,
  };
}
