/**
 * The form of `names.json`:
 *
 *     { "version": 1, "router": "<its public key>", "sum": "<SHA-256 of the lines below>", "names": [
 *       {"name":"vr-a.example.net","addresses":["192.0.2.1","2001:db8::1"],"resolved":1767225600000}
 *     ] }
 *
 * It says where the router calls others before a resolver has answered: one that is not whole, not as it was written or
 * not this router's is not used at all. Nothing is lost by that but a start without DNS. The sum finds what disks, editors
 * and copies do.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Ip } from '../../net/ip.js';
import { readHostName } from '../../tables/files/host-name.js';
import { encodeKey, type Read, readIp } from '../../tables/files/read.js';
import { text, wholeNumber } from '../../tables/files/schema.js';
import { MAX_PEERS } from '../../tables/gndt.js';
import { MOST_ADDRESSES, unfit } from '../../tunnel/names/addresses.js';
import type { KeptName } from '../../tunnel/names/names.js';
import type { Decoded, StateForm } from './state-store.js';

/** Rises when an older program could not read the file. */
const VERSION = 1;
/** Of more names the rest is not kept. */
export const MOST_KEPT = MAX_PEERS;
/** A name, six addresses of 39 characters at most, and what is between. */
const MOST_LINE_BYTES = 254 + MOST_ADDRESSES * 42 + 80;
/** The end of the year 9999: what `Date` writes with four digits. */
const MOST_WALL_MS = 253_402_300_799_999;

const nameSchema = z.strictObject({
  name: text(readHostName, { description: 'a host name' }),
  addresses: z
    .array(text(readRouterAddress, { description: 'what it meant' }))
    .min(1)
    .max(MOST_ADDRESSES),
  resolved: wholeNumber(0, MOST_WALL_MS, 'when that was last confirmed, milliseconds of Unix time'),
});

const envelopeSchema = z.strictObject({
  version: z.number(),
  router: z.string(),
  sum: z.string(),
  names: z.array(z.unknown()).max(MOST_KEPT),
});

/** @param router its public key */
export function nameForm(router: Uint8Array): StateForm<KeptName> {
  return {
    file: 'names.json',
    mostBytes: MOST_LINE_BYTES * (MOST_KEPT + 1),
    encode: (names) => [encode(router, names)],
    decode: (source) => decode(router, source),
  };
}

function encode(router: Uint8Array, names: Iterable<KeptName>): string {
  const lines = [...names].map(lineOf).join(',\n');
  const head = `"version": ${VERSION}, "router": "${encodeKey(router)}", "sum": "${sumOf(lines)}"`;
  return `{ ${head}, "names": [\n${lines}\n] }\n`;
}

function lineOf({ name, addresses, resolvedWallMs }: KeptName): string {
  const resolved = Math.min(MOST_WALL_MS, Math.max(0, Math.floor(resolvedWallMs)));
  return JSON.stringify({ name, addresses: addresses.map(({ key }) => key), resolved });
}

function sumOf(lines: string): string {
  return createHash('sha256').update(lines).digest('hex');
}

function decode(router: Uint8Array, source: string): Decoded<KeptName> {
  const names = read(router, source);
  return typeof names === 'string' ? { records: [], damage: names } : { records: names, damage: undefined };
}

/** A string is what is wrong. */
function read(router: Uint8Array, source: string): KeptName[] | string {
  let json: unknown;
  try {
    json = JSON.parse(source);
  } catch {
    return 'not JSON';
  }
  const envelope = envelopeSchema.safeParse(json);
  if (!envelope.success) return 'not of the form {"version", "router", "sum", "names"}';
  const { version, router: writer, sum, names: entries } = envelope.data;
  if (version !== VERSION) return `version ${version}, expected ${VERSION}`;
  if (writer !== encodeKey(router)) return 'written by a router with another key';
  const names: KeptName[] = [];
  for (const [index, entry] of entries.entries()) {
    const { success, data, error } = nameSchema.safeParse(entry);
    if (!success) return `names[${index}]: ${error.issues[0]?.path.join('.')}: ${error.issues[0]?.message}`;
    names.push({ name: data.name, addresses: data.addresses, resolvedWallMs: data.resolved });
  }
  if (new Set(names.map(({ name }) => name)).size < names.length) return 'a name stands there twice';
  return sumOf(names.map(lineOf).join(',\n')) === sum ? names : 'changed since it was written';
}

function readRouterAddress(written: string): Read<Ip> {
  const address = readIp(written);
  if ('problem' in address) return address;
  const why = unfit(address.value);
  return why === undefined ? address : { problem: `${address.value} ${why}` };
}
