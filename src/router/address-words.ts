/** Between the workers' address words (signed, as Int32Arrays hold them) and `Ip`. */
import { getSystemErrorName } from 'node:util';
import type { AddressWords, MessageSource } from '../dataplane/punt/punt.js';
import { type Family, Ip } from '../net/ip.js';
import { relayPath } from '../tunnel/paths/path.js';
import type { DatagramAddress } from '../tunnel/ports.js';

export function toIp({ family, words }: AddressWords): Ip {
  return Ip.fromWords(family, words);
}

export function toAddressWords(ip: Ip): AddressWords {
  return { family: ip.family, words: [...ip.words] };
}

/** The first address of a family that is not link-local: what ICMP errors come from. */
export function sourceAddress(addresses: readonly Ip[], family: Family): AddressWords | undefined {
  const ip = addresses.find((address) => address.family === family && !address.isLinkLocal);
  return ip === undefined ? undefined : toAddressWords(ip);
}

export function datagramAddress({ address, port, stream, relay }: MessageSource): DatagramAddress {
  return relay === undefined ? { address: toIp(address).toBytes(), port, stream } : relayPath(relay);
}

/** Why a TCP connection has ended, for people. */
export function streamEnd(errno: number): string {
  if (errno === 0) return 'closed by the other end';
  const name = getSystemErrorName(-errno);
  if (name === 'EPROTO') return 'what came was no message';
  return name === 'ECONNREFUSED' ? 'nothing listens there' : name;
}
