/**
 * The tunnel's control half: all peers, their handshakes and their control links. The packet engine does the rest.
 *
 * Inputs are calls: `handshakeReceived`, `sessionConfirmed`, `controlReceived` as the engine reports them, and timers
 * on the clock that is handed in. Outputs are the ports and the listeners. Nothing here throws for what a peer sends.
 * `sessionConfirmed` should be called before the `controlReceived` of the same message.
 */
import type { Timer } from '../net/clock.js';
import { Conduct } from '../protocol/conduct.js';
import { ControlCodec } from '../protocol/control-codec.js';
import {
  type HelloMessage,
  isIntroduction,
  isMembershipMessage,
  isNetworkMessage,
  isPairMessage,
  isTableMessage,
} from '../protocol/control-message.js';
import { leastMinorOf } from '../protocol/least-minor.js';
import type { MembershipMessage } from '../protocol/membership-message.js';
import type { NetworkMessage } from '../protocol/network-message.js';
import type { PairMessage } from '../protocol/pair-message.js';
import { split } from '../protocol/split.js';
import type { TableMessage } from '../protocol/table-message.js';
import type { TrafficMessage } from '../protocol/traffic-message.js';
import type { OwnClient } from '../tables/clients.js';
import type { GndtConfig, RouterEntry, RouterId } from '../tables/model.js';
import { COOKIE_SECRET_MS, KEY_BYTES } from '../wireguard/constants.js';
import { createIdentity, type Identity } from '../wireguard/handshake.js';
import type { CipherName } from '../wireguard/primitives.js';
import { TimestampSource } from '../wireguard/tai64n.js';
import { type CipherPolicy, firstCipher } from './cipher-choice.js';
import type { ClientState } from './client.js';
import { ClientCalls } from './client-calls.js';
import { Counters } from './counters.js';
import { namesOf } from './endpoint.js';
import { HandshakeDispatcher } from './handshake-dispatcher.js';
import type { LastHeard } from './last-heard.js';
import { OwnStall } from './link/own-stall.js';
import { Position } from './link/position.js';
import { NameDesk } from './names/name-desk.js';
import type { KeptName } from './names/names.js';
import { Introductions } from './paths/introductions.js';
import { Streams } from './paths/streams.js';
import type { Peer, PeerContext, PeerListener } from './peer.js';
import { PeerChanges, type PeerPlan } from './peer-changes.js';
import type { PeerState, TunnelEvent } from './peer-state.js';
import { PeerTable } from './peer-table.js';
import type { DatagramAddress, TunnelPorts } from './ports.js';
import { helloOf, type SelfDescription } from './self.js';
import { SessionIndexes } from './session-index.js';
import { DEFAULT_TIMES, type TunnelTimes } from './times.js';

/** The one that WireGuard clients know. */
const CLIENT_CIPHER: CipherName = 'chacha20-poly1305';

export interface TunnelListeners {
  message(from: RouterId, message: TableMessage): void;
  pair?(from: RouterId, message: PairMessage): void;
  network?(from: RouterId, message: NetworkMessage): void;
  /** Who has joined with a token, as another router says. */
  membership?(from: RouterId, message: MembershipMessage): void;
  traffic?(from: RouterId, message: TrafficMessage): void;
  up(router: RouterId): void;
  down(router: RouterId, reason: string): void;
  event?(event: TunnelEvent): void;
  /** The largest inner packet that can be sent to the peer is another one; also just before `up`. */
  mtu?(peer: number, innerBytes: number): void;
  /** A WireGuard client has a session, or has none any more. */
  client?(client: OwnClient, isConnected: boolean): void;
  /** What is to be remembered over a restart; perhaps the same as before. */
  heard?(last: LastHeard): void;
  /** A name has been resolved: to be remembered over a restart. Its addresses are perhaps the same as before. */
  resolved?(kept: KeptName): void;
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
  /** AES-256-GCM is clearly faster here; for `"cipher": "auto"`. False unless given. */
  readonly fastAes?: boolean;
  readonly ports: TunnelPorts;
  readonly listeners: TunnelListeners;
  /** Is told what of the peers' messages is refused, and says what their budgets are; one of its own unless given. */
  readonly conduct?: Conduct;
  /** What differs from `DEFAULT_TIMES`. */
  readonly times?: Partial<TunnelTimes>;
  /** The data plane's number for each router; its position in the GNDT unless given. */
  readonly peerNumber?: (router: RouterId) => number;
  /** What is remembered of whoever has that public key; asked also at a reload. Nothing unless given. */
  readonly lastHeard?: (publicKey: Uint8Array) => LastHeard | undefined;
  /** What is remembered of a host name; asked also at a reload. Nothing unless given. */
  readonly keptName?: (name: string) => KeptName | undefined;
  /** Microseconds of Unix time: handshakes' timestamps are later, whatever the clock says. */
  readonly timestampsAfterUs?: number;
}

