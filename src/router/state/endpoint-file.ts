/**
 * The form of `endpoints.json` (`summed-file`):
 *
 *       {"publicKey":"…","endpoint":"udp://192.0.2.100:51820","session":true,"stamp":1767225600000000}
 *
 * It says whom the router calls when it starts, and where. Nothing is lost without it but time. Who may write there on purpose
 * can do worse in `directory.json`.
 */
import { z } from 'zod';
import { Ip } from '../../net/ip.js';
import { formatEndpoint } from '../../tables/files/endpoint-text.js';
import { encodeKey, type Read, readAddressEndpoint, readKey } from '../../tables/files/read.js';
import { text, wholeNumber } from '../../tables/files/schema.js';
import { MAX_PEERS } from '../../tables/gndt.js';
import type { Endpoint } from '../../tables/model.js';
import { MAX_STAMP } from '../../tables/record.js';
import type { LastHeard } from '../../tunnel/last-heard.js';
import type { StateForm } from './state-store.js';
import { summedForm } from './summed-file.js';

/** Each line has less than 200 bytes. */
const MOST_BYTES = 200 * (MAX_PEERS + 2);

const heardSchema = z.strictObject({
  publicKey: text(readKey, { description: 'whose it is' }),
  endpoint: text(readHeardAt, { description: 'where it was heard last' }),
  session: z.boolean(),
  stamp: wholeNumber(0, MAX_STAMP, 'the time of the last handshake message to it, microseconds'),
});

/** @param router its public key */
export function endpointForm(router: Uint8Array): StateForm<LastHeard> {
  return summedForm(router, {
    file: 'endpoints.json',
    member: 'heard',
    mostEntries: MAX_PEERS,
    mostBytes: MOST_BYTES,
    entry: heardSchema,
    lineOf,
    keptOf: ({ publicKey, endpoint: { address, port }, session, stamp }) => {
      return { publicKey, address: address.toBytes(), port, hasSession: session, stampUs: stamp };
    },
  });
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

function readHeardAt(written: string): Read<Endpoint> {
  const endpoint = readAddressEndpoint(written);
  if ('problem' in endpoint) return endpoint;
  const { transport, address } = endpoint.value;
  if (transport !== 'udp') return { problem: `${transport} ends with the router` };
  return address.isLinkLocal ? { problem: `${address} is link-local` } : endpoint;
}
