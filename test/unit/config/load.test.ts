/** A whole directory: what is read, what is refused, what is warned of. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { derivePublicKey, generatePrivateKey, publicKeyOf } from '../../../src/config/keys.js';
import { type LoadOutcome, loadConfigDirectory } from '../../../src/config/load.js';
import { formatConfigError } from '../../../src/tables/files/error.js';
import { KEY_B, type Sample, sample } from './sample.js';

const root = mkdtempSync(join(tmpdir(), 'vine-load-'));
after(() => rmSync(root, { recursive: true }));

const EXAMPLES = fileURLToPath(new URL('../../../../config/', import.meta.url));

let count = 0;
function directory(): string {
  const path = join(root, `config-${count++}`);
  mkdirSync(path);
  return path;
}

function write(path: string, name: string, text: string | Buffer, mode = 0o644): void {
  writeFileSync(join(path, name), text);
  chmodSync(join(path, name), mode);
}

/** A directory with the sample, spoilt by `change`, and a key that fits. */
function written(change: (files: Sample) => void = () => {}): string {
  const path = directory();
  const files = sample();
  const key = generatePrivateKey();
  files.gndt.routers = [
    { id: 'vr-a', publicKey: publicKeyOf(key) ?? '', endpoints: ['udp://192.0.2.1:7700'] },
    { id: 'vr-b', publicKey: KEY_B, endpoints: ['udp://192.0.2.2:7700'] },
  ];
  change(files);
  for (const name of ['router', 'gndt', 'lndt'] as const)
    write(path, `${name}.json`, JSON.stringify(files[name]));
  write(path, 'router.key', `${key}\n`, 0o600);
  return path;
}

function errors(outcome: LoadOutcome): string[] {
  return 'errors' in outcome ? outcome.errors.map(formatConfigError) : [];
}

test("an etcd's files that are not there, or open to everybody, are warned of", () => {
  const path = written(({ router }) => {
    router.network = {
      publicKey: KEY_B,
      etcd: ['https://127.0.0.1:2379'],
      etcdCaFile: 'ca.pem',
      etcdCertificateFile: 'vr.pem',
      etcdPrivateKeyFile: 'vr.key',
      etcdUser: 'vr',
      etcdPasswordFile: 'word',
    };
  });
  write(path, 'vr.pem', 'certificate');
  write(path, 'vr.key', 'key', 0o644);
  write(path, 'word', 'word', 0o600);
  const loaded = loadConfigDirectory(path);
  assert.ok('config' in loaded);
  assert.deepEqual(
    loaded.warnings.filter((warning) => warning.includes('etcd')),
    [
      `network.etcdCaFile: there is no ${join(path, 'ca.pem')}; no etcd is reached like this`,
      `network.etcdPrivateKeyFile: ${join(path, 'vr.key')} is open to everybody; chmod o= ${join(path, 'vr.key')}; no etcd is reached like this`,
    ],
  );
});

test('a good directory: the tables and the key, no warnings', () => {
  const path = written();
  const outcome = loadConfigDirectory(path);
  assert.ok('config' in outcome);
  assert.deepEqual(outcome.warnings, []);
  assert.equal(outcome.config.router.privateKeyFile, join(path, 'router.key'));
  assert.equal(outcome.config.lndt.length, 1);
  assert.deepEqual(derivePublicKey(outcome.config.privateKey), outcome.config.gndt.routers[0]?.publicKey);
});

