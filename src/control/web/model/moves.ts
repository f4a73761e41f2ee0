/** Moves of nodes between sites, on a time axis and step by step. */
import type { MigrationView } from '../../api.js';

/** A move is one by its node, its sequence number and when it began here. */
export const moveKey = ({ vnet, mac, seq, startedUnixMs }: MigrationView): string =>
  `${vnet} ${mac} ${seq} ${startedUnixMs}`;

/** The newest first. */
export function newestFirst(moves: readonly MigrationView[]): MigrationView[] {
  return [...moves].sort((one, other) => other.startedUnixMs - one.startedUnixMs);
}

export interface StepBar {
  readonly step: string;
  readonly atMs: number;
  /** From the step before it, 0 … 1 of the time to the last one. */
  readonly from: number;
  readonly to: number;
}

/** In the order of time, each from where the one before it ended. */
export function stepBars({ steps }: Pick<MigrationView, 'steps'>): StepBar[] {
  const sorted = [...steps].sort((one, other) => one.atUs - other.atUs);
  const whole = Math.max(1, sorted.at(-1)?.atUs ?? 1);
  let before = 0;
  return sorted.map(({ step, atUs }) => {
    const bar = { step, atMs: atUs / 1000, from: before / whole, to: Math.max(0, atUs) / whole };
    before = Math.max(0, atUs);
    return bar;
  });
}

/** Below this a logarithmic axis does not go: 0.1 ms. */
export const LEAST_BLACKOUT_MS = 0.1;

/** For a chart, rising in time: Unix seconds, blackout in ms where it is known, and a mark where it is not. */
export function movePoints(
  moves: readonly MigrationView[],
): [times: number[], known: (number | null)[], unknown: (number | null)[]] {
  const sorted = [...moves].sort((one, other) => one.startedUnixMs - other.startedUnixMs);
  const known = sorted.map(({ blackoutUs }) =>
    blackoutUs === null ? null : Math.max(LEAST_BLACKOUT_MS, blackoutUs / 1000),
  );
  return [
    sorted.map(({ startedUnixMs }) => startedUnixMs / 1000),
    known,
    known.map((value) => (value === null ? LEAST_BLACKOUT_MS : null)),
  ];
}

/** One sentence, for who hears the page. */
export function moveSentence({ ips, from, to, verdict }: MigrationView): string {
  const origin = from === null ? '' : ` from ${from}`;
  return `${ips.join(', ')} moved${origin} to ${to}: ${verdict}.`;
}
