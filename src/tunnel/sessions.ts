/**
 * The sessions with one peer, and the handshakes that make them (WireGuard paper §6). Up to three sessions:
 *
 *   current   sends, and receives
 *   previous  receives what is still on the way (make before break)
 *   next      we are its responder: receives; becomes current with the first message that the peer sends in it
 *
 * At most one attempt to initiate is under way; it is repeated until some session becomes current. When both sides
 * initiate at once, the one with the smaller public key gives its attempt up as it answers the other's.
 */

import type { Timer } from '../net/clock.js';
import {
  KEY_BYTES,
  MIN_INITIATION_INTERVAL_MS,
  REKEY_AFTER_MESSAGES,
  TIMESTAMP_BYTES,
} from '../wireguard/constants.js';
import { CookieJar } from '../wireguard/cookie.js';
import {
  createInitiation,
  createResponse,
  type HandshakeDropReason,
  type HandshakeKeys,
  type Identity,
  type OpenedInitiation,
  openResponse,
  type RemoteIdentity,
} from '../wireguard/handshake.js';
import type { CookieMessage, ResponseMessage } from '../wireguard/messages.js';
import { isLater, type TimestampSource } from '../wireguard/tai64n.js';
import type { Attempt, Session } from './attempt.js';
import { CipherChoice } from './cipher-choice.js';
import type { Counters } from './counters.js';
import type { DatagramAddress, TunnelPorts } from './ports.js';
import type { SessionIndexes } from './session-index.js';
import { responderRekeyMs, type TunnelTimes } from './times.js';

export interface SessionsContext {
  readonly identity: Identity;
  readonly ports: TunnelPorts;
  readonly times: TunnelTimes;
  readonly indexes: SessionIndexes<PeerSessions>;
  readonly timestamps: TimestampSource;
  /** Uniform in [0, 1). */
  chance(): number;
  readonly counters: Counters;
}

export interface SessionsListener {
  /** A session has become current; the round trip of its handshake, and who began it. */
  sessionReady(rttMs: number, role: Session['role']): void;
  /** The current session should be replaced by now. */
  rekeyDue(): void;
  /** The current session is gone, and there is no other. */
  sessionLost(reason: string): void;
  /** Sessions use another cipher than before, or handshakes with the agreed one are given up for now. */
  cipherChanged?(): void;
  /** Nobody has answered for `rekeyAttemptMs`. */
  unanswered(): void;
}

export type SessionDropReason = HandshakeDropReason | 'replayed' | 'too-frequent' | 'no-handshake';

/** Where handshake messages go, and who is told where they come from. */
export interface HandshakePaths {
  /** The one to try first comes first. */
  candidates(): readonly DatagramAddress[];
  /** An initiation of the peer, which nobody had sent before, has come from there. */
  called(source: DatagramAddress): void;
  /** The peer has answered from there. */
  adopt(source: DatagramAddress): void;
}

/** Not sooner after the last call than this: an answer may be on its way. */
const HASTE_MS = 100;
/** From the greeting in a session to the handshake that changes its cipher: the peer answers one every 20 ms at most. */
const CHANGE_AFTER_MS = 100;

export class PeerSessions {
  readonly #peer: number;
  readonly #paths: HandshakePaths;
  readonly #context: SessionsContext;
  readonly #listener: SessionsListener;
  #current: Session | undefined;
  #previous: Session | undefined;
  #next: Session | undefined;
  #attempt: Attempt | undefined;
  #rekeyTimer: Timer | undefined;
  #greatestTimestamp = new Uint8Array(TIMESTAMP_BYTES);
  #lastInitiationMs = Number.NEGATIVE_INFINITY;
  #handshakeWallMs: number | undefined;
  readonly #jar: CookieJar;

  constructor(
    peer: number,
    readonly remote: RemoteIdentity,
    paths: HandshakePaths,
    context: SessionsContext,
    listener: SessionsListener,
    readonly cipher = new CipherChoice({ setting: context.identity.cipher, fastAes: false }),
  ) {
    this.#peer = peer;
    this.#paths = paths;
    this.#context = context;
    this.#listener = listener;
    this.#jar = new CookieJar(remote.cookieKey);
  }

