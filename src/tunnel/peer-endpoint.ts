/**
 * How one other router is reached: the path in use and the others (`Paths`), the packet that it carries (`PathMtu`), and
 * whether a TCP connection is wanted. The owner has the sessions and the control link that Pings are sent on.
 */
import { isNamed } from '../tables/files/endpoint-text.js';
import type { RouterEndpoint, RouterEntry } from '../tables/model.js';
import { endpointsOf, formatAddress, ipOf, namesOf, withoutEndpointReason } from './endpoint.js';
import { isLasting } from './last-heard.js';
import type { LinkPath } from './link/link.js';
import type { Ping } from './link/pings.js';
import type { NameBook } from './names/name-desk.js';
import type { SearchState } from './paths/introductions.js';
import { isDirect, relayPath, samePath } from './paths/path.js';
import { PathMtu, type PathMtuOwner } from './paths/path-mtu.js';
import { Paths, type PathsContext, type PathsOwner } from './paths/paths.js';
import type { StreamUser } from './paths/streams.js';
import type { DatagramAddress, PeerCounts } from './ports.js';
import type { HandshakePaths } from './sessions.js';

/** Calls by UDP that go unanswered before TCP is tried too. */
const TRIES_BEFORE_TCP = 2;
/** Messages between two looks at the counts that need not be data. */
const QUIET_PACKETS = 6;
/** For a peer that does not say what it takes. */
const DEFAULT_INNER_BYTES = 1_436;

export interface PeerEndpointContext extends PathsContext {
  /** What the names among the endpoints mean. */
  readonly book: NameBook;
}

/** The peer whose paths these are. */
export interface PeerEndpointOwner extends PathsOwner, PathMtuOwner {
  /** Its control link is up. */
  readonly isUp: boolean;
  /** It does not talk to this router: there is no hurry to reach it. */
  readonly isRefused: boolean;
  /** Calls in vain in a row. */
  readonly tries: number;
  /** Largest inner packet that it takes; 0 when it has not said. */
  readonly innerMtuBytes: number;
  /** Somewhere new to call: called now, unless there is a session. */
  call(isNew: boolean): void;
  /** An authenticated packet of it has come by that connection. */
  authenticatedByStream(stream: number): void;
  /** A connection was of no use. */
  streamFailed(reason: string): void;
}

export class PeerEndpoint implements HandshakePaths, LinkPath, StreamUser {
  /** It carries others' messages. */
  isRelay = false;
  tcpEndpoints: readonly DatagramAddress[] = [];
  #endpoints: readonly RouterEndpoint[] = [];
  #udpEndpoints: readonly DatagramAddress[] = [];
  #packetsSent = 0;
  readonly #owner: PeerEndpointOwner;
  readonly #context: PeerEndpointContext;
  readonly #paths: Paths;
  readonly #mtu: PathMtu;

  constructor(peer: number, entry: RouterEntry, context: PeerEndpointContext, owner: PeerEndpointOwner) {
    this.#owner = owner;
    this.#context = context;
    this.#adopt(entry);
    this.#paths = new Paths(peer, this.#udpEndpoints, context, owner);
    this.#mtu = new PathMtu(context.ports.clock, context.times, owner);
  }

  /** Its entry in the GNDT is another one. True when it is to be called elsewhere. */
  configure(entry: RouterEntry): boolean {
    this.#adopt(entry);
    return this.#paths.configure(this.#udpEndpoints);
  }

