/**
 * The tunnel's control half: all peers, their handshakes and their control links. The packet engine does the rest.
 *
 * Inputs are calls: `handshakeReceived`, `sessionConfirmed`, `controlReceived` as the engine reports them, and timers
 * on the clock that is handed in. Outputs are the ports and the listeners. Nothing here throws for what a peer sends.
 * `sessionConfirmed` should be called before the `controlReceived` of the same message.
 */
import type { Clock, Timer } from '../net/clock.js';
import type { OwnClient } from '../tables/clients.js';
import type { TableMessage } from '../tables/message.js';
import type { GndtConfig, RouterEntry, RouterId } from '../tables/model.js';
import { Client, type ClientListener, type ClientState } from './client.js';
import { ControlCodec } from './codec/control-codec.js';
import { split } from './codec/split.js';
import { COOKIE_SECRET_MS, KEY_BYTES, PROTOCOL_MAJOR, PROTOCOL_MINOR } from './constants.js';
import type { HelloMessage } from './control-message.js';
import { Counters } from './counters.js';
import {
  createIdentity,
  createRemoteIdentity,
  hasValidMac1,
  type Identity,
  openInitiation,
  type RemoteIdentity,
} from './handshake.js';
import {
  type CookieMessage,
  decodeMessage,
  type InitiationMessage,
  MessageType,
  type ResponseMessage,
} from './messages.js';
import { Introductions } from './paths/introductions.js';
import { Streams } from './paths/streams.js';
import { Peer, type PeerContext, type PeerListener } from './peer.js';
import type { PeerState, TunnelEvent } from './peer-state.js';
import type { DatagramAddress, TunnelPorts } from './ports.js';
import { CIPHERS } from './primitives.js';
import { SessionIndexes } from './session-index.js';
import type { PeerSessions } from './sessions.js';
import { TimestampSource } from './tai64n.js';
import { DEFAULT_TIMES, type TunnelTimes } from './times.js';

/** What we say of ourselves to every peer. */
export interface SelfDescription {
  readonly version: string;
  readonly capabilities: readonly string[];
  /** SHA-256 of the parsed gndt.json, 32 bytes. */
  readonly gndtDigest: Uint8Array;
  /** Largest inner packet that we want to receive unfragmented. */
  readonly innerMtuBytes: number;
  /** Other than this program's own only in tests. */
  readonly protocolMajor?: number;
}

export interface TunnelListeners {
  message(from: RouterId, message: TableMessage): void;
  up(router: RouterId): void;
  down(router: RouterId, reason: string): void;
  event?(event: TunnelEvent): void;
  /** The largest inner packet that can be sent to the peer is another one; also just before `up`. */
  mtu?(peer: number, innerBytes: number): void;
  /** A WireGuard client has a session, or has none any more. */
  client?(client: OwnClient, isConnected: boolean): void;
}

export interface TunnelOptions {
  readonly gndt: GndtConfig;
  readonly self: RouterId;
  /** 32 bytes; the caller may wipe them when the constructor has returned. */
  readonly privateKey: Uint8Array;
  /** 32 bytes each, for the routers with which one is agreed. */
  readonly presharedKeys?: ReadonlyMap<RouterId, Uint8Array>;
  /** The WireGuard clients that connect to this router. */
  readonly clients?: readonly OwnClient[];
  readonly description: SelfDescription;
  readonly ports: TunnelPorts;
  readonly listeners: TunnelListeners;
  /** What differs from `DEFAULT_TIMES`. */
  readonly times?: Partial<TunnelTimes>;
  /** The data plane's number for each router; its position in the GNDT unless given. */
  readonly peerNumber?: (router: RouterId) => number;
}

/** What a new GNDT means for the peers. */
export interface PeerPlan {
  /** New, or with another key. */
  readonly fresh: readonly { readonly entry: RouterEntry; readonly remote: RemoteIdentity }[];
  readonly kept: readonly RouterEntry[];
  readonly removed: readonly RouterId[];
  readonly clients: ClientPlan;
}

