/** A fingerprint of gndt.json, so that routers see whether their files say the same. */
import { createHash } from 'node:crypto';
import { formatEndpoint } from '../tables/files/endpoint-text.js';
import { encodeKey } from '../tables/files/read.js';
import type { GndtConfig } from '../tables/model.js';

/**
 * SHA-256 (32 bytes) of what the file means: white space, the order of keys, the spelling of addresses and the order
 * of lists make no difference, except that of a router's endpoints, which are tried in order.
 */
export function gndtDigest(config: GndtConfig): Uint8Array {
  const { vnets, routers, networks, nodes, cipher } = config;
  const canonical = {
    form: 'vine gndt 1',
    // Routers that say the one and routers that say the other talk to each other; to routers of before there was "auto" a file
    // without the word means what it meant then.
    cipher: cipher === 'auto' ? 'chacha20-poly1305' : cipher,
    vnets: sorted(vnets.map(({ name, id, subnet }) => [id, name, subnet?.key ?? null])),
    routers: sorted(
      routers.map(({ id, publicKey, endpoints, relay }) => [
        id,
        encodeKey(publicKey),
        endpoints.map(formatEndpoint),
        relay,
      ]),
    ),
    networks: sorted(
      networks.map(({ vnet, prefix, router, gateway, allow }) => [
        vnet,
        prefix.key,
        router,
        gateway?.key ?? null,
        allow === undefined ? null : [...new Set(allow)].sort(),
      ]),
    ),
    ...(config.sites === undefined
      ? {}
      : { sites: sorted(config.sites.map(({ id, routers }) => [id, ...routers])) }),
    nodes: sorted(nodes.map(({ vnet, ip, publicKey, via }) => [vnet, ip.key, encodeKey(publicKey), via])),
  };
  return new Uint8Array(createHash('sha256').update(JSON.stringify(canonical)).digest());
}

/** By code units of each row's JSON: the same on every machine, whatever its language. */
function sorted(rows: readonly unknown[]): string[] {
  return rows.map((row) => JSON.stringify(row)).sort();
}
