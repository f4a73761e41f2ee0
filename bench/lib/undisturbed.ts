/**
 * What of a repetition counts: what was measured while the processors kept their clock (bench/lib/clock.ts). The rule is
 * that of moves, and the same for all carriers: no processor below half of its usual speed in the time that was measured.
 * A transfer is measured as a whole, each ping by itself.
 */
import type { LowClock } from './clock.js';
import type { Figures } from './measured.js';
import type { Ping } from './pings.js';

/** Figures of some time as a whole, Unix milliseconds. */
export interface Stretch {
  readonly kind: 'stretch';
  readonly fromMs: number;
  readonly untilMs: number;
  readonly figures: Partial<Figures>;
}

export interface Pinged {
  readonly kind: 'pings';
  readonly pings: readonly Ping[];
  readonly figuresOf: (ms: readonly number[]) => Partial<Figures>;
}

/** What does not depend on the clock. */
export interface Timeless {
  readonly kind: 'timeless';
  readonly figures: Partial<Figures>;
}

export type Part = Stretch | Pinged | Timeless;

/** All that was measured with one set-up of a carrier. */
export type Repetition = readonly Part[];

/** What waits in queues when the clock is back takes a while to get through. */
export const AFTERMATH_MS = 50;
/** With fewer of its pings left, a repetition's percentiles would be those of its quiet moments only. */
const LEAST_SHARE = 0.5;

const isLow = (lows: readonly LowClock[], fromMs: number, untilMs: number): boolean =>
  lows.some((low) => low.fromMs < untilMs && low.untilMs > fromMs);

function figuresOfPart(part: Part, lows: readonly LowClock[]): Partial<Figures> {
  if (part.kind === 'timeless') return part.figures;
  if (part.kind === 'stretch') return isLow(lows, part.fromMs, part.untilMs) ? {} : part.figures;
  const { pings, figuresOf } = part;
  const counted = pings.filter(({ sentMs, answeredMs }) => !isLow(lows, sentMs - AFTERMATH_MS, answeredMs));
  return counted.length < pings.length * LEAST_SHARE ? {} : figuresOf(counted.map(({ ms }) => ms));
}

/** Without those that the given slow times disturbed; with none, all. A figure that is none has no key. */
export function figuresOf(repetition: Repetition, lows: readonly LowClock[]): Partial<Figures> {
  const entries = repetition.flatMap((part) => Object.entries(figuresOfPart(part, lows)));
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as Partial<Figures>;
}

/** Figures that were left out of some repetition, and of which fewer than were asked for are left. */
export function tooFew(
  repetitions: readonly Repetition[],
  lows: readonly LowClock[],
  asked: number,
): readonly (keyof Figures)[] {
  const all = repetitions.map((repetition) => figuresOf(repetition, []));
  const counted = repetitions.map((repetition) => figuresOf(repetition, lows));
  const count = (figures: readonly Partial<Figures>[], key: keyof Figures): number =>
    figures.filter((one) => one[key] !== undefined).length;
  const keys = new Set(all.flatMap((figures) => Object.keys(figures) as (keyof Figures)[]));
  return [...keys].filter((key) => {
    const left = count(counted, key);
    return left < count(all, key) && left < asked;
  });
}