type ClientPlan = readonly { readonly client: OwnClient; readonly remote: RemoteIdentity }[];

export class Tunnel {
  private readonly identity: Identity;
  /** WireGuard clients know one cipher only. */
  private readonly clientIdentity: Identity;
  private readonly ports: TunnelPorts;
  private readonly indexes: SessionIndexes<PeerSessions>;
  private readonly counts = new Counters();
  private readonly codec = new ControlCodec();
  private readonly byId = new Map<RouterId, Peer>();
  private readonly byNumber = new Map<number, Peer>();
  private readonly byKey = new Map<string, Peer>();
  private readonly clientsByNumber = new Map<number, Client>();
  private readonly clientsByKey = new Map<string, Client>();
  private readonly introductions: Introductions;
  private readonly streams: Streams;
  private readonly clock: Clock;
  private readonly pathTickMs: number;
  private pathTimer: Timer | undefined;
  private readonly presharedKeys: ReadonlyMap<RouterId, Uint8Array>;
  private readonly listener: PeerListener;
  private readonly clientListener: ClientListener;
  private readonly context: PeerContext;
  private hello: HelloMessage;
  private running = false;
  private cookieTimer: Timer | undefined;

  /** Throws when `self` is not in the GNDT, or a router's or client's public key can give no secret. */
  constructor(options: TunnelOptions) {
    this.ports = options.ports;
    this.identity = createIdentity(options.gndt.cipher, options.privateKey);
    this.clientIdentity = createIdentity('chacha20-poly1305', options.privateKey);
    this.presharedKeys = options.presharedKeys ?? new Map();
    this.indexes = new SessionIndexes((length) => options.ports.random(length));
    this.listener = listenerOf(
      options.listeners,
      (number) => this.byNumber.get(number)?.id ?? '',
      (peer, message) => this.introductions.received(peer, message),
      (peer, stream) => this.streams.heard(stream, peer.reach),
    );
    this.clientListener = {
      connected: (client, isConnected) => options.listeners.client?.(client, isConnected),
    };
    this.hello = helloOf(options.self, options.description);
    this.context = this.contextOf(options);
    this.clock = options.ports.clock;
    this.pathTickMs = this.context.times.pathTickMs;
    this.streams = new Streams(this.context);
    this.introductions = new Introductions({
      nowMs: () => this.clock.nowMs(),
      peer: (router) => this.byId.get(router),
      peers: () => this.byId.values(),
      count: (name) => this.counts.add(name),
    });
    for (const [position, entry] of options.gndt.routers.entries()) {
      if (entry.id === options.self) continue;
      const remote = this.remoteOf(entry);
      if (remote === undefined) throw new Error(lowOrder(entry.id));
      this.insert(options.peerNumber?.(entry.id) ?? position, entry, remote);
    }
    const clients = this.planClients(options.clients ?? []);
    if (typeof clients === 'string') throw new Error(clients);
    this.setClients(clients);
  }

  /** Calls every peer that has an endpoint. */
  start(): void {
    if (this.running) return;
    this.running = true;
    this.renewCookieSecret();
    for (const peer of this.byId.values()) peer.start();
    const again = (): void => {
      this.pathTimer = this.clock.after('paths', this.pathTickMs, again);
      this.introductions.tick();
      this.streams.tick([...this.byId.values()].map(({ reach }) => reach));
    };
    this.pathTimer = this.clock.after('paths', this.pathTickMs, again);
  }

  /** Says Bye to all that hear it and forgets all keys. It cannot be started again. */
  stop(reason: string): void {
    this.running = false;
    this.pathTimer?.cancel();
    this.streams.stop();
    this.cookieTimer?.cancel();
    for (const peer of this.byId.values()) peer.stop(reason);
    for (const client of this.clientsByNumber.values()) client.stop();
  }

