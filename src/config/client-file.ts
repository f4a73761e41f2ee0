/** A new WireGuard client: its entry in gndt.json, and the wg-quick configuration that belongs to it. */

import type { Ip } from '../net/ip.js';
import { hostAndPort } from '../tables/files/endpoint-text.js';
import type { GndtFile } from '../tables/files/gndt-file.js';
import { encodeKey } from '../tables/files/read.js';
import { generatePrivateKey, publicKeyOf } from './keys.js';

/** What wg-quick gives an interface by itself on a path of 1,500 bytes; the router assumes it too. */
const MTU_BYTES = 1420;
/** Keeps a NAT's or firewall's mapping open (WireGuard's own advice). */
const KEEPALIVE_SECONDS = 25;

export interface ClientRequest {
  readonly gndt: GndtFile;
  readonly vnet: string;
  readonly ip: Ip;
  /** Default: the home router of the address. */
  readonly via: string | undefined;
}

export interface NewClient {
  /** For gndt.json's `nodes`. */
  readonly node: {
    readonly vnet: string;
    readonly ip: string;
    readonly publicKey: string;
    readonly via: string;
  };
  /** A file for wg-quick. Holds the client's private key. */
  readonly configuration: string;
}

/** A string says why not. What gndt.json's own checks say is not repeated here. */
export function newClient({ gndt, vnet, ip, via }: ClientRequest): NewClient | string {
  const networks = gndt.networks.filter((network) => network.vnet === vnet);
  const home = networks
    .filter(({ prefix }) => prefix.contains(ip))
    .sort((a, b) => b.prefix.length - a.prefix.length)[0];
  const id = via ?? home?.router;
  if (id === undefined) return `${ip} is in no network of vnet "${vnet}"; add one to "networks" in gndt.json`;
  const router = gndt.routers.find((entry) => entry.id === id);
  if (router === undefined) return `"${id}" is not a router in gndt.json`;
  const endpoint = router.endpoints.find(({ transport }) => transport === 'udp');
  if (endpoint === undefined) {
    return `"${id}" has no udp:// endpoint in gndt.json, so a client cannot call it; name another with --via`;
  }
  const privateKey = generatePrivateKey();
  const node = { vnet, ip: ip.key, publicKey: publicKeyOf(privateKey) ?? '', via: id };
  // The other family's prefixes would catch traffic that the client has no address to send from.
  const reached = networks.filter(({ prefix }) => prefix.family === ip.family);
  const configuration = [
    `# WireGuard client ${ip} of vnet "${vnet}", via ${id}. It works when gndt.json, the same on every router,`,
    `# has in "nodes": ${JSON.stringify(node)}`,
    '[Interface]',
    `PrivateKey = ${privateKey}`,
    `Address = ${ip.key}/${ip.bits}`,
    `MTU = ${MTU_BYTES}`,
    '',
    '[Peer]',
    `PublicKey = ${encodeKey(router.publicKey)}`,
    `Endpoint = ${hostAndPort(endpoint)}`,
    `AllowedIPs = ${reached.map(({ prefix }) => prefix.key).join(', ')}`,
    `PersistentKeepalive = ${KEEPALIVE_SECONDS}`,
    '',
  ].join('\n');
  return { node, configuration };
}
