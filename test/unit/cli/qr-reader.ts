/**
 * Reads a QR code off a terminal, from its half blocks to its text: ISO/IEC 18004, versions 1 to 20 with error correction
 * L, byte mode. It knows nothing of what drew it, and corrects no errors: there are none on a terminal.
 */

/** Error correction codewords of each block, and blocks, by version (table 9, level L). */
const CORRECTION = [7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28];
const BLOCKS = [1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8];
/** The 15 bits of format information are masked with this; level L is 01 in the first two. */
const FORMAT_MASK = 0b101010000010010;
const LEVEL_L = 0b01;
const BYTE_MODE = 0b0100;

const MASKS: readonly ((row: number, column: number) => boolean)[] = [
  (row, column) => (row + column) % 2 === 0,
  (row) => row % 2 === 0,
  (_row, column) => column % 3 === 0,
  (row, column) => (row + column) % 3 === 0,
  (row, column) => (Math.floor(row / 2) + Math.floor(column / 3)) % 2 === 0,
  (row, column) => ((row * column) % 2) + ((row * column) % 3) === 0,
  (row, column) => (((row * column) % 2) + ((row * column) % 3)) % 2 === 0,
  (row, column) => (((row + column) % 2) + ((row * column) % 3)) % 2 === 0,
];

export type Modules = readonly (readonly boolean[])[];

/**
 * Dark modules of lines of half blocks, drawn light on dark, two rows a line. A code is square with an odd side: the
 * last half line is none of it.
 */
export function modulesOf(lines: readonly string[]): boolean[][] {
  const light: Readonly<Record<string, readonly [boolean, boolean]>> = {
    '█': [true, true],
    '▀': [true, false],
    '▄': [false, true],
    ' ': [false, false],
  };
  const rows = lines.flatMap((line) =>
    [0, 1].map((half) =>
      [...line].map((character) => {
        const halves = light[character];
        if (halves === undefined) throw new Error(`"${character}" is no half block`);
        return halves[half] === false;
      }),
    ),
  );
  return rows.slice(0, rows[0]?.length ?? 0);
}

/** Light modules around the code on its four sides, the least of them. */
export function quietZone(modules: Modules): number {
  const isLight = (row: readonly boolean[]): boolean => row.every((dark) => !dark);
  const top = modules.findIndex((row) => !isLight(row));
  const bottom = [...modules].reverse().findIndex((row) => !isLight(row));
  const left = Math.min(...modules.map((row) => row.indexOf(true)).filter((at) => at >= 0));
  const right = Math.min(
    ...modules.filter((row) => !isLight(row)).map((row) => [...row].reverse().indexOf(true)),
  );
  return Math.min(top, bottom, left, right);
}

/** The text of a code; throws when it is none. */
export function readQr(drawn: Modules): string {
  const border = quietZone(drawn);
  const size = (drawn[0]?.length ?? 0) - 2 * border;
  const code = drawn.slice(border, border + size).map((row) => row.slice(border, border + size));
  const version = (size - 17) / 4;
  if (!Number.isInteger(version) || version < 1 || version > CORRECTION.length)
    throw new Error(`no version has ${size} modules`);
  const mask = MASKS[maskOf(code)];
  if (mask === undefined) throw new Error('no such mask');
  const codewords = codewordsOf(code, version, mask);
  return textOf(dataOf(codewords, version), version);
}

function maskOf(code: Modules): number {
  // Beside the finder pattern at the top left, from the left, then upwards, past the timing patterns.
  const row = [0, 1, 2, 3, 4, 5, 7, 8].map((column) => code[8]?.[column]);
  const column = [7, 5, 4, 3, 2, 1, 0].map((line) => code[line]?.[8]);
  const bits = [...row, ...column].reduce((value, dark) => value * 2 + (dark === true ? 1 : 0), 0);
  const format = (bits ^ FORMAT_MASK) >>> 10;
  if (format >>> 3 !== LEVEL_L) throw new Error('another level than L');
  return format & 7;
}

/** Where alignment patterns have their centres (annex E): even distances from the end, the first at 6. */
function alignmentCentres(version: number): number[] {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2;
  const step = Math.ceil((version * 4 + 4) / (count * 2 - 2)) * 2;
  return [6, ...Array.from({ length: count - 1 }, (_, i) => version * 4 + 10 - i * step).reverse()];
}

/** Is there something else than data? */
function isFunction(row: number, column: number, version: number): boolean {
  const size = version * 4 + 17;
  const inCorner = (y: number, x: number): boolean => y < 9 && x < 9;
  if (inCorner(row, column) || (row < 9 && column >= size - 8) || (row >= size - 8 && column < 9))
    return true;
  if (row === 6 || column === 6) return true;
  if (version >= 7 && ((row < 6 && column >= size - 11) || (column < 6 && row >= size - 11))) return true;
  const centres = alignmentCentres(version);
  const near = (at: number): number | undefined => centres.find((centre) => Math.abs(centre - at) <= 2);
  const [y, x] = [near(row), near(column)];
  if (y === undefined || x === undefined) return false;
  // Not where a finder pattern is.
  const last = size - 7;
  return !((y === 6 && x === 6) || (y === 6 && x === last) || (y === last && x === 6));
}

/** In pairs of columns from the right, up and down by turns. */
function codewordsOf(code: Modules, version: number, mask: (typeof MASKS)[number]): number[] {
  const size = code.length;
  const bits: boolean[] = [];
  let up = true;
  for (let right = size - 1; right > 0; right -= 2) {
    if (right === 6) right--; // the timing pattern's column belongs to no pair
    for (let step = 0; step < size; step++) {
      const row = up ? size - 1 - step : step;
      for (const column of [right, right - 1])
        if (!isFunction(row, column, version))
          bits.push((code[row]?.[column] === true) !== mask(row, column));
    }
    up = !up;
  }
  return Array.from({ length: Math.floor(bits.length / 8) }, (_, i) =>
    bits.slice(i * 8, i * 8 + 8).reduce((byte, bit) => byte * 2 + (bit ? 1 : 0), 0),
  );
}

/** The blocks' data in a row: they are interleaved byte by byte, the later ones may be one longer. */
function dataOf(codewords: readonly number[], version: number): number[] {
  const blocks = BLOCKS[version - 1] ?? 0;
  const correction = CORRECTION[version - 1] ?? 0;
  const total = codewords.length - blocks * correction;
  const short = Math.floor(total / blocks);
  const longer = total % blocks;
  const data: number[][] = Array.from({ length: blocks }, () => []);
  let at = 0;
  for (let i = 0; i <= short; i++)
    for (const [block, bytes] of data.entries())
      if (i < short || block >= blocks - longer) bytes.push(codewords[at++] ?? 0);
  return data.flat();
}

function textOf(data: readonly number[], version: number): string {
  const bits = data.map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const lengthBits = version < 10 ? 8 : 16;
  if (Number.parseInt(bits.slice(0, 4), 2) !== BYTE_MODE) throw new Error('another mode than bytes');
  const length = Number.parseInt(bits.slice(4, 4 + lengthBits), 2);
  const bytes = Array.from({ length }, (_, i) => {
    const from = 4 + lengthBits + i * 8;
    return Number.parseInt(bits.slice(from, from + 8), 2);
  });
  return Buffer.from(bytes).toString('utf8');
}