  /** Works out what `reconfigure` would have to do; changes nothing. A string says why it cannot be done. */
  planPeers(others: readonly RouterEntry[], ownClients: readonly OwnClient[] = []): PeerPlan | string {
    const clients = this.planClients(ownClients);
    if (typeof clients === 'string') return clients;
    const wanted = new Set(others.map(({ id }) => id));
    const fresh: { entry: RouterEntry; remote: RemoteIdentity }[] = [];
    const kept: RouterEntry[] = [];
    for (const entry of others) {
      const known = this.byId.get(entry.id);
      if (known !== undefined && sameBytes(known.remote.publicKey, entry.publicKey)) {
        kept.push(entry);
        continue;
      }
      const remote = this.remoteOf(entry);
      if (remote === undefined) return lowOrder(entry.id);
      fresh.push({ entry, remote });
    }
    const removed = [...this.byId.keys()].filter((id) => !wanted.has(id));
    return { fresh, kept, removed, clients };
  }

  /**
   * Takes a plan of `planPeers`: peers that are gone, or have another key, are told Bye and forgotten; those whose key is
   * the same keep their sessions. All peers that are up are greeted again, so that they learn the new digest.
   */
  reconfigure(plan: PeerPlan, gndtDigest: Uint8Array, peerNumber: (router: RouterId) => number): void {
    this.hello = { ...this.hello, gndtDigest };
    for (const id of plan.removed) this.remove(id, 'this router is no longer in the gndt.json of its peer');
    for (const { entry } of plan.fresh) this.remove(entry.id, 'its key has changed');
    for (const entry of plan.kept) this.byId.get(entry.id)?.configure(entry);
    for (const peer of this.byId.values()) peer.greetAgain();
    for (const { entry, remote } of plan.fresh) {
      const peer = this.insert(peerNumber(entry.id), entry, remote);
      if (this.running) peer.start();
    }
    this.setClients(plan.clients);
  }

  /** A datagram of type 1, 2 or 3, as it came. */
  handshakeReceived(bytes: Uint8Array, source: DatagramAddress): void {
    if (!this.running) return;
    const dropReason = this.handleHandshake(bytes, source);
    if (dropReason !== undefined) this.counts.add(`handshake_drop_${dropReason}`);
  }

  /** Something has become of a TCP connection; `far` names it by `stream`. */
  streamChanged(event: 'connected' | 'accepted' | 'closed', far: DatagramAddress, reason: string): void {
    const { stream } = far;
    if (!this.running || stream === undefined) return;
    if (event === 'connected') this.streams.connected(stream);
    else if (event === 'accepted') this.streams.accepted(far);
    else this.streams.closed(stream, reason);
  }

  /** The first authenticated message has come in a session. */
  sessionConfirmed(peer: number, localIndex: number): void {
    if (!this.running) return;
    (this.byNumber.get(peer) ?? this.clientsByNumber.get(peer))?.sessions.confirmed(localIndex);
  }

  /** A packet for a WireGuard client that has no session. */
  clientWanted(peer: number): void {
    if (this.running) this.clientsByNumber.get(peer)?.wanted();
  }

  /** An authenticated payload whose first byte is 0x2v. It may be reused when the call returns. */
  controlReceived(peer: number, payload: Uint8Array, source?: DatagramAddress): void {
    if (this.running) this.byNumber.get(peer)?.controlReceived(payload, source);
  }

  /** At least once while the peer is up; in as many datagrams as it takes. Dropped and counted when it is down. */
  send(to: RouterId, message: TableMessage): void {
    const peer = this.byId.get(to);
    if (peer === undefined || !peer.isUp) {
      this.counts.add('control_dropped_peer_not_up');
      return;
    }
    for (const part of split(message, this.codec)) peer.send(part);
  }