  get hasCurrent(): boolean {
    return this.#current !== undefined;
  }

  get lastHandshakeWallMs(): number | undefined {
    return this.#handshakeWallMs;
  }

  /** Initiations sent in vain in a row. */
  get tries(): number {
    return this.#attempt?.tries ?? 0;
  }

  /** The endpoint in use, or the one that is tried first. */
  get endpoint(): DatagramAddress | undefined {
    return this.#paths.candidates()[0];
  }

  /** Initiates, and goes on until a session is current. `later`: the peer has just stopped, so give it time. */
  connect(pace: 'now' | 'later'): void {
    if (this.#attempt !== undefined) this.#attempt.purpose = 'renewal';
    const attempt = this.#begin('renewal');
    if (attempt === undefined) return;
    if (pace === 'now') this.#initiate(attempt);
    else this.#retryIn(attempt, this.#context.times.rekeyTimeoutMs);
  }

  /** The peer has said in the current session what it is able to. */
  greeted(capabilities: readonly string[]): void {
    if (this.cipher.greeted(capabilities)) this.#listener.cipherChanged?.();
    const attempt = this.cipher.isChangeDue ? this.#begin('change') : undefined;
    if (attempt !== undefined) this.#retryIn(attempt, CHANGE_AFTER_MS);
  }

  /** Undefined: there is one already, or no way to the peer. */
  #begin(purpose: Attempt['purpose']): Attempt | undefined {
    if (this.#attempt !== undefined || this.#paths.candidates().length === 0) return undefined;
    const counts = { waitedMs: 0, tries: 0, sentMs: 0, told: false };
    this.#attempt = { ...counts, purpose, state: undefined, timer: undefined };
    return this.#attempt;
  }

  /** A new way to it is known: calls now, if it is being called in vain. */
  hasten(): void {
    const attempt = this.#attempt;
    if (attempt === undefined || this.#current !== undefined) return;
    if (this.#context.ports.clock.nowMs() - attempt.sentMs >= HASTE_MS) this.#initiate(attempt);
  }

  /** There are other ways to it: what is established stays, an attempt without a session begins anew. */
  restart(): void {
    if (this.#current !== undefined) return;
    this.#endAttempt();
    this.connect('now');
  }

  /** It may be elsewhere: quick tries begin again, what it was waited for in vain stays. Nothing while there is a session. */
  tryAfresh(): void {
    const attempt = this.#attempt;
    if (this.#current !== undefined) return;
    if (attempt === undefined) {
      this.connect('now');
      return;
    }
    attempt.tries = 0;
    this.#initiate(attempt);
  }

  /** An initiation from this peer that decrypts. Answers it, unless there is a reason not to. */
  initiationOpened<Peer>(
    opened: OpenedInitiation<Peer>,
    source: DatagramAddress,
  ): SessionDropReason | undefined {
    const { ports, indexes } = this.#context;
    const nowMs = ports.clock.nowMs();
    if (!isLater(opened.timestamp, this.#greatestTimestamp)) return 'replayed';
    if (nowMs - this.#lastInitiationMs < MIN_INITIATION_INTERVAL_MS) return 'too-frequent';
    this.#greatestTimestamp = Uint8Array.from(opened.timestamp);
    this.#lastInitiationMs = nowMs;
    this.#yieldToPeer();
    const localIndex = indexes.allocate(this);
    const response = createResponse(opened.state, this.remote, {
      ephemeral: ports.random(KEY_BYTES),
      localIndex,
      cookie: this.#jar.fresh(nowMs),
    });
    if (typeof response === 'string') {
      indexes.free(localIndex);
      return response;
    }
    this.#jar.sent(localIndex, response.bytes);
    this.#remove(this.#next);
    this.#next = this.#install(response.keys, 'responder', nowMs);
    this.#paths.called(source);
    if (!ports.sendDatagram(source, response.bytes, this.#peer)) {
      this.#context.counters.add('handshake_send_failed');
    }
    this.#context.counters.add('handshake_responses_sent');
    return undefined;
  }

  /** A response to one of our initiations, mac1 checked. */
  responseReceived(message: ResponseMessage, source: DatagramAddress): SessionDropReason | undefined {
    const { identity, ports } = this.#context;
    const attempt = this.#attempt;
    if (attempt?.state === undefined || attempt.state.localIndex !== message.receiver) return 'no-handshake';
    const keys = openResponse(identity, this.remote, attempt.state, message);
    if (typeof keys === 'string') return keys;
    // The index passes from the handshake to the session.
    attempt.state = undefined;
    const session = this.#install(keys, 'initiator', attempt.sentMs);
    this.#paths.adopt(source);
    this.#promote(session, ports.clock.nowMs() - attempt.sentMs);
    return undefined;
  }

  /** The peer is under load. Its cookie goes into the next message: the retry, or the answer to the peer's. */
  cookieReceived(message: CookieMessage): SessionDropReason | undefined {
    return this.#jar.received(message, this.#context.ports.clock.nowMs());
  }

  /** The peer has sent an authenticated message in this session. Harmless when it is not `next`. */
  confirmed(localIndex: number): void {
    if (this.#next?.localIndex !== localIndex) return;
    const session = this.#next;
    this.#next = undefined;
    this.#promote(session, this.#context.ports.clock.nowMs() - session.sentMs);
  }

  /** @param sealed messages sealed in the current session */
  checkCounter(sealed: number): void {
    if (sealed >= REKEY_AFTER_MESSAGES) this.connect('now');
  }

  /** Ends the attempt to initiate, if there is one; sessions stay. */
  giveUp(): void {
    this.#endAttempt();
  }

  /** Removes all sessions and gives up any attempt. */
  drop(): void {
    this.#endAttempt();
    this.#rekeyTimer?.cancel();
    for (const session of [this.#current, this.#previous, this.#next]) this.#remove(session);
    this.#current = this.#previous = this.#next = undefined;
    this.cipher.ended();
  }

  #install(keys: HandshakeKeys, role: Session['role'], sentMs: number): Session {
    const { ports, times } = this.#context;
    ports.installSession(this.#peer, keys);
    keys.sendKey.fill(0);
    keys.receiveKey.fill(0);
    const { localIndex, cipher } = keys;
    const expiry = ports.clock.after('session-expiry', times.rejectAfterMs, () => this.#expire(localIndex));
    return { localIndex, role, cipher, sentMs, expiry };
  }

  #promote(session: Session, rttMs: number): void {
    const { ports, times, chance } = this.#context;
    this.#endAttempt();
    this.#remove(this.#previous);
    this.#previous = this.#current;
    this.#current = session;
    this.#handshakeWallMs = ports.clock.wallMs();
    this.cipher.established(session.cipher, session.role);
    ports.setCurrentSession(this.#peer, session.localIndex);
    const rekeyMs = session.role === 'initiator' ? times.rekeyAfterMs : responderRekeyMs(times);
    this.#rekeyTimer?.cancel();
    this.#rekeyTimer = ports.clock.after('session-rekey', rekeyMs + chance() * times.retryJitterMs, () =>
      this.#listener.rekeyDue(),
    );
    this.#context.counters.add('sessions_established');
    this.#listener.sessionReady(rttMs, session.role);
  }

  #expire(localIndex: number): void {
    if (this.#previous?.localIndex === localIndex) {
      this.#remove(this.#previous);
      this.#previous = undefined;
    } else if (this.#next?.localIndex === localIndex) {
      this.#remove(this.#next);
      this.#next = undefined;
    } else if (this.#current?.localIndex === localIndex) {
      this.#remove(this.#current);
      this.#current = undefined;
      this.cipher.ended();
      this.#listener.sessionLost('the session ran out and could not be renewed');
    }
  }

  #remove(session: Session | undefined): void {
    if (session === undefined) return;
    session.expiry.cancel();
    this.#context.ports.removeSession(session.localIndex);
    this.#context.indexes.free(session.localIndex);
  }

  #initiate(attempt: Attempt): void {
    const { identity, ports, times, indexes, timestamps } = this.#context;
    this.#forgetState(attempt);
    const endpoints = this.#paths.candidates();
    const endpoint = endpoints[attempt.tries % endpoints.length];
    if (endpoint === undefined) {
      // A relay may come up, an address be told: the attempt must still be there then.
      this.#retryIn(attempt, times.rekeyTimeoutMs);
      return;
    }
    const cipher = this.#cipherFor(attempt);
    if (cipher === undefined) {
      this.#endAttempt();
      return;
    }
    const localIndex = indexes.allocate(this);
    const initiation = createInitiation({ ...identity, cipher }, this.remote, {
      ephemeral: ports.random(KEY_BYTES),
      localIndex,
      timestamp: timestamps.next(),
      cookie: this.#jar.fresh(ports.clock.nowMs()),
    });
    if (typeof initiation === 'string') {
      indexes.free(localIndex);
      this.#context.counters.add(`handshake_failed_${initiation}`);
    } else {
      this.#jar.sent(localIndex, initiation.bytes);
      attempt.state = initiation.state;
      attempt.sentMs = ports.clock.nowMs();
      const sent = ports.sendDatagram(endpoint, initiation.bytes, this.#peer);
      this.#context.counters.add(sent ? 'handshake_initiations_sent' : 'handshake_send_failed');
    }
    attempt.tries++;
    this.#tellWhenUnanswered(attempt);
    if (this.#attempt !== attempt) return; // given up
    this.#retryIn(attempt, this.#retryDelayMs(attempt));
  }

  #cipherFor({ purpose, tries }: Attempt): Identity['cipher'] | undefined {
    const wasUnanswered = this.cipher.isUnanswered;
    const cipher = this.cipher.forHandshake(purpose, tries, this.#current !== undefined);
    if (this.cipher.isUnanswered && !wasUnanswered) this.#listener.cipherChanged?.();
    return cipher;
  }

  /** While a session is current there is no hurry. */
  #retryDelayMs(attempt: Attempt): number {
    const { times } = this.#context;
    const early = this.#current === undefined ? times.firstRetriesMs[attempt.tries - 1] : undefined;
    return early ?? times.rekeyTimeoutMs;
  }

  #retryIn(attempt: Attempt, delayMs: number): void {
    const { ports, times, chance } = this.#context;
    const waitMs = delayMs + chance() * Math.min(times.retryJitterMs, delayMs / 4);
    attempt.timer?.cancel();
    attempt.timer = ports.clock.after('handshake-retry', waitMs, () => {
      attempt.waitedMs += waitMs;
      this.#initiate(attempt);
    });
  }

  #tellWhenUnanswered(attempt: Attempt): void {
    if (attempt.told || attempt.waitedMs < this.#context.times.rekeyAttemptMs) return;
    attempt.told = true;
    this.#listener.unanswered();
  }

  /** The greater key's handshake goes on; ours would make a second session. It is taken up again if nothing comes. */
  #yieldToPeer(): void {
    const { identity, times } = this.#context;
    if (this.#attempt === undefined) return;
    if (Buffer.compare(identity.publicKey, this.remote.publicKey) > 0) return;
    this.#forgetState(this.#attempt);
    this.#retryIn(this.#attempt, times.rekeyTimeoutMs);
  }

  #endAttempt(): void {
    if (this.#attempt === undefined) return;
    this.#attempt.timer?.cancel();
    this.#forgetState(this.#attempt);
    this.#attempt = undefined;
  }

  #forgetState(attempt: Attempt): void {
    if (attempt.state === undefined) return;
    attempt.state.transcript.wipe();
    this.#context.indexes.free(attempt.state.localIndex);
    attempt.state = undefined;
  }
}
