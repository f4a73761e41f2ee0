/**
 * An ordinary WireGuard client: a peer with sessions and no control link. Its timers are the paper's (§6), which keep
 * silent when there is nothing to carry: a phone must not be woken every second.
 *
 *   data sent, session old, we began it                → initiate (§6.2)
 *   data received, session about to end, we began it   → initiate (§6.2)
 *   data sent, nothing heard for 15 s                  → initiate (§6.4: KEEPALIVE-TIMEOUT + REKEY-TIMEOUT)
 *   data received, nothing sent for 10 s               → empty message (§6.5)
 *   no session, data to send                           → initiate, at where it was heard last (§6.4)
 *   90 s without an answer                             → give up until there is data again (§6.4)
 *   it had a session with this router before the start → initiate, at where it was heard last
 *
 * The last is ours: whoever is called answers, and has a new session before its own timers would have made it ask.
 *
 * The packet engine counts; its counts are looked at once a second while there is a session, and not at all without.
 */
import type { Timer } from '../net/clock.js';
import type { Ip } from '../net/ip.js';
import type { OwnClient } from '../tables/clients.js';
import { TAG_BYTES } from '../wireguard/constants.js';
import type { RemoteIdentity } from '../wireguard/handshake.js';
import { TRANSPORT_HEADER_BYTES } from '../wireguard/messages.js';
import { ipOf } from './endpoint.js';
import { isLasting, type LastHeard, sameAddress } from './last-heard.js';
import { FollowedPath } from './paths/followed-path.js';
import type { PeerCounts } from './ports.js';
import { PeerSessions, type SessionsContext, type SessionsListener } from './sessions.js';

/** A keep-alive's length: what is counted beyond these bytes a message is data. */
const EMPTY_MESSAGE_BYTES = TRANSPORT_HEADER_BYTES + TAG_BYTES;
const NOTHING = new Uint8Array(0);
const TICK_MS = 1_000;

export interface ClientState {
  readonly client: OwnClient;
  /** It has a session. */
  readonly connected: boolean;
  readonly endpoint: { readonly address: Ip; readonly port: number } | undefined;
  readonly lastHandshakeWallMs: number | undefined;
  readonly counts: PeerCounts | undefined;
  /** Calls in vain in a row, while it is being called. */
  readonly calls: number;
}

export interface ClientListener {
  /** It has a session, or has none any more. */
  connected(client: OwnClient, isConnected: boolean): void;
  /** What is to be remembered of it; perhaps the same as before. */
  heard(last: LastHeard): void;
  /** What came of `call`. */
  callEnded(client: Client, isAnswered: boolean): void;
  stopped(client: Client): void;
}

interface Seen {
  readonly dataSent: number;
  readonly dataReceived: number;
  readonly packetsReceived: number;
}

export class Client implements SessionsListener {
  readonly #context: SessionsContext;
  readonly #listener: ClientListener;
  readonly sessions: PeerSessions;
  readonly #path: FollowedPath;
  #last: LastHeard | undefined;
  #isCalled = false;
  #tick: Timer | undefined;
  #began: 'initiator' | 'responder' = 'responder';
  #readySinceMs = 0;
  #seen: Seen = { dataSent: 0, dataReceived: 0, packetsReceived: 0 };
  /** When data was sent that nothing has been heard after; when data was received that nothing was sent after. */
  #unansweredSinceMs: number | undefined;
  #owedSinceMs: number | undefined;

