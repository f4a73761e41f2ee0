/** What gndt.json says of relays, for the packet workers and the addon. */
import type { NativeAddon } from '../dataplane/engine.js';
import type { Relaying } from '../dataplane/worker-message.js';
import { readU32 } from '../net/ip.js';
import type { GndtConfig, RouterId } from '../tables/model.js';
import { relayTag } from '../tunnel/relay-message.js';

export function relayInput(gndt: GndtConfig, self: RouterId): Relaying {
  return {
    isRelay: gndt.routers.some(({ id, relay }) => id === self && relay),
    peers: gndt.routers.map(({ publicKey, relay }) => ({
      tagHigh: readU32(publicKey, 0) | 0,
      tagLow: readU32(publicKey, 4) | 0,
      isRelay: relay,
    })),
  };
}

/** Tells the addon by which tags relays know the routers. */
export function setRelayTags(native: NativeAddon, gndt: GndtConfig): void {
  for (const [number, { publicKey }] of gndt.routers.entries())
    native.setRelayTag(number, relayTag(publicKey));
}
