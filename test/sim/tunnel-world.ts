/**
 * Routers' tunnels on a simulated network and clock. The transport messages are sealed, opened and replay-checked here
 * by a small software model of the packet engine, so that the tunnel's own code runs as it does in the daemon.
 * Everything random comes from one seed, which each test prints: `VINE_SEED=n` repeats a run.
 */
import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';
import { Ip } from '../../src/net/ip.js';
import { relayTag, wrapForRelay } from '../../src/protocol/relay-message.js';
import type { TableMessage } from '../../src/protocol/table-message.js';
import { isNamed } from '../../src/tables/files/endpoint-text.js';
import type { Endpoint, GndtConfig, RouterId } from '../../src/tables/model.js';
import type { LastHeard } from '../../src/tunnel/last-heard.js';
import type { KeptName } from '../../src/tunnel/names/names.js';
import type { TunnelEvent } from '../../src/tunnel/peer-state.js';
import type { DatagramAddress, PeerCounts, ResolverPort, TunnelPorts } from '../../src/tunnel/ports.js';
import { Tunnel, type TunnelOptions } from '../../src/tunnel/tunnel.js';
import { createIdentity, type HandshakeKeys } from '../../src/wireguard/handshake.js';
import { decodeMessage, encodeTransportHeader, MessageType } from '../../src/wireguard/messages.js';
import type { CipherName } from '../../src/wireguard/primitives.js';
import { SimClock } from '../support/sim-clock.js';
import { Nat, type NatKind } from './nat.js';
import { SimStreams } from './sim-streams.js';

/** mulberry32 by Tommy Ettinger (public domain): small, and good enough to scatter faults. */
export class Random {
  constructor(private state: number) {}

  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => Math.floor(this.next() * 256));
  }
}

/** What the network does to each datagram. Jitter reorders. */
export interface Weather {
  delayMs: number;
  jitterMs: number;
  loss: number;
  duplication: number;
}

export interface Datagram {
  readonly from: DatagramAddress;
  readonly to: DatagramAddress;
  readonly bytes: Uint8Array;
}

interface ModelSession {
  readonly peer: number;
  readonly keys: HandshakeKeys;
  readonly received: Set<bigint>;
  sent: bigint;
}

interface ModelPeer {
  endpoint: DatagramAddress | undefined;
  current: ModelSession | undefined;
  counts: PeerCounts;
}

const NO_COUNTS: PeerCounts = {
  bytesSent: 0,
  bytesReceived: 0,
  packetsSent: 0,
  packetsReceived: 0,
  lastSentMs: 0,
  lastReceivedMs: 0,
  currentCounter: 0,
};

/** Noise's: little-endian for ChaChaPoly, big-endian for AESGCM (revision 34, §12). */
function nonceOf(cipher: CipherName, counter: bigint): Uint8Array {
  const nonce = new Uint8Array(12);
  new DataView(nonce.buffer).setBigUint64(4, counter, cipher === 'chacha20-poly1305');
  return nonce;
}

/** One router: its tunnel, the model of its packet engine, and what the tunnel has told. */
export class SimRouter {
  readonly events: TunnelEvent[] = [];
  readonly messages: { readonly from: RouterId; readonly message: TableMessage }[] = [];
  /** `up vr-b`, `down vr-b`, in order. */
  readonly changes: string[] = [];
  /** What it is to remember, by public key. */
  readonly heard = new Map<string, LastHeard>();
  /** By name. */
  readonly kept = new Map<string, KeptName>();
  readonly gndt: GndtConfig;
  readonly tunnel: Tunnel;
  /** Overlay packets received. */
  packets = 0;
  /** A process that is gone: nothing leaves it, nothing reaches it. */
  muted = false;
  /** Of others' messages passed on. */
  relayedBytes = 0;
  engineReplays = 0;
  engineUnknown = 0;
  private readonly sessions = new Map<number, ModelSession>();
  private readonly peers = new Map<number, ModelPeer>();

