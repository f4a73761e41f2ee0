/** The cryptographic functions of the WireGuard paper, §5.4, under the paper's names. None is written here. */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type KeyObject,
  timingSafeEqual,
} from 'node:crypto';
import { blake2s } from '@noble/hashes/blake2.js';
import { concat } from './bytes.js';
import { KEY_BYTES, MAC_BYTES, TAG_BYTES } from './constants.js';

export const CIPHERS = ['chacha20-poly1305', 'aes-256-gcm'] as const;
export type CipherName = (typeof CIPHERS)[number];

/** RFC 8410 §4 and §7: what precedes the 32 key bytes in DER. */
const PRIVATE_KEY_PREFIX = Uint8Array.from(Buffer.from('302e020100300506032b656e04220420', 'hex'));
const PUBLIC_KEY_PREFIX = Uint8Array.from(Buffer.from('302a300506032b656e032100', 'hex'));

/** Handshake messages are sealed with counter 0 only, whose nonce is the same in both ciphers' byte orders. */
const ZERO_NONCE = new Uint8Array(12);
const ZERO_KEY = new Uint8Array(KEY_BYTES);

/** @param raw 32 random bytes; clamping happens in the scalar multiplication (RFC 7748 §5). */
export function importPrivateKey(raw: Uint8Array): KeyObject {
  const der = Buffer.from(concat(PRIVATE_KEY_PREFIX, raw).buffer);
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  } finally {
    der.fill(0);
  }
}

export function importPublicKey(raw: Uint8Array): KeyObject {
  return createPublicKey({
    key: Buffer.from(concat(PUBLIC_KEY_PREFIX, raw).buffer),
    format: 'der',
    type: 'spki',
  });
}

/** The 32-byte public key that belongs to a private key. */
export function publicKeyOf(privateKey: KeyObject): Uint8Array {
  const der = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return Uint8Array.from(der.subarray(PUBLIC_KEY_PREFIX.length));
}

/** DH(private, public): 32 bytes; undefined when the result is all zero (a point of low order). */
export function dh(privateKey: KeyObject, publicKey: Uint8Array): Uint8Array | undefined {
  let shared: Buffer;
  try {
    shared = diffieHellman({ privateKey, publicKey: importPublicKey(publicKey) });
  } catch {
    // OpenSSL refuses points of low order by itself.
    return undefined;
  }
  return timingSafeEqual(shared, ZERO_KEY) ? undefined : shared;
}

/** Hash(input): BLAKE2s, 32 bytes. */
export function hash(...parts: readonly Uint8Array[]): Uint8Array {
  const state = createHash('blake2s256');
  for (const part of parts) state.update(part);
  return state.digest();
}

/** Mac(key, input): keyed BLAKE2s, 16 bytes. */
export function mac(key: Uint8Array, input: Uint8Array): Uint8Array {
  return blake2s(input, { key, dkLen: MAC_BYTES });
}

/** Hmac(key, input): HMAC-BLAKE2s, 32 bytes. */
export function hmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const state = createHmac('blake2s256', key);
  for (const part of parts) state.update(part);
  return state.digest();
}

/** Kdf_n(key, input): n keys of 32 bytes. */
export function kdf(count: 1 | 2 | 3, key: Uint8Array, input: Uint8Array): Uint8Array[] {
  const extracted = hmac(key, input);
  const keys: Uint8Array[] = [];
  let last = new Uint8Array(0);
  for (let n = 1; n <= count; n++) {
    last = Uint8Array.from(hmac(extracted, last, Uint8Array.of(n)));
    keys.push(last);
  }
  extracted.fill(0);
  return keys;
}

/** Aead(key, 0, plaintext, associated): ciphertext with the 16-byte tag at its end. */
export function seal(
  cipher: CipherName,
  key: Uint8Array,
  plaintext: Uint8Array,
  associated: Uint8Array,
): Uint8Array {
  const box =
    cipher === 'chacha20-poly1305'
      ? createCipheriv(cipher, key, ZERO_NONCE, { authTagLength: TAG_BYTES })
      : createCipheriv(cipher, key, ZERO_NONCE, { authTagLength: TAG_BYTES });
  box.setAAD(associated, { plaintextLength: plaintext.length });
  return concat(box.update(plaintext), box.final(), box.getAuthTag());
}

/** The opposite of `seal`; undefined when the tag does not fit. */
export function open(
  cipher: CipherName,
  key: Uint8Array,
  sealed: Uint8Array,
  associated: Uint8Array,
): Uint8Array | undefined {
  const length = sealed.length - TAG_BYTES;
  if (length < 0) return undefined;
  const box =
    cipher === 'chacha20-poly1305'
      ? createDecipheriv(cipher, key, ZERO_NONCE, { authTagLength: TAG_BYTES })
      : createDecipheriv(cipher, key, ZERO_NONCE, { authTagLength: TAG_BYTES });
  box.setAAD(associated, { plaintextLength: length });
  box.setAuthTag(sealed.subarray(length));
  try {
    return concat(box.update(sealed.subarray(0, length)), box.final());
  } catch {
    return undefined;
  }
}

/** Equal contents, in constant time; different lengths are simply unequal. */
export function equalSecrets(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
