/** Log lines never hold the control thread, and none is lost at the end. In a process of its own: the log is its stderr. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';

const SOURCES = new URL('../../../src/', import.meta.url).href;
const LINES = 20_000;

/** What logs so many lines at once, says on stdout how many are lost, and then does the rest. */
function logger(t: TestContext, lines: number, rest: string): ChildProcess {
  const script = `
    import { LogStream } from '${SOURCES}router/log-stream.js';
    import { createLog } from '${SOURCES}router/log.js';
    import { systemClock } from '${SOURCES}net/system-clock.js';
    const stream = new LogStream(2, systemClock);
    const log = createLog('vr-a', 'info', stream);
    for (let n = 0; n < ${lines}; n++) log.warn({ event: 'unauthorised_seen', n }, 'a machine was seen');
    console.log(stream.lost);
    ${rest}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

async function lostBy(child: ChildProcess): Promise<number> {
  const [text] = await once(child.stdout ?? assert.fail(), 'data');
  return Number(text);
}

/** The numbers of all lines, when it has ended. */
async function numbersOf(child: ChildProcess): Promise<number[]> {
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  child.stderr?.resume();
  await once(child, 'close');
  const lines = text.trimEnd().split('\n');
  return lines.map((line) => (JSON.parse(line) as { n: number }).n);
}

test('a reader that stands still: the lines that there is room for wait, the rest is lost and counted', async (t) => {
  const child = logger(t, LINES, 'setInterval(() => {}, 1000);');
  child.stderr?.pause();
  const lost = await lostBy(child);
  assert.ok(lost > LINES / 4 && lost < LINES, `${lost} lost`);
});

test('lines that waited for a slow reader are all there, in their order, when the process has ended', async (t) => {
  const child = logger(t, LINES, 'await stream.idle(); process.exit(0);');
  child.stderr?.pause();
  const lost = await lostBy(child);
  const numbers = await numbersOf(child);
  assert.equal(numbers.length, LINES - lost);
  assert.deepEqual(
    numbers,
    [...numbers].sort((a, b) => a - b),
  );
});

test('a process that ends without waiting writes out what waits', async (t) => {
  const child = logger(t, 500, 'stream.writeNow(); process.exit(1);');
  const [lost, numbers] = await Promise.all([lostBy(child), numbersOf(child)]);
  assert.equal(lost, 0);
  assert.equal(new Set(numbers).size, 500);
});
