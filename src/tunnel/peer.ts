/** One other router: its sessions and its control link, and how each one's end affects the other. */
import type { Timer } from '../net/clock.js';
import type { Coordinate } from '../net/coordinates.js';
import type { DeliveredMessage, HelloMessage, IntroductionMessage } from '../protocol/control-message.js';
import type { MembershipMessage } from '../protocol/membership-message.js';
import type { NetworkMessage } from '../protocol/network-message.js';
import type { PairMessage } from '../protocol/pair-message.js';
import type { TableMessage } from '../protocol/table-message.js';
import type { TrafficMessage } from '../protocol/traffic-message.js';
import type { RouterEntry, RouterId } from '../tables/model.js';
import type { RemoteIdentity } from '../wireguard/handshake.js';
import type { CipherName } from '../wireguard/primitives.js';
import { CipherChoice, type CipherPolicy } from './cipher-choice.js';
import { formatAddress, ipOf } from './endpoint.js';
import { heardNow, type LastHeard } from './last-heard.js';
import type { RouterStandings } from './link/authority.js';
import { Link, type LinkContext, type LinkEnd, type LinkListener } from './link/link.js';
import { kindOf } from './paths/path.js';
import { PeerEndpoint, type PeerEndpointContext, type PeerEndpointOwner } from './peer-endpoint.js';
import type { PeerState, TunnelEvent } from './peer-state.js';
import { type PeerVerdict, verdictOf } from './peer-verdict.js';
import type { DatagramAddress, PeerCounts } from './ports.js';
import { PeerSessions, type SessionsContext, type SessionsListener } from './sessions.js';

export interface PeerListener {
  up(peer: Peer): void;
  down(peer: Peer, reason: string): void;
  message(peer: Peer, message: DeliveredMessage): void;
  /** An authentic message of it has come by that connection. */
  authenticatedByStream(peer: Peer, stream: number): void;
  /** Packets up to this size can be sent to it. */
  mtuFound(peer: Peer, innerBytes: number): void;
  event(event: TunnelEvent): void;
  /** What is to be remembered of it; perhaps the same as before. */
  heard(last: LastHeard): void;
}

export interface PeerContext extends SessionsContext, LinkContext, PeerEndpointContext {
  readonly ciphers: CipherPolicy;
  readonly routers: RouterStandings & {
    /** The name of the router with that number. */
    nameOf(peer: number): RouterId;
  };
}

export class Peer implements LinkListener, SessionsListener, PeerEndpointOwner {
  readonly id: RouterId;
  readonly number: number;
  readonly remote: RemoteIdentity;
  readonly sessions: PeerSessions;
  readonly endpoint: PeerEndpoint;
  readonly #context: PeerContext;
  readonly #owner: PeerListener;
  readonly #link: Link;
  /** Why it is not up, when that is more than "not yet". */
  #trouble = '';
  #refused = false;
  #timer: Timer | undefined;
  #last: LastHeard | undefined;
  #triedAfreshMs = Number.NEGATIVE_INFINITY;

  /** @param last what is remembered of it */
  constructor(
    number: number,
    entry: RouterEntry,
    remote: RemoteIdentity,
    context: PeerContext,
    owner: PeerListener,
    last?: LastHeard,
  ) {
    this.id = entry.id;
    this.number = number;
    this.remote = remote;
    this.#context = context;
    this.#owner = owner;
    this.#last = last;
    const choice = new CipherChoice(context.ciphers);
    this.endpoint = new PeerEndpoint(number, entry, context, this);
    this.sessions = new PeerSessions(number, remote, this.endpoint, context, this, choice);
    this.#link = new Link(number, entry.id, context, this, this.endpoint);
  }

  get isUp(): boolean {
    return this.#link.state === 'up';
  }

  get rttMs(): number | undefined {
    return this.#link.pings.rtt.rttMs;
  }

  get coordinate(): Coordinate | undefined {
    return this.#link.pings.coordinate;
  }

  get hasSession(): boolean {
    return this.sessions.hasCurrent;
  }

  /** It does not talk to this router, or this one not to it. */
  get isRefused(): boolean {
    return this.#refused;
  }

  /** Calls in vain in a row. */
  get tries(): number {
    return this.sessions.tries;
  }

  /** Largest inner packet that it takes; 0 before it has said. */
  get innerMtuBytes(): number {
    return this.#link.hello?.innerMtuBytes ?? 0;
  }

  /** We are in direct contact with it: it can say where it sees others, and pass messages on if it is a relay. */
  get canIntroduce(): boolean {
    return this.isUp && this.endpoint.isDirect;
  }

