/** Many measurements as a few numbers. */
export interface Distribution {
  readonly count: number;
  readonly min: number;
  readonly median: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** The smallest value that at least `percent` % of the values do not exceed; NaN of none. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}

/** Rounded to microseconds, for what is measured in milliseconds. */
export function distributionOf(values: readonly number[]): Distribution {
  const at = (percent: number): number => Math.round(percentile(values, percent) * 1000) / 1000;
  return { count: values.length, min: at(0), median: at(50), p90: at(90), p99: at(99), max: at(100) };
}

/** `2.1 / 3.4 / 7.0`: median, 99th percentile, highest. */
export function inShort({ count, median, p99, max }: Distribution): string {
  return count === 0 ? '–' : [median, p99, max].map((value) => value.toFixed(1)).join(' / ');
}

/** One line per value range, with a bar: how often it was met. */
export function histogram(values: readonly number[], step: number): string[] {
  const counts = new Map<number, number>();
  for (const value of values) {
    const slot = Math.floor(value / step);
    counts.set(slot, (counts.get(slot) ?? 0) + 1);
  }
  return [...counts]
    .sort(([a], [b]) => a - b)
    .map(([slot, count]) => {
      const range = `${slot * step} … ${(slot + 1) * step}`.padStart(14);
      return `${range}  ${String(count).padStart(4)}  ${'█'.repeat(count)}`;
    });
}
