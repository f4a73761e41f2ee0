/**
 * A binding: which router a grant has been used for. Made by the router itself with the token's one-time key.
 *
 *   version 1 | name | public key 32 | endpoints 0 … 4 × (transport 1, port 2, kind 1, address or name) |
 *   signature 64, domain "binding", of the grant's id (32) and all before
 *
 * Site and networks are the grant's alone: what a binding cannot say it cannot say wrongly.
 */
import { NAME } from '../net/name.js';
import type { RouterEndpoint, RouterId } from '../tables/model.js';
import { FieldReader, FieldWriter } from './byte-fields.js';
import { type Grant, KEY_BYTES } from './grant.js';
import { SIGNATURE_BYTES, sign, verify } from './signature.js';

const VERSION = 1;
export const MOST_BINDING_BYTES = 330;
export const MOST_ENDPOINTS = 4;

export interface BindingTerms {
  readonly router: RouterId;
  /** X25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly endpoints: readonly RouterEndpoint[];
}

export interface Binding extends BindingTerms {
  readonly signature: Uint8Array;
  /** What is signed beside the grant's id. */
  readonly signed: Uint8Array;
}

/** A string says why there can be no such binding. @param seed private half of the grant's one-time key */
export function createBinding(grant: Grant, terms: BindingTerms, seed: Uint8Array): Uint8Array | string {
  const writer = new FieldWriter().u8(VERSION).text(terms.router).bytes(terms.publicKey);
  writer.u8(terms.endpoints.length);
  for (const endpoint of terms.endpoints) writer.endpoint(endpoint);
  const signed = writer.done();
  const bytes = Buffer.concat([signed, sign('binding', underGrant(grant, signed), seed)]);
  const decoded = decodeBinding(bytes);
  return typeof decoded === 'string' ? decoded : new Uint8Array(bytes);
}

/** The binding, its signature not looked at; or what is wrong. */
export function decodeBinding(bytes: Uint8Array): Binding | string {
  if (bytes.length > MOST_BINDING_BYTES)
    return `a binding of ${bytes.length} bytes; it has at most ${MOST_BINDING_BYTES}: shorter or fewer endpoints`;
  const reader = new FieldReader(bytes);
  reader.u8('version', VERSION, VERSION);
  const terms = {
    router: reader.text("the router's name", NAME),
    publicKey: reader.bytes(KEY_BYTES, 'public key'),
    endpoints: reader.list('endpoints', 0, MOST_ENDPOINTS, () => reader.endpoint('endpoint')),
  };
  const signed = Uint8Array.from(bytes.subarray(0, reader.position));
  const signature = reader.bytes(SIGNATURE_BYTES, 'signature');
  reader.end();
  if (reader.problem === undefined && terms.publicKey.every((byte) => byte === 0))
    reader.fail("the key is all zeros, which is nobody's");
  if (reader.problem !== undefined) return `binding: ${reader.problem}`;
  return { ...terms, signature, signed };
}

/** Was it made by the holder of the grant's one-time key? */
export function isBoundBy(grant: Grant, binding: Binding): boolean {
  return verify('binding', underGrant(grant, binding.signed), binding.signature, grant.oneTimeKey);
}

function underGrant(grant: Grant, signed: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(grant.id, 'hex'), signed]);
}
