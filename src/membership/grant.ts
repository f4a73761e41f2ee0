/**
 * A grant: what the network's key lets the holder of a token do, once. It names a site, the networks that are native there,
 * the routers that may admit it, and until when.
 *
 *   version 1 | expires 6 | nonce 16 | one-time public key 32 | site | vnets 1 … 8 × (id 2, name) |
 *   networks 1 … 16 × (position of the vnet 1, family 1, length 1, address 4 or 16) |
 *   bootstrap routers 1 … 3 × public key 32 | signature 64, domain "grant", of all before
 *
 * Nodes of these networks may move to every site, as those of a network of gndt.json without `mobility.allow`.
 */
import { createHash } from 'node:crypto';
import { NAME } from '../net/name.js';
import type { Prefix } from '../net/prefix.js';
import { readPrefix } from '../tables/files/read.js';
import type { VnetId } from '../tables/model.js';
import { FieldReader, FieldWriter } from './byte-fields.js';
import { SIGNATURE_BYTES, sign, verify } from './signature.js';

const VERSION = 1;
export const NONCE_BYTES = 16;
export const KEY_BYTES = 32;
/** With a binding of `MOST_BINDING_BYTES` it fits a control message and a datagram of 1,280 bytes. */
export const MOST_GRANT_BYTES = 620;
const MOST_VNETS = 8;
const MOST_NETWORKS = 16;
export const MOST_BOOTSTRAPS = 3;

/** A network by the vnet's position in the grant's list. */
export interface GrantNetwork {
  readonly vnet: number;
  readonly prefix: Prefix;
}

export interface GrantTerms {
  /** Unix time in seconds; from then on nobody is admitted with it. */
  readonly expiresS: number;
  /** 16 random bytes. */
  readonly nonce: Uint8Array;
  /** Ed25519; its private half signs the binding. */
  readonly oneTimeKey: Uint8Array;
  readonly site: string;
  readonly vnets: readonly { readonly id: VnetId; readonly name: string }[];
  readonly networks: readonly GrantNetwork[];
  /** X25519 keys of the routers that may admit the holder, the first of them before the others. */
  readonly bootstraps: readonly Uint8Array[];
}

export interface Grant extends GrantTerms {
  /** SHA-256 of what is signed, in hexadecimal: the token's name for operators. */
  readonly id: string;
  readonly signature: Uint8Array;
  /** What is signed. */
  readonly signed: Uint8Array;
}

/** Signs. A string says why there can be no such grant. @param seed the network's private key */
export function createGrant(terms: GrantTerms, seed: Uint8Array): Uint8Array | string {
  const writer = new FieldWriter()
    .u8(VERSION)
    .u48(terms.expiresS)
    .bytes(terms.nonce)
    .bytes(terms.oneTimeKey)
    .text(terms.site);
  writer.u8(terms.vnets.length);
  for (const { id, name } of terms.vnets) writer.u16(id).text(name);
  writer.u8(terms.networks.length);
  for (const { vnet, prefix } of terms.networks) writer.u8(vnet).prefix(prefix);
  writer.u8(terms.bootstraps.length);
  for (const key of terms.bootstraps) writer.bytes(key);
  const signed = writer.done();
  const bytes = Buffer.concat([signed, sign('grant', signed, seed)]);
  const decoded = decodeGrant(bytes);
  return typeof decoded === 'string' ? decoded : new Uint8Array(bytes);
}

/** The grant, its signature not looked at; or what is wrong. */
export function decodeGrant(bytes: Uint8Array): Grant | string {
  if (bytes.length > MOST_GRANT_BYTES)
    return `a grant of ${bytes.length} bytes; it has at most ${MOST_GRANT_BYTES}: name fewer networks`;
  const reader = new FieldReader(bytes);
  reader.u8('version', VERSION, VERSION);
  const terms = {
    expiresS: reader.u48('expiry'),
    nonce: reader.bytes(NONCE_BYTES, 'nonce'),
    oneTimeKey: reader.bytes(KEY_BYTES, 'one-time key'),
    site: reader.text('site', NAME),
    vnets: reader.list('vnets', 1, MOST_VNETS, () => ({
      id: reader.u16('vnet id', 1),
      name: reader.text('vnet name', NAME),
    })),
    networks: reader.list('networks', 1, MOST_NETWORKS, () => ({
      vnet: reader.u8('vnet of a network', 0, MOST_VNETS - 1),
      prefix: reader.prefix('network'),
    })),
    bootstraps: reader.list('bootstrap routers', 1, MOST_BOOTSTRAPS, () =>
      reader.bytes(KEY_BYTES, 'bootstrap router'),
    ),
  };
  const signed = Uint8Array.from(bytes.subarray(0, reader.position));
  const signature = reader.bytes(SIGNATURE_BYTES, 'signature');
  reader.end();
  const problem = reader.problem ?? contradictionIn(terms);
  if (problem !== undefined) return `grant: ${problem}`;
  return { ...terms, signature, signed, id: createHash('sha256').update(signed).digest('hex') };
}

function contradictionIn({ vnets, networks, bootstraps }: GrantTerms): string | undefined {
  if (new Set(vnets.map(({ id }) => id)).size < vnets.length) return 'two vnets with one id';
  if (new Set(vnets.map(({ name }) => name)).size < vnets.length) return 'two vnets with one name';
  if (new Set(bootstraps.map((key) => key.join())).size < bootstraps.length)
    return 'a bootstrap router twice';
  for (const [i, { vnet, prefix }] of networks.entries()) {
    if (vnet >= vnets.length) return 'a network of a vnet that it does not name';
    const read = readPrefix(prefix.key);
    if ('problem' in read) return read.problem;
    const other = networks.slice(0, i).find((one) => one.vnet === vnet && one.prefix.overlaps(prefix));
    if (other !== undefined) return `${prefix} and ${other.prefix} overlap`;
  }
  return undefined;
}

/** Was it signed by one of these keys of the network? */
export function isGrantedBy(grant: Grant, networkKeys: readonly Uint8Array[]): boolean {
  return networkKeys.some((key) => verify('grant', grant.signed, grant.signature, key));
}
