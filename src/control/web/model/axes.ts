/** Axes of the charts: times in UTC like everywhere else, and steps that are round in the unit that is written. */

const DAY_SECONDS = 86_400;
const MINUTE_SECONDS = 60;

/** Labels as precise as the ticks are apart: `10:19:02`, `10:19`, `11-20`. @param seconds Unix times */
export function timeLabels(seconds: readonly number[], apart: number): string[] {
  const [from, to] = apart >= DAY_SECONDS ? [5, 10] : [11, apart >= MINUTE_SECONDS ? 16 : 19];
  return seconds.map((at) => new Date(at * 1_000).toISOString().slice(from, to));
}

/** Steps of an axis of bytes: powers of two, as KiB and MiB are. */
export const BYTE_STEPS: readonly number[] = Array.from({ length: 51 }, (_, power) => 2 ** power);

/** What is shown of a time axis: all that there is, and at least so many seconds. */
export function timeRange(least: number | null, most: number | null, atLeast: number): [number, number] {
  const to = most ?? 0;
  const lacking = Math.max(0, atLeast - (to - (least ?? to)));
  return [(least ?? to) - lacking, to];
}
