/**
 * The form of `endpoints.json`:
 *
 *     { "version": 1, "router": "<its public key>", "sum": "<SHA-256 of the lines below>", "heard": [
 *       {"publicKey":"…","endpoint":"udp://192.0.2.100:51820","session":true,"stamp":1767225600000000}
 *     ] }
 *
 * It says whom the router calls when it starts, and where: one that is not whole, not as it was written or not this
 * router's is not used at all. Nothing is lost by that but time. The sum finds what disks, editors and copies do; who
 * may write there on purpose can do worse in `directory.json`.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { Ip } from '../../net/ip.js';
import { formatEndpoint } from '../../tables/files/endpoint-text.js';
import { encodeKey, type Read, readAddressEndpoint, readKey } from '../../tables/files/read.js';
import { text, wholeNumber } from '../../tables/files/schema.js';
import { MAX_PEERS } from '../../tables/gndt.js';
import type { Endpoint } from '../../tables/model.js';
import { MAX_STAMP } from '../../tables/record.js';
import type { LastHeard } from '../../tunnel/last-heard.js';
import type { Decoded, StateForm } from './state-store.js';

/** Rises when an older program could not read the file. */
const VERSION = 1;
/** Each line has less than 200 bytes. */
const MOST_BYTES = 200 * (MAX_PEERS + 2);

const heardSchema = z.strictObject({
  publicKey: text(readKey, { description: 'whose it is' }),
  endpoint: text(readHeardAt, { description: 'where it was heard last' }),
  session: z.boolean(),
  stamp: wholeNumber(0, MAX_STAMP, 'the time of the last handshake message to it, microseconds'),
});

const envelopeSchema = z.strictObject({
  version: z.number(),
  router: z.string(),
  sum: z.string(),
  heard: z.array(z.unknown()).max(MAX_PEERS),
});

/** @param router its public key */
export function endpointForm(router: Uint8Array): StateForm<LastHeard> {
  return {
    file: 'endpoints.json',
    mostBytes: MOST_BYTES,
    encode: (heard) => [encode(router, heard)],
    decode: (source) => decode(router, source),
  };
}

function encode(router: Uint8Array, heard: Iterable<LastHeard>): string {
  const lines = [...heard].map(lineOf).join(',\n');
  const head = `"version": ${VERSION}, "router": "${encodeKey(router)}", "sum": "${sumOf(lines)}"`;
  return `{ ${head}, "heard": [\n${lines}\n] }\n`;
}

function lineOf({ publicKey, address, port, hasSession, stampUs }: LastHeard): string {
  const ip = Ip.read(address.length === 4 ? 4 : 6, address, 0);
  return JSON.stringify({
    publicKey: encodeKey(publicKey),
    endpoint: formatEndpoint({ transport: 'udp', address: ip, port }),
    session: hasSession,
    stamp: Math.min(stampUs, MAX_STAMP),
  });
}

function sumOf(lines: string): string {
  return createHash('sha256').update(lines).digest('hex');
}

function decode(router: Uint8Array, source: string): Decoded<LastHeard> {
  const heard = read(router, source);
  return typeof heard === 'string' ? { records: [], damage: heard } : { records: heard, damage: undefined };
}

/** A string is what is wrong. */
function read(router: Uint8Array, source: string): LastHeard[] | string {
  let json: unknown;
  try {
    json = JSON.parse(source);
  } catch {
    return 'not JSON';
  }
  const envelope = envelopeSchema.safeParse(json);
  if (!envelope.success) return 'not of the form {"version", "router", "sum", "heard"}';
  const { version, router: writer, sum, heard: entries } = envelope.data;
  if (version !== VERSION) return `version ${version}, expected ${VERSION}`;
  if (writer !== encodeKey(router)) return 'written by a router with another key';
  const heard: LastHeard[] = [];
  for (const [index, entry] of entries.entries()) {
    const { success, data, error } = heardSchema.safeParse(entry);
    if (!success) return `heard[${index}]: ${error.issues[0]?.path.join('.')}: ${error.issues[0]?.message}`;
    const { publicKey, endpoint, session, stamp } = data;
    const { address, port } = endpoint;
    heard.push({ publicKey, address: address.toBytes(), port, hasSession: session, stampUs: stamp });
  }
  return sumOf(heard.map(lineOf).join(',\n')) === sum ? heard : 'changed since it was written';
}

function readHeardAt(written: string): Read<Endpoint> {
  const endpoint = readAddressEndpoint(written);
  if ('problem' in endpoint) return endpoint;
  const { transport, address } = endpoint.value;
  if (transport !== 'udp') return { problem: `${transport} ends with the router` };
  return address.isLinkLocal ? { problem: `${address} is link-local` } : endpoint;
}
