/**
 * Metrics that are read when they are scraped, in Prometheus' text format (version 0.0.4). With a thousand peers they are
 * ten thousand lines: written family by family, with turns for others in between.
 */

export type MetricRow = readonly [labels: readonly string[], value: number];

export interface MetricFamily {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  /** Names; each row has as many values, in this order. */
  readonly labels: readonly string[];
  readonly rows: () => readonly MetricRow[];
}

export function gauge(
  name: string,
  help: string,
  labels: readonly string[],
  rows: () => readonly MetricRow[],
): MetricFamily {
  return { name, type: 'gauge', help, labels, rows };
}

export function counter(
  name: string,
  help: string,
  labels: readonly string[],
  rows: () => readonly MetricRow[],
): MetricFamily {
  return { name, type: 'counter', help, labels, rows };
}

export function single(value: number): readonly MetricRow[] {
  return [[[], value]];
}

/** Rows behind which others get a turn. */
const ROWS_PER_TURN = 200;

/** @param nextTurn settles when whatever else waits has had its turn */
export async function expose(
  families: readonly MetricFamily[],
  nextTurn: () => Promise<unknown>,
): Promise<string> {
  let text = '';
  let written = 0;
  for (const { name, type, help, labels, rows } of families) {
    text += `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
    for (const [values, value] of rows()) {
      text += `${name}${labelText(labels, values)} ${value}\n`;
      if (++written % ROWS_PER_TURN === 0) await nextTurn();
    }
  }
  return text;
}

function labelText(names: readonly string[], values: readonly string[]): string {
  if (names.length === 0) return '';
  return `{${names.map((name, i) => `${name}="${escapeValue(values[i] ?? '')}"`).join(',')}}`;
}

function escapeValue(text: string): string {
  return /["\\\n]/.test(text)
    ? text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')
    : text;
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
