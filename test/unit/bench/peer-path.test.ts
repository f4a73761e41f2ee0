/** Peers' programs from folders, beside the installed ones. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { allPeers, missingPrograms, type Peer } from '../../../bench/lib/carrier.js';
import { Folder, ON_PATH, parseVersions, peerFolders, withoutOrigin } from '../../../bench/lib/peer-path.js';
import type { Topology } from '../../../bench/lib/topology.js';

let directory = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'vine-peer-path-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

function file(path: string, mode = 0o755, text = ''): string {
  const full = join(directory, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, text, { mode });
  return full;
}

/** Its pids stand for nothing: the test sees what it would start. */
function peer(name: string, started: string[], ...more: string[]): Peer {
  return {
    ...{ name, kind: 'peer', detail: '', kernelForwards: true },
    needs: { programs: [name, ...more], packages: [name] },
    up: async (_, program) => {
      started.push(...[name, ...more].map(program));
      return [];
    },
  };
}

test('a program is found where Debian packages have it, and in a plain folder', () => {
  const bin = file('later/usr/bin/one');
  const sbin = file('later/usr/sbin/two');
  const plain = file('later/three');
  const folder = new Folder(join(directory, 'later'));
  assert.deepEqual(
    ['one', 'two', 'three'].map((name) => folder.find(name)),
    [bin, sbin, plain],
  );
});

test('what cannot be executed, and a folder of that name, is no program', () => {
  file('later/usr/bin/one', 0o644);
  mkdirSync(join(directory, 'later/usr/bin/two'));
  const folder = new Folder(join(directory, 'later'));
  assert.equal(folder.has('one'), false);
  assert.equal(folder.has('two'), false);
  assert.equal(folder.find('no-such-program-anywhere'), undefined);
});

test('tools that a folder lacks come from PATH', () => {
  file('later/usr/bin/one');
  const folder = new Folder(join(directory, 'later'));
  assert.equal(folder.has('sh'), false);
  assert.equal(folder.find('sh'), ON_PATH.find('sh'));
  assert.match(folder.find('sh') ?? '', /^\/.*\/sh$/);
});

test('a peer of a folder has its name, and starts from there; the installed one stays', async () => {
  const one = file('later/usr/bin/one');
  file('later/versions', 0o644, 'one 2.0-1+b2\n');
  const folder = new Folder(join(directory, 'later'));
  const started: string[] = [];
  const all = allPeers([peer('one', started, 'sh'), peer('two', started)], ON_PATH, [folder]);
  assert.deepEqual(
    all.map(({ name }) => name),
    ['one', 'two', 'one@later'],
  );
  const [installed, , unpacked] = all;
  assert.ok(installed !== undefined && unpacked !== undefined);
  assert.deepEqual(missingPrograms(installed), ['one']);
  assert.deepEqual(missingPrograms(unpacked), []);
  await unpacked.up({} as Topology);
  assert.deepEqual(started, [one, ON_PATH.find('sh')]);
  assert.equal(unpacked.needs?.from.version('one'), '2.0-1+b2');
  assert.equal(unpacked.needs?.from.version('two'), undefined);
  assert.equal(withoutOrigin(unpacked.name), 'one');
  assert.equal(withoutOrigin('openvpn-tcp'), 'openvpn-tcp');
});

test('folders that cannot be meant', () => {
  file('a/later/one');
  file('b/later/one');
  file('c d/one');
  const at = (...names: string[]): string => names.map((name) => join(directory, name)).join(':');
  assert.deepEqual(
    peerFolders(at('a/later', 'b')).map(({ origin }) => origin),
    ['later', 'b'],
  );
  assert.deepEqual(peerFolders(''), []);
  assert.throws(() => peerFolders(at('nowhere')), /no folder .*nowhere/);
  assert.throws(() => peerFolders(at('a/later/one')), /no folder/);
  assert.throws(() => peerFolders(at('a/later', 'b/later')), /two folders are named "later"/);
  assert.throws(() => peerFolders(at('c d')), /"c d" cannot be part/);
  const [folder] = peerFolders(at('b'));
  assert.ok(folder !== undefined);
  assert.throws(() => allPeers([peer('one', [])], ON_PATH, [folder]), /none of the peers' programs/);
});

test('the file of versions', () => {
  const versions = parseVersions(
    'nebula 1.9.3+dfsg-6+b2\n\nno version here\nwireguard-go 0.0.20231211-1+b9\n',
  );
  assert.deepEqual(
    [...versions],
    [
      ['nebula', '1.9.3+dfsg-6+b2'],
      ['wireguard-go', '0.0.20231211-1+b9'],
    ],
  );
});
