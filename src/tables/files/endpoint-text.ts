import type { NamedEndpoint, RouterEndpoint } from '../model.js';

/** `udp://192.0.2.1:7700`, `tcp://[2001:db8::1]:7700`, `udp://vr-a.example.net:7700`: as the files have it. */
export function formatEndpoint(endpoint: RouterEndpoint): string {
  return `${endpoint.transport}://${hostAndPort(endpoint)}`;
}

/** Without the transport. */
export function hostAndPort(endpoint: RouterEndpoint): string {
  if (isNamed(endpoint)) return `${endpoint.name}:${endpoint.port}`;
  const { address, port } = endpoint;
  return `${address.family === 6 ? `[${address}]` : address}:${port}`;
}

export function isNamed(endpoint: RouterEndpoint): endpoint is NamedEndpoint {
  return 'name' in endpoint;
}
