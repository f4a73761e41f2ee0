/**
 * A token: one line that lets one machine join once.
 *
 *   "vine1-" · base64url of: length of the grant 2 | grant | one-time private key 32 | network's public key 32 | cipher 1 |
 *       bootstrap routers as the grant has them × (name, endpoints 1 … 4) | checksum 8
 *
 * The checksum is the start of the SHA-256 of "vine1-" and all before it: a character that was changed or lost is noticed before
 * anything is sent. Who holds the line may join; it is to be kept like a password until it is used.
 */
import { createHash } from 'node:crypto';
import { NAME } from '../net/name.js';
import type { RouterEndpoint, RouterId } from '../tables/model.js';
import { MOST_ENDPOINTS } from './binding.js';
import { FieldReader, FieldWriter } from './byte-fields.js';
import { decodeGrant, type Grant, isGrantedBy, KEY_BYTES, MOST_GRANT_BYTES } from './grant.js';
import { publicKeyOf, SEED_BYTES } from './signature.js';

export const TOKEN_HEAD = 'vine1-';
/** Far more than a token has. */
export const MOST_TOKEN_CHARACTERS = 8192;
const CHECKSUM_BYTES = 8;
const CIPHERS = ['chacha20-poly1305', 'aes-256-gcm', 'auto'] as const;

export interface BootstrapRouter {
  readonly router: RouterId;
  /** X25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly endpoints: readonly RouterEndpoint[];
}

export interface TokenContent {
  readonly grant: Grant;
  /** As the membership carries it. */
  readonly grantBytes: Uint8Array;
  /** Ed25519 seed, 32 bytes. */
  readonly oneTimeSeed: Uint8Array;
  readonly networkKey: Uint8Array;
  readonly cipher: (typeof CIPHERS)[number];
  /** In the order of the grant. */
  readonly bootstraps: readonly BootstrapRouter[];
}

/** The keys are the grant's: of the routers only names and endpoints are written. */
export function encodeToken({
  grantBytes,
  oneTimeSeed,
  networkKey,
  cipher,
  bootstraps,
}: Omit<TokenContent, 'grant'>): string {
  const writer = new FieldWriter()
    .u16(grantBytes.length)
    .bytes(grantBytes)
    .bytes(oneTimeSeed)
    .bytes(networkKey)
    .u8(CIPHERS.indexOf(cipher));
  for (const { router, endpoints } of bootstraps) {
    writer.text(router).u8(endpoints.length);
    for (const endpoint of endpoints) writer.endpoint(endpoint);
  }
  const body = writer.done();
  return TOKEN_HEAD + Buffer.concat([body, checksumOf(body)]).toString('base64url');
}

/** The token with everything in it checked but its expiry; or what is wrong, and what to do. White space around it is fine. */
export function decodeToken(line: string): TokenContent | string {
  const text = line.trim();
  if (!text.startsWith(TOKEN_HEAD))
    return `this is no token: it begins with "${TOKEN_HEAD}", as "vinectl token create" prints it`;
  if (text.length > MOST_TOKEN_CHARACTERS) return 'this is no token: it is too long; copy the one line alone';
  const bytes = Buffer.from(text.slice(TOKEN_HEAD.length), 'base64url');
  // Encoding again shows what Buffer forgives: characters of other alphabets, stray bits in the last one.
  const isWhole = bytes.toString('base64url') === text.slice(TOKEN_HEAD.length);
  const body = bytes.subarray(0, Math.max(0, bytes.length - CHECKSUM_BYTES));
  if (!isWhole || Buffer.compare(checksumOf(body), bytes.subarray(body.length)) !== 0)
    return 'the token is damaged: a part is missing or was changed; copy the whole line again';
  const content = contentOf(new Uint8Array(body));
  return typeof content === 'string' ? `this token cannot be used: ${content}; ask for another` : content;
}

function contentOf(body: Uint8Array): TokenContent | string {
  const reader = new FieldReader(body);
  const grantBytes = reader.bytes(reader.u16('length of the grant', 1, MOST_GRANT_BYTES), 'grant');
  const grant = decodeGrant(grantBytes);
  if (typeof grant === 'string') return reader.problem ?? grant;
  const oneTimeSeed = reader.bytes(SEED_BYTES, 'one-time key');
  const networkKey = reader.bytes(KEY_BYTES, "the network's key");
  const cipher = CIPHERS[reader.u8('cipher', 0, CIPHERS.length - 1)] ?? CIPHERS[0];
  const bootstraps = grant.bootstraps.map((publicKey) => ({
    publicKey,
    router: reader.text('name of a bootstrap router', NAME),
    endpoints: reader.list('endpoints', 1, MOST_ENDPOINTS, () => reader.endpoint('endpoint')),
  }));
  reader.end();
  if (reader.problem !== undefined) return reader.problem;
  if (new Set(bootstraps.map(({ router }) => router)).size < bootstraps.length)
    return 'two bootstrap routers have one name';
  if (!isGrantedBy(grant, [networkKey])) return "its grant was not signed by the network's key in it";
  if (Buffer.compare(publicKeyOf(oneTimeSeed), grant.oneTimeKey) !== 0)
    return 'its one-time key is not that of its grant';
  return { grant, grantBytes, oneTimeSeed, networkKey, cipher, bootstraps };
}

function checksumOf(body: Uint8Array): Uint8Array {
  return createHash('sha256').update(TOKEN_HEAD).update(body).digest().subarray(0, CHECKSUM_BYTES);
}