  constructor(
    readonly world: World,
    readonly id: RouterId,
    readonly address: DatagramAddress,
    options: Pick<TunnelOptions, 'gndt' | 'privateKey'> & Partial<TunnelOptions>,
    protocolMajor: number,
  ) {
    this.gndt = options.gndt;
    this.tunnel = new Tunnel({
      self: id,
      description: {
        version: '0.1.0',
        capabilities: [],
        gndtDigest: new Uint8Array(32),
        innerMtuBytes: 1436,
        protocolMajor,
      },
      ports: this.ports(),
      listeners: {
        message: (from, message) => this.messages.push({ from, message }),
        up: (router) => this.changes.push(`up ${router}`),
        down: (router) => this.changes.push(`down ${router}`),
        event: (event) => this.events.push(event),
        heard: (last) => this.heard.set(hostKey(last.publicKey), last),
        resolved: (kept) => this.kept.set(kept.name, kept),
      },
      ...options,
    });
  }

  count(name: string): number {
    return this.tunnel.counters()[name] ?? 0;
  }

  stateOf(router: RouterId): string {
    return this.tunnel.peers().find(({ id }) => id === router)?.state ?? 'unknown';
  }

  reasonFor(router: RouterId): string {
    return this.tunnel.peers().find(({ id }) => id === router)?.reason ?? 'unknown';
  }

  /** Sends an overlay packet as the data plane would. */
  sendPacket(peer: number): boolean {
    return this.seal(peer, Uint8Array.of(0x10, 4, 0, 1, 0x45));
  }

  streamChanged(event: 'connected' | 'accepted' | 'closed', far: DatagramAddress, reason: string): void {
    if (!this.muted) this.tunnel.streamChanged(event, far, reason);
  }

  receive(datagram: Datagram): void {
    if (this.muted) return;
    if (datagram.bytes[0] === MessageType.transport) this.open(datagram);
    else this.tunnel.handshakeReceived(datagram.bytes, datagram.from);
  }

  get installedSessions(): number {
    return this.sessions.size;
  }

  private ports(): TunnelPorts {
    const { world } = this;
    return {
      clock: world.clock,
      ...(world.resolver === undefined ? {} : { resolver: world.resolver }),
      random: (length) => world.random.bytes(length),
      installSession: (peer, keys) => {
        if (this.sessions.has(keys.localIndex)) throw new Error('local index in use');
        const copied = { ...keys, sendKey: keys.sendKey.slice(), receiveKey: keys.receiveKey.slice() };
        this.sessions.set(keys.localIndex, { peer, keys: copied, received: new Set(), sent: 0n });
      },
      setCurrentSession: (peer, localIndex) => {
        const session = this.sessions.get(localIndex);
        if (session === undefined) throw new Error('no such session');
        this.peer(peer).current = session;
      },
      removeSession: (localIndex) => {
        const session = this.sessions.get(localIndex);
        this.sessions.delete(localIndex);
        if (session !== undefined && this.peer(session.peer).current === session) {
          this.peer(session.peer).current = undefined;
        }
      },
      setPeerEndpoint: (peer, to) => {
        this.peer(peer).endpoint = { ...to, address: to.address.slice() };
      },
      peerEndpoint: (peer) => this.peer(peer).endpoint,
      removePeer: (peer) => {
        for (const [index, session] of this.sessions) if (session.peer === peer) this.sessions.delete(index);
        this.peers.delete(peer);
      },
      peerStats: (peer) => this.peer(peer).counts,
      connectStream: (address, port) => world.connectStream(this, { address, port }),
      closeStream: (stream) => world.streams.close(stream),
      sealAndSend: (peer, payload, to) => this.seal(peer, payload, to),
      sendDatagram: (to, bytes, peer) => this.dispatch(to, bytes, peer),
    };
  }

  /** Sends a whole WireGuard message, by way of a relay if need be. */
  private dispatch(to: DatagramAddress, bytes: Uint8Array, peer: number | undefined): boolean {
    if (to.relay !== undefined) {
      const nested = this.peer(to.relay).endpoint?.relay !== undefined;
      return !nested && peer !== undefined && this.seal(to.relay, wrapForRelay(this.world.tag(peer), bytes));
    }
    if (this.muted) return true;
    if (to.stream !== undefined) return this.world.streams.send(to.stream, bytes);
    this.world.send({ from: this.address, to, bytes });
    return true;
  }

