/** One other router: its sessions and its control link, and how each one's end affects the other. */
import type { Timer } from '../net/clock.js';
import type { Ip } from '../net/ip.js';
import type { TableMessage } from '../tables/message.js';
import type { RouterEntry, RouterId } from '../tables/model.js';
import type { HelloMessage, IntroductionMessage } from './control-message.js';
import { endpointsOf, formatAddress, ipOf, withoutEndpointReason } from './endpoint.js';
import type { RemoteIdentity } from './handshake.js';
import { Link, type LinkContext, type LinkEnd, type LinkListener } from './link.js';
import { kindOf, relayPath } from './path.js';
import { PathMtu, type PathMtuOwner } from './path-mtu.js';
import { canIntroduce, Paths, type PathsContext, type PathsOwner } from './paths.js';
import type { Ping } from './pings.js';
import type { DatagramAddress, PeerCounts } from './ports.js';
import type { CipherName } from './primitives.js';
import {
  type HandshakePaths,
  PeerSessions,
  type SessionsContext,
  type SessionsListener,
} from './sessions.js';
import type { StreamUser } from './streams.js';

/** What `vinectl peers` shows. */
export interface PeerState {
  readonly id: RouterId;
  /** Its number in the data plane. */
  readonly peer: number;
  readonly state: 'up' | 'connecting' | 'down' | 'refused';
  /** Why it is not up; empty when it is. */
  readonly reason: string;
  readonly transport: 'udp' | 'tcp' | 'relay' | 'none';
  /** Undefined for a relayed peer. */
  readonly endpoint: { readonly address: Ip; readonly port: number } | undefined;
  /** The router that passes messages on, for transport `relay`. */
  readonly relay: RouterId | undefined;
  /** Of the last hundred Pings; undefined before the first. */
  readonly lossPercent: number | undefined;
  readonly lastHandshakeWallMs: number | undefined;
  readonly rttMs: number | undefined;
  /** What its last Hello said; undefined before the first. */
  readonly version: string | undefined;
  readonly capabilities: readonly string[];
  /** 0 before the first Hello. */
  readonly innerMtuBytes: number;
  /** Has it read the same gndt.json? Undefined before the first Hello. */
  readonly sameGndt: boolean | undefined;
  /** By how much its clock is ahead of ours; undefined before the first answer. */
  readonly clockOffsetMs: number | undefined;
  /** The outer packet that its path is known to carry; undefined for TCP, and while it is down. */
  readonly pathMtuBytes: number | undefined;
  /** Control messages that it has not acknowledged. */
  readonly pendingMessages: number;
  readonly counts: PeerCounts | undefined;
}

export type TunnelEvent =
  | {
      readonly event: 'peer_up';
      readonly router: RouterId;
      readonly endpoint: string;
      readonly version: string;
      readonly rttMs: number | undefined;
    }
  | {
      readonly event: 'peer_down' | 'peer_refused' | 'peer_unanswered';
      readonly router: RouterId;
      readonly reason: string;
    }
  /** Messages to it take another way from now on. */
  | {
      readonly event: 'peer_path';
      readonly router: RouterId;
      readonly path: string;
      readonly reason: string;
    }
  /** Its gndt.json is not ours. */
  | { readonly event: 'peer_gndt_differs'; readonly router: RouterId };

/** Calls by UDP that go unanswered before TCP is tried too. */
const TRIES_BEFORE_TCP = 2;
/** Messages between two looks at the counts that need not be data. */
const QUIET_PACKETS = 6;
/** For a peer that does not say what it takes. */
const DEFAULT_INNER_BYTES = 1_436;

export interface PeerListener {
  up(peer: Peer): void;
  down(peer: Peer, reason: string): void;
  message(peer: Peer, message: TableMessage): void;
  introduction(peer: Peer, message: IntroductionMessage): void;
  /** An authentic message of it has come by that connection. */
  heardByStream(peer: Peer, stream: number): void;
  /** Packets up to this size can be sent to it. */
  mtuFound(peer: Peer, innerBytes: number): void;
  /** Name of the router with that number. */
  nameOf(peer: number): RouterId;
  event(event: TunnelEvent): void;
}