  #adopt({ endpoints, relay }: RouterEntry): void {
    this.isRelay = relay;
    this.#endpoints = endpoints;
    this.#resolve();
  }

  #resolve(): void {
    const { book, ports } = this.#context;
    this.tcpEndpoints = endpointsOf(this.#endpoints, 'tcp', book, () => true);
    this.#udpEndpoints = endpointsOf(
      this.#endpoints,
      'udp',
      book,
      (family) => ports.canSend?.(family) ?? true,
    );
  }

  /** The host names among its endpoints, each once. */
  get names(): readonly string[] {
    return [...new Set(namesOf({ endpoints: this.#endpoints }))];
  }

  /**
   * A name of it means something else. True when it is to be called elsewhere by UDP; `Streams` dials by itself. What is in
   * use stays in use as long as it answers.
   */
  nameResolved(): boolean {
    this.#resolve();
    return this.#paths.configure(this.#udpEndpoints);
  }

  /** Why there is nothing to call; empty when there is. */
  get noEndpoint(): string {
    if (this.#udpEndpoints.length + this.tcpEndpoints.length > 0) return '';
    return withoutEndpointReason(this.#endpoints, this.#context.book);
  }

  /** It is up, and the way in use answers. */
  get answers(): boolean {
    return this.#owner.isUp && !this.#paths.suspect;
  }

  /** The name that the path in use was found by. */
  get nameInUse(): string | undefined {
    const { path } = this;
    if (path === undefined || path.relay !== undefined) return undefined;
    const transport = path.stream === undefined ? 'udp' : 'tcp';
    const address = ipOf(path.address);
    const using = this.#endpoints.find(
      (endpoint) =>
        isNamed(endpoint) &&
        endpoint.transport === transport &&
        endpoint.port === path.port &&
        this.#context.book
          .addressesOf(endpoint.name)
          .some((ip) => address !== undefined && ip.equals(address)),
    );
    return using !== undefined && isNamed(using) ? using.name : undefined;
  }

  /** The path in use. */
  get path(): DatagramAddress | undefined {
    return this.#paths.current;
  }

  /** The address in use, when no file names it: a NAT's, which only its own messages show. */
  get unlistedAddress(): DatagramAddress | undefined {
    const { path } = this;
    if (path === undefined || !isLasting(path)) return undefined;
    return this.#udpEndpoints.some((listed) => samePath(listed, path)) ? undefined : path;
  }

  /** It was heard there before this router started: tried like any other way, and forgotten like one. */
  heardBefore(address: DatagramAddress): void {
    this.#paths.seen(address);
  }

  /** Nothing passes its messages on: it can say where it sees others, and carry messages if it is a relay. */
  get isDirect(): boolean {
    const { path } = this;
    return path !== undefined && isDirect(path);
  }

  /** It is up, by the best kind of way. */
  get isReached(): boolean {
    return this.#owner.isUp && this.#paths.isBest;
  }

  /** The outer packet that the path is known to carry; undefined for TCP, and while it is down. */
  get mtuBytes(): number | undefined {
    return this.#mtu.pathBytes;
  }

  /**
   * Looks after the paths; `relays`: the peers by way of which messages can go now; `stalledMs`: for how long this router
   * did not run since the last time.
   */
  tick(relays: readonly number[], stalledMs: number): SearchState {
    if (stalledMs > 0) this.#paths.forgive(stalledMs);
    const asks = this.#paths.tick(relays);
    if (this.#owner.isRefused || this.#paths.isBest) return 'none';
    if (!this.#owner.isUp || this.#paths.suspect) return 'open';
    return asks ? 'once' : 'none';
  }

  /** By that relay, if by one. */
  preferRelay(relay: number | undefined): void {
    this.#paths.preferRelay(relay);
  }

  /** A third router sees it at that UDP address (undefined: it comes by TCP); `relay`: the number of one that carries. */
  seenAt(address: DatagramAddress | undefined, relay: number | undefined): void {
    let isNew = address !== undefined && this.#paths.seen(address);
    if (relay !== undefined) isNew = this.#paths.seen(relayPath(relay)) || isNew;
    this.#owner.call(isNew);
  }

  /** Its link is up: how large a packet the path carries is to be found out. */
  up(): void {
    const { path } = this;
    const limit = this.#owner.innerMtuBytes;
    if (path !== undefined) this.#mtu.begin(path, limit > 0 ? limit : DEFAULT_INNER_BYTES);
  }

  down(): void {
    this.#mtu.stop();
  }

  /** A session has become current: the first, or after a while without. */
  begun(): void {
    this.#paths.begun();
  }

  /** Once a second: what has been sent since the start. */
  counted({ packetsSent }: PeerCounts): void {
    // Pings and their answers are a few messages a second; more is data.
    this.#mtu.tick(packetsSent - this.#packetsSent > QUIET_PACKETS);
    this.#packetsSent = packetsSent;
  }

  // What handshakes want and tell.

  candidates(): readonly DatagramAddress[] {
    return this.#paths.candidates();
  }

  /** Pings show soon whether it can be reached there. */
  called(source: DatagramAddress): void {
    this.adopt(source);
  }

  adopt(source: DatagramAddress): void {
    if (source.stream !== undefined) this.#owner.authenticatedByStream(source.stream);
    this.#paths.adopt(source);
  }

  // What the control link tells.

  authenticatedPacketReceived(source: DatagramAddress): void {
    if (source.stream !== undefined) this.#owner.authenticatedByStream(source.stream);
    this.#paths.authenticatedPacketReceived(source);
  }

  pinged(): void {
    this.#paths.pinged();
  }

  answered(ping: Ping): void {
    if (ping.purpose === 'size') this.#mtu.answered(ping);
    else this.#paths.answered(ping);
  }

  // What connections want and tell.

  /** UDP does not do, or there is none to try. */
  get wantsStream(): boolean {
    if (this.#owner.isRefused) return false;
    if (!this.#owner.hasSession)
      return this.#udpEndpoints.length === 0 || this.#owner.tries >= TRIES_BEFORE_TCP;
    return this.#paths.suspect || this.path?.relay !== undefined;
  }

  streamOpened(path: DatagramAddress): void {
    this.#paths.opened(path);
    this.#owner.call(true);
  }

  streamClosed(path: DatagramAddress, reason: string): void {
    if (reason !== 'idle') this.#owner.streamFailed(`tcp ${formatAddress(path)}: ${reason}`);
    this.#paths.lost(path);
  }
}