test("the example files are good once the public key is the operator's own, and ask for nothing that is not there", () => {
  const path = directory();
  const key = generatePrivateKey();
  for (const name of ['router.json', 'lndt.json']) write(path, name, readFileSync(join(EXAMPLES, name)));
  const gndt = readFileSync(join(EXAMPLES, 'gndt.json'), 'utf8');
  write(path, 'gndt.json', gndt.replace(/"publicKey": "[^"]*"/, `"publicKey": "${publicKeyOf(key)}"`));
  write(path, 'router.key', key, 0o600);
  const outcome = loadConfigDirectory(path);
  assert.deepEqual(errors(outcome), []);
  assert.ok('config' in outcome);
  assert.deepEqual(outcome.warnings, []);
});

test('the example files as they are: only the key is missing', () => {
  const key = join(EXAMPLES, 'router.key');
  assert.deepEqual(errors(loadConfigDirectory(EXAMPLES)), [
    `router.json: privateKeyFile: there is no ${key}; make one: (umask 077; vinectl genkey > ${key})`,
  ]);
});

test('no such directory, or a file in its place', () => {
  const nowhere = join(root, 'nowhere');
  assert.deepEqual(errors(loadConfigDirectory(nowhere)), [`${nowhere}: there is no such directory`]);
  const file = join(written(), 'gndt.json');
  assert.deepEqual(errors(loadConfigDirectory(file)), [
    `${file}: not a directory; expected the one with router.json`,
  ]);
});

test('each missing file is named, and what is wrong in the others as well', () => {
  const path = directory();
  write(path, 'lndt.json', '{ "nodes": 1 }');
  assert.deepEqual(errors(loadConfigDirectory(path)), [
    `router.json: there is no such file in ${path}`,
    `gndt.json: there is no such file in ${path}`,
    'lndt.json: nodes: expected a list in [ ]: the nodes that may take part; others are dropped and shown as unauthorised; got 1',
  ]);
});

test('bad JSON: line and column', () => {
  const path = written();
  write(path, 'gndt.json', '{\n  "vnets": [,]\n}\n');
  assert.deepEqual(errors(loadConfigDirectory(path)), [
    'gndt.json: line 2, column 13: expected a value, got ","',
  ]);
});

test('not UTF-8; a byte order mark is fine', () => {
  const path = written();
  const lndt = readFileSync(join(path, 'lndt.json'));
  write(path, 'lndt.json', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), lndt]));
  assert.deepEqual(errors(loadConfigDirectory(path)), []);
  write(path, 'lndt.json', Buffer.from([0x7b, 0xff, 0x7d]));
  assert.deepEqual(errors(loadConfigDirectory(path)), ['lndt.json: not UTF-8 text; save the file as UTF-8']);
});

test('a directory in the place of a file', () => {
  const path = written();
  rmSync(join(path, 'lndt.json'));
  mkdirSync(join(path, 'lndt.json'));
  assert.deepEqual(errors(loadConfigDirectory(path)), [
    `lndt.json: ${join(path, 'lndt.json')} is not a regular file`,
  ]);
});

test('a file that is far too large is not read', () => {
  const path = written();
  write(path, 'lndt.json', Buffer.alloc(16 * 1024 * 1024 + 1, 0x20));
  assert.deepEqual(errors(loadConfigDirectory(path)), [
    `lndt.json: ${join(path, 'lndt.json')} is larger than 16 MiB`,
  ]);
});

test('a key that others can read', () => {
  const path = written();
  const key = join(path, 'router.key');
  chmodSync(key, 0o644);
  assert.deepEqual(errors(loadConfigDirectory(path)), [
    `router.json: privateKeyFile: ${key} is open to its group or to others (mode 0644); chmod 600 ${key}`,
  ]);
});

test('a key that does not fit the public key: both are shown, the private one is not', () => {
  const path = written();
  const other = generatePrivateKey();
  write(path, 'router.key', other, 0o600);
  const key = join(path, 'router.key');
  const outcome = errors(loadConfigDirectory(path));
  const listed = /"vr-a","publicKey":"([^"]*)"/.exec(readFileSync(join(path, 'gndt.json'), 'utf8'))?.[1];
  assert.deepEqual(outcome, [
    `router.json: privateKeyFile: the key in ${key} has the public key ${publicKeyOf(other)}, but gndt.json gives "vr-a" the public key ${listed}; put the first into every router's gndt.json, or the right private key into ${key}`,
  ]);
  assert.ok(!outcome.join().includes(other));
});

test('networks at home here that no LAN carries are warned of', () => {
  const path = written(({ gndt }) => {
    gndt.networks = [
      { vnet: 'blue', prefix: '10.1.0.0/24', router: 'vr-a' },
      { vnet: 'green', prefix: '10.1.0.0/24', router: 'vr-a' },
    ];
  });
  const outcome = loadConfigDirectory(path);
  assert.ok('config' in outcome);
  assert.deepEqual(outcome.warnings, [
    'gndt.json gives "vr-a" networks of vnet "green", but none of router.json\'s LANs carries it: their nodes cannot be reached',
  ]);
});
