/**
 * Runs every fuzz target for some minutes: `node long.js --minutes N [PATTERN]`, two at a time and with patience
 * (nice); those of the addon under AddressSanitizer (scripts/fuzz-native). Each prints its seed and how far it has come.
 * Ends with 1 when one has found something.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { projectRoot } from '../lab/daemon.js';
import { NATIVE_TARGETS } from './native/targets.js';
import { TARGETS } from './targets.js';

const AT_A_TIME = 2;

interface Job {
  readonly name: string;
  readonly command: readonly string[];
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { minutes: { type: 'string', default: '5' } },
});
const seconds = Math.round(Number(values.minutes) * 60);
if (!(seconds > 0)) throw new Error('usage: long.js --minutes N [PATTERN]');
const limit = ['--seconds', String(seconds)];
const script = fileURLToPath(new URL('run.js', import.meta.url));
const jobs: Job[] = [
  ...NATIVE_TARGETS.map((name) => ({
    name: `native-${name}`,
    command: [`${projectRoot}scripts/fuzz-native`, '--target', name, ...limit],
  })),
  ...TARGETS.map(({ name }) => ({
    name,
    command: [process.execPath, '--enable-source-maps', script, name, ...limit],
  })),
].filter(({ name }) => name.includes(positionals[0] ?? ''));

function run({ name, command }: Job): Promise<boolean> {
  const child = spawn('nice', command, { stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr])
    createInterface(stream).on('line', (line) =>
      console.log(line.startsWith(`${name}:`) ? line : `${name}: ${line}`),
    );
  return new Promise((resolve) => {
    child.on('error', () => resolve(false));
    child.on('close', (status) => resolve(status === 0));
  });
}

const waiting = [...jobs];
const failed: string[] = [];
async function work(): Promise<void> {
  for (let job = waiting.shift(); job !== undefined; job = waiting.shift())
    if (!(await run(job))) failed.push(job.name);
}
await Promise.all(Array.from({ length: AT_A_TIME }, work));
for (const name of failed) console.log(`${name}: a finding, or it could not run`);
console.log(`${jobs.length - failed.length} passed, ${failed.length} failed, 0 skipped`);
process.exitCode = jobs.length === 0 || failed.length > 0 ? 1 : 0;