export type PeerContext = SessionsContext & LinkContext & PathsContext;

export class Peer implements LinkListener, SessionsListener, PathMtuOwner, PathsOwner, StreamUser {
  readonly id: RouterId;
  /** It carries others' messages. */
  isRelay = false;
  tcpEndpoints: readonly DatagramAddress[] = [];
  private hasUdpEndpoint = false;
  readonly sessions: PeerSessions;
  private readonly paths: Paths;
  private readonly link: Link;
  private readonly mtu: PathMtu;
  private packetsSent = 0;
  private noEndpoint = '';
  /** Why it is not up, when that is more than "not yet". */
  private trouble = '';
  private refused = false;
  private timer: Timer | undefined;

  constructor(
    readonly number: number,
    entry: RouterEntry,
    readonly remote: RemoteIdentity,
    private readonly context: PeerContext,
    private readonly owner: PeerListener,
  ) {
    this.id = entry.id;
    this.adoptEntry(entry);
    this.paths = new Paths(number, endpointsOf(entry.endpoints, 'udp'), context, this);
    this.sessions = new PeerSessions(number, remote, this.handshakePaths(), context, this);
    this.link = new Link(number, entry.id, context, this);
    this.mtu = new PathMtu(context.ports, context.times, this);
  }

  private adoptEntry(entry: RouterEntry): void {
    this.noEndpoint = withoutEndpointReason(entry.endpoints);
    this.isRelay = entry.relay;
    this.tcpEndpoints = endpointsOf(entry.endpoints, 'tcp');
    this.hasUdpEndpoint = entry.endpoints.some(({ transport }) => transport === 'udp');
  }

  private handshakePaths(): HandshakePaths {
    return {
      candidates: () => this.paths.candidates(),
      adopt: (source) => {
        if (source.stream !== undefined) this.owner.heardByStream(this, source.stream);
        this.paths.adopt(source);
      },
    };
  }

  get isUp(): boolean {
    return this.link.state === 'up';
  }

  get rttMs(): number | undefined {
    return this.link.rtt.rttMs;
  }

  /** The path in use. */
  get path(): DatagramAddress | undefined {
    return this.paths.current;
  }

  get hasSession(): boolean {
    return this.sessions.hasCurrent;
  }

  /** We are in direct contact with it: it can say where it sees others, and pass messages on if it is a relay. */
  get canIntroduce(): boolean {
    return this.isUp && canIntroduce(this.path);
  }

  start(): void {
    this.sessions.connect('now');
  }

  /**
   * Looks after the paths; `relays`: the peers by way of which messages can go now. What is wanted of others: nothing,
   * to be asked once where this peer is, or to be asked until it is reached.
   */
  seeToPaths(relays: readonly number[]): 'no' | 'once' | 'search' {
    const asks = this.paths.tick(relays);
    if (this.refused || this.paths.isBest) return 'no';
    if (!this.isUp || this.paths.suspect) return 'search';
    return asks ? 'once' : 'no';
  }

  /** Another router is in direct contact with it, and sees it at that UDP address (undefined: it comes by TCP). */
  seenBy(other: Peer, address: DatagramAddress | undefined): void {
    let isNew = address !== undefined && this.paths.seen(address);
    if (other.isRelay) isNew = this.paths.seen(relayPath(other.number)) || isNew;
    if (this.refused || this.hasSession) return;
    this.sessions.connect('now');
    if (isNew) this.sessions.hasten();
  }

  /** UDP does not do, or there is none to try. */
  get wantsStream(): boolean {
    if (this.refused) return false;
    if (!this.hasSession) return !this.hasUdpEndpoint || this.sessions.tries >= TRIES_BEFORE_TCP;
    return this.paths.suspect || this.path?.relay !== undefined;
  }

  streamOpened(path: DatagramAddress): void {
    this.paths.opened(path);
    if (this.refused || this.hasSession) return;
    this.sessions.connect('now');
    this.sessions.hasten();
  }

  streamClosed(path: DatagramAddress, reason: string): void {
    this.trouble = this.isUp || reason === 'idle' ? this.trouble : `tcp ${formatAddress(path)}: ${reason}`;
    this.paths.lost(path);
  }

