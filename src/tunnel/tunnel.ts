/**
 * The tunnel's control half: all peers, their handshakes and their control links. The packet engine does the rest.
 *
 * Inputs are calls: `handshakeReceived`, `sessionConfirmed`, `controlReceived` as the engine reports them, and timers
 * on the clock that is handed in. Outputs are the ports and the listeners. Nothing here throws for what a peer sends.
 * `sessionConfirmed` should be called before the `controlReceived` of the same message.
 */
import type { Clock, Timer } from '../net/clock.js';
import { type OwnClient, ownClients } from '../tables/clients.js';
import type { TableMessage } from '../tables/message.js';
import type { GndtConfig, RouterId } from '../tables/model.js';
import { Client, type ClientState } from './client.js';
import { ControlCodec } from './codec/control-codec.js';
import { split } from './codec/split.js';
import { COOKIE_SECRET_MS, KEY_BYTES, PROTOCOL_MAJOR, PROTOCOL_MINOR } from './constants.js';
import { Counters } from './counters.js';
import {
  createIdentity,
  createRemoteIdentity,
  hasValidMac1,
  type Identity,
  openInitiation,
} from './handshake.js';
import { Introductions } from './introductions.js';
import {
  type CookieMessage,
  decodeMessage,
  type InitiationMessage,
  MessageType,
  type ResponseMessage,
} from './messages.js';
import { Peer, type PeerContext, type PeerListener, type PeerState, type TunnelEvent } from './peer.js';
import type { DatagramAddress, TunnelPorts } from './ports.js';
import { SessionIndexes } from './session-index.js';
import type { PeerSessions } from './sessions.js';
import { Streams } from './streams.js';
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
  readonly description: SelfDescription;
  readonly ports: TunnelPorts;
  readonly listeners: TunnelListeners;
  /** What differs from `DEFAULT_TIMES`. */
  readonly times?: Partial<TunnelTimes>;
}

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
  private readonly clientsByNumber = new Map<number, Client>();
  /** By static public key, for each cipher. */
  private readonly routersByKey = new Map<string, Peer>();
  private readonly clientsByKey = new Map<string, Client>();
  private readonly introductions: Introductions;
  private readonly streams: Streams;
  private readonly clock: Clock;
  private readonly pathTickMs: number;
  private pathTimer: Timer | undefined;
  private running = false;
  private cookieTimer: Timer | undefined;

  /** Throws when `self` is not in the GNDT, or a router's or client's public key can give no secret. */
  constructor(options: TunnelOptions) {
    const { gndt, ports } = options;
    this.ports = ports;
    this.identity = createIdentity(gndt.cipher, options.privateKey);
    this.clientIdentity = createIdentity('chacha20-poly1305', options.privateKey);
    this.indexes = new SessionIndexes((length) => ports.random(length));
    const context = this.contextOf(options);
    this.clock = options.ports.clock;
    this.pathTickMs = context.times.pathTickMs;
    this.streams = new Streams(context);
    this.introductions = new Introductions({
      nowMs: () => this.clock.nowMs(),
      peer: (router) => this.byId.get(router),
      peers: () => this.byId.values(),
      count: (name) => this.counts.add(name),
    });
    this.addRouters(options, context);
    this.addClients(options, context);
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
      this.streams.tick(this.byId.values());
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

  private addRouters(options: TunnelOptions, context: PeerContext): void {
    const listener = listenerOf(
      options.listeners,
      (number) => options.gndt.routers[number]?.id ?? '',
      (peer, message) => this.introductions.received(peer, message),
      (peer, stream) => this.streams.heard(stream, peer),
    );
    for (const [number, entry] of options.gndt.routers.entries()) {
      if (entry.id === options.self) continue;
      const remote = createRemoteIdentity(
        this.identity,
        entry.publicKey,
        options.presharedKeys?.get(entry.id),
      );
      if (remote === undefined) throw new Error(`the public key of router ${entry.id} is of low order`);
      const peer = new Peer(number, entry, remote, context, listener);
      this.byId.set(entry.id, peer);
      this.byNumber.set(number, peer);
      this.routersByKey.set(keyText(entry.publicKey), peer);
    }
  }

  private addClients(options: TunnelOptions, context: PeerContext): void {
    const listener = {
      connected: (client: OwnClient, isConnected: boolean) => options.listeners.client?.(client, isConnected),
    };
    for (const entry of ownClients(options.gndt, options.self)) {
      const remote = createRemoteIdentity(this.clientIdentity, entry.publicKey);
      if (remote === undefined) throw new Error(`the public key of node ${entry.ip} is of low order`);
      const client = new Client(entry, remote, { ...context, identity: this.clientIdentity }, listener);
      this.clientsByNumber.set(entry.peer, client);
      this.clientsByKey.set(keyText(entry.publicKey), client);
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

  private contextOf(options: TunnelOptions): PeerContext {
    const { ports, description } = options;
    return {
      identity: this.identity,
      ports,
      times: { ...DEFAULT_TIMES, ...options.times },
      indexes: this.indexes,
      timestamps: new TimestampSource(() => ports.clock.wallMs()),
      codec: this.codec,
      hello: {
        type: 'hello',
        routerId: options.self,
        version: description.version,
        protocolMajor: description.protocolMajor ?? PROTOCOL_MAJOR,
        protocolMinor: PROTOCOL_MINOR,
        capabilities: description.capabilities,
        gndtDigest: description.gndtDigest,
        innerMtuBytes: description.innerMtuBytes,
      },
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
      return this.routersByKey.get(text) ?? (one ? this.clientsByKey.get(text) : undefined);
    });
    if (typeof opened !== 'string') return opened.peer.sessions.initiationOpened(opened, source);
    if (one || opened !== 'not-authentic' || this.clientsByKey.size === 0) return opened;
    const client = openInitiation(this.clientIdentity, message, (key) => this.clientsByKey.get(keyText(key)));
    return typeof client === 'string' ? client : client.peer.sessions.initiationOpened(client, source);
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
    introduction,
    up: (peer) => listeners.up(peer.id),
    down: (peer, reason) => listeners.down(peer.id, reason),
    message: (peer, message) => listeners.message(peer.id, message),
    event: (event) => listeners.event?.(event),
  };
}

function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('base64');
}