  start(): void {
    const last = this.#last;
    if (last?.hasSession === true) this.endpoint.heardBefore({ address: last.address, port: last.port });
    this.sessions.connect('now');
  }

  /** See `Link.say`. */
  say(message: IntroductionMessage | PairMessage | NetworkMessage | TrafficMessage): void {
    this.#link.say(message);
  }

  /** Its entry in the GNDT is another one, with the same key. Sessions go on; a vain attempt starts afresh. */
  configure(entry: RouterEntry): void {
    if (this.endpoint.configure(entry)) this.sessions.restart();
  }

  /**
   * One of its names means something else. A resolver whose answers never rest must not make more calls of it than one whose
   * answers do: quick tries begin anew once in `rekeyTimeoutMs` times the number of them.
   */
  nameResolved(): void {
    if (!this.endpoint.nameResolved() || this.hasSession || this.#refused) return;
    this.sessions.connect('now');
    const { ports, times } = this.#context;
    const nowMs = ports.clock.nowMs();
    if (nowMs - this.#triedAfreshMs < times.rekeyTimeoutMs * (times.firstRetriesMs.length + 1)) return;
    this.#triedAfreshMs = nowMs;
    this.sessions.tryAfresh();
  }

  /** See `Link.pingNow`. */
  ping(answered: (rttMs: number) => void): boolean {
    return this.#link.pingNow(answered);
  }

  /** What this router says of itself has changed. */
  greetAgain(): void {
    this.#link.greetAgain();
  }

  /** It asked for a session with another cipher than ours: there will be none until one of the files changes. */
  cipherDiffers(its: CipherName): void {
    const reason = `its gndt.json says cipher ${its}, this router's says ${this.#context.ciphers.setting}`;
    if (this.isUp || this.#trouble === reason) return;
    this.#trouble = reason;
    this.#owner.event({ event: 'peer_refused', router: this.id, reason });
  }

  /** Says Bye and forgets all keys. No callback comes of it. */
  stop(reason: string): void {
    this.#timer?.cancel();
    this.endpoint.down();
    this.#link.stop(reason);
    this.sessions.drop();
    this.#context.ports.removePeer(this.number);
  }

  /** An authenticated control message from it. */
  controlReceived(payload: Uint8Array, source?: DatagramAddress): void {
    this.#link.received(payload, source);
  }

  send(message: TableMessage | MembershipMessage): boolean {
    return this.#link.send(message);
  }

  get state(): PeerState {
    const { hello } = this.#link;
    const endpoint = this.sessions.endpoint;
    const address = endpoint && ipOf(endpoint.address);
    const relay = endpoint?.relay;
    const ours = this.#context.self.hello.gndtDigest;
    return {
      id: this.id,
      peer: this.number,
      ...this.#verdict(),
      transport: endpoint === undefined ? 'none' : kindOf(endpoint),
      endpoint: endpoint && address && { address, port: endpoint.port },
      cipher: this.sessions.cipher.inUse,
      cipherReason: this.sessions.cipher.reason,
      names: this.endpoint.names.flatMap((name) => this.#context.book.stateOf(name) ?? []),
      nameInUse: this.endpoint.nameInUse,
      relay: relay === undefined ? undefined : this.#context.routers.nameOf(relay),
      pathMtuBytes: this.isUp ? this.endpoint.mtuBytes : undefined,
      lossPercent: this.isUp ? this.#link.pings.lossPercent : undefined,
      lastHandshakeWallMs: this.sessions.lastHandshakeWallMs,
      rttMs: this.rttMs,
      coordinate: this.coordinate,
      version: hello?.version,
      capabilities: hello?.capabilities ?? [],
      innerMtuBytes: this.innerMtuBytes,
      sameGndt: hello && Buffer.compare(hello.gndtDigest, ours) === 0,
      clockOffsetMs: this.#link.pings.clockOffsetMs,
      pendingMessages: this.#link.pendingMessages,
      counts: this.#context.ports.peerStats?.(this.number),
    };
  }

  // What the sessions tell.

  sessionReady(rttMs: number): void {
    this.#timer?.cancel();
    if (!this.isUp) this.endpoint.begun();
    this.#link.sessionReady(rttMs);
  }

  cipherChanged(): void {
    const { inUse = 'none', reason } = this.sessions.cipher;
    this.#owner.event({ event: 'peer_cipher', router: this.id, cipher: inUse, reason });
  }

  rekeyDue(): void {
    this.sessions.connect('now');
  }

  sessionLost(reason: string): void {
    this.#link.lost(reason);
  }

  unanswered(): void {
    this.#owner.event({ event: 'peer_unanswered', router: this.id, reason: this.#verdict().reason });
  }

  // What the link tells.

  up(hello: HelloMessage): void {
    this.endpoint.up();
    this.#trouble = '';
    this.#refused = false;
    this.#owner.event({
      event: 'peer_up',
      router: this.id,
      endpoint: this.#endpointText,
      version: hello.version,
      rttMs: this.rttMs,
    });
    this.sessions.greeted(hello.capabilities);
    this.#tellIfGndtDiffers(hello);
    this.#owner.up(this);
  }

  changed(hello: HelloMessage, before: HelloMessage): void {
    this.sessions.greeted(hello.capabilities);
    if (Buffer.compare(hello.gndtDigest, before.gndtDigest) !== 0) this.#tellIfGndtDiffers(hello);
  }

  down(reason: string): void {
    this.endpoint.down();
    this.#owner.event({ event: 'peer_down', router: this.id, reason });
    this.#owner.down(this, reason);
  }

  counted(counts: PeerCounts): void {
    this.endpoint.counted(counts);
    this.sessions.checkCounter(counts.currentCounter);
    this.#remember();
  }

  /** Where it is to be called after a restart, if nothing else says so. */
  #remember(): void {
    const { lastUs } = this.#context.timestamps;
    const last = heardNow(this.#last, this.remote.publicKey, this.endpoint.unlistedAddress, lastUs);
    if (last === undefined) return;
    this.#last = last;
    this.#owner.heard(this.#last);
  }

  message(message: DeliveredMessage): void {
    this.#owner.message(this, message);
  }

  ended(how: LinkEnd, reason: string): void {
    this.#trouble = reason;
    if (how === 'refused') {
      this.#refusalEnded(reason);
      return;
    }
    this.#refused = false;
    this.#timer?.cancel();
    this.sessions.drop();
    this.sessions.connect(how === 'bye' ? 'later' : 'now');
  }

  /** The session stays for a moment, so that the peer surely hears why; then it is tried again, rarely. */
  #refusalEnded(reason: string): void {
    const { ports, times } = this.#context;
    if (!this.#refused) this.#owner.event({ event: 'peer_refused', router: this.id, reason });
    this.#refused = true;
    this.#timer?.cancel();
    this.#timer = ports.clock.after('refusal-linger', times.refusalLingerMs, () => {
      this.sessions.drop();
      this.#timer = ports.clock.after('refused-retry', times.refusedRetryMs, () =>
        this.sessions.connect('now'),
      );
    });
  }

  // What the paths want and tell.

  call(isNew: boolean): void {
    if (this.#refused || this.hasSession) return;
    this.sessions.connect('now');
    if (isNew) this.sessions.hasten();
  }

  tryPath(path: DatagramAddress): void {
    this.#link.probe('path', { to: path });
  }

  trySize(lengthBytes: number): boolean {
    return this.#link.probe('size', { lengthBytes });
  }

  pingEarly(): void {
    this.#link.pingNow();
  }

  pathChanged(path: DatagramAddress, reason: string): void {
    if (!this.isUp) return;
    this.endpoint.up();
    this.#owner.event({ event: 'peer_path', router: this.id, path: this.#textOf(path), reason });
  }

  mtuFound(innerBytes: number): void {
    this.#owner.mtuFound(this, innerBytes);
  }

  authenticatedByStream(stream: number): void {
    this.#owner.authenticatedByStream(this, stream);
  }

  streamFailed(reason: string): void {
    if (!this.isUp) this.#trouble = reason;
  }

  #tellIfGndtDiffers(hello: HelloMessage): void {
    if (Buffer.compare(hello.gndtDigest, this.#context.self.hello.gndtDigest) === 0) return;
    this.#owner.event({ event: 'peer_gndt_differs', router: this.id });
  }

  #verdict(): PeerVerdict {
    const { tries } = this.sessions;
    return verdictOf({
      isUp: this.isUp,
      isRefused: this.#refused,
      isGreeting: this.#link.state === 'greeting',
      trouble: this.#trouble,
      tries,
      noEndpoint: this.endpoint.noEndpoint,
      isCalled: this.sessions.endpoint !== undefined,
      calledAt: this.#endpointText,
      isEarly: tries <= this.#context.times.firstRetriesMs.length,
    });
  }

  get #endpointText(): string {
    const endpoint = this.sessions.endpoint;
    return endpoint === undefined ? 'nowhere' : this.#textOf(endpoint);
  }

  #textOf(path: DatagramAddress): string {
    if (path.relay !== undefined) return `relay ${this.#context.routers.nameOf(path.relay)}`;
    return `${path.stream === undefined ? '' : 'tcp '}${formatAddress(path)}`;
  }
}
