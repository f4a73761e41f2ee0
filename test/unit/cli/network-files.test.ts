import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { sample } from '../config/sample.js';
import { vinectl } from './harness.js';

const root = mkdtempSync(join(tmpdir(), 'vine-network-'));
after(() => rmSync(root, { recursive: true }));

let count = 0;
function fresh(): { dir: string; gndt: string; key: string; pub: string } {
  const dir = join(root, String(count++));
  return { dir, gndt: join(dir, 'gndt.json'), key: join(dir, 'network.key'), pub: join(dir, 'network.pub') };
}

async function ok(...argv: string[]): Promise<string> {
  const { status, out, err } = await vinectl(['network', ...argv]);
  assert.equal(status, 0, err);
  return out;
}

async function refused(...argv: string[]): Promise<string> {
  const { status, err } = await vinectl(['network', ...argv]);
  assert.equal(status, 1);
  return err;
}

test('init makes a key that only its owner can read, once', async () => {
  const { dir, key, pub } = fresh();
  const out = await ok('init', dir);
  assert.equal(statSync(key).mode & 0o777, 0o600);
  const publicKey = readFileSync(pub, 'utf8').trim();
  assert.ok(out.includes(`"network": { "publicKey": "${publicKey}" }`));
  assert.ok(!out.includes(readFileSync(key, 'utf8').trim()));
  assert.match(await refused('init', dir), /network.key is there already/);
  const json = JSON.parse(await ok('init', join(dir, 'other'), '--json'));
  assert.deepEqual(Object.keys(json), ['keyFile', 'publicKey']);
});

test('sign raises the version, changes nothing else, and verify says so', async () => {
  const { dir, gndt, key, pub } = fresh();
  await ok('init', dir);
  const text = `${JSON.stringify(sample().gndt, null, 4)}\n\n`;
  writeFileSync(gndt, text);
  assert.match(await refused('verify', gndt, '--public-key', pub), /the file is not signed/);
  assert.match(await ok('sign', gndt, '--key', key), /is version 1 now/);
  assert.equal(readFileSync(gndt, 'utf8'), text.replace('{', '{\n  "version": 1,'));
  assert.match(await ok('sign', gndt, '--key', key, '--remove', 'vr-x, vr-y'), /is version 2 now/);
  assert.deepEqual(JSON.parse(readFileSync(gndt, 'utf8')).removes, ['vr-x', 'vr-y']);
  assert.match(await ok('verify', gndt, '--public-key', pub), /version 2, signature good/);
  assert.match(await ok('verify', gndt, '--public-key', readFileSync(pub, 'utf8').trim()), /signature good/);
  writeFileSync(gndt, readFileSync(gndt, 'utf8').replace('192.0.2.1', '192.0.2.9'));
  assert.match(await refused('verify', gndt, '--public-key', pub), /does not hold/);
});

test('sign refuses what a router would refuse, and leaves it as it is', async () => {
  const { dir, gndt, key } = fresh();
  await ok('init', dir);
  const { networks } = sample().gndt;
  const bad = JSON.stringify({
    ...sample().gndt,
    networks: [...(networks as object[]), (networks as object[])[0]],
  });
  writeFileSync(gndt, bad);
  assert.match(await refused('sign', gndt, '--key', key), /networks\[2\].prefix/);
  assert.equal(readFileSync(gndt, 'utf8'), bad);
  writeFileSync(gndt, JSON.stringify(sample().gndt));
  assert.match(await refused('sign', gndt, '--key', key, '--remove', 'vr-b'), /removes\[0\]/);
  assert.match(
    await refused('sign', gndt, '--key', join(dir, 'none')),
    /there is no .*none; make one: vinectl network init/,
  );
  assert.match(await refused('sign', join(dir, 'none.json'), '--key', key), /cannot read/);
});
