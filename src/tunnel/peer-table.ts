/** Who there is to talk to: the other routers and this router's WireGuard clients, found by name, number or key. */
import type { OwnClient } from '../tables/clients.js';
import type { RouterEntry, RouterId } from '../tables/model.js';
import { createRemoteIdentity, type RemoteIdentity } from '../wireguard/handshake.js';
import { Client, type ClientListener } from './client.js';
import { Peer, type PeerContext, type PeerListener } from './peer.js';
import type { SessionsContext } from './sessions.js';

/** What a new GNDT means for the peers. */
export interface PeerPlan {
  /** New, or with another key. */
  readonly fresh: readonly { readonly entry: RouterEntry; readonly remote: RemoteIdentity }[];
  readonly kept: readonly RouterEntry[];
  readonly removed: readonly RouterId[];
  readonly clients: ClientPlan;
}

type ClientPlan = readonly { readonly client: OwnClient; readonly remote: RemoteIdentity }[];

export interface RosterOptions {
  /** 32 bytes each, for the routers with which one is agreed. */
  readonly presharedKeys: ReadonlyMap<RouterId, Uint8Array>;
  readonly peerContext: PeerContext;
  readonly peerListener: PeerListener;
  /** As the peers', but for the identity: WireGuard clients know one cipher only. */
  readonly clientContext: SessionsContext;
  readonly clientListener: ClientListener;
}

export class PeerTable {
  readonly #options: RosterOptions;
  readonly #peers = new Map<RouterId, Peer>();
  readonly #peersByNumber = new Map<number, Peer>();
  readonly #peersByKey = new Map<string, Peer>();
  readonly #clients = new Map<number, Client>();
  readonly #clientsByKey = new Map<string, Client>();

  constructor(options: RosterOptions) {
    this.#options = options;
  }

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

  /** Works out what a new GNDT would change; changes nothing. A string says why it cannot be done. */
  plan(others: readonly RouterEntry[], ownClients: readonly OwnClient[]): PeerPlan | string {
    const clients = this.#planClients(ownClients);
    if (typeof clients === 'string') return clients;
    const wanted = new Set(others.map(({ id }) => id));
    const fresh: { entry: RouterEntry; remote: RemoteIdentity }[] = [];
    const kept: RouterEntry[] = [];
    for (const entry of others) {
      const known = this.#peers.get(entry.id);
      if (known !== undefined && sameBytes(known.remote.publicKey, entry.publicKey)) {
        kept.push(entry);
        continue;
      }
      const remote = this.#remoteOf(entry);
      if (remote === undefined) return `the public key of router ${entry.id} is of low order`;
      fresh.push({ entry, remote });
    }
    const removed = [...this.#peers.keys()].filter((id) => !wanted.has(id));
    return { fresh, kept, removed, clients };
  }

  add(number: number, entry: RouterEntry, remote: RemoteIdentity): Peer {
    const peer = new Peer(number, entry, remote, this.#options.peerContext, this.#options.peerListener);
    this.#peers.set(entry.id, peer);
    this.#peersByNumber.set(number, peer);
    this.#peersByKey.set(keyText(entry.publicKey), peer);
    return peer;
  }

  /** The one that is not found any more; it still runs. */
  remove(id: RouterId): Peer | undefined {
    const peer = this.#peers.get(id);
    if (peer === undefined) return undefined;
    this.#peers.delete(id);
    this.#peersByNumber.delete(peer.number);
    this.#peersByKey.delete(keyText(peer.remote.publicKey));
    return peer;
  }

  /** Clients that stay as they are keep their sessions. */
  setClients(plan: ClientPlan): void {
    const wanted = new Map(plan.map((entry) => [entry.client.peer, entry]));
    for (const [number, known] of this.#clients) {
      if (sameClient(known.client, wanted.get(number)?.client)) {
        wanted.delete(number);
        continue;
      }
      known.stop();
      this.#clients.delete(number);
      this.#clientsByKey.delete(keyText(known.remote.publicKey));
    }
    const { clientContext, clientListener } = this.#options;
    for (const { client, remote } of wanted.values()) {
      const made = new Client(client, remote, clientContext, clientListener);
      this.#clients.set(client.peer, made);
      this.#clientsByKey.set(keyText(client.publicKey), made);
    }
  }

  #remoteOf({ id, publicKey }: RouterEntry): RemoteIdentity | undefined {
    const { peerContext, presharedKeys } = this.#options;
    return createRemoteIdentity(peerContext.identity, publicKey, presharedKeys.get(id));
  }

  #planClients(clients: readonly OwnClient[]): ClientPlan | string {
    const { identity } = this.#options.clientContext;
    const plan: { client: OwnClient; remote: RemoteIdentity }[] = [];
    for (const client of clients) {
      const remote = createRemoteIdentity(identity, client.publicKey);
      if (remote === undefined)
        return `the public key of node ${client.ip} is of low order: no secret comes of it`;
      plan.push({ client, remote });
    }
    return plan;
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('base64');
}

function sameClient(a: OwnClient, b: OwnClient | undefined): boolean {
  return b !== undefined && a.vnet === b.vnet && a.ip.equals(b.ip) && sameBytes(a.publicKey, b.publicKey);
}
