import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  derivePublicKey,
  generatePrivateKey,
  publicKeyOf,
  readPrivateKey,
} from '../../../src/config/keys.js';

const directory = mkdtempSync(join(tmpdir(), 'vine-keys-'));
after(() => rmSync(directory, { recursive: true }));

function keyFile(name: string, text: string, mode = 0o600): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

const base64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64');

/** RFC 7748 §6.1: private and public keys of Alice and of Bob. */
const RFC7748 = [
  [
    '77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a',
    '8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a',
  ],
  [
    '5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb',
    'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f',
  ],
] as const;

for (const [privateKey, publicKey] of RFC7748) {
  test(`RFC 7748 key pair ${privateKey.slice(0, 8)}`, () => {
    assert.equal(publicKeyOf(`${base64(privateKey)}\n`), base64(publicKey));
    assert.equal(Buffer.from(derivePublicKey(Buffer.from(privateKey, 'hex'))).toString('hex'), publicKey);
  });
}

test('a new private key is clamped, 44 characters, and another one each time', () => {
  const keys = Array.from({ length: 50 }, generatePrivateKey);
  assert.equal(new Set(keys).size, 50);
  for (const key of keys) {
    assert.match(key, /^[A-Za-z0-9+/]{43}=$/);
    const bytes = Buffer.from(key, 'base64');
    assert.equal(bytes.length, 32);
    assert.equal((bytes[0] ?? 0) & 7, 0);
    assert.equal((bytes[31] ?? 0) & 0xc0, 0x40);
  }
});

test('what is no key has no public key', () => {
  for (const text of ['', 'x', 'A'.repeat(44), `${'A'.repeat(42)}==`, 'AQEB', `${'-'.repeat(43)}=`]) {
    assert.equal(publicKeyOf(text), undefined, text);
  }
});

test('a key file is read, its line end left out, and clamped', () => {
  const unclamped = Buffer.alloc(32, 0xff);
  const outcome = readPrivateKey(keyFile('unclamped.key', `${unclamped.toString('base64')}\n`));
  const clamped = Uint8Array.from(unclamped);
  clamped[0] = 0xf8;
  clamped[31] = 0x7f;
  assert.deepEqual(outcome, { value: clamped });
  assert.deepEqual(derivePublicKey(clamped), derivePublicKey(unclamped)); // X25519 clamps by itself
});

test('a symbolic link to a good key file is followed', () => {
  const link = join(directory, 'link.key');
  symlinkSync(keyFile('target.key', generatePrivateKey()), link);
  assert.ok('value' in readPrivateKey(link));
});

for (const mode of [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o777]) {
  const octal = mode.toString(8).padStart(4, '0');
  test(`a key file of mode ${octal} is refused`, () => {
    const path = keyFile(`mode-${octal}.key`, generatePrivateKey(), mode);
    assert.deepEqual(readPrivateKey(path), {
      problem: `${path} is open to its group or to others (mode ${octal}); chmod 600 ${path}`,
    });
  });
}

test('a key file that only its owner can read or change is taken', () => {
  for (const mode of [0o400, 0o600, 0o700]) {
    assert.ok('value' in readPrivateKey(keyFile(`owner-${mode}.key`, generatePrivateKey(), mode)));
  }
});

const BROKEN: readonly (readonly [name: string, text: string])[] = [
  ['empty', ''],
  ['short', 'AQEBAQ=='],
  ['zero', Buffer.alloc(32).toString('base64')],
  ['hexadecimal', 'ab'.repeat(32)],
  ['two-keys', `${'AQ'.repeat(21)}E=\n${'AQ'.repeat(21)}E=`],
  ['huge', 'A'.repeat(1_000_000)],
  ['binary', '\u0000\ufffd'.repeat(40)],
];

for (const [name, text] of BROKEN) {
  test(`a key file with something else in it: ${name}`, () => {
    const path = keyFile(`${name}.key`, text);
    assert.deepEqual(readPrivateKey(path), {
      problem: `${path} holds no private key; expected the 44 characters of base64 that "vinectl genkey" prints`,
    });
  });
}

test('no key file', () => {
  const path = join(directory, 'none.key');
  assert.deepEqual(readPrivateKey(path), {
    problem: `there is no ${path}; make one: (umask 077; vinectl genkey > ${path})`,
  });
});

test('a directory, or a FIFO without a writer, is no key file, and nothing waits', () => {
  const folder = join(directory, 'folder');
  mkdirSync(folder, { mode: 0o700 });
  const fifo = join(directory, 'fifo');
  execFileSync('mkfifo', ['-m', '600', fifo]);
  for (const path of [folder, fifo]) {
    assert.deepEqual(readPrivateKey(path), {
      problem: `${path} is not a regular file; expected one with a private key`,
    });
  }
});
