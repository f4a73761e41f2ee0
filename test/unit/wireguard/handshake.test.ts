import assert from 'node:assert/strict';
import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
} from 'node:crypto';
import { describe, it } from 'node:test';
import { blake2s } from '@noble/hashes/blake2.js';
import { hmac } from '@noble/hashes/hmac.js';
import {
  createIdentity,
  createInitiation,
  createRemoteIdentity,
  createResponse,
  hasValidMac1,
  type Identity,
  openInitiation,
  openResponse,
  type RemoteIdentity,
} from '../../../src/wireguard/handshake.js';
import {
  decodeMessage,
  type InitiationMessage,
  MessageType,
  type ResponseMessage,
} from '../../../src/wireguard/messages.js';
import { type CipherName, dh, importPrivateKey, publicKeyOf } from '../../../src/wireguard/primitives.js';

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
const filled = (value: number): Uint8Array => new Uint8Array(32).fill(value);
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const cat = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));

const INITIATOR_STATIC = filled(0x11);
const RESPONDER_STATIC = filled(0x22);
const INITIATOR_EPHEMERAL = filled(0x33);
const RESPONDER_EPHEMERAL = filled(0x44);
const PRESHARED = filled(0x55);
const TIMESTAMP = bytes('400000005f5e100a00000001');

interface Pair {
  readonly initiator: Identity;
  readonly responder: Identity;
  readonly toResponder: RemoteIdentity;
  readonly toInitiator: RemoteIdentity;
}

function remoteOf(identity: Identity, publicKey: Uint8Array, presharedKey: Uint8Array): RemoteIdentity {
  const remote = createRemoteIdentity(identity, publicKey, presharedKey);
  assert.ok(remote);
  return remote;
}

function pair(cipher: CipherName = 'chacha20-poly1305', responderPsk = PRESHARED): Pair {
  const initiator = createIdentity(cipher, INITIATOR_STATIC.slice());
  const responder = createIdentity(cipher, RESPONDER_STATIC.slice());
  return {
    initiator,
    responder,
    toResponder: remoteOf(initiator, responder.publicKey, PRESHARED),
    toInitiator: remoteOf(responder, initiator.publicKey, responderPsk),
  };
}

function initiation(p: Pair) {
  const made = createInitiation(p.initiator, p.toResponder, {
    ephemeral: INITIATOR_EPHEMERAL.slice(),
    localIndex: 0x01020304,
    timestamp: TIMESTAMP,
  });
  assert.ok(typeof made === 'object');
  return made;
}

function decodedInitiation(wire: Uint8Array): InitiationMessage {
  const message = decodeMessage(wire);
  assert.ok(typeof message === 'object' && message.type === MessageType.initiation);
  return message;
}

function decodedResponse(wire: Uint8Array): ResponseMessage {
  const message = decodeMessage(wire);
  assert.ok(typeof message === 'object' && message.type === MessageType.response);
  return message;
}

function openByResponder(p: Pair, wire: Uint8Array) {
  return openInitiation(p.responder, decodedInitiation(wire), (key) =>
    Buffer.from(key).equals(p.initiator.publicKey) ? { remote: p.toInitiator } : undefined,
  );
}

function response(p: Pair, wire: Uint8Array) {
  const opened = openByResponder(p, wire);
  assert.ok(typeof opened === 'object');
  const made = createResponse(opened.state, p.toInitiator, {
    ephemeral: RESPONDER_EPHEMERAL.slice(),
    localIndex: 0x0a0b0c0d,
  });
  assert.ok(typeof made === 'object');
  return made;
}

/**
 * The paper's §5.4 once more, written as a straight line over other implementations of the hashes (the product takes
 * HMAC and BLAKE2s from node:crypto, this takes them from @noble/hashes) and with key objects made by another route.
 */