  say(message: IntroductionMessage): void {
    this.link.say(message);
  }

  /** Its entry in the GNDT is another one, with the same key. Sessions go on; a vain attempt starts afresh. */
  configure(entry: RouterEntry): void {
    this.adoptEntry(entry);
    if (this.paths.configure(endpointsOf(entry.endpoints, 'udp'))) this.sessions.restart();
  }

  /** See `Link.pingNow`. */
  ping(answered: (rttMs: number) => void): boolean {
    return this.link.pingNow(answered);
  }

  /** What this router says of itself has changed. */
  greetAgain(): void {
    this.link.greetAgain();
  }

  /** It asked for a session with another cipher than ours: there will be none until one of the files changes. */
  cipherDiffers(its: CipherName): void {
    const reason = `its gndt.json says cipher ${its}, this router's says ${this.context.identity.cipher}`;
    if (this.isUp || this.trouble === reason) return;
    this.trouble = reason;
    this.owner.event({ event: 'peer_refused', router: this.id, reason });
  }

  /** Says Bye and forgets all keys. No callback comes of it. */
  stop(reason: string): void {
    this.timer?.cancel();
    this.mtu.stop();
    this.link.stop(reason);
    this.sessions.drop();
    this.context.ports.removePeer(this.number);
  }

  /** An authenticated control message from it. */
  controlReceived(payload: Uint8Array, source?: DatagramAddress): void {
    this.link.received(payload, source);
  }

  send(message: TableMessage): boolean {
    return this.link.send(message);
  }

  get state(): PeerState {
    const { hello } = this.link;
    const endpoint = this.sessions.endpoint;
    const address = endpoint && ipOf(endpoint.address);
    const relay = endpoint?.relay;
    const ours = this.context.hello().gndtDigest;
    return {
      id: this.id,
      peer: this.number,
      ...this.verdict(),
      transport: endpoint === undefined ? 'none' : kindOf(endpoint),
      endpoint: endpoint && address && { address, port: endpoint.port },
      relay: relay === undefined ? undefined : this.owner.nameOf(relay),
      pathMtuBytes: this.isUp ? this.mtu.pathBytes : undefined,
      lossPercent: this.isUp ? this.link.lossPercent : undefined,
      lastHandshakeWallMs: this.sessions.lastHandshakeWallMs,
      rttMs: this.rttMs,
      version: hello?.version,
      capabilities: hello?.capabilities ?? [],
      innerMtuBytes: hello?.innerMtuBytes ?? 0,
      sameGndt: hello && Buffer.compare(hello.gndtDigest, ours) === 0,
      clockOffsetMs: this.link.clockOffsetMs,
      pendingMessages: this.link.pendingMessages,
      counts: this.context.ports.peerStats?.(this.number),
    };
  }

  // What the sessions tell.

  sessionReady(rttMs: number): void {
    this.timer?.cancel();
    if (!this.isUp) this.paths.begun();
    this.link.sessionReady(rttMs);
  }

  rekeyDue(): void {
    this.sessions.connect('now');
  }

  sessionLost(reason: string): void {
    this.link.lost(reason);
  }

  unanswered(): void {
    this.owner.event({ event: 'peer_unanswered', router: this.id, reason: this.verdict().reason });
  }

  // What the link tells.

  up(hello: HelloMessage): void {
    this.probeMtu();
    this.trouble = '';
    this.refused = false;
    this.owner.event({
      event: 'peer_up',
      router: this.id,
      endpoint: this.endpointText,
      version: hello.version,
      rttMs: this.rttMs,
    });
    this.tellIfGndtDiffers(hello);
    this.owner.up(this);
  }

  changed(hello: HelloMessage, before: HelloMessage): void {
    if (Buffer.compare(hello.gndtDigest, before.gndtDigest) !== 0) this.tellIfGndtDiffers(hello);
  }

  down(reason: string): void {
    this.mtu.stop();
    this.owner.event({ event: 'peer_down', router: this.id, reason });
    this.owner.down(this, reason);
  }