  private peer(number: number): ModelPeer {
    const known = this.peers.get(number);
    if (known !== undefined) return known;
    const made = { endpoint: undefined, current: undefined, counts: NO_COUNTS };
    this.peers.set(number, made);
    return made;
  }

  private seal(number: number, payload: Uint8Array, path?: DatagramAddress): boolean {
    const peer = this.peer(number);
    const session = peer.current;
    const to = path ?? peer.endpoint;
    if (session === undefined || to === undefined) return false;
    // Only packets are padded by the engine.
    const padded = Uint8Array.from(payload);
    const { sendKey, remoteIndex, cipher } = session.keys;
    // Both take the same; their overloads differ.
    const box = createCipheriv(cipher as 'chacha20-poly1305', sendKey, nonceOf(cipher, session.sent), {
      authTagLength: 16,
    });
    const sealed = [box.update(padded), box.final(), box.getAuthTag()];
    const bytes = Buffer.concat([encodeTransportHeader(remoteIndex, session.sent), ...sealed]);
    session.sent++;
    peer.counts = {
      ...peer.counts,
      currentCounter: Number(session.sent),
      packetsSent: peer.counts.packetsSent + 1,
    };
    return this.dispatch(to, Uint8Array.from(bytes), number);
  }

  private open({ bytes, from }: Pick<Datagram, 'bytes' | 'from'>): void {
    const message = decodeMessage(bytes);
    if (typeof message === 'string' || message.type !== MessageType.transport) return;
    const session = this.sessions.get(message.receiver);
    if (session === undefined) {
      this.engineUnknown++;
      return;
    }
    const payload = openTransport(session, message.counter, message.sealedPacket);
    if (payload === undefined) return;
    if (session.received.has(message.counter)) {
      this.engineReplays++;
      return;
    }
    const first = session.received.size === 0;
    session.received.add(message.counter);
    const peer = this.peer(session.peer);
    const mayRoam = peer.endpoint === undefined || isSameKind(peer.endpoint, from);
    if (mayRoam) peer.endpoint = from;
    peer.counts = { ...peer.counts, lastReceivedMs: this.world.clock.nowMs() };
    if (first) this.tunnel.sessionConfirmed(session.peer, session.keys.localIndex);
    const kind = (payload[0] ?? 0) >> 4;
    if (kind === 2) this.tunnel.controlReceived(session.peer, payload, from);
    else if (kind === 3) this.relay(session.peer, payload);
    else if (payload.length > 0) this.packets++;
  }

  /** As src/dataplane/relay-forwarder.ts does it. */
  private relay(from: number, payload: Uint8Array): void {
    const other = this.world.tagged(payload.subarray(4, 12));
    const bytes = payload.slice(12);
    if (other === undefined) return;
    if (payload[1] === 1) {
      if (this.world.gndt.routers[from]?.relay !== true) return;
      const source = { address: new Uint8Array(0), port: 0, relay: from };
      if (bytes[0] === MessageType.transport) this.open({ bytes, from: source });
      else this.tunnel.handshakeReceived(bytes, source);
    } else if (this.world.gndt.routers.find(({ id }) => id === this.id)?.relay === true) {
      this.relayedBytes += bytes.length;
      const forwarded = payload.slice();
      forwarded[1] = 1;
      forwarded.set(this.world.tag(from), 4);
      if (this.peer(other).endpoint?.relay === undefined) this.seal(other, forwarded);
    }
  }
}

/** From one UDP address to another, or from one connection to another. */
function isSameKind(a: DatagramAddress, b: DatagramAddress): boolean {
  const isRelayed = a.relay !== undefined || b.relay !== undefined;
  return !isRelayed && (a.stream === undefined) === (b.stream === undefined);
}

