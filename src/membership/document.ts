/**
 * A signed document as routers pass it on and keep it:
 *
 *   signature (64 bytes, as 88 characters of base64) · "\n" · content, byte for byte as it was signed
 *
 * The content is never read and written anew before its signature is verified: what was signed is these bytes, not what
 * they mean.
 */
import { createHash } from 'node:crypto';
import { MAX_DOCUMENT_BYTES } from '../protocol/network-message.js';
import { SIGNATURE_BYTES } from './signature.js';

export { MAX_DOCUMENT_BYTES };

const SIGNATURE_CHARACTERS = 88;
const LINE_END = 0x0a;

export interface SignedDocument {
  /** 64 bytes. */
  readonly signature: Uint8Array;
  readonly content: Uint8Array;
}

/** @param signature 64 bytes */
export function joinDocument({ signature, content }: SignedDocument): Uint8Array {
  return new Uint8Array(Buffer.concat([Buffer.from(signatureLine(signature), 'latin1'), content]));
}

/** Undefined: it does not begin with a signature. The content is a view of the bytes. */
export function splitDocument(bytes: Uint8Array): SignedDocument | undefined {
  if (bytes.length > MAX_DOCUMENT_BYTES || bytes[SIGNATURE_CHARACTERS] !== LINE_END) return undefined;
  const line = Buffer.from(bytes.subarray(0, SIGNATURE_CHARACTERS + 1)).toString('latin1');
  const signature = readSignature(line);
  return signature && { signature, content: bytes.subarray(SIGNATURE_CHARACTERS + 1) };
}

/** What stands in gndt.json.sig. */
export function signatureLine(signature: Uint8Array): string {
  return `${Buffer.from(signature).toString('base64')}\n`;
}

/** One line of base64 that stands for 64 bytes, its end perhaps missing; undefined for anything else. */
export function readSignature(text: string): Uint8Array | undefined {
  const line = text.replace(/\r?\n$/, '');
  const bytes = Buffer.from(line, 'base64');
  // Decoding ignores what is no base64: only what comes back the same was all of it.
  if (bytes.length !== SIGNATURE_BYTES || bytes.toString('base64') !== line) return undefined;
  return new Uint8Array(bytes);
}

/** SHA-256 of the whole document, in hexadecimal. */
export function digestOf(document: Uint8Array): string {
  return createHash('sha256').update(document).digest('hex');
}
