/** What the benchmarks share as programs: interrupts, progress, kernel settings that go back, where results go. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { projectRoot } from '../../test/lab/daemon.js';

const before = new Map<string, string>();

// The topology takes itself down when the process exits; an interrupt alone would not run that.
for (const [name, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)
  process.once(name, () => process.exit(code));
process.once('exit', () => restoreSysctls());

const sysctlFile = (name: string): string => `/proc/sys/${name.replaceAll('.', '/')}`;

/** Raises a limit of the whole machine until the process ends. A lower or equal one is left alone. */
export function writeSysctl(name: string, value: string): void {
  const current = readFileSync(sysctlFile(name), 'utf8').trim();
  if (Number(current) >= Number(value)) return;
  before.set(name, current);
  writeFileSync(sysctlFile(name), value);
}

export function restoreSysctls(): void {
  for (const [name, value] of before) writeFileSync(sysctlFile(name), value);
  before.clear();
}

/** One line that is written over on a terminal; elsewhere only what is not empty, a line each. */
export function progressLine(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  else if (text !== '') process.stderr.write(`  ${text}\n`);
}

/** The file that was asked for, or a new one in bench/results; its folder exists then. */
export function outputFile(asked: string | undefined, benchmark: string): string {
  const time = new Date().toISOString().slice(0, 16).replace(/[:T]/g, '-');
  const file = asked ?? join(projectRoot, 'bench/results', `${benchmark}-${time}.json`);
  mkdirSync(dirname(file), { recursive: true });
  return file;
}
