/** Where sockets are: `unix:/path` or `tcp:host:port`, with an IPv6 address in brackets. */
import { isIP } from 'node:net';
import { MOST_PATH_BYTES } from '../net/unix-socket.js';

export type Address =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** Undefined: it is neither. */
export function parseAddress(text: string): Address | undefined {
  if (text.startsWith('unix:/')) {
    const path = text.slice('unix:'.length);
    return Buffer.byteLength(path) <= MOST_PATH_BYTES ? { kind: 'unix', path } : undefined;
  }
  const match = /^tcp:(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):([0-9]{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2] ?? '';
  const port = Number(match?.[3]);
  if (isIP(host) !== (match?.[1] === undefined ? 4 : 6) || port < 1 || port > 65_535) return undefined;
  return { kind: 'tcp', host, port };
}

/** Only this machine reaches it. */
export function isLocal(address: Address): boolean {
  return address.kind === 'unix' || address.host.startsWith('127.') || address.host === '::1';
}

/** As `net.listen` and `net.connect` want it. */
export function socketOptions(address: Address): { path: string } | { host: string; port: number } {
  return address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port };
}
