import assert from 'node:assert/strict';
import { createPublicKey, verify as edVerify } from 'node:crypto';
import { test } from 'node:test';
import {
  type Domain,
  generateNetworkKey,
  publicKeyOf,
  SIGNATURE_BYTES,
  sign,
  verify,
} from '../../../src/membership/signature.js';

const DOMAINS: readonly Domain[] = ['description', 'grant', 'binding', 'succession', 'membership'];
const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
const hexOf = (value: Uint8Array): string => Buffer.from(value).toString('hex');

/** RFC 8032 §7.1, tests 1 and 2. */
const RFC8032 = [
  [
    '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
  ],
  [
    '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
  ],
] as const;

for (const [seed, publicKey] of RFC8032) {
  test(`the public key of RFC 8032's seed ${seed.slice(0, 8)}`, () => {
    assert.equal(hexOf(publicKeyOf(bytes(seed))), publicKey);
  });
}

test('what is signed is the kind, a zero byte and the bytes: anybody can check it with plain Ed25519', () => {
  const seed = bytes(RFC8032[0][0]);
  const text = Buffer.from('{"version": 1}');
  const signature = sign('description', text, seed);
  assert.equal(signature.length, SIGNATURE_BYTES);
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), bytes(RFC8032[0][1])]);
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
  const prefixed = Buffer.concat([Buffer.from('vine description 1\0'), text]);
  assert.ok(edVerify(null, prefixed, key, signature));
  assert.ok(!edVerify(null, text, key, signature));
});

test('a signature holds for its kind only', () => {
  const { seed, publicKey } = generateNetworkKey();
  for (const domain of DOMAINS) {
    const signature = sign(domain, bytes('0102'), seed);
    for (const other of DOMAINS)
      assert.equal(verify(other, bytes('0102'), signature, publicKey), other === domain);
  }
});

test('any changed bit of bytes, signature or key breaks it', () => {
  const { seed, publicKey } = generateNetworkKey();
  const said = bytes('00ff10');
  const signature = sign('grant', said, seed);
  const flips = (value: Uint8Array): Uint8Array[] =>
    Array.from({ length: value.length * 8 }, (_, bit) => {
      const copy = Uint8Array.from(value);
      copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return copy;
    });
  assert.ok(verify('grant', said, signature, publicKey));
  for (const flipped of flips(said)) assert.ok(!verify('grant', flipped, signature, publicKey));
  for (const flipped of flips(signature)) assert.ok(!verify('grant', said, flipped, publicKey));
  for (const flipped of flips(publicKey)) assert.ok(!verify('grant', said, signature, flipped));
});

test('lengths that are none are false, not errors; a seed of another length is a programming error', () => {
  const { seed, publicKey } = generateNetworkKey();
  const signature = sign('grant', bytes(''), seed);
  assert.ok(verify('grant', bytes(''), signature, publicKey));
  assert.ok(!verify('grant', bytes(''), signature.subarray(1), publicKey));
  assert.ok(!verify('grant', bytes(''), bytes(''), publicKey));
  assert.ok(!verify('grant', bytes(''), signature, publicKey.subarray(1)));
  assert.throws(() => sign('grant', bytes(''), seed.subarray(1)), RangeError);
});

test('two keys differ', () => {
  assert.notEqual(hexOf(generateNetworkKey().seed), hexOf(generateNetworkKey().seed));
});