function openTransport(session: ModelSession, counter: bigint, sealed: Uint8Array): Uint8Array | undefined {
  const { receiveKey, cipher } = session.keys;
  const box = createDecipheriv(cipher as 'chacha20-poly1305', receiveKey, nonceOf(cipher, counter), {
    authTagLength: 16,
  });
  box.setAuthTag(sealed.subarray(sealed.length - 16));
  try {
    return Buffer.concat([box.update(sealed.subarray(0, sealed.length - 16)), box.final()]);
  } catch {
    return undefined;
  }
}

export interface WorldOptions {
  readonly routers: readonly RouterId[];
  readonly weather?: Partial<Weather>;
  /** Routers that are listed in gndt.json with a wrong public key. */
  readonly wrongKeys?: readonly RouterId[];
  readonly withoutEndpoint?: readonly RouterId[];
  readonly ipv6?: boolean;
  /** Routers that carry others' messages. */
  readonly relays?: readonly RouterId[];
  /** Routers behind a NAT box of their own; each is also without endpoint. */
  readonly nat?: Readonly<Record<RouterId, NatKind>>;
  /** Routers that also listen for TCP connections. */
  readonly tcp?: readonly RouterId[];
  /** Instead of a random one, or that of the environment. */
  readonly seed?: number;
}

export class World {
  /** By how many milliseconds more a datagram is on the way. */
  farther: ((datagram: Datagram) => number) | undefined;
  readonly seed: number;
  readonly random: Random;
  readonly clock = new SimClock();
  readonly streams = new SimStreams(this.clock, () => this.delayMs());
  readonly weather: Weather;
  readonly gndt: GndtConfig;
  /** Every datagram that was sent, for tests that look or replay. */
  readonly sent: Datagram[] = [];
  /** What all routers ask for names, if there is one. */
  resolver: ResolverPort | undefined;
  /** True: the datagram is lost. */
  cut: (datagram: Datagram) => boolean = () => false;
  /** By the address inside. */
  private readonly nats = new Map<string, Nat>();
  private readonly routers = new Map<string, SimRouter>();
  private readonly ipv6: boolean;

  constructor(options: WorldOptions) {
    this.seed = options.seed ?? Number(process.env.VINE_SEED ?? Math.floor(Math.random() * 2 ** 31));
    this.random = new Random(this.seed);
    this.ipv6 = options.ipv6 ?? false;
    this.weather = { delayMs: 10, jitterMs: 2, loss: 0, duplication: 0, ...options.weather };
    const entries = options.routers.map((id, number) => ({
      id,
      publicKey: createIdentity(
        'chacha20-poly1305',
        privateKeyOf(options.wrongKeys?.includes(id) === true ? `not ${id}` : id),
      ).publicKey,
      endpoints:
        options.withoutEndpoint?.includes(id) === true || options.nat?.[id] !== undefined
          ? []
          : this.endpointsOf(number, options.tcp?.includes(id) === true),
      relay: options.relays?.includes(id) === true,
    }));
    for (const [number, { id }] of entries.entries()) {
      const kind = options.nat?.[id];
      if (kind === undefined) continue;
      this.nats.set(hostKey(this.ipOf(number).toBytes()), new Nat(kind, this.publicOf(number)));
    }
    this.gndt = { vnets: [], routers: entries, networks: [], cipher: 'chacha20-poly1305', nodes: [] };
  }

  /** A router with a fresh tunnel, in place of one that was there: what a restart is. */
  start(id: RouterId, options: Partial<TunnelOptions> = {}, protocolMajor = 1): SimRouter {
    const number = this.gndt.routers.findIndex((entry) => entry.id === id);
    const address = { address: this.ipOf(number).toBytes(), port: 7700 };
    const base = { gndt: this.gndt, privateKey: privateKeyOf(id) };
    const router = new SimRouter(this, id, address, { ...base, ...options }, protocolMajor);
    this.routers.set(addressKey(address), router);
    router.tunnel.start();
    return router;
  }

  /** The same with what the one before it has remembered. */
  restart(before: SimRouter): SimRouter {
    return this.start(before.id, {
      gndt: before.gndt,
      lastHeard: (publicKey) => before.heard.get(hostKey(publicKey)),
      keptName: (name) => before.kept.get(name),
    });
  }

  /** For tests that speak as a router themselves. */
  privateKey(id: RouterId): Uint8Array {
    return privateKeyOf(id);
  }

