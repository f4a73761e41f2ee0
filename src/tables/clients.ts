/** The WireGuard clients (gndt.json's `nodes`) of one router, as its data plane knows them. */
import { createHash } from 'node:crypto';
import { type Mac, macFromHalves } from '../net/mac.js';
import type { GndtConfig, RouterId, WireguardClient } from './model.js';

export interface OwnClient extends WireguardClient {
  /** Its number in the data plane; routers have numbers of the same kind. */
  readonly peer: number;
}

/** What a client's number in the data plane belongs to. No router's id: those have no colon. */
export function clientKey({ publicKey }: WireguardClient): string {
  return `client:${Buffer.from(publicKey).toString('base64')}`;
}

/** Those that connect to `self`, in the file's order. */
export function clientsVia(config: GndtConfig, self: RouterId): readonly WireguardClient[] {
  return config.nodes.filter(({ via }) => via === self);
}

export function ownClients(
  config: GndtConfig,
  self: RouterId,
  numberOf: (key: string) => number,
): readonly OwnClient[] {
  return clientsVia(config, self).map((client) => ({ ...client, peer: numberOf(clientKey(client)) }));
}

/** First three bytes of the MACs that stand for clients; locally administered (IEEE 802, bit 1 of the first byte). */
const CLIENT_OUI = 0x02_57_47;

/**
 * A client has no MAC, but a node record has one: three fixed bytes, and three of a hash of the public key, so that
 * every router computes the same and two clients hardly share one (nothing breaks if they do).
 */
export function clientMac(publicKey: Uint8Array): Mac {
  const digest = createHash('sha256').update(publicKey).digest();
  return macFromHalves(CLIENT_OUI >>> 8, ((CLIENT_OUI & 0xff) << 24) | digest.readUIntBE(0, 3));
}

export function isClientMac(mac: Mac): boolean {
  return Math.floor(mac / 0x100_0000) === CLIENT_OUI;
}