  /** One ping on the control link. False: no such peer, or it is not up. @param answered perhaps never called */
  ping(router: RouterId, answered: (rttMs: number) => void): boolean {
    return this.byId.get(router)?.ping(answered) ?? false;
  }

  /** Nearest (smallest RTT) first. */
  upPeers(): RouterId[] {
    const up = [...this.byId.values()].filter((peer) => peer.isUp);
    const rttOf = (peer: Peer): number => peer.rttMs ?? Number.MAX_VALUE;
    return up.sort((a, b) => rttOf(a) - rttOf(b)).map(({ id }) => id);
  }

  peers(): PeerState[] {
    return [...this.byId.values()].map(({ state }) => state);
  }

  clients(): ClientState[] {
    return [...this.clientsByNumber.values()].map(({ state }) => state);
  }

  counters(): Record<string, number> {
    return this.counts.toObject();
  }

  private remoteOf({ id, publicKey }: RouterEntry): RemoteIdentity | undefined {
    return createRemoteIdentity(this.identity, publicKey, this.presharedKeys.get(id));
  }

  /** A string says why it cannot be done. */
  private planClients(clients: readonly OwnClient[]): ClientPlan | string {
    const plan: { client: OwnClient; remote: RemoteIdentity }[] = [];
    for (const client of clients) {
      const remote = createRemoteIdentity(this.clientIdentity, client.publicKey);
      if (remote === undefined)
        return `the public key of node ${client.ip} is of low order: no secret comes of it`;
      plan.push({ client, remote });
    }
    return plan;
  }

  /** Clients that stay as they are keep their sessions. */
  private setClients(plan: ClientPlan): void {
    const wanted = new Map(plan.map((entry) => [entry.client.peer, entry]));
    for (const [number, known] of this.clientsByNumber) {
      if (sameClient(known.client, wanted.get(number)?.client)) {
        wanted.delete(number);
        continue;
      }
      known.stop();
      this.clientsByNumber.delete(number);
      this.clientsByKey.delete(keyText(known.remote.publicKey));
    }
    const context = { ...this.context, identity: this.clientIdentity };
    for (const { client, remote } of wanted.values()) {
      const made = new Client(client, remote, context, this.clientListener);
      this.clientsByNumber.set(client.peer, made);
      this.clientsByKey.set(keyText(client.publicKey), made);
    }
  }

  /** Cookies that were given before are worth nothing any more (§5.4.7). */
  private renewCookieSecret(): void {
    const { mac1Key, cookieKey } = this.identity;
    this.ports.setHandshakeGuard?.({ mac1Key, cookieKey, cookieSecret: this.ports.random(KEY_BYTES) });
    this.cookieTimer = this.ports.clock.after('cookie-secret', COOKIE_SECRET_MS, () =>
      this.renewCookieSecret(),
    );
  }

  private insert(number: number, entry: RouterEntry, remote: RemoteIdentity): Peer {
    const peer = new Peer(number, entry, remote, this.context, this.listener);
    this.byId.set(entry.id, peer);
    this.byNumber.set(number, peer);
    this.byKey.set(keyText(entry.publicKey), peer);
    return peer;
  }

  private remove(id: RouterId, reason: string): void {
    const peer = this.byId.get(id);
    if (peer === undefined) return;
    const wasUp = peer.isUp;
    this.byId.delete(id);
    this.byNumber.delete(peer.number);
    this.byKey.delete(keyText(peer.remote.publicKey));
    peer.stop(reason);
    this.streams.forgetUser(peer.reach);
    this.introductions.forget(id);
    if (wasUp) this.listener.down(peer, reason);
  }

  private contextOf(options: TunnelOptions): PeerContext {
    const { ports } = options;
    return {
      identity: this.identity,
      ports,
      times: { ...DEFAULT_TIMES, ...options.times },
      indexes: this.indexes,
      timestamps: new TimestampSource(() => ports.clock.wallMs()),
      codec: this.codec,
      hello: () => this.hello,
      chance: () => (ports.random(1)[0] ?? 0) / 256,
      count: (name) => this.counts.add(name),
    };
  }

