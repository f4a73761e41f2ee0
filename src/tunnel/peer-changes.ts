/** What a new GNDT means for the peers and clients: worked out first, which may fail, and then done, which cannot. */
import type { OwnClient } from '../tables/clients.js';
import type { RouterEntry, RouterId } from '../tables/model.js';
import { createRemoteIdentity, type RemoteIdentity } from '../wireguard/handshake.js';
import { Client, type ClientListener } from './client.js';
import type { LastHeard } from './last-heard.js';
import { Peer, type PeerContext, type PeerListener } from './peer.js';
import type { PeerTable } from './peer-table.js';
import type { SessionsContext } from './sessions.js';

export interface PeerPlan {
  /** New, or with another key. */
  readonly fresh: readonly { readonly entry: RouterEntry; readonly remote: RemoteIdentity }[];
  readonly kept: readonly RouterEntry[];
  readonly removed: readonly RouterId[];
  readonly clients: ClientPlan;
}

type ClientPlan = readonly { readonly client: OwnClient; readonly remote: RemoteIdentity }[];

export interface PeerChangesOptions {
  /** 32 bytes each, for the routers with which one is agreed. */
  readonly presharedKeys: ReadonlyMap<RouterId, Uint8Array>;
  readonly peerTable: PeerTable;
  readonly peerContext: PeerContext;
  readonly peerListener: PeerListener;
  /** As the peers', but for the identity: WireGuard clients know one cipher only. */
  readonly clientContext: SessionsContext;
  readonly clientListener: ClientListener;
  /** What is remembered of whoever has that public key. */
  lastHeard(publicKey: Uint8Array): LastHeard | undefined;
}

export class PeerChanges {
  readonly #options: PeerChangesOptions;

  constructor(options: PeerChangesOptions) {
    this.#options = options;
  }

  /** Works out what a new GNDT would change; changes nothing. A string says why it cannot be done. */
  plan(others: readonly RouterEntry[], ownClients: readonly OwnClient[]): PeerPlan | string {
    const clients = this.#planClients(ownClients);
    if (typeof clients === 'string') return clients;
    const { peerTable } = this.#options;
    const named = new Set(others.map(({ id }) => id));
    const fresh: { entry: RouterEntry; remote: RemoteIdentity }[] = [];
    const kept: RouterEntry[] = [];
    for (const entry of others) {
      const known = peerTable.peer(entry.id);
      if (known !== undefined && sameBytes(known.remote.publicKey, entry.publicKey)) {
        kept.push(entry);
        continue;
      }
      const remote = this.#remoteOf(entry);
      if (remote === undefined) return `the public key of router ${entry.id} is of low order`;
      fresh.push({ entry, remote });
    }
    const removed = [...peerTable.peers()].map(({ id }) => id).filter((id) => !named.has(id));
    return { fresh, kept, removed, clients };
  }

  /** A peer that is found from now on; it does not run yet. */
  add(number: number, entry: RouterEntry, remote: RemoteIdentity): Peer {
    const { peerTable, peerContext, peerListener, lastHeard } = this.#options;
    const peer = new Peer(number, entry, remote, peerContext, peerListener, lastHeard(entry.publicKey));
    peerTable.addPeer(peer);
    return peer;
  }

  /** Clients that stay as they are keep their sessions. Answers the others: those that are new, and those that have changed. */
  setClients(plan: ClientPlan): readonly Client[] {
    const { peerTable, clientContext, clientListener, lastHeard } = this.#options;
    const planned = new Map(plan.map((entry) => [entry.client.peer, entry]));
    for (const known of [...peerTable.clients()]) {
      const { peer } = known.client;
      if (sameClient(known.client, planned.get(peer)?.client)) {
        planned.delete(peer);
        continue;
      }
      known.stop();
      peerTable.removeClient(known);
    }
    const fresh = [...planned.values()].map(
      ({ client, remote }) =>
        new Client(client, remote, clientContext, clientListener, lastHeard(client.publicKey)),
    );
    for (const client of fresh) peerTable.addClient(client);
    return fresh;
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

function sameClient(a: OwnClient, b: OwnClient | undefined): boolean {
  return b !== undefined && a.vnet === b.vnet && a.ip.equals(b.ip) && sameBytes(a.publicKey, b.publicKey);
}
