/** How hot a cell of a matrix is: by the logarithm, since what matters spans many powers of ten. */

/** Shades of a heat map; 0 is: nothing. */
export const SHADES = 8;
/** What is less than the largest by more than so many powers of ten has the faintest shade. */
const DECADES = 4;

/** 0 … `SHADES`. */
export function shadeOf(value: number, largest: number): number {
  if (!(value > 0) || !(largest > 0)) return 0;
  const share = 1 + Math.log10(Math.min(1, value / largest)) / DECADES;
  return Math.max(1, Math.min(SHADES, Math.ceil(share * SHADES)));
}
