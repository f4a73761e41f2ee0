/**
 * Where to cut the normalised matrix. As VTTIF does (Gupta and Dinda 2004), what is far below the strongest pairs does not
 * count; where "far below" begins is found from the matrix: in the largest gap of the sorted weights.
 */

/** Weights closer together than this are of one kind, however they lie: there is nothing to cut between them. */
export const LEAST_GAP = 0.2;
/** A pair with a hundredth of the strongest one's traffic is background, whatever the gaps say. */
export const BACKGROUND = 0.01;

/** @param weights falling, the first one 1; @returns pairs of this weight or more count; 1 when there are none */
export function findThreshold(weights: readonly number[]): number {
  const loud = weights.filter((weight) => weight >= BACKGROUND);
  let [gap, threshold] = [LEAST_GAP, loud.at(-1) ?? 1];
  for (let i = 1; i < loud.length; i++) {
    const [above, below] = [loud[i - 1] ?? 1, loud[i] ?? 0];
    // Of equal gaps the upper one: groups that talk most are found first.
    if (above - below > gap) [gap, threshold] = [above - below, above];
  }
  return threshold;
}
