/** The part of router.json that says which etcd has the description. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type JsonObject, KEY_A, lines, parse, sample } from './sample.js';

const URL = 'https://127.0.0.1:2379';

function read(network: JsonObject) {
  const written = sample();
  written.router.network = { publicKey: KEY_A, ...network };
  return parse(written);
}

function etcdOf(network: JsonObject) {
  const outcome = read(network);
  assert.deepEqual(lines(outcome), []);
  return 'value' in outcome ? outcome.value.router.network?.etcd : undefined;
}

test('left out: nothing of it; given: the usual key, paths from the directory on', () => {
  assert.equal(etcdOf({}), undefined);
  assert.deepEqual(etcdOf({ etcd: [URL] }), {
    endpoints: [URL],
    key: '/vine/description',
    caFile: undefined,
    certificateFile: undefined,
    privateKeyFile: undefined,
  });
  const full = etcdOf({
    etcd: ['https://Etcd-1.example.net:2379/', 'http://[fd00::1]:2379'],
    etcdKey: '/nets/blue',
    etcdCaFile: 'ca.pem',
    etcdCertificateFile: '/pki/vr.pem',
    etcdPrivateKeyFile: 'vr.key',
  });
  const named = etcdOf({ etcd: ['http://127.0.0.1:2379'], etcdUser: 'vr', etcdPasswordFile: 'word' });
  assert.deepEqual([named?.user, named?.passwordFile], ['vr', '/etc/vine/word']);
  assert.deepEqual(full, {
    endpoints: ['https://etcd-1.example.net:2379', 'http://[fd00::1]:2379'],
    key: '/nets/blue',
    caFile: '/etc/vine/ca.pem',
    certificateFile: '/pki/vr.pem',
    privateKeyFile: '/etc/vine/vr.key',
  });
});

test('mistakes, each with what would be right', () => {
  const mistakes: readonly (readonly [JsonObject, RegExp])[] = [
    [{ etcd: [] }, /network\.etcd: /],
    [{ etcd: Array.from({ length: 9 }, (_, i) => `http://10.0.0.${i + 1}:2379`) }, /network\.etcd: /],
    [
      { etcd: ['127.0.0.1:2379'] },
      /etcd\[0\]: "127\.0\.0\.1:2379" is no address of an etcd; expected for example https:/,
    ],
    [{ etcd: ['ftp://127.0.0.1:2379'] }, /is no address of an etcd/],
    [{ etcd: ['https://127.0.0.1'] }, /has no port; expected for example/],
    [{ etcd: ['https://user:word@127.0.0.1:2379'] }, /is no address of an etcd/],
    [{ etcd: ['https://127.0.0.1:2379/v3'] }, /is no address of an etcd/],
    [{ etcd: ['https://127.0.0.1:0'] }, /expected a port from 1 to 65535/],
    [{ etcd: ['https://300.0.0.1:2379'] }, /"300\.0\.0\.1" is no IP address/],
    [{ etcd: ['https://0.0.0.0:2379'] }, /is no machine's address/],
    [{ etcd: ['https://-x.example:2379'] }, /is no host name/],
    [{ etcd: [URL, URL] }, /network\.etcd\[1\]: ".*" is network\.etcd\[0\] already/],
    [{ etcd: [URL], etcdKey: '' }, /etcdKey: expected a key of 1 to 512 bytes, got 0/],
    [{ etcd: [URL], etcdKey: 'a\nb' }, /without control characters/],
    [{ etcd: [URL], etcdUser: 'vr' }, /etcdUser: .* are needed together/],
    [{ etcd: [URL], etcdUser: '', etcdPasswordFile: 'p' }, /etcdUser: expected a name/],
    [
      { etcd: ['http://192.0.2.1:2379'], etcdUser: 'vr', etcdPasswordFile: 'p' },
      /etcd\[0\]: the password of "etcdUser" could be read on the way/,
    ],
    [{ etcdKey: '/x' }, /network\.etcdKey: there is no "etcd" beside it/],
    [{ etcd: [URL], etcdCertificateFile: 'a.pem' }, /etcdCertificateFile: .* are needed together/],
    [
      { etcd: ['http://127.0.0.1:2379'], etcdCaFile: 'ca.pem' },
      /etcdCaFile: none of the addresses .* begins with https/,
    ],
  ];
  for (const [network, why] of mistakes) {
    const found = lines(read(network));
    assert.equal(found.length, 1, `${JSON.stringify(network)}: ${found.join('; ')}`);
    assert.match(found[0] ?? '', why);
  }
});