export class Tunnel {
  readonly #ports: TunnelPorts;
  readonly #ciphers: CipherPolicy;
  readonly #identity: Identity;
  readonly #times: TunnelTimes;
  readonly #counts = new Counters();
  readonly #conduct: Conduct;
  /** What peers are greeted with, and have to speak. */
  readonly #self: { hello: HelloMessage; leastMinor: number };
  readonly #peerTable = new PeerTable();
  readonly #introductions: Introductions;
  readonly #streams: Streams;
  readonly #names: NameDesk;
  readonly #listener: PeerListener;
  readonly #changes: PeerChanges;
  readonly #handshakes: HandshakeDispatcher;
  readonly #calls: ClientCalls;
  readonly #stall = new OwnStall();
  #running = false;
  #pathTimer: Timer | undefined;
  #cookieTimer: Timer | undefined;

  /** Throws when `self` is not in the GNDT, or a router's or client's public key can give no secret. */
  constructor(options: TunnelOptions) {
    const { gndt, self, ports, listeners } = options;
    this.#ports = ports;
    this.#ciphers = { setting: gndt.cipher, fastAes: options.fastAes === true };
    this.#identity = createIdentity(firstCipher(this.#ciphers), options.privateKey);
    this.#times = { ...DEFAULT_TIMES, ...options.times };
    this.#conduct = options.conduct ?? new Conduct(ports.clock);
    this.#self = { hello: helloOf(self, options.description, this.#ciphers), leastMinor: leastMinorOf(gndt) };
    const peerTable = this.#peerTable;
    this.#names = new NameDesk({
      ports,
      times: this.#times,
      counters: this.#counts,
      peers: () => peerTable.peers(),
      kept: (name) => options.keptName?.(name),
      keep: (kept) => listeners.resolved?.(kept),
      event: (event) => listeners.event?.(event),
    });
    const context = this.#context(options.timestampsAfterUs);
    this.#introductions = new Introductions(peerTable, ports.clock, this.#counts);
    this.#streams = new Streams(context);
    this.#listener = peerListener(listeners, this.#introductions, this.#streams);
    this.#calls = new ClientCalls({
      clock: ports.clock,
      counters: this.#counts,
      event: (event) => listeners.event?.(event),
    });
    this.#changes = new PeerChanges({
      presharedKeys: options.presharedKeys ?? new Map(),
      peerTable,
      peerContext: context,
      peerListener: this.#listener,
      clientContext: { ...context, identity: createIdentity(CLIENT_CIPHER, options.privateKey) },
      clientListener: {
        connected: (client, isConnected) => listeners.client?.(client, isConnected),
        heard: (last) => listeners.heard?.(last),
        callEnded: (client, isAnswered) => this.#calls.ended(client, isAnswered),
        stopped: (client) => this.#calls.forget(client),
      },
      lastHeard: (publicKey) => options.lastHeard?.(publicKey),
    });
    this.#handshakes = new HandshakeDispatcher({ ...context, clientCipher: CLIENT_CIPHER, peerTable });
    this.#fill(options);
  }

  /** Calls every peer that has an endpoint, and the clients that may still seal for a session of before. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#names.start();
    this.#renewCookieSecret();
    for (const peer of this.#peerTable.peers()) peer.start();
    this.#calls.begin([...this.#peerTable.clients()]);
    this.#stall.reset(this.#ports.clock.nowMs());
    this.#armPathTimer();
  }

  /** Says Bye to all that hear it and forgets all keys. It cannot be started again. */
  stop(reason: string): void {
    this.#running = false;
    this.#pathTimer?.cancel();
    this.#calls.stop();
    this.#names.stop();
    this.#streams.stop();
    this.#cookieTimer?.cancel();
    for (const peer of this.#peerTable.peers()) peer.stop(reason);
    for (const client of this.#peerTable.clients()) client.stop();
  }

  /** Works out what `reconfigure` would have to do; changes nothing. A string says why it cannot be done. */
  planPeers(others: readonly RouterEntry[], ownClients: readonly OwnClient[] = []): PeerPlan | string {
    return this.#changes.plan(others, ownClients);
  }

  /**
   * Takes a plan of `planPeers`: peers that are gone, or have another key, are told Bye and forgotten; those whose key is
   * the same keep their sessions. All peers that are up are greeted again, so that they learn the new digest; those that
   * do not know what the network has now are refused.
   * @param leastMinor the protocol's minor version that a peer has to speak
   */
  reconfigure(
    plan: PeerPlan,
    gndtDigest: Uint8Array,
    peerNumber: (router: RouterId) => number,
    leastMinor: number,
  ): void {
    const peerTable = this.#peerTable;
    this.#self.hello = { ...this.#self.hello, gndtDigest };
    this.#self.leastMinor = leastMinor;
    for (const id of plan.removed) this.#remove(id, 'this router is no longer in the gndt.json of its peer');
    for (const { entry } of plan.fresh) this.#remove(entry.id, 'its key has changed');
    const entries = [...plan.kept, ...plan.fresh.map(({ entry }) => entry)];
    this.#names.expect(entries.flatMap(namesOf));
    for (const entry of plan.kept) peerTable.peer(entry.id)?.configure(entry);
    for (const peer of peerTable.peers()) peer.greetAgain();
    for (const { entry, remote } of plan.fresh) {
      const peer = this.#changes.add(peerNumber(entry.id), entry, remote);
      if (this.#running) peer.start();
    }
    this.#names.peersChanged();
    const clients = this.#changes.setClients(plan.clients);
    if (this.#running) this.#calls.begin(clients);
    this.#conduct.keepOnly(new Set([...peerTable.peers()].map(({ id }) => id)));
  }

  /** A datagram of type 1, 2 or 3, as it came. */
  handshakeReceived(bytes: Uint8Array, source: DatagramAddress): void {
    if (this.#running) this.#handshakes.received(bytes, source);
  }

  /** Something has become of a TCP connection; `far` names it by `stream`. */
  streamChanged(event: 'connected' | 'accepted' | 'closed', far: DatagramAddress, reason: string): void {
    const { stream } = far;
    if (!this.#running || stream === undefined) return;
    if (event === 'connected') this.#streams.connected(stream);
    else if (event === 'accepted') this.#streams.accepted(far);
    else this.#streams.closed(stream, reason);
  }

  /** The first authenticated message has come in a session. */
  sessionConfirmed(peer: number, localIndex: number): void {
    if (!this.#running) return;
    (this.#peerTable.peerNumbered(peer) ?? this.#peerTable.clientNumbered(peer))?.sessions.confirmed(
      localIndex,
    );
  }

  /** A packet for a WireGuard client that has no session. */
  clientWanted(peer: number): void {
    if (this.#running) this.#peerTable.clientNumbered(peer)?.wanted();
  }

  /** An authenticated payload whose first byte is 0x2v. It may be reused when the call returns. */
  controlReceived(peer: number, payload: Uint8Array, source?: DatagramAddress): void {
    if (this.#running) this.#peerTable.peerNumbered(peer)?.controlReceived(payload, source);
  }

  /** At least once while the peer is up; in as many datagrams as it takes. Dropped and counted when it is down. */
  send(to: RouterId, message: TableMessage | MembershipMessage): void {
    const peer = this.#peerTable.peer(to);
    if (peer === undefined || !peer.isUp) {
      this.#counts.add('control_dropped_peer_not_up');
      return;
    }
    for (const part of isMembershipMessage(message) ? [message] : split(message)) peer.send(part);
  }

  /** See `Link.say`; nothing when the peer is not up. */
  say(to: RouterId, message: PairMessage | NetworkMessage | TrafficMessage): void {
    this.#peerTable.peer(to)?.say(message);
  }

  /** One ping on the control link. False: no such peer, or it is not up. @param answered perhaps never called */
  ping(router: RouterId, answered: (rttMs: number) => void): boolean {
    return this.#peerTable.peer(router)?.ping(answered) ?? false;
  }

  /** Nearest (smallest RTT) first. */
  upPeers(): RouterId[] {
    const up = [...this.#peerTable.peers()].filter((peer) => peer.isUp);
    const rttOf = (peer: Peer): number => peer.rttMs ?? Number.MAX_VALUE;
    return up.sort((a, b) => rttOf(a) - rttOf(b)).map(({ id }) => id);
  }

  /** Milliseconds; undefined: none was measured. */
  rttMs(router: RouterId): number | undefined {
    return this.#peerTable.peer(router)?.rttMs;
  }

  peers(): PeerState[] {
    return [...this.#peerTable.peers()].map(({ state }) => state);
  }

  clients(): ClientState[] {
    return [...this.#peerTable.clients()].map(({ state }) => state);
  }

  counters(): Record<string, number> {
    return this.#counts.toObject();
  }

  #fill({ gndt, self, clients = [], peerNumber }: TunnelOptions): void {
    const others = gndt.routers.filter(({ id }) => id !== self);
    const plan = this.#changes.plan(others, clients);
    if (typeof plan === 'string') throw new Error(plan);
    this.#names.expect(others.flatMap(namesOf));
    const positions = new Map(gndt.routers.map(({ id }, position) => [id, position]));
    const numberOf = peerNumber ?? ((id) => positions.get(id) ?? 0);
    for (const { entry, remote } of plan.fresh) this.#changes.add(numberOf(entry.id), entry, remote);
    this.#names.peersChanged();
    this.#changes.setClients(plan.clients);
  }

  #armPathTimer(): void {
    const { clock } = this.#ports;
    const { pathTickMs } = this.#times;
    this.#pathTimer = clock.after('paths', pathTickMs, () => {
      this.#armPathTimer();
      const stalledMs = this.#stall.ticked(clock.nowMs(), pathTickMs);
      this.#introductions.tick(stalledMs);
      this.#names.tick();
      this.#streams.tick(
        [...this.#peerTable.peers()].map(({ endpoint }) => endpoint),
        stalledMs,
      );
    });
  }

  /** Cookies that were given before are worth nothing any more (§5.4.7). */
  #renewCookieSecret(): void {
    const { mac1Key, cookieKey } = this.#identity;
    this.#ports.setHandshakeGuard?.({ mac1Key, cookieKey, cookieSecret: this.#ports.random(KEY_BYTES) });
    this.#cookieTimer = this.#ports.clock.after('cookie-secret', COOKIE_SECRET_MS, () =>
      this.#renewCookieSecret(),
    );
  }

  #remove(id: RouterId, reason: string): void {
    const peer = this.#peerTable.removePeer(id);
    if (peer === undefined) return;
    const wasUp = peer.isUp;
    peer.stop(reason);
    this.#streams.forgetUser(peer.endpoint);
    this.#introductions.forget(id);
    if (wasUp) this.#listener.down(peer, reason);
  }

  #context(timestampsAfterUs: number | undefined): PeerContext {
    const ports = this.#ports;
    const chance = (): number => (ports.random(1)[0] ?? 0) / 256;
    return {
      identity: this.#identity,
      ciphers: this.#ciphers,
      ports,
      times: this.#times,
      indexes: new SessionIndexes((length) => ports.random(length)),
      timestamps: new TimestampSource(() => ports.clock.wallMs(), timestampsAfterUs),
      codec: new ControlCodec(),
      self: this.#self,
      routers: this.#peerTable,
      book: this.#names,
      conduct: this.#conduct,
      chance,
      position: new Position(chance),
      counters: this.#counts,
    };
  }
}

/** What peers tell, passed on to whom it concerns. */
function peerListener(
  listeners: TunnelListeners,
  introductions: Introductions,
  streams: Streams,
): PeerListener {
  return {
    authenticatedByStream: (peer, stream) => streams.authenticatedPacketReceived(stream, peer.endpoint),
    mtuFound: (peer, innerBytes) => listeners.mtu?.(peer.number, innerBytes),
    up: (peer) => listeners.up(peer.id),
    down: (peer, reason) => listeners.down(peer.id, reason),
    message: (peer, message) => {
      if (isIntroduction(message)) introductions.received(peer, message);
      else if (isTableMessage(message)) listeners.message(peer.id, message);
      else if (isPairMessage(message)) listeners.pair?.(peer.id, message);
      else if (isNetworkMessage(message)) listeners.network?.(peer.id, message);
      else if (isMembershipMessage(message)) listeners.membership?.(peer.id, message);
      else listeners.traffic?.(peer.id, message satisfies TrafficMessage);
    },
    event: (event) => listeners.event?.(event),
    heard: (last) => listeners.heard?.(last),
  };
}
