/**
 * The form of `names.json` (`summed-file`):
 *
 *       {"name":"vr-a.example.net","addresses":["192.0.2.1","2001:db8::1"],"resolved":1767225600000}
 *
 * It says where the router calls others before a resolver has answered. Nothing is lost without it but a start without DNS.
 */
import { z } from 'zod';
import type { Ip } from '../../net/ip.js';
import { readHostName } from '../../tables/files/host-name.js';
import { type Read, readIp } from '../../tables/files/read.js';
import { text, wholeNumber } from '../../tables/files/schema.js';
import { MAX_PEERS } from '../../tables/gndt.js';
import { MOST_ADDRESSES, unfit } from '../../tunnel/names/addresses.js';
import type { KeptName } from '../../tunnel/names/names.js';
import type { StateForm } from './state-store.js';
import { summedForm } from './summed-file.js';

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

/** @param router its public key */
export function nameForm(router: Uint8Array): StateForm<KeptName> {
  return summedForm(router, {
    file: 'names.json',
    member: 'names',
    mostEntries: MOST_KEPT,
    mostBytes: MOST_LINE_BYTES * (MOST_KEPT + 1),
    entry: nameSchema,
    lineOf,
    keptOf: ({ name, addresses, resolved }) => ({ name, addresses, resolvedWallMs: resolved }),
    objectionTo: (all) =>
      new Set(all.map(({ name }) => name)).size < all.length ? 'a name stands there twice' : undefined,
  });
}

function lineOf({ name, addresses, resolvedWallMs }: KeptName): string {
  const resolved = Math.min(MOST_WALL_MS, Math.max(0, Math.floor(resolvedWallMs)));
  return JSON.stringify({ name, addresses: addresses.map(({ key }) => key), resolved });
}

function readRouterAddress(written: string): Read<Ip> {
  const address = readIp(written);
  if ('problem' in address) return address;
  const why = unfit(address.value);
  return why === undefined ? address : { problem: `${address.value} ${why}` };
}
