import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gndtDigest } from '../../../src/config/digest.js';
import { type Json, KEY_A, KEY_B, parse, type Sample, sample, spoilt } from './sample.js';

function digest(written: Sample): string {
  const outcome = parse(written);
  assert.ok('value' in outcome);
  const bytes = gndtDigest(outcome.value.gndt);
  assert.equal(bytes.length, 32);
  return Buffer.from(bytes).toString('hex');
}

test('the sample has always the same digest: routers of one version must agree on it', () => {
  assert.equal(digest(sample()), 'e0245f6440bade467286018d39c0a37ee524443876117aa22508fad12d76d48c');
});

test('layout makes no difference: order of keys and lists, spelling of addresses, defaults written out', () => {
  const written = sample();
  written.gndt = {
    $schema: 'x',
    cipher: 'chacha20-poly1305',
    nodes: [],
    networks: [
      { mobility: { allow: ['vr-a'] }, router: 'vr-b', prefix: '10.2.0.0/24', vnet: 'blue' },
      { gateway: '10.1.0.254', router: 'vr-a', prefix: '10.1.0.0/24', vnet: 'blue', mobility: {} },
    ],
    routers: [
      { endpoints: ['udp://192.0.2.2:7700'], relay: false, publicKey: KEY_B, id: 'vr-b' },
      { endpoints: ['udp://192.0.2.1:7700'], publicKey: KEY_A, id: 'vr-a' },
    ],
    vnets: [
      { id: 2, name: 'green' },
      { id: 1, name: 'blue' },
    ],
  };
  assert.equal(digest(written), digest(sample()));
});

const CHANGES: readonly (readonly [path: readonly (string | number)[], change: Json])[] = [
  [['gndt', 'sites'], [{ id: 'here', routers: ['vr-a'] }]],
  [['gndt', 'vnets', 1, 'id'], 3],
  [['gndt', 'vnets', 1, 'name'], 'red'],
  [['gndt', 'vnets', 0, 'subnet'], '10.0.0.0/8'],
  [['gndt', 'routers', 1, 'publicKey'], 'AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM='],
  [['gndt', 'routers', 1, 'endpoints'], []],
  [['gndt', 'routers', 1, 'endpoints', 0], 'udp://192.0.2.2:7701'],
  [['gndt', 'routers', 1, 'endpoints', 1], 'udp://192.0.2.3:7700'],
  [['gndt', 'routers', 1, 'relay'], true],
  [['gndt', 'networks', 1, 'prefix'], '10.2.0.0/25'],
  [['gndt', 'networks', 1, 'router'], 'vr-a'],
  [['gndt', 'networks', 1, 'gateway'], '10.2.0.254'],
  [['gndt', 'networks', 1, 'mobility'], {}],
  [['gndt', 'networks', 1, 'mobility'], { allow: [] }],
  [['gndt', 'cipher'], 'aes-256-gcm'],
  [
    ['gndt', 'nodes'],
    [
      {
        vnet: 'blue',
        ip: '10.1.0.201',
        publicKey: 'BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ=',
        via: 'vr-a',
      },
    ],
  ],
];

test('every change of meaning makes another digest', () => {
  const digests = CHANGES.map(([path, change]) => digest(spoilt(path, change)));
  assert.equal(new Set([digest(sample()), ...digests]).size, CHANGES.length + 1);
});

test("the order of a router's endpoints has a meaning", () => {
  const both = ['udp://192.0.2.2:7700', 'udp://192.0.2.3:7700'];
  assert.notEqual(
    digest(spoilt(['gndt', 'routers', 1, 'endpoints'], both)),
    digest(spoilt(['gndt', 'routers', 1, 'endpoints'], both.toReversed())),
  );
});
