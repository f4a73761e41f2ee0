/**
 * Ed25519 (RFC 8032) for what the network's key, and keys that it has vouched for, say. Keys are 32 raw bytes: the seed
 * of RFC 8032 §5.1.5 and the public key made from it.
 *
 *   signed bytes = "vine <domain> 1" · 0x00 · the bytes themselves
 *
 * The text in front keeps the kinds apart: a signature of one kind never holds for bytes of another.
 */
import {
  createPrivateKey,
  createPublicKey,
  sign as edSign,
  verify as edVerify,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';

/** What is signed: the bytes of gndt.json, a token's right, the use of one, a change of keys, a proof of belonging. */
export type Domain = 'description' | 'grant' | 'binding' | 'succession' | 'membership';

export const SEED_BYTES = 32;
export const PUBLIC_KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;

/** DER before the raw bytes (RFC 8410 §4 and §7, algorithm 1.3.101.112). */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex');

export interface NetworkKey {
  /** The private half, 32 bytes. */
  readonly seed: Uint8Array;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
}

export function generateNetworkKey(): NetworkKey {
  const { privateKey } = generateKeyPairSync('ed25519');
  const der = privateKey.export({ format: 'der', type: 'pkcs8' });
  const seed = new Uint8Array(der.subarray(der.length - SEED_BYTES));
  der.fill(0);
  return { seed, publicKey: publicKeyOf(seed) };
}

/** @param seed 32 bytes @returns 32 bytes @throws when the seed has another length */
export function publicKeyOf(seed: Uint8Array): Uint8Array {
  const der = createPublicKey(privateObject(seed)).export({ format: 'der', type: 'spki' });
  return new Uint8Array(der.subarray(der.length - PUBLIC_KEY_BYTES));
}

/** @param seed 32 bytes @returns 64 bytes @throws when the seed has another length */
export function sign(domain: Domain, bytes: Uint8Array, seed: Uint8Array): Uint8Array {
  return new Uint8Array(edSign(null, inDomain(domain, bytes), privateObject(seed)));
}

/** False also for a signature or key of another length, and for 32 bytes that are no key. */
export function verify(
  domain: Domain,
  bytes: Uint8Array,
  signature: Uint8Array,
  publicKey: Uint8Array,
): boolean {
  if (signature.length !== SIGNATURE_BYTES || publicKey.length !== PUBLIC_KEY_BYTES) return false;
  try {
    const key = createPublicKey({
      key: Buffer.concat([SPKI_HEAD, publicKey]),
      format: 'der',
      type: 'spki',
    });
    return edVerify(null, inDomain(domain, bytes), key, signature);
  } catch {
    return false; // not a point of the curve
  }
}

function inDomain(domain: Domain, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`vine ${domain} 1\0`, 'latin1'), bytes]);
}

function privateObject(seed: Uint8Array): KeyObject {
  if (seed.length !== SEED_BYTES) throw new RangeError(`a seed has ${SEED_BYTES} bytes, not ${seed.length}`);
  const der = Buffer.concat([PKCS8_HEAD, seed]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  der.fill(0);
  return key;
}
