/** The signed description: the bytes of a gndt.json that the network's key has signed. */

import type { Outcome } from '../tables/files/error.js';
import { GNDT_FILE, MAX_VERSION } from '../tables/files/gndt-file.js';
import { parseJson } from '../tables/files/json-text.js';
import { digestOf, splitDocument } from './document.js';
import { verify } from './signature.js';

/** One whose signature holds. */
export interface Description {
  /** 1 … 2^52. */
  readonly version: number;
  /** Signature and content, see `document`. */
  readonly document: Uint8Array;
  /** SHA-256 of the document, in hexadecimal. */
  readonly digest: string;
}

/** A document that has come from elsewhere, by one of these keys; else what is wrong with it. */
export function readDescription(document: Uint8Array, keys: readonly Uint8Array[]): Description | string {
  const parts = splitDocument(document);
  if (parts === undefined) return 'it does not begin with a signature';
  const { signature, content } = parts;
  if (!keys.some((key) => verify('description', content, signature, key)))
    return "its signature does not hold: it is not what the network's key has signed";
  const text = decodeText(content, GNDT_FILE);
  const version = 'value' in text ? versionOf(text.value) : undefined;
  if (version === undefined) return 'it has no "version" from 1 to 2^52';
  return { version, document, digest: digestOf(document) };
}

/** The member `version` of a gndt.json, when it is one. */
export function versionOf(text: string): number | undefined {
  const json = parseJson(text);
  if ('problem' in json || typeof json.value !== 'object' || json.value === null) return undefined;
  const { version } = json.value as { version?: unknown };
  const isVersion = typeof version === 'number' && Number.isInteger(version) && version >= 1;
  return isVersion && version <= MAX_VERSION ? version : undefined;
}

/** Of one whose signature was verified. */
export function textOf({ document }: Description): Outcome<string> {
  return decodeText(contentOf(document), GNDT_FILE);
}

/** What was signed. */
export function contentOf(document: Uint8Array): Uint8Array {
  return splitDocument(document)?.content ?? new Uint8Array(0);
}

export function decodeText(bytes: Uint8Array, file: string): Outcome<string> {
  try {
    return { value: new TextDecoder('utf-8', { fatal: true }).decode(bytes) }; // a byte order mark is skipped
  } catch {
    return { errors: [{ file, path: '', message: 'not UTF-8 text; save the file as UTF-8' }] };
  }
}
