/** The ways to a peer, and which is better: straight over UDP, else straight over TCP, else by way of a relay. */
import type { DatagramAddress } from '../ports.js';

export type PathKind = 'udp' | 'tcp' | 'relay';

const RANK: Readonly<Record<PathKind, number>> = { udp: 0, tcp: 1, relay: 2 };
const NO_ADDRESS = new Uint8Array(0);

export function kindOf({ relay, stream }: DatagramAddress): PathKind {
  if (relay !== undefined) return 'relay';
  return stream === undefined ? 'udp' : 'tcp';
}

/** Smaller is better. */
export function rankOf(path: DatagramAddress): number {
  return RANK[kindOf(path)];
}

export function isDirect(path: DatagramAddress): boolean {
  return path.relay === undefined;
}

export function relayPath(peer: number): DatagramAddress {
  return { address: NO_ADDRESS, port: 0, relay: peer };
}

/** Equal for equal paths. */
export function pathKey(path: DatagramAddress): string {
  if (path.relay !== undefined) return `relay ${path.relay}`;
  if (path.stream !== undefined) return `tcp ${path.stream}`;
  return `udp ${Buffer.from(path.address).toString('hex')} ${path.port}`;
}

export function samePath(a: DatagramAddress | undefined, b: DatagramAddress | undefined): boolean {
  return a !== undefined && b !== undefined && pathKey(a) === pathKey(b);
}
