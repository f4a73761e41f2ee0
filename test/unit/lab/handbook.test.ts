import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { projectRoot } from '../../lab/daemon.js';
import { commandBlocks, fillIn } from '../../lab/machine/handbook.js';

const page = [
  'Text.',
  '```sh gateway-a gateway-b prints=KEY-A upgrade',
  'first',
  '',
  'second',
  '```',
  '```sh',
  'for people',
  '```',
  '```',
  'sh gateway-a',
  '```',
  '```sh host-a1 until=\\bup\\b',
  'third',
  '```',
].join('\n');

test('finds the blocks for machines, with what is said of them', () => {
  const [one, two, ...others] = commandBlocks(page);
  assert.deepEqual(others, []);
  assert.deepEqual(one, {
    line: 2,
    machines: ['gateway-a', 'gateway-b'],
    text: 'first\n\nsecond',
    prints: 'KEY-A',
    until: undefined,
    pings: undefined,
    words: ['upgrade'],
  });
  assert.equal(two?.until?.test('is up now'), true);
  assert.equal(two?.until?.test('supper'), false);
});

test('who pings whom meanwhile', () => {
  const [block] = commandBlocks('```sh gateway-b pings=b1:fd00:1::11\njoin\n```');
  assert.deepEqual(block?.pings, { from: 'b1', to: 'fd00:1::11' });
  assert.throws(() => commandBlocks('```sh gateway-b pings=b1\njoin\n```'), /NODE:IP/);
});

test('a block that is not closed is an error, not a silence', () => {
  assert.throws(() => commandBlocks('```sh gateway-a\nlost'), /line 1/);
});

test('fills in each name as a whole', () => {
  const noted = new Map([
    ['KEY-B', 'old='],
    ['NEW-KEY-B', 'new='],
  ]);
  assert.equal(fillIn("sed -i 's|KEY-B|NEW-KEY-B|'", noted), "sed -i 's|old=|new=|'");
  assert.equal(fillIn('KEY-C', noted), 'KEY-C');
  assert.equal(fillIn('KEY-C', new Map()), 'KEY-C');
});

test('the README’s commands for a network of one’s own are the handbook’s, which a test runs', () => {
  const read = (file: string): string => readFileSync(join(projectRoot, file), 'utf8');
  const [, chapter = ''] = read('README.md').split('## Your own sites\n');
  const [own = ''] = chapter.split('\n## ');
  const commands = [...own.matchAll(/```sh\n(.*?)```/gs)].flatMap(([, text = '']) => text.trim().split('\n'));
  assert.ok(commands.length >= 5, 'the chapter was not found');
  const run = new Set(commandBlocks(read('docs/handbook.md')).flatMap(({ text }) => text.split('\n')));
  assert.deepEqual(
    commands.filter((line) => !run.has(line)),
    [],
  );
});
