/**
 * The tunnel's control half: all peers, their handshakes and their control links. The packet engine does the rest.
 *
 * Inputs are calls: `handshakeReceived`, `sessionConfirmed`, `controlReceived` as the engine reports them, and timers
 * on the clock that is handed in. Outputs are the ports and the listeners. Nothing here throws for what a peer sends.
 * `sessionConfirmed` should be called before the `controlReceived` of the same message.
 */
import type { TableMessage } from '../tables/message.js';
import type { GndtConfig, RouterEntry, RouterId } from '../tables/model.js';
import { ControlCodec } from './codec/control-codec.js';
import { split } from './codec/split.js';
import { PROTOCOL_MAJOR, PROTOCOL_MINOR } from './constants.js';
import type { HelloMessage } from './control-message.js';
import { Counters } from './counters.js';
import {
  createIdentity,
  createRemoteIdentity,
  type HandshakeDropReason,
  hasValidMac1,
  type Identity,
  openInitiation,
  type RemoteIdentity,
} from './handshake.js';
import { decodeMessage, type InitiationMessage, MessageType, type ResponseMessage } from './messages.js';
import { Peer, type PeerContext, type PeerListener, type PeerState, type TunnelEvent } from './peer.js';
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
}

export interface TunnelOptions {
  readonly gndt: GndtConfig;
  readonly self: RouterId;
  /** 32 bytes; the caller may wipe them when the constructor has returned. */
  readonly privateKey: Uint8Array;
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
}

export class Tunnel {
  private readonly identity: Identity;
  private readonly indexes: SessionIndexes<PeerSessions>;
  private readonly counts = new Counters();
  private readonly codec = new ControlCodec();
  private readonly byId = new Map<RouterId, Peer>();
  private readonly byNumber = new Map<number, Peer>();
  private readonly byKey = new Map<string, Peer>();
  private readonly listener: PeerListener;
  private readonly context: PeerContext;
  private hello: HelloMessage;
  private running = false;

  /** Throws when `self` is not in the GNDT, or a router's public key can give no secret. */
  constructor(options: TunnelOptions) {
    this.identity = createIdentity(options.gndt.cipher, options.privateKey);
    this.indexes = new SessionIndexes((length) => options.ports.random(length));
    this.listener = listenerOf(options.listeners);
    this.hello = helloOf(options.self, options.description);
    this.context = this.contextOf(options);
    for (const [position, entry] of options.gndt.routers.entries()) {
      if (entry.id === options.self) continue;
      const remote = createRemoteIdentity(this.identity, entry.publicKey);
      if (remote === undefined) throw new Error(lowOrder(entry.id));
      this.insert(options.peerNumber?.(entry.id) ?? position, entry, remote);
    }
  }

  /** Calls every peer that has an endpoint. */
  start(): void {
    if (this.running) return;
    this.running = true;
    for (const peer of this.byId.values()) peer.start();
  }

  /** Says Bye to all that hear it and forgets all keys. It cannot be started again. */
  stop(reason: string): void {
    this.running = false;
    for (const peer of this.byId.values()) peer.stop(reason);
  }

  /** Works out what `reconfigure` would have to do; changes nothing. A string says why it cannot be done. */
  planPeers(others: readonly RouterEntry[]): PeerPlan | string {
    const wanted = new Set(others.map(({ id }) => id));
    const fresh: { entry: RouterEntry; remote: RemoteIdentity }[] = [];
    const kept: RouterEntry[] = [];
    for (const entry of others) {
      const known = this.byId.get(entry.id);
      if (known !== undefined && sameBytes(known.remote.publicKey, entry.publicKey)) {
        kept.push(entry);
        continue;
      }
      const remote = createRemoteIdentity(this.identity, entry.publicKey);
      if (remote === undefined) return lowOrder(entry.id);
      fresh.push({ entry, remote });
    }
    return { fresh, kept, removed: [...this.byId.keys()].filter((id) => !wanted.has(id)) };
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
  }

  /** A datagram of type 1, 2 or 3, as it came. */
  handshakeReceived(bytes: Uint8Array, source: DatagramAddress): void {
    if (!this.running) return;
    const dropReason = this.handleHandshake(bytes, source);
    if (dropReason !== undefined) this.counts.add(`handshake_drop_${dropReason}`);
  }

  /** The first authenticated message has come in a session. */
  sessionConfirmed(peer: number, localIndex: number): void {
    if (this.running) this.byNumber.get(peer)?.sessions.confirmed(localIndex);
  }

  /** An authenticated payload whose first byte is 0x2v. It may be reused when the call returns. */
  controlReceived(peer: number, payload: Uint8Array): void {
    if (this.running) this.byNumber.get(peer)?.controlReceived(payload);
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

  counters(): Record<string, number> {
    return this.counts.toObject();
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
    // Cookies are asked for and answered in a later issue; nobody has been asked yet.
    if (message.type === MessageType.cookie) return 'cookie-not-expected';
    if (!hasValidMac1(this.identity, message)) return 'bad-mac1';
    return message.type === MessageType.initiation
      ? this.handleInitiation(message, source)
      : this.handleResponse(message, source);
  }

  private handleInitiation(message: InitiationMessage, source: DatagramAddress): string | undefined {
    const opened = openInitiation(this.identity, message, (key) => this.byKey.get(keyText(key)));
    if (typeof opened !== 'string') return opened.peer.sessions.initiationOpened(opened, source);
    return opened === 'not-authentic' ? this.judgeOtherCipher(message) : opened;
  }

  /** A message that cannot be read with our cipher may be a peer's whose file says another: that is worth a word. */
  private judgeOtherCipher(message: InitiationMessage): HandshakeDropReason | 'other-cipher' {
    for (const cipher of CIPHERS) {
      if (cipher === this.identity.cipher) continue;
      const opened = openInitiation({ ...this.identity, cipher }, message, (key) =>
        this.byKey.get(keyText(key)),
      );
      if (typeof opened === 'string') continue;
      opened.peer.cipherDiffers(cipher);
      return 'other-cipher';
    }
    return 'not-authentic';
  }

  private handleResponse(message: ResponseMessage, source: DatagramAddress): string | undefined {
    const owner = this.indexes.ownerOf(message.receiver);
    return owner === undefined ? 'no-handshake' : owner.responseReceived(message, source);
  }
}

function listenerOf(listeners: TunnelListeners): PeerListener {
  return {
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
