/** Endpoints of gndt.json as datagram addresses, and back as text. */
import { type Family, Ip } from '../net/ip.js';
import { isNamed } from '../tables/files/endpoint-text.js';
import type { RouterEndpoint, RouterEntry } from '../tables/model.js';
import type { NameBook } from './names/name-desk.js';
import type { DatagramAddress } from './ports.js';

/** Addresses that the names of one peer give it; those that the file has as addresses are not counted. */
export const MOST_NAMED_ADDRESSES = 8;

/** In the order of the file; where there is a name, what it means now. @param canSend to addresses that a name has given */
export function endpointsOf(
  endpoints: readonly RouterEndpoint[],
  wanted: RouterEndpoint['transport'],
  book: Pick<NameBook, 'addressesOf'>,
  canSend: (family: Family) => boolean,
): DatagramAddress[] {
  const found = new Map<string, DatagramAddress>();
  let named = 0;
  for (const endpoint of endpoints) {
    if (endpoint.transport !== wanted) continue;
    const { port } = endpoint;
    for (const ip of isNamed(endpoint) ? book.addressesOf(endpoint.name) : [endpoint.address]) {
      const key = `${ip} ${port}`;
      if (found.has(key)) continue;
      if (isNamed(endpoint) && (!canSend(ip.family) || named++ >= MOST_NAMED_ADDRESSES)) continue;
      found.set(key, { address: ip.toBytes(), port });
    }
  }
  return [...found.values()];
}

/** The host names among a router's endpoints. */
export function namesOf({ endpoints }: Pick<RouterEntry, 'endpoints'>): string[] {
  return endpoints.flatMap((endpoint) => (isNamed(endpoint) ? [endpoint.name] : []));
}

/** Why there is nothing to call in a peer's entry. */
export function withoutEndpointReason(
  endpoints: readonly RouterEndpoint[],
  book: Pick<NameBook, 'stateOf'>,
): string {
  const [name] = namesOf({ endpoints });
  if (name === undefined) return 'has no endpoint: waiting for it to call';
  const { problem = '', addresses = [] } = book.stateOf(name) ?? {};
  if (addresses.length > 0) return `${name} has no address of a family that this router has a socket of`;
  return problem === '' ? `${name} is not resolved yet` : `${name} is not resolved: ${problem}`;
}

/** The parts of an address; undefined when it is neither 4 nor 16 bytes. */
export function ipOf(address: Uint8Array): Ip | undefined {
  if (address.length === 4) return Ip.read(4, address, 0);
  return address.length === 16 ? Ip.read(6, address, 0) : undefined;
}

/** `192.0.2.1:7700` or `[2001:db8::1]:7700`. */
export function formatAddress({ address, port }: DatagramAddress): string {
  const ip = ipOf(address);
  if (ip === undefined) return `?:${port}`;
  return ip.family === 4 ? `${ip.key}:${port}` : `[${ip.key}]:${port}`;
}
