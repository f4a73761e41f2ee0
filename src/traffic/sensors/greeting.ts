/**
 * How a sensor and its router begin, in lines of text on one stream; after that the sensor sends IPFIX messages, one behind the
 * other (RFC 7011 §10.4), and the router sends nothing.
 *
 *     router:  vine-sensor/1 NONCE              32 hexadecimal digits, new for each stream
 *     sensor:  NAME PROOF                       HMAC-SHA256 by the token over NONCE and NAME, hexadecimal
 *     router:  ok PREFIX PREFIX …               the links on which pairs are to be counted, or
 *              refused                          and the end of the stream
 *
 * The token itself is never sent. What follows the greeting is neither secret nor protected: it is what anyone on the LAN could count.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { Prefix } from '../../net/prefix.js';

const PROTOCOL = 'vine-sensor/1';
export const NONCE_BYTES = 16;
/** No line of either side is longer. */
export const MOST_LINE_BYTES = 8_192;
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;

export function greeting(nonce: Uint8Array): string {
  return `${PROTOCOL} ${hexOf(nonce)}`;
}

/** The nonce; undefined: this is no router, or one that speaks otherwise. */
export function readGreeting(line: string): Uint8Array | undefined {
  const [protocol, nonce = '', ...more] = line.split(' ');
  const isOne = protocol === PROTOCOL && more.length === 0 && /^[0-9a-f]{32}$/.test(nonce);
  return isOne ? Uint8Array.from(Buffer.from(nonce, 'hex')) : undefined;
}

export function isSensorName(name: string): boolean {
  return NAME.test(name);
}

export function introduction(token: Uint8Array, nonce: Uint8Array, name: string): string {
  return `${name} ${hexOf(proofOf(token, nonce, name))}`;
}

/** Its name; undefined: it has not the token. */
export function readIntroduction(token: Uint8Array, nonce: Uint8Array, line: string): string | undefined {
  const [name = '', proof = '', ...more] = line.split(' ');
  if (more.length > 0 || !isSensorName(name) || !/^[0-9a-f]{64}$/.test(proof)) return undefined;
  return timingSafeEqual(Buffer.from(proof, 'hex'), proofOf(token, nonce, name)) ? name : undefined;
}

export const REFUSED = 'refused';

/** What does not fit on the line is left out: the sensor counts what it is told to. */
export function acceptance(links: readonly Prefix[]): string {
  let line = 'ok';
  for (const { key } of links) if (line.length + 1 + key.length < MOST_LINE_BYTES) line += ` ${key}`;
  return line;
}

/** Undefined: not accepted. */
export function readAcceptance(line: string): readonly Prefix[] | undefined {
  const [word, ...prefixes] = line.split(' ');
  if (word !== 'ok') return undefined;
  const links = prefixes.map((text) => Prefix.parse(text));
  return links.every((link) => link !== undefined) ? links : undefined;
}

function proofOf(token: Uint8Array, nonce: Uint8Array, name: string): Uint8Array {
  return createHmac('sha256', token).update(nonce).update(name).digest();
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
