/** What gndt.json says of relays, kept in step for the packet workers and the addon. */
import type { NativeAddon } from '../dataplane/engine.js';
import { RelayTable } from '../dataplane/forward/relay-table.js';
import { RELAY_TAG_BYTES, relayTag } from '../protocol/relay-message.js';
import { type Gndt, MAX_PEERS } from '../tables/gndt.js';

export class Relays {
  readonly #native: NativeAddon;
  readonly #gndt: Gndt;
  readonly #table = RelayTable.create(MAX_PEERS);

  constructor(native: NativeAddon, gndt: Gndt) {
    this.#native = native;
    this.#gndt = gndt;
    this.rebuild();
  }

  /** For the workers. */
  get memory(): SharedArrayBuffer {
    return this.#table.memory;
  }

  /** How relays know the router with that number; zeros when there is none. */
  tagOf(peer: number): Uint8Array {
    const tag = new Uint8Array(RELAY_TAG_BYTES);
    this.#table.writeTag(peer, tag, 0);
    return tag;
  }

  /** The GNDT is another one. */
  rebuild(): void {
    const entries = this.#gndt.config.routers.map(({ id, publicKey, relay }) => ({
      peer: this.#gndt.peerIndex(id),
      tag: relayTag(publicKey),
      isRelay: relay,
    }));
    this.#table.set(entries);
    for (const { peer, tag } of entries) this.#native.setRelayTag(peer, tag);
  }
}