function straightLine() {
  const jwk = (raw: Uint8Array) => {
    const der = Buffer.concat([Buffer.from('302e020100300506032b656e04220420', 'hex'), raw]);
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  };
  const pub = (raw: Uint8Array) => {
    const { x } = createPublicKey(jwk(raw)).export({ format: 'jwk' });
    return Uint8Array.from(Buffer.from(String(x), 'base64url'));
  };
  const dhOf = (raw: Uint8Array, publicKey: Uint8Array) =>
    Uint8Array.from(
      diffieHellman({
        privateKey: jwk(raw),
        publicKey: createPublicKey({
          key: { kty: 'OKP', crv: 'X25519', x: Buffer.from(publicKey).toString('base64url') },
          format: 'jwk',
        }),
      }),
    );
  const H = (...parts: Uint8Array[]) => blake2s(cat(...parts));
  const HM = (key: Uint8Array, data: Uint8Array) => hmac(blake2s, key, data);
  const aead = (key: Uint8Array, plain: Uint8Array, ad: Uint8Array) => {
    const c = createCipheriv('chacha20-poly1305', key, new Uint8Array(12), { authTagLength: 16 });
    c.setAAD(ad, { plaintextLength: plain.length });
    return cat(c.update(plain), c.final(), c.getAuthTag());
  };
  const si = pub(INITIATOR_STATIC);
  const sr = pub(RESPONDER_STATIC);
  const ei = pub(INITIATOR_EPHEMERAL);
  const er = pub(RESPONDER_EPHEMERAL);
  let c = H(utf8('Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s'));
  let h = H(H(c, utf8('WireGuard v1 zx2c4 Jason@zx2c4.com')), sr);
  let t0 = HM(c, ei);
  c = HM(t0, Uint8Array.of(1));
  h = H(h, ei);
  t0 = HM(c, dhOf(INITIATOR_EPHEMERAL, sr));
  c = HM(t0, Uint8Array.of(1));
  const sealedStatic = aead(HM(t0, cat(c, Uint8Array.of(2))), si, h);
  h = H(h, sealedStatic);
  t0 = HM(c, dhOf(INITIATOR_STATIC, sr));
  c = HM(t0, Uint8Array.of(1));
  const sealedTimestamp = aead(HM(t0, cat(c, Uint8Array.of(2))), TIMESTAMP, h);
  h = H(h, sealedTimestamp);
  const head1 = cat(bytes('01000000'), bytes('04030201'), ei, sealedStatic, sealedTimestamp);
  const mac1 = blake2s(head1, { key: H(utf8('mac1----'), sr), dkLen: 16 });
  const first = cat(head1, mac1, new Uint8Array(16));
  t0 = HM(c, er);
  c = HM(t0, Uint8Array.of(1));
  h = H(h, er);
  t0 = HM(c, dhOf(RESPONDER_EPHEMERAL, ei));
  c = HM(t0, Uint8Array.of(1));
  t0 = HM(c, dhOf(RESPONDER_EPHEMERAL, si));
  c = HM(t0, Uint8Array.of(1));
  t0 = HM(c, PRESHARED);
  c = HM(t0, Uint8Array.of(1));
  const tau = HM(t0, cat(c, Uint8Array.of(2)));
  const kappa = HM(t0, cat(tau, Uint8Array.of(3)));
  h = H(h, tau);
  const head2 = cat(
    bytes('02000000'),
    bytes('0d0c0b0a'),
    bytes('04030201'),
    er,
    aead(kappa, new Uint8Array(0), h),
  );
  const mac2 = blake2s(head2, { key: H(utf8('mac1----'), si), dkLen: 16 });
  const second = cat(head2, mac2, new Uint8Array(16));
  t0 = HM(c, new Uint8Array(0));
  const initiatorKey = HM(t0, Uint8Array.of(1));
  const responderKey = HM(t0, cat(initiatorKey, Uint8Array.of(2)));
  return { first, second, initiatorKey, responderKey };
}

const hexOf = (value: Uint8Array): string => Buffer.from(value).toString('hex');

describe('X25519', () => {
  it('gives the vector of RFC 7748 §6.1', () => {
    const alice = importPrivateKey(bytes('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a'));
    const bob = importPrivateKey(bytes('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb'));
    const bobPublic = 'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f';
    const shared = '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742';
    assert.equal(hexOf(publicKeyOf(bob)), bobPublic);
    assert.equal(hexOf(dh(alice, bytes(bobPublic)) ?? filled(0)), shared);
    assert.equal(hexOf(dh(bob, publicKeyOf(alice)) ?? filled(0)), shared);
  });
});

describe('the handshake against a straight-line writing of the paper', () => {
  const expected = straightLine();
  const p = pair();
  const first = initiation(p);
  const second = response(p, first.bytes);

  it('makes the same initiation, byte for byte', () => {
    assert.equal(hexOf(first.bytes), hexOf(expected.first));
  });
  it('makes the same response, byte for byte', () => {
    assert.equal(hexOf(second.bytes), hexOf(expected.second));
  });
  it('derives the same keys at both ends', () => {
    const keys = openResponse(p.initiator, p.toResponder, first.state, decodedResponse(second.bytes));
    assert.ok(typeof keys === 'object');
    assert.equal(hexOf(keys.sendKey), hexOf(expected.initiatorKey));
    assert.equal(hexOf(keys.receiveKey), hexOf(expected.responderKey));
    assert.equal(hexOf(second.keys.sendKey), hexOf(expected.responderKey));
    assert.equal(hexOf(second.keys.receiveKey), hexOf(expected.initiatorKey));
    assert.deepEqual(
      [keys.localIndex, keys.remoteIndex, second.keys.localIndex, second.keys.remoteIndex],
      [0x01020304, 0x0a0b0c0d, 0x0a0b0c0d, 0x01020304],
    );
  });
});

