/** What the addon finds out about the machine's ciphers: real figures, and the same ones when it is asked again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadNative } from '../../src/dataplane/native.js';
import { isFastAes } from '../../src/tunnel/cipher-choice.js';

test('both ciphers work here, at a speed, and measuring takes a moment once', (t) => {
  const addon = loadNative();
  const began = performance.now();
  const speeds = addon.cipherSpeeds();
  const tookMs = performance.now() - began;
  t.diagnostic(
    `ChaCha20-Poly1305 ${speeds.chachaGbps.toFixed(1)}, AES-256-GCM ${speeds.aesGbps.toFixed(1)} Gbit/s, ${tookMs.toFixed(1)} ms`,
  );
  for (const gbps of Object.values(speeds)) assert.ok(gbps > 0.05 && gbps < 1_000, `${gbps} Gbit/s`);
  assert.ok(tookMs < 500, `${tookMs} ms`);
  assert.deepEqual(addon.cipherSpeeds(), speeds);
});

test('AES-256-GCM counts as fast from 1.2 times on, and not where it does not work', () => {
  assert.equal(isFastAes({ chachaGbps: 10, aesGbps: 12 }), true);
  assert.equal(isFastAes({ chachaGbps: 10, aesGbps: 11.9 }), false);
  assert.equal(isFastAes({ chachaGbps: 10, aesGbps: 0 }), false);
  assert.equal(isFastAes({ chachaGbps: 0, aesGbps: 0 }), false);
});
