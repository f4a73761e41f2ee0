/** Lines and columns for people. */

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** ECMA-48 select graphic rendition. */
const CODES: Readonly<Record<Style, readonly [on: number, off: number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
};

export type Paint = (style: Style, text: string) => string;

export const plain: Paint = (_style, text) => text;
export const coloured: Paint = (style, text) => `\x1b[${CODES[style][0]}m${text}\x1b[${CODES[style][1]}m`;

/** What every view of an answer needs beside the answer. */
export interface Look {
  readonly paint: Paint;
  readonly nowMs: number;
}

export interface Column<Row> {
  readonly title: string;
  readonly text: (row: Row) => string | null;
  readonly style?: (row: Row) => Style | undefined;
  /** Numbers are easier to compare when they end in one column. */
  readonly right?: boolean;
}

/** A thing with what there is to say of it, one line each. */
export type Block = readonly [
  title: string,
  name: string,
  lines: readonly (readonly [label: string, value: string])[],
];

export function blocks(all: readonly Block[], paint: Paint): string[] {
  return all.map(([title, name, lines]) => {
    const rows = lines.map(([label, value]) => `  ${paint('bold', label)}: ${clean(value)}\n`);
    return `${paint('green', paint('bold', title))}: ${paint('green', clean(name))}\n${rows.join('')}`;
  });
}

/**
 * A table with a line of titles, two spaces between columns, no spaces at the end of lines; null is shown as `-`.
 * Without rows there is nothing but `none`, a word or two.
 */
export function table<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  paint: Paint,
  none: string,
): string {
  if (rows.length === 0) return `${paint('dim', none)}\n`;
  const cells = rows.map((row) => columns.map((column) => clean(column.text(row) ?? '-')));
  const widths = columns.map((column, i) =>
    cells.reduce((widest, line) => Math.max(widest, (line[i] ?? '').length), column.title.length),
  );
  const line = (texts: readonly string[], style: (i: number) => Style | undefined): string => {
    const parts = texts.map((text, i) => {
      const padding = ' '.repeat((widths[i] ?? 0) - text.length);
      const chosen = style(i);
      const shown = chosen === undefined ? text : paint(chosen, text);
      if (columns[i]?.right) return padding + shown;
      return i === texts.length - 1 ? shown : shown + padding;
    });
    return `${parts.join('  ')}\n`;
  };
  const titles = columns.map((column) => column.title);
  const body = rows.map((row, r) => line(cells[r] ?? [], (i) => columns[i]?.style?.(row)));
  return line(titles, () => 'bold') + body.join('');
}

/**
 * Makes control characters visible: names and reasons may come from another router, and must not steer the
 * operator's terminal.
 */
export function clean(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this is about
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`;
  });
}