  /** As `kill -9`: it is gone, and says nothing. */
  kill(router: SimRouter): void {
    router.muted = true;
    this.routers.delete(addressKey(router.address));
  }

  send(inside: Datagram): void {
    const nat = this.nats.get(hostKey(inside.from.address));
    const datagram = nat === undefined ? inside : { ...inside, from: nat.outward(inside.from, inside.to) };
    this.sent.push(datagram);
    if (this.cut(datagram) || this.random.next() < this.weather.loss) return;
    this.deliver(datagram);
    if (this.random.next() < this.weather.duplication) this.deliver(datagram);
  }

  /** Sends a datagram again, as an attacker who recorded it. */
  replay(datagram: Datagram, from = datagram.from): void {
    this.deliver({ ...datagram, from });
  }

  /** Advances until the condition holds; how long it took. Fails after `limitMs`. */
  until(what: string, condition: () => boolean, limitMs: number): number {
    const startMs = this.clock.nowMs();
    while (!condition()) {
      if (this.clock.nowMs() - startMs > limitMs)
        throw new Error(`${what}: not within ${limitMs} ms (seed ${this.seed})`);
      this.clock.advance(1);
    }
    return this.clock.nowMs() - startMs;
  }

  connectStream(from: SimRouter, to: DatagramAddress): number {
    const isListening = this.gndt.routers.some(({ endpoints }) =>
      endpoints.some(
        (endpoint) =>
          endpoint.transport === 'tcp' &&
          !isNamed(endpoint) &&
          hostKey(endpoint.address.toBytes()) === hostKey(to.address),
      ),
    );
    return this.streams.connect(from, to, () => (isListening ? this.routers.get(addressKey(to)) : undefined));
  }

  private delayMs(): number {
    return this.weather.delayMs + this.random.next() * this.weather.jitterMs;
  }

  private endpointsOf(number: number, tcp: boolean): Endpoint[] {
    const udp = { transport: 'udp' as const, address: this.ipOf(number), port: 7700 };
    return tcp ? [udp, { ...udp, transport: 'tcp' }] : [udp];
  }

  private deliver(datagram: Datagram): void {
    const copy = { ...datagram, bytes: datagram.bytes.slice() };
    this.clock.after('datagram', this.delayMs() + (this.farther?.(datagram) ?? 0), () => {
      const to = this.inside(datagram);
      if (to !== undefined) this.routers.get(addressKey(to))?.receive(copy);
    });
  }

  /** Past the NAT box, if the destination is behind one; nobody reaches an inside address from outside. */
  private inside({ from, to }: Datagram): DatagramAddress | undefined {
    for (const nat of this.nats.values())
      if (hostKey(nat.publicAddress) === hostKey(to.address)) return nat.inward(from, to.port);
    return this.nats.has(hostKey(to.address)) ? undefined : to;
  }

  nat(number: number): Nat | undefined {
    return this.nats.get(hostKey(this.ipOf(number).toBytes()));
  }

  /** How relays know a router. */
  tag(number: number): Uint8Array {
    return relayTag(this.gndt.routers[number]?.publicKey ?? new Uint8Array(0));
  }

  tagged(tag: Uint8Array): number | undefined {
    const number = this.gndt.routers.findIndex((_, i) => Buffer.compare(this.tag(i), tag) === 0);
    return number < 0 ? undefined : number;
  }

  private publicOf(number: number): Uint8Array {
    const ip = this.ipv6 ? Ip.v6(0x20010db8, 1, 0, number + 1) : Ip.v4(0xcb007100 + number + 1);
    return ip.toBytes();
  }

  private ipOf(number: number): Ip {
    return this.ipv6 ? Ip.v6(0x20010db8, 0, 0, number + 1) : Ip.v4(0xc0000200 + number + 1);
  }
}

function privateKeyOf(name: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', name, '', 'test key', 32));
}

function hostKey(address: Uint8Array): string {
  return Buffer.from(address).toString('hex');
}

function addressKey({ address, port }: DatagramAddress): string {
  return `${Buffer.from(address).toString('hex')}:${port}`;
}
