/** Endpoints of gndt.json as datagram addresses, and back as text. */
import { Ip } from '../net/ip.js';
import type { Endpoint } from '../tables/model.js';
import type { DatagramAddress } from './ports.js';

export function endpointsOf(
  endpoints: readonly Endpoint[],
  wanted: Endpoint['transport'],
): DatagramAddress[] {
  return endpoints
    .filter(({ transport }) => transport === wanted)
    .map(({ address, port }) => ({ address: address.toBytes(), port }));
}

/** Why there is nothing to call; empty when there is. */
export function withoutEndpointReason(endpoints: readonly Endpoint[]): string {
  return endpoints.length > 0 ? '' : 'has no endpoint: waiting for it to call';
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