  /** @param last what is remembered of it */
  constructor(
    readonly client: OwnClient,
    readonly remote: RemoteIdentity,
    context: SessionsContext,
    listener: ClientListener,
    last?: LastHeard,
  ) {
    this.#context = context;
    this.#listener = listener;
    this.#last = last;
    const heard = last && { address: last.address, port: last.port };
    this.#path = new FollowedPath(client.peer, context.ports, heard);
    this.sessions = new PeerSessions(client.peer, remote, this.#path, context, this);
  }

  /** It has had a session that is not there any more, and may not know. */
  get mayHoldSession(): boolean {
    return this.#last?.hasSession === true && !this.sessions.hasCurrent;
  }

  get state(): ClientState {
    const { endpoint } = this.sessions;
    const address = endpoint && ipOf(endpoint.address);
    return {
      client: this.client,
      connected: this.sessions.hasCurrent,
      endpoint: endpoint && address && { address, port: endpoint.port },
      lastHandshakeWallMs: this.sessions.lastHandshakeWallMs,
      counts: this.#context.ports.peerStats?.(this.client.peer),
      calls: this.sessions.hasCurrent ? 0 : this.sessions.tries,
    };
  }

  /** There is data for it and no session. Nothing happens when it has never been heard of. */
  wanted(): void {
    if (!this.sessions.hasCurrent) this.sessions.connect('now');
  }

  /** Until it has a session, 90 s at most. */
  call(): void {
    if (this.sessions.hasCurrent) this.#listener.callEnded(this, true);
    else {
      this.#isCalled = true;
      this.sessions.connect('now');
    }
  }

  /** Nothing is told of it any more but that it is not called. */
  stop(): void {
    this.#tick?.cancel();
    this.#isCalled = false;
    this.#listener.stopped(this);
    this.sessions.drop();
    this.#context.ports.removePeer(this.client.peer);
  }

  // What the sessions tell.

  sessionReady(_rttMs: number, role: 'initiator' | 'responder'): void {
    const { ports } = this.#context;
    if (role === 'responder') this.#path.confirmed();
    this.#began = role;
    this.#readySinceMs = ports.clock.nowMs();
    this.#unansweredSinceMs = this.#owedSinceMs = undefined;
    const counts = ports.peerStats?.(this.client.peer);
    if (counts !== undefined) this.#seen = seenOf(counts);
    // §5.4.6: the first message of the initiator confirms the session; there may be no data yet.
    if (role === 'initiator') ports.sealAndSend(this.client.peer, NOTHING);
    this.#arm();
    this.#listener.connected(this.client, true);
    this.#remember(true);
    this.#callEnded(true);
  }

  sessionLost(): void {
    this.#tick?.cancel();
    this.#listener.connected(this.client, false);
    this.#remember(false);
  }

  /** Only when there is something to carry: see `watch`. */
  rekeyDue(): void {}

  unanswered(): void {
    this.sessions.giveUp();
    this.#remember(this.sessions.hasCurrent);
    this.#callEnded(false);
  }

  #callEnded(isAnswered: boolean): void {
    if (!this.#isCalled) return;
    this.#isCalled = false;
    this.#listener.callEnded(this, isAnswered);
  }

  #remember(hasSession: boolean): void {
    const { endpoint } = this.sessions;
    const where = endpoint !== undefined && isLasting(endpoint) ? endpoint : undefined;
    const { address, port } = where ?? this.#last ?? {};
    if (address === undefined || port === undefined) return;
    this.#last = {
      publicKey: this.remote.publicKey,
      address: Uint8Array.from(address),
      port,
      hasSession: hasSession && where !== undefined,
      stampUs: Math.max(this.#context.timestamps.lastUs, this.#last?.stampUs ?? 0),
    };
    this.#listener.heard(this.#last);
  }

  /** It may have roamed: the packet engine follows it without a word. */
  #rememberMove(): void {
    const { endpoint } = this.sessions;
    if (endpoint === undefined || !isLasting(endpoint)) return;
    if (this.#last === undefined || !sameAddress(this.#last, endpoint)) this.#remember(true);
  }

  #arm(): void {
    this.#tick?.cancel();
    const everyMs = Math.min(TICK_MS, this.#context.times.keepaliveMs / 4);
    this.#tick = this.#context.ports.clock.after('client-tick', everyMs, () => {
      this.#arm();
      this.#watch();
    });
  }

  #watch(): void {
    const { ports, times } = this.#context;
    const counts = ports.peerStats?.(this.client.peer);
    if (counts === undefined) return;
    const nowMs = ports.clock.nowMs();
    const now = seenOf(counts);
    const sent = now.dataSent > this.#seen.dataSent;
    const received = now.dataReceived > this.#seen.dataReceived;
    if (now.packetsReceived > this.#seen.packetsReceived) this.#unansweredSinceMs = undefined;
    else if (sent) this.#unansweredSinceMs ??= nowMs;
    this.#seen = now;
    this.#rememberMove();
    this.#keepAlive(counts, received, nowMs);
    const ageMs = nowMs - this.#readySinceMs;
    const silentMs = this.#unansweredSinceMs === undefined ? 0 : nowMs - this.#unansweredSinceMs;
    const isOld = this.#began === 'initiator' && sent && ageMs >= times.rekeyAfterMs;
    const isLast =
      this.#began === 'initiator' &&
      received &&
      ageMs >= times.rejectAfterMs - times.keepaliveMs - times.rekeyTimeoutMs;
    if (isOld || isLast || silentMs >= times.keepaliveMs + times.rekeyTimeoutMs) this.sessions.connect('now');
    this.sessions.checkCounter(counts.currentCounter);
  }

  #keepAlive({ lastSentMs, lastReceivedMs }: PeerCounts, received: boolean, nowMs: number): void {
    if (lastSentMs >= lastReceivedMs) this.#owedSinceMs = undefined;
    else if (received) this.#owedSinceMs ??= nowMs;
    if (this.#owedSinceMs === undefined || nowMs - this.#owedSinceMs < this.#context.times.keepaliveMs)
      return;
    this.#owedSinceMs = undefined;
    this.#context.ports.sealAndSend(this.client.peer, NOTHING);
  }
}

function seenOf(counts: PeerCounts): Seen {
  return {
    dataSent: counts.bytesSent - EMPTY_MESSAGE_BYTES * counts.packetsSent,
    dataReceived: counts.bytesReceived - EMPTY_MESSAGE_BYTES * counts.packetsReceived,
    packetsReceived: counts.packetsReceived,
  };
}
