/** What the advice has to reach on a simulated day. */
import type { Day } from './day.js';
import type { Speed } from './speed.js';

export interface Judgement {
  readonly what: string;
  /** The worst of all days, and what is allowed. */
  readonly worst: number;
  readonly atMost: number;
  readonly holds: boolean;
}

/** Of the bytes between sites without any move, migrations counted. */
const MOST_BYTES_SHARE = 0.6;
const MOST_MS = 1_000;

export const bytesOf = ({ trafficBytes, migrationBytes }: Day): number => trafficBytes + migrationBytes;

/** @param worlds all policies' days of each */
export function judge(worlds: readonly (readonly Day[])[], speed: Speed): Judgement[] {
  const day = (days: readonly Day[], policy: string): Day => {
    const found = days.find((one) => one.policy === policy);
    if (found === undefined) throw new Error(`no day of "${policy}"`);
    return found;
  };
  const against = (policy: string): number =>
    Math.max(...worlds.map((days) => bytesOf(day(days, 'advice')) / bytesOf(day(days, policy))));
  const limit = (what: string, worst: number, atMost: number): Judgement => {
    return { what, worst, atMost, holds: worst <= atMost };
  };
  return [
    limit('bytes between sites, of those when nothing moves', against('nothing'), MOST_BYTES_SHARE),
    limit('… of those by affinity', against('affinity'), 1),
    limit("… of those by S-CORE's rule", against('s-core'), 1),
    limit(
      'moves back to a site that was left that day',
      Math.max(...worlds.map((days) => day(days, 'advice').flaps)),
      0,
    ),
    limit(
      `ms of processor time for ${speed.machines} machines at ${speed.sites} sites`,
      speed.processorMs.max,
      MOST_MS,
    ),
  ];
}
