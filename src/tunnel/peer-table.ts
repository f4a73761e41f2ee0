/** Who there is to talk to: the other routers and this router's WireGuard clients, found by name, number or key. */
import type { RouterId } from '../tables/model.js';
import type { Client } from './client.js';
import type { RouterStanding, RouterStandings } from './link/authority.js';
import type { Peer } from './peer.js';

export class PeerTable implements RouterStandings {
  readonly #peers = new Map<RouterId, Peer>();
  readonly #peersByNumber = new Map<number, Peer>();
  readonly #peersByKey = new Map<string, Peer>();
  readonly #clients = new Map<number, Client>();
  readonly #clientsByKey = new Map<string, Client>();

  peers(): Iterable<Peer> {
    return this.#peers.values();
  }

  clients(): Iterable<Client> {
    return this.#clients.values();
  }

  peer(router: RouterId): Peer | undefined {
    return this.#peers.get(router);
  }

  peerNumbered(number: number): Peer | undefined {
    return this.#peersByNumber.get(number);
  }

  clientNumbered(number: number): Client | undefined {
    return this.#clients.get(number);
  }

  peerWithKey(publicKey: Uint8Array): Peer | undefined {
    return this.#peersByKey.get(keyText(publicKey));
  }

  clientWithKey(publicKey: Uint8Array): Client | undefined {
    return this.#clientsByKey.get(keyText(publicKey));
  }

  /** Name of the router with that number; empty when there is none. */
  nameOf(number: number): RouterId {
    return this.#peersByNumber.get(number)?.id ?? '';
  }

  standingOf(router: RouterId): RouterStanding {
    const peer = this.#peers.get(router);
    if (peer === undefined) return 'unknown';
    return peer.endpoint.isReached ? 'reached' : 'unreached';
  }

  addPeer(peer: Peer): void {
    this.#peers.set(peer.id, peer);
    this.#peersByNumber.set(peer.number, peer);
    this.#peersByKey.set(keyText(peer.remote.publicKey), peer);
  }

  /** The one that is not found any more; it still runs. */
  removePeer(id: RouterId): Peer | undefined {
    const peer = this.#peers.get(id);
    if (peer === undefined) return undefined;
    this.#peers.delete(id);
    this.#peersByNumber.delete(peer.number);
    this.#peersByKey.delete(keyText(peer.remote.publicKey));
    return peer;
  }

  addClient(client: Client): void {
    this.#clients.set(client.client.peer, client);
    this.#clientsByKey.set(keyText(client.remote.publicKey), client);
  }

  removeClient({ client, remote }: Client): void {
    this.#clients.delete(client.peer);
    this.#clientsByKey.delete(keyText(remote.publicKey));
  }
}

function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('base64');
}
