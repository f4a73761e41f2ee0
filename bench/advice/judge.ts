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

/** Of the bytes between sites without any move, migrations counted; where nodes were deployed without regard to traffic. */
const MOST_BYTES_SHARE = 0.6;
const MOST_MS = 1_000;

export const bytesOf = ({ trafficBytes, migrationBytes }: Day): number => trafficBytes + migrationBytes;

export interface JudgedWorld {
  readonly deployed: 'evenly' | 'by application';
  /** All policies'. */
  readonly days: readonly Day[];
}

export function judge(worlds: readonly JudgedWorld[], speed: Speed): Judgement[] {
  const evenly = worlds.filter(({ deployed }) => deployed === 'evenly');
  const byApplication = worlds.filter(({ deployed }) => deployed === 'by application');
  return [
    limit('bytes between sites, of those when nothing moves', against(evenly, 'nothing'), MOST_BYTES_SHARE),
    limit('… where each application was at one site before', against(byApplication, 'nothing'), 1),
    limit('… of those by affinity', against(worlds, 'affinity'), 1),
    limit("… of those by S-CORE's rule, all days together", together(worlds, 's-core'), 1),
    limit(
      'moves back to a site that was left that day',
      Math.max(...worlds.map(({ days }) => dayOf(days, 'advice').flaps)),
      0,
    ),
    limit(
      `ms of processor time for ${speed.machines} machines at ${speed.sites} sites`,
      speed.processorMs.max,
      MOST_MS,
    ),
  ];
}

/** The worst of these days. */
function against(worlds: readonly JudgedWorld[], policy: string): number {
  return Math.max(...worlds.map(({ days }) => bytesOf(dayOf(days, 'advice')) / bytesOf(dayOf(days, policy))));
}

function together(worlds: readonly JudgedWorld[], policy: string): number {
  const sum = (of: string): number => worlds.reduce((bytes, { days }) => bytes + bytesOf(dayOf(days, of)), 0);
  return sum('advice') / sum(policy);
}

function dayOf(days: readonly Day[], policy: string): Day {
  const found = days.find((one) => one.policy === policy);
  if (found === undefined) throw new Error(`no day of "${policy}"`);
  return found;
}

const limit = (what: string, worst: number, atMost: number): Judgement => ({
  what,
  worst,
  atMost,
  holds: worst <= atMost,
});
