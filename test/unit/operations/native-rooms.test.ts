/** The native rooms stand only on those that native/README.md names: includes go one way. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { projectRoot } from '../../lab/daemon.js';

const STANDS_ON: Readonly<Record<string, readonly string[]>> = {
  base: [],
  crypto: ['base'],
  offload: ['base'],
  io: ['base'],
  capture: ['base', 'io'],
  session: ['base', 'crypto', 'io'],
  engine: ['base', 'io', 'offload', 'session'],
  binding: ['base', 'crypto', 'io', 'capture', 'session', 'engine', 'offload'],
};

test('includes of the native code go one way', () => {
  const root = `${projectRoot}native/`;
  const rooms = readdirSync(root, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  assert.deepEqual(rooms.map(({ name }) => name).sort(), Object.keys(STANDS_ON).sort());
  const wrong: string[] = [];
  for (const { name: room } of rooms) {
    for (const file of readdirSync(root + room)) {
      const text = readFileSync(`${root}${room}/${file}`, 'utf8');
      for (const [, header = '', of = ''] of text.matchAll(/^#include "((?:(\w+)\/)?[^"]+)"/gm))
        if (of !== room && !STANDS_ON[room]?.includes(of)) wrong.push(`${room}/${file} includes ${header}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('every source is compiled into the addon', () => {
  const { targets } = JSON.parse(readFileSync(`${projectRoot}binding.gyp`, 'utf8')) as {
    targets: readonly { sources: readonly string[] }[];
  };
  const sources = Object.keys(STANDS_ON).flatMap((room) =>
    readdirSync(`${projectRoot}native/${room}`)
      .filter((file) => file.endsWith('.cc'))
      .map((file) => `native/${room}/${file}`),
  );
  assert.deepEqual(targets.flatMap((target) => target.sources).sort(), sources.sort());
});
