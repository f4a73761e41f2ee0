/** The session registry of the fake addon: as the real one behaves, without its care for speed. */
import type { SessionKeys } from '../../src/dataplane/engine.js';
import type { Address } from './fake-network.js';
import { openMessage, REJECT_AFTER_MESSAGES, readHeader, sealMessage } from './transport-message.js';

const MAX_PEERS = 4096;
const REJECT_AFTER_MS = 180_000;
const WINDOW = 32_704n;

export interface FakeEndpoint extends Address {
  readonly fd: number;
  /** Then there is no address. */
  readonly relay?: number;
  /** Then `fd` means nothing. */
  readonly stream?: number;
}

const RELAY_FORWARD = [0x30, 0, 0, 0];

export interface FakeSession {
  readonly peer: number;
  readonly keys: SessionKeys;
  readonly installedMs: number;
  sent: bigint;
  highest: bigint;
  readonly seen: Set<bigint>;
  authenticatedOnce: boolean;
}

export class FakePeer {
  endpoint: FakeEndpoint | undefined;
  relayTag: Uint8Array = new Uint8Array(8);
  current: FakeSession | undefined;
  bytesSent = 0;
  bytesReceived = 0;
  packetsSent = 0;
  packetsReceived = 0;
  lastSentMs = 0;
  lastReceivedMs = 0;
}

export type Refusal =
  | 'messagesUnknownSession'
  | 'messagesExpired'
  | 'messagesReplayed'
  | 'messagesNotAuthentic';

export class FakeSessions {
  readonly #nowMs: () => number;
  readonly #peers = new Map<number, FakePeer>();
  readonly #sessions = new Map<number, FakeSession>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Throws a RangeError for numbers that no peer can have. */
  peer(index: number): FakePeer {
    if (!Number.isInteger(index) || index < 0 || index >= MAX_PEERS) throw new RangeError('peer');
    const peer = this.#peers.get(index) ?? new FakePeer();
    this.#peers.set(index, peer);
    return peer;
  }

  install(peer: number, keys: SessionKeys): void {
    this.peer(peer);
    if (this.#sessions.has(keys.localIndex)) throw new Error('the local session index is in use');
    const copy = { ...keys, sendKey: keys.sendKey.slice(), receiveKey: keys.receiveKey.slice() };
    const installedMs = this.#nowMs();
    const fresh = { sent: 0n, highest: -1n, seen: new Set<bigint>(), authenticatedOnce: false };
    this.#sessions.set(keys.localIndex, { peer, keys: copy, installedMs, ...fresh });
  }

  setCurrent(peer: number, localIndex: number): void {
    const session = this.#sessions.get(localIndex);
    if (session === undefined || session.peer !== peer) throw new Error('the peer has no such session');
    this.peer(peer).current = session;
  }

  remove(localIndex: number): void {
    const session = this.#sessions.get(localIndex);
    if (session === undefined) return;
    const peer = this.peer(session.peer);
    if (peer.current === session) peer.current = undefined;
    this.#sessions.delete(localIndex);
  }

  removePeer(index: number): void {
    for (const session of [...this.#sessions.values()]) {
      if (session.peer === index) this.remove(session.keys.localIndex);
    }
    this.#peers.delete(index);
  }

  forgetSocket(fd: number): void {
    for (const peer of this.#peers.values()) if (peer.endpoint?.fd === fd) peer.endpoint = undefined;
  }

  /** Undefined: nothing to seal with, or nowhere to send. */
  seal(
    index: number,
    payload: Uint8Array,
    path?: FakeEndpoint,
  ): { message: Uint8Array; to: FakeEndpoint } | undefined {
    const peer = index >= 0 && index < MAX_PEERS ? this.#peers.get(index) : undefined;
    const session = peer?.current;
    const to = path ?? peer?.endpoint;
    if (peer === undefined || session === undefined || to === undefined) return undefined;
    if (this.#refuses(session, session.sent)) return undefined;
    const { cipher, sendKey, remoteIndex } = session.keys;
    const message = sealMessage(cipher, sendKey, remoteIndex, session.sent, payload);
    session.sent += 1n;
    if (to.relay === undefined) return { message, to };
    const relay = this.#peers.get(to.relay);
    if (relay === undefined || relay === peer || relay.endpoint?.relay !== undefined) return undefined;
    return this.seal(to.relay, Buffer.concat([Uint8Array.from(RELAY_FORWARD), peer.relayTag, message]));
  }

  noteSent(index: number, bytes: number): void {
    const peer = this.peer(index);
    peer.bytesSent += bytes;
    peer.packetsSent += 1;
    peer.lastSentMs = this.#nowMs();
  }

  open(message: Uint8Array): { session: FakeSession; payload: Uint8Array } | Refusal {
    const header = readHeader(message);
    const session = header === undefined ? undefined : this.#sessions.get(header.receiver);
    if (header === undefined || session === undefined) return 'messagesUnknownSession';
    const { counter } = header;
    if (this.#refuses(session, counter)) return 'messagesExpired';
    if (session.seen.has(counter) || counter + WINDOW <= session.highest) return 'messagesReplayed';
    const payload = openMessage(session.keys.cipher, session.keys.receiveKey, message);
    if (payload === undefined) return 'messagesNotAuthentic';
    session.seen.add(counter);
    if (counter > session.highest) session.highest = counter;
    this.#noteReceived(session.peer, message.length);
    return { session, payload };
  }

  #noteReceived(index: number, bytes: number): void {
    const peer = this.peer(index);
    peer.bytesReceived += bytes;
    peer.packetsReceived += 1;
    peer.lastReceivedMs = this.#nowMs();
  }

  #refuses(session: FakeSession, counter: bigint): boolean {
    return counter >= REJECT_AFTER_MESSAGES || this.#nowMs() - session.installedMs >= REJECT_AFTER_MS;
  }
}
