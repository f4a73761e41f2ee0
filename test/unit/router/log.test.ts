/** What a line says of its level, to a person's eyes and to the journal. */
import assert from 'node:assert/strict';
import { closeSync, fstatSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { createLog, isJournal } from '../../../src/router/log.js';

function linesOf(toJournal: boolean): string[] {
  const lines: string[] = [];
  const log = createLog('vr-a', 'trace', { write: (line) => void lines.push(line) }, toJournal);
  for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const)
    log[level]({ event: 'said' }, 'a sentence');
  log.child({ part: 1 }).warn('by a child');
  return lines;
}

test('to the journal each line begins with the level of sd-daemon(3); the rest is the same line', () => {
  const told = linesOf(true).map((line) => /^<(\d)>(.*)\n$/s.exec(line));
  assert.deepEqual(
    told.map((parts) => Number(parts?.[1])),
    [7, 7, 6, 4, 3, 2, 4],
  );
  const levels = told.map((parts) => (JSON.parse(parts?.[2] ?? '') as { level: string }).level);
  assert.deepEqual(levels, ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'warn']);
});

test('to anything else each line is JSON and nothing more', () => {
  for (const line of linesOf(false)) assert.equal((JSON.parse(line) as { router: string }).router, 'vr-a');
});

test('a descriptor is the journal’s when JOURNAL_STREAM names its device and inode', () => {
  const fd = openSync('/dev/null', 'r');
  const { dev, ino } = fstatSync(fd);
  assert.equal(isJournal(fd, { JOURNAL_STREAM: `${dev}:${ino}` }), true);
  assert.equal(isJournal(fd, { JOURNAL_STREAM: `${dev}:${ino + 1}` }), false, 'somebody’s pipe');
  assert.equal(isJournal(fd, { JOURNAL_STREAM: 'x' }), false);
  assert.equal(isJournal(fd, {}), false);
  closeSync(fd);
  assert.equal(isJournal(fd, { JOURNAL_STREAM: `${dev}:${ino}` }), false, 'a closed one');
});
