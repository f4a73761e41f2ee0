/** An address for a new WireGuard client: from the end of a network, where people seldom put machines. */
import { Ip } from '../net/ip.js';
import { Prefix } from '../net/prefix.js';
import { machineAddressProblem } from '../tables/files/check-support.js';
import type { GndtFile } from '../tables/files/gndt-file.js';
import { siteResolver } from '../tables/sites.js';

export interface AddressWish {
  readonly vnet: string;
  /** Default: the first network of the vnet, of `via` if that is given. */
  readonly network?: string | undefined;
  readonly via?: string | undefined;
}

/** So many are tried: more clients than that have no one network. */
const MOST_TRIED = 4096;

/** One that gndt.json has neither as a gateway nor as another client's. A string says why there is none. */
export function pickAddress(file: GndtFile, wish: AddressWish): Ip | string {
  const network = networkOf(file, wish);
  if (typeof network === 'string') return network;
  const { prefix, gateway } = network;
  const taken = new Set(file.nodes.filter(({ vnet }) => vnet === wish.vnet).map(({ ip }) => ip.key));
  if (gateway !== undefined) taken.add(gateway.key);
  let ip = lastOf(prefix);
  for (let tried = 0; tried < MOST_TRIED && prefix.contains(ip); tried++) {
    if (!taken.has(ip.key) && machineAddressProblem(ip, prefix) === undefined) return ip;
    ip = before(ip);
  }
  return `${prefix} has no address left for a client; name another network with --network, or an address with --ip`;
}

function networkOf(
  file: GndtFile,
  { vnet, network, via }: AddressWish,
): GndtFile['networks'][number] | string {
  const own = file.networks.filter((one) => one.vnet === vnet);
  if (network !== undefined) {
    const key = Prefix.parse(network)?.key;
    return (
      own.find(({ prefix }) => prefix.key === key) ?? `vnet "${vnet}" has no network ${network} in gndt.json`
    );
  }
  const siteOf = siteResolver(file.sites);
  const found = own.find(({ router }) => via === undefined || siteOf(router) === siteOf(via));
  const whose = via === undefined ? '' : ` at the site of "${via}"`;
  return found ?? `vnet "${vnet}" has no network${whose} in gndt.json; name an address with --ip`;
}

function lastOf(prefix: Prefix): Ip {
  const bytes = prefix.address.toBytes();
  for (let bit = prefix.length; bit < bytes.length * 8; bit++) {
    const at = bit >> 3;
    bytes[at] = (bytes[at] ?? 0) | (0x80 >> (bit & 7));
  }
  return Ip.read(prefix.family, bytes, 0);
}

function before(ip: Ip): Ip {
  const bytes = ip.toBytes();
  for (let at = bytes.length - 1; at >= 0; at--) {
    const byte = bytes[at] ?? 0;
    bytes[at] = (byte - 1) & 0xff;
    if (byte > 0) break;
  }
  return Ip.read(ip.family, bytes, 0);
}
