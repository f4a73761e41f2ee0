/** Sizes in bytes, and how people read them. */

export const MIB = 2 ** 20;

const IEC = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** `512 B`, `1.5 KiB`, `12.0 GiB` (IEC 80000-13: steps of 1,024). */
export function bytes(count: number): string {
  if (count < 1024) return `${count} B`;
  let scaled = count / 1024;
  let unit = 0;
  // 1,023.95 would print as 1024.0.
  while (scaled >= 1023.95 && unit < IEC.length - 1) {
    scaled /= 1024;
    unit++;
  }
  return `${scaled.toFixed(1)} ${IEC[unit]}`;
}