  counted(counts: PeerCounts): void {
    // Pings and their answers are a few messages a second; more is data.
    this.mtu.tick(counts.packetsSent - this.packetsSent > QUIET_PACKETS);
    this.packetsSent = counts.packetsSent;
    this.sessions.checkCounter(counts.currentCounter);
  }

  message(message: TableMessage): void {
    this.owner.message(this, message);
  }

  introduction(message: IntroductionMessage): void {
    this.owner.introduction(this, message);
  }

  heard(source: DatagramAddress): void {
    if (source.stream !== undefined) this.owner.heardByStream(this, source.stream);
    this.paths.heard(source);
  }

  pinged(): void {
    this.paths.pinged();
  }

  answered(ping: Ping): void {
    if (ping.purpose === 'size') this.mtu.answered(ping);
    else this.paths.answered(ping);
  }

  // What the path MTU wants and tells.

  probe(lengthBytes: number): boolean {
    return this.link.probe('size', { lengthBytes });
  }

  mtuFound(innerBytes: number): void {
    this.owner.mtuFound(this, innerBytes);
  }

  private probeMtu(): void {
    const { path } = this;
    const limit = this.link.hello?.innerMtuBytes ?? 0;
    if (path !== undefined) this.mtu.begin(path, limit > 0 ? limit : DEFAULT_INNER_BYTES);
  }

  // What the paths want and tell.

  tryPath(path: DatagramAddress): void {
    this.link.probe('path', { to: path });
  }

  pingEarly(): void {
    this.link.pingNow();
  }

  pathChanged(path: DatagramAddress, reason: string): void {
    if (!this.isUp) return;
    this.probeMtu();
    this.owner.event({ event: 'peer_path', router: this.id, path: this.textOf(path), reason });
  }

  ended(how: LinkEnd, reason: string): void {
    this.trouble = reason;
    if (how === 'refused') {
      this.refusalEnded(reason);
      return;
    }
    this.refused = false;
    this.timer?.cancel();
    this.sessions.drop();
    this.sessions.connect(how === 'bye' ? 'later' : 'now');
  }

  /** The session stays for a moment, so that the peer surely hears why; then it is tried again, rarely. */
  private refusalEnded(reason: string): void {
    const { ports, times } = this.context;
    if (!this.refused) this.owner.event({ event: 'peer_refused', router: this.id, reason });
    this.refused = true;
    this.timer?.cancel();
    this.timer = ports.clock.after('refusal-linger', times.refusalLingerMs, () => {
      this.sessions.drop();
      this.timer = ports.clock.after('refused-retry', times.refusedRetryMs, () =>
        this.sessions.connect('now'),
      );
    });
  }

  private tellIfGndtDiffers(hello: HelloMessage): void {
    if (Buffer.compare(hello.gndtDigest, this.context.hello().gndtDigest) === 0) return;
    this.owner.event({ event: 'peer_gndt_differs', router: this.id });
  }

  private verdict(): { state: PeerState['state']; reason: string } {
    if (this.isUp) return { state: 'up', reason: '' };
    if (this.refused) return { state: 'refused', reason: this.trouble };
    if (this.link.state === 'greeting') return { state: 'connecting', reason: 'waiting for its greeting' };
    const { tries } = this.sessions;
    if (tries === 0 && this.trouble === '') {
      return this.noEndpoint === ''
        ? { state: 'connecting', reason: 'not called yet' }
        : { state: 'down', reason: this.noEndpoint };
    }
    const silence = tries === 0 ? '' : `no answer from ${this.endpointText} to ${tries} calls`;
    const reason = [this.trouble, silence].filter((part) => part !== '').join('; ');
    const early = this.trouble === '' && tries <= this.context.times.firstRetriesMs.length;
    return { state: early ? 'connecting' : 'down', reason };
  }

  private get endpointText(): string {
    const endpoint = this.sessions.endpoint;
    return endpoint === undefined ? 'nowhere' : this.textOf(endpoint);
  }

  private textOf(path: DatagramAddress): string {
    if (path.relay !== undefined) return `relay ${this.owner.nameOf(path.relay)}`;
    return `${path.stream === undefined ? '' : 'tcp '}${formatAddress(path)}`;
  }
}
