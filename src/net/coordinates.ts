/**
 * Network coordinates: how far two sites are from each other that have never measured it. Each keeps a point, of which the
 * distance to another's is about their round trip, and moves it a little with each measurement (Dabek et al., "Vivaldi: a
 * decentralized network coordinate system", SIGCOMM 2004). A height stands for the way to the core, which all paths have in common.
 */

const DIMENSIONS = 3;
/** How far a point goes at most towards where it should be, as a share (c_c), and how fast its error follows (c_e); section 3.4. */
const STEP_SHARE = 0.25;
const ERROR_SHARE = 0.25;
/**
 * Longer paths pull less by so much: Vivaldi makes the error in milliseconds small, and the longest paths, which obey geometry
 * least, decide where everybody is. What counts here is the share. In the simulation of the test: 13 % for 15.
 */
const FULL_PULL_RTT_MS = 60;
/** Nobody is nearer to the core than this; a height never becomes 0, or it could not grow again. */
const LEAST_HEIGHT_MS = 0.1;
/** Round trips above it are a stall, not a distance; nobody is further from the middle. */
export const MOST_RTT_MS = 10_000;

export interface Coordinate {
  /** Milliseconds each. */
  readonly point: readonly number[];
  readonly heightMs: number;
  /** How wrong it believes to be: 0 … 1, a share of a round trip. */
  readonly error: number;
}

/** Of whoever has measured nothing. */
export const ORIGIN: Coordinate = {
  point: Array.from({ length: DIMENSIONS }, () => 0),
  heightMs: LEAST_HEIGHT_MS,
  error: 1,
};

/** The round trip between two sites, as far as is known, in milliseconds. */
export function estimatedRttMs(one: Coordinate, other: Coordinate): number {
  return lengthOf(difference(one.point, other.point)) + one.heightMs + other.heightMs;
}

/**
 * @param own whose measurement it is
 * @param random 0 … 1: in which direction two part that are at one point
 * @returns where it is after it; as it was for what is no round trip
 */
export function measured(own: Coordinate, peer: Coordinate, rttMs: number, random: () => number): Coordinate {
  if (!(rttMs > 0 && rttMs <= MOST_RTT_MS) || !isSound(peer)) return own;
  const estimate = estimatedRttMs(own, peer);
  const weight = own.error / (own.error + peer.error || 1);
  const sampleError = Math.abs(estimate - rttMs) / rttMs;
  const error = Math.min(1, sampleError * ERROR_SHARE * weight + own.error * (1 - ERROR_SHARE * weight));
  const force = STEP_SHARE * weight * Math.min(1, FULL_PULL_RTT_MS / rttMs) * (rttMs - estimate);
  const apart = difference(own.point, peer.point);
  const distance = lengthOf(apart);
  const direction = distance > 0 ? apart.map((part) => part / distance) : anyDirection(random);
  // Heights push like a further dimension that both ends stand up in (section 5.4).
  const rise = (force * (own.heightMs + peer.heightMs)) / estimate;
  return {
    point: own.point.map((part, i) => part + force * (direction[i] ?? 0)),
    heightMs: Math.max(LEAST_HEIGHT_MS, own.heightMs + rise),
    error,
  };
}

/** Somebody who could pass it on: how far away, and where. */
export interface RelayAt<Id> {
  readonly relay: Id;
  readonly rttMs: number;
  readonly at: Coordinate;
}

/** Of those that could pass it on, the one by which the way is shortest; undefined when there is none. */
export function nearestRelay<Id>(
  to: Coordinate,
  relays: Iterable<RelayAt<Id>>,
): { readonly relay: Id; readonly rttMs: number } | undefined {
  let best: { relay: Id; rttMs: number } | undefined;
  for (const { relay, rttMs, at } of relays) {
    const wholeMs = rttMs + estimatedRttMs(at, to);
    if (best === undefined || wholeMs < best.rttMs) best = { relay, rttMs: wholeMs };
  }
  return best;
}

/** What another router says of itself may be anything. */
function isSound({ point, heightMs, error }: Coordinate): boolean {
  const numbers = [...point, heightMs, error];
  const bounded = numbers.every((number) => Number.isFinite(number) && Math.abs(number) <= MOST_RTT_MS);
  return bounded && point.length === DIMENSIONS && heightMs >= 0 && error >= 0 && error <= 1;
}

function anyDirection(random: () => number): number[] {
  const parts = Array.from({ length: DIMENSIONS }, () => random() - 0.5);
  const length = lengthOf(parts);
  return length > 0 ? parts.map((part) => part / length) : parts.map((_, i) => Number(i === 0));
}

const difference = (a: readonly number[], b: readonly number[]): number[] =>
  a.map((part, i) => part - (b[i] ?? 0));
const lengthOf = (parts: readonly number[]): number => Math.hypot(...parts);