  private handleHandshake(bytes: Uint8Array, source: DatagramAddress): string | undefined {
    const message = decodeMessage(bytes);
    if (typeof message === 'string') return message;
    if (message.type === MessageType.transport) return 'unknown-type';
    if (message.type === MessageType.cookie) return this.handleCookie(message);
    if (!hasValidMac1(this.identity, message)) return 'bad-mac1';
    return message.type === MessageType.initiation
      ? this.handleInitiation(message, source)
      : this.handleResponse(message, source);
  }

  private handleInitiation(message: InitiationMessage, source: DatagramAddress): string | undefined {
    const one = this.identity.cipher === this.clientIdentity.cipher;
    const opened = openInitiation<Peer | Client>(this.identity, message, (key) => {
      const text = keyText(key);
      return this.byKey.get(text) ?? (one ? this.clientsByKey.get(text) : undefined);
    });
    if (typeof opened !== 'string') return opened.peer.sessions.initiationOpened(opened, source);
    return opened === 'not-authentic' ? this.tryOtherCipher(message, source) : opened;
  }

  /**
   * A message that cannot be read with the routers' cipher may be a WireGuard client's, which know one only, or a peer's
   * whose file says another: that is worth a word.
   */
  private tryOtherCipher(message: InitiationMessage, source: DatagramAddress): string | undefined {
    for (const cipher of CIPHERS) {
      if (cipher === this.identity.cipher) continue;
      const clients = cipher === this.clientIdentity.cipher ? this.clientsByKey : undefined;
      const opened = openInitiation<Peer | Client>({ ...this.identity, cipher }, message, (key) => {
        const text = keyText(key);
        return clients?.get(text) ?? this.byKey.get(text);
      });
      if (typeof opened === 'string') continue;
      const { peer, timestamp, state } = opened;
      if (peer instanceof Client) return peer.sessions.initiationOpened({ peer, timestamp, state }, source);
      peer.cipherDiffers(cipher);
      return 'other-cipher';
    }
    return 'not-authentic';
  }

  private handleResponse(message: ResponseMessage, source: DatagramAddress): string | undefined {
    const owner = this.indexes.ownerOf(message.receiver);
    return owner === undefined ? 'no-handshake' : owner.responseReceived(message, source);
  }

  private handleCookie(message: CookieMessage): string | undefined {
    const owner = this.indexes.ownerOf(message.receiver);
    const dropReason = owner === undefined ? 'no-handshake' : owner.cookieReceived(message);
    if (dropReason === undefined) this.counts.add('handshake_cookies_received');
    return dropReason;
  }
}

function listenerOf(
  listeners: TunnelListeners,
  nameOf: PeerListener['nameOf'],
  introduction: PeerListener['introduction'],
  heardByStream: PeerListener['heardByStream'],
): PeerListener {
  return {
    nameOf,
    heardByStream,
    mtuFound: (peer, innerBytes) => listeners.mtu?.(peer.number, innerBytes),
    introduction,
    up: (peer) => listeners.up(peer.id),
    down: (peer, reason) => listeners.down(peer.id, reason),
    message: (peer, message) => listeners.message(peer.id, message),
    event: (event) => listeners.event?.(event),
  };
}

function helloOf(self: RouterId, description: SelfDescription): HelloMessage {
  return {
    type: 'hello',
    routerId: self,
    version: description.version,
    protocolMajor: description.protocolMajor ?? PROTOCOL_MAJOR,
    protocolMinor: PROTOCOL_MINOR,
    capabilities: description.capabilities,
    gndtDigest: description.gndtDigest,
    innerMtuBytes: description.innerMtuBytes,
  };
}

function lowOrder(router: RouterId): string {
  return `the public key of router ${router} is of low order`;
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
