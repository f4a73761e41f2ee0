import type { Endpoint } from '../model.js';

/** `udp://192.0.2.1:7700`, `tcp://[2001:db8::1]:7700`: as the files have it. */
export function formatEndpoint({ transport, address, port }: Endpoint): string {
  return `${transport}://${address.family === 6 ? `[${address}]` : address}:${port}`;
}
