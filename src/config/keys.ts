/** X25519 keys (RFC 7748) as WireGuard keeps them: 32 raw bytes, base64 in files. Private keys are never logged. */
import { createPrivateKey, createPublicKey, type KeyObject, randomBytes } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { codeOf, messageOf } from '../net/system-error.js';
import { decodeKey, encodeKey, KEY_BYTES, type Read } from '../tables/files/read.js';

/** DER before the 32 raw bytes of a private key (RFC 8410 §7: PKCS #8, algorithm 1.3.101.110). */
const PKCS8_HEAD = Buffer.from('302e020100300506032b656e04220420', 'hex');

/** Far more than a key and its line end. */
const MAX_FILE_BYTES = 4096;

/** A fresh private key as `wg genkey` makes it: clamped, in base64. */
export function generatePrivateKey(): string {
  const key = clamp(randomBytes(KEY_BYTES));
  const text = encodeKey(key);
  key.fill(0);
  return text;
}

/** The public key of a private one, both in base64; undefined when the text is no key. White space around it is fine. */
export function publicKeyOf(privateKeyBase64: string): string | undefined {
  const key = decodeKey(privateKeyBase64.trim());
  if (key === undefined) return undefined;
  const publicKey = encodeKey(derivePublicKey(key));
  key.fill(0);
  return publicKey;
}

/** @param privateKey 32 bytes @returns 32 bytes */
export function derivePublicKey(privateKey: Uint8Array): Uint8Array {
  const der = createPublicKey(toKeyObject(privateKey)).export({ format: 'der', type: 'spki' });
  return new Uint8Array(der.subarray(der.length - KEY_BYTES));
}

/** A fresh preshared key: 32 random bytes, in base64. */
export function generatePresharedKey(): string {
  const key = randomBytes(KEY_BYTES);
  const text = encodeKey(key);
  key.fill(0);
  return text;
}

/** What a file's key is called in messages, and the command that makes one. */
interface KeyKind {
  readonly name: string;
  readonly command: string;
  readonly how: (path: string) => string;
}

function printedBy(name: string, command: string): KeyKind {
  return { name, command, how: (path) => `(umask 077; ${command} > ${path})` };
}

const PRIVATE = printedBy('private key', 'vinectl genkey');
const PRESHARED = printedBy('preshared key', 'vinectl genpsk');
const NETWORK: KeyKind = {
  name: 'network key',
  command: 'vinectl network init',
  how: () => 'vinectl network init DIR',
};

/**
 * Reads a private key: a regular file that only its owner can read, 44 characters of base64 in it.
 * Returns 32 bytes, clamped. Symbolic links are followed; what is checked is the file that was opened.
 */
export function readPrivateKey(path: string): Read<Uint8Array> {
  const key = readKeyFile(path, PRIVATE);
  return 'value' in key ? { value: clamp(key.value) } : key;
}

/** Reads a preshared key from a file as a private one's. Returns its 32 bytes as they are. */
export function readPresharedKey(path: string): Read<Uint8Array> {
  return readKeyFile(path, PRESHARED);
}

/** Reads a network's key (Ed25519, RFC 8032) from a file as a private one's. Returns the 32 bytes of its seed. */
export function readNetworkKey(path: string): Read<Uint8Array> {
  return readKeyFile(path, NETWORK);
}

function readKeyFile(path: string, kind: KeyKind): Read<Uint8Array> {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK); // a FIFO must not make us wait
  } catch (error) {
    return { problem: openProblem(path, kind, error) };
  }
  try {
    return readOpenKey(path, kind, file);
  } catch (error) {
    return { problem: `cannot read ${path}: ${messageOf(error)}` };
  } finally {
    closeSync(file);
  }
}

function readOpenKey(path: string, { name, command }: KeyKind, file: number): Read<Uint8Array> {
  const status = fstatSync(file);
  if (!status.isFile()) return { problem: `${path} is not a regular file; expected one with a ${name}` };
  const mode = status.mode & 0o777;
  if ((mode & 0o077) !== 0) {
    const octal = mode.toString(8).padStart(4, '0');
    return { problem: `${path} is open to its group or to others (mode ${octal}); chmod 600 ${path}` };
  }
  const bytes = status.size <= MAX_FILE_BYTES ? readFileSync(file) : Buffer.alloc(0);
  const key = decodeKey(bytes.toString('latin1').trim());
  bytes.fill(0);
  if (key === undefined || key.every((byte) => byte === 0)) {
    return {
      problem: `${path} holds no ${name}; expected the 44 characters of base64 that "${command}" prints`,
    };
  }
  return { value: key };
}

function openProblem(path: string, { how }: KeyKind, error: unknown): string {
  const code = codeOf(error);
  if (code === 'ENOENT') {
    return `there is no ${path}; make one: ${how(path)}`;
  }
  if (code === 'EACCES')
    return `${path} may not be read by this user; it must belong to the user that runs vined`;
  return `cannot open ${path}: ${messageOf(error)}`;
}

/** RFC 7748 §5, "decodeScalar25519"; in place. */
function clamp<Bytes extends Uint8Array>(key: Bytes): Bytes {
  key[0] = (key[0] ?? 0) & 248;
  key[31] = ((key[31] ?? 0) & 127) | 64;
  return key;
}

function toKeyObject(privateKey: Uint8Array): KeyObject {
  const der = Buffer.concat([PKCS8_HEAD, privateKey]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  der.fill(0);
  return key;
}
