import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  digestOf,
  joinDocument,
  MAX_DOCUMENT_BYTES,
  readSignature,
  signatureLine,
  splitDocument,
} from '../../../src/membership/document.js';
import { sign } from '../../../src/membership/signature.js';

const SEED = new Uint8Array(32).fill(7);
const CONTENT = Buffer.from('{"version": 3}\r\n', 'utf8');

test('a document is the signature as a line, and then what was signed, byte for byte', () => {
  const signature = sign('description', CONTENT, SEED);
  const document = joinDocument({ signature, content: CONTENT });
  assert.equal(
    Buffer.from(document).toString('latin1'),
    `${Buffer.from(signature).toString('base64')}\n{"version": 3}\r\n`,
  );
  const parts = splitDocument(document);
  assert.deepEqual(parts && Buffer.from(parts.content), CONTENT);
  assert.deepEqual(parts?.signature, signature);
  assert.match(digestOf(document), /^[0-9a-f]{64}$/);
});

test('what does not begin with a signature is no document', () => {
  const signature = sign('description', CONTENT, SEED);
  const good = joinDocument({ signature, content: CONTENT });
  assert.equal(splitDocument(good.subarray(1)), undefined);
  assert.equal(splitDocument(good.subarray(0, 88)), undefined);
  assert.equal(splitDocument(new Uint8Array(0)), undefined);
  assert.equal(splitDocument(new Uint8Array(MAX_DOCUMENT_BYTES + 1)), undefined);
  const spaced = Uint8Array.from(good);
  spaced[3] = 0x20;
  assert.equal(splitDocument(spaced), undefined);
});

test('a signature file is one line of canonical base64', () => {
  const signature = sign('description', CONTENT, SEED);
  const line = signatureLine(signature);
  for (const text of [line, line.trimEnd(), line.replace('\n', '\r\n')])
    assert.deepEqual(readSignature(text), signature);
  for (const text of ['', `${line}\n`, ` ${line}`, line.slice(4), `${line}${line}`, line.replace('==', '')])
    assert.equal(readSignature(text), undefined, JSON.stringify(text));
});