describe('the handshake', () => {
  it('works with AES-256-GCM, and not with another cipher at the other end', () => {
    const aes = pair('aes-256-gcm');
    const first = initiation(aes);
    const second = response(aes, first.bytes);
    const keys = openResponse(aes.initiator, aes.toResponder, first.state, decodedResponse(second.bytes));
    assert.ok(typeof keys === 'object');
    assert.equal(hexOf(keys.sendKey), hexOf(second.keys.receiveKey));
    assert.equal(keys.cipher, 'aes-256-gcm');
    assert.equal(openByResponder(pair(), first.bytes), 'not-authentic');
  });

  it('refuses a mac1 that was made for another key or changed', () => {
    const p = pair();
    const { bytes: wire } = initiation(p);
    assert.equal(hasValidMac1(p.responder, decodedInitiation(wire)), true);
    assert.equal(hasValidMac1(p.initiator, decodedInitiation(wire)), false);
    for (const offset of [4, 8, 40, 100, 116, 131]) {
      const changed = wire.slice();
      changed[offset] = (changed[offset] ?? 0) ^ 1;
      assert.equal(hasValidMac1(p.responder, decodedInitiation(changed)), false, `byte ${offset}`);
    }
  });

  it('refuses a changed ephemeral, static or timestamp', () => {
    const p = pair();
    const { bytes: wire } = initiation(p);
    for (const offset of [8, 40, 88]) {
      const changed = wire.slice();
      changed[offset] = (changed[offset] ?? 0) ^ 1;
      assert.equal(openByResponder(p, changed), 'not-authentic', `byte ${offset}`);
    }
  });

  it('does not show who calls, and shows nobody who is called', () => {
    const p = pair();
    const { bytes: first } = initiation(p);
    const { bytes: second } = response(p, first);
    for (const { publicKey } of [p.initiator, p.responder]) {
      for (const wire of [first, second]) assert.equal(Buffer.from(wire).indexOf(publicKey), -1);
    }
    assert.equal(
      openInitiation(pair().initiator, decodedInitiation(first), () => undefined),
      'not-authentic',
    );
  });

  it('gives nothing to an unknown key', () => {
    const p = pair();
    const opened = openInitiation(p.responder, decodedInitiation(initiation(p).bytes), () => undefined);
    assert.equal(opened, 'unknown-key');
  });

  it('refuses ephemeral keys of low order', () => {
    const p = pair();
    const first = initiation(p);
    const low = first.bytes.slice();
    low.fill(0, 8, 40);
    assert.equal(openByResponder(p, low), 'zero-dh');
    const answer = response(p, first.bytes).bytes.slice();
    answer.fill(0, 12, 44);
    assert.equal(openResponse(p.initiator, p.toResponder, first.state, decodedResponse(answer)), 'zero-dh');
    assert.equal(createRemoteIdentity(p.initiator, new Uint8Array(32)), undefined);
    assert.equal(dh(p.initiator.privateKey, Uint8Array.of(1, ...new Uint8Array(31))), undefined);
  });

  it('refuses a response with another preshared key, and still takes the right one afterwards', () => {
    const p = pair();
    const first = initiation(p);
    const wrong = response(pair('chacha20-poly1305', filled(0x66)), first.bytes);
    const refused = openResponse(p.initiator, p.toResponder, first.state, decodedResponse(wrong.bytes));
    assert.equal(refused, 'not-authentic');
    const right = response(p, first.bytes);
    const keys = openResponse(p.initiator, p.toResponder, first.state, decodedResponse(right.bytes));
    assert.ok(typeof keys === 'object');
    const box = createCipheriv('chacha20-poly1305', keys.sendKey, new Uint8Array(12), { authTagLength: 16 });
    const sealed = box.update(utf8('hello'));
    box.final();
    const unbox = createDecipheriv('chacha20-poly1305', right.keys.receiveKey, new Uint8Array(12), {
      authTagLength: 16,
    });
    unbox.setAuthTag(box.getAuthTag());
    assert.equal(Buffer.concat([unbox.update(sealed), unbox.final()]).toString(), 'hello');
  });

  it('wipes the ephemeral key material that is handed in', () => {
    const p = pair();
    const ephemeral = filled(0x33);
    createInitiation(p.initiator, p.toResponder, { ephemeral, localIndex: 1, timestamp: TIMESTAMP });
    assert.deepEqual(ephemeral, new Uint8Array(32));
  });
});
