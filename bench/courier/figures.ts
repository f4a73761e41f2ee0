/** What the contract wants of couriers, beside what was measured. Pure. */
import type { Moved, MovedByCouriers } from './world.js';

export interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: '%' | 'ms';
  /** The contract's; `value` must not be above it, or below. */
  readonly atMost?: number;
  readonly atLeast?: number;
  readonly holds: boolean;
}

type Bound = Pick<Figure, 'atMost' | 'atLeast'>;

function figure(what: string, unit: Figure['unit'], exact: number, bound: Bound): Figure {
  const value = Math.round(exact * 10) / 10;
  const holds = value <= (bound.atMost ?? Infinity) && value >= (bound.atLeast ?? -Infinity);
  return { what, value, unit, ...bound, holds };
}

/** In percent of what plain migration needed. */
export function saved(
  what: string,
  plain: Moved,
  by: MovedByCouriers,
  of: 'wanBytes' | 'instructionBytes',
  bound: Bound,
): Figure {
  return figure(what, '%', (1 - by[of] / plain.wanBytes) * 100, bound);
}

/** Of the courier's own stream: where plain migration of that moment cannot be measured. */
export function savedOfStream(what: string, by: MovedByCouriers, bound: Bound): Figure {
  return figure(what, '%', (1 - by.wanBytes / by.streamBytes) * 100, bound);
}

/** More than plain migration, in percent; below 0: less. */
export function more(
  what: string,
  plain: readonly Moved[],
  by: readonly Moved[],
  of: 'wanBytes' | 'seconds',
  bound: Bound,
): Figure {
  const sum = (all: readonly Moved[]): number => all.reduce((total, one) => total + one[of], 0);
  return figure(what, '%', (sum(by) / sum(plain) - 1) * 100, bound);
}

/** Of the medians. */
export function longerPause(
  what: string,
  plain: readonly Moved[],
  by: readonly Moved[],
  bound: Bound,
): Figure {
  const median = (all: readonly Moved[]): number => {
    const sorted = all.flatMap(({ downtimeMs }) => downtimeMs).sort((a, b) => a - b);
    return ((sorted[(sorted.length - 1) >> 1] ?? 0) + (sorted[sorted.length >> 1] ?? 0)) / 2;
  };
  return figure(what, 'ms', median(by) - median(plain), bound);
}

export function line({ what, value, unit, atMost, atLeast, holds }: Figure): string {
  const bound = atMost === undefined ? `at least ${atLeast}` : `at most ${atMost}`;
  return `${what}: ${value} ${unit} (${bound} ${unit} wanted: ${holds ? 'holds' : 'DOES NOT HOLD'})`;
}
