/** One other router: its sessions and its control link, and how each one's end affects the other. */
import type { Timer } from '../net/clock.js';
import type { Ip } from '../net/ip.js';
import type { TableMessage } from '../tables/message.js';
import type { RouterEntry, RouterId } from '../tables/model.js';
import type { HelloMessage } from './control-message.js';
import { formatAddress, ipOf, udpEndpoints, withoutEndpointReason } from './endpoint.js';
import type { RemoteIdentity } from './handshake.js';
import { Link, type LinkContext, type LinkEnd, type LinkListener } from './link.js';
import type { PeerCounts } from './ports.js';
import type { CipherName } from './primitives.js';
import { PeerSessions, type SessionsContext, type SessionsListener } from './sessions.js';

/** What `vinectl peers` shows. */
export interface PeerState {
  readonly id: RouterId;
  /** Its number in the data plane. */
  readonly peer: number;
  readonly state: 'up' | 'connecting' | 'down' | 'refused';
  /** Why it is not up; empty when it is. */
  readonly reason: string;
  readonly transport: 'udp' | 'tcp' | 'none';
  readonly endpoint: { readonly address: Ip; readonly port: number } | undefined;
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
  /** Its gndt.json is not ours. */
  | { readonly event: 'peer_gndt_differs'; readonly router: RouterId };

export interface PeerListener {
  up(peer: Peer): void;
  down(peer: Peer, reason: string): void;
  message(peer: Peer, message: TableMessage): void;
  event(event: TunnelEvent): void;
}

export type PeerContext = SessionsContext & LinkContext;

export class Peer implements LinkListener, SessionsListener {
  readonly id: RouterId;
  readonly sessions: PeerSessions;
  private readonly link: Link;
  private noEndpoint: string;
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
    this.noEndpoint = withoutEndpointReason(entry.endpoints);
    this.sessions = new PeerSessions(number, remote, udpEndpoints(entry.endpoints), context, this);
    this.link = new Link(number, entry.id, context, this);
  }

  get isUp(): boolean {
    return this.link.state === 'up';
  }

  get rttMs(): number | undefined {
    return this.link.rtt.rttMs;
  }

  start(): void {
    this.sessions.connect('now');
  }

  /** Its entry in the GNDT is another one, with the same key. Sessions go on; a vain attempt starts afresh. */
  configure(entry: RouterEntry): void {
    this.noEndpoint = withoutEndpointReason(entry.endpoints);
    this.sessions.configure(udpEndpoints(entry.endpoints));
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
    this.link.stop(reason);
    this.sessions.drop();
    this.context.ports.removePeer(this.number);
  }

  /** An authenticated control message from it. */
  controlReceived(payload: Uint8Array): void {
    this.link.received(payload);
  }

  send(message: TableMessage): boolean {
    return this.link.send(message);
  }

  get state(): PeerState {
    const { hello } = this.link;
    const endpoint = this.sessions.endpoint;
    const address = endpoint && ipOf(endpoint.address);
    const ours = this.context.hello().gndtDigest;
    return {
      id: this.id,
      peer: this.number,
      ...this.verdict(),
      transport: endpoint === undefined ? 'none' : 'udp',
      endpoint: endpoint && address && { address, port: endpoint.port },
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
    this.owner.event({ event: 'peer_down', router: this.id, reason });
    this.owner.down(this, reason);
  }

  counted(counts: PeerCounts): void {
    this.sessions.checkCounter(counts.currentCounter);
  }

  message(message: TableMessage): void {
    this.owner.message(this, message);
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
    return endpoint === undefined ? 'nowhere' : formatAddress(endpoint);
  }
}
