/**
 * The WireGuard handshake (paper §5.4) as functions: bytes and keys in, bytes and keys out. No I/O, no clock, no
 * randomness: ephemeral keys, indexes and timestamps are handed in. After a failure nothing that was handed in has
 * changed, and the handshake may go on with another message.
 *
 *   initiator                                 responder
 *   createInitiation ── type 1 ──────────────▶ openInitiation
 *   openResponse     ◀────────────── type 2 ── createResponse
 */
import type { KeyObject } from 'node:crypto';
import { concat, copyOf } from './bytes.js';
import { KEY_BYTES, LABEL_COOKIE, LABEL_MAC1, MAC_BYTES } from './constants.js';
import {
  encodeHandshakeHead,
  type InitiationMessage,
  MessageType,
  type ResponseMessage,
} from './messages.js';
import { Transcript } from './noise.js';
import { type CipherName, dh, equalSecrets, hash, importPrivateKey, mac, publicKeyOf } from './primitives.js';

/** Who we are, prepared once. */
export interface Identity {
  readonly cipher: CipherName;
  readonly privateKey: KeyObject;
  readonly publicKey: Uint8Array;
  /** Hash(Label-Mac1 ‖ our public key): what mac1 of messages to us is keyed with. */
  readonly mac1Key: Uint8Array;
  /** Hash(Label-Cookie ‖ our public key): what cookies that we give are sealed with. */
  readonly cookieKey: Uint8Array;
}

/** What is known of the other side before the handshake, prepared once per peer. */
export interface RemoteIdentity {
  readonly publicKey: Uint8Array;
  readonly mac1Key: Uint8Array;
  readonly cookieKey: Uint8Array;
  /** DH(our static, their static). */
  readonly staticShared: Uint8Array;
  /** 32 bytes; zeros when none is configured. */
  readonly presharedKey: Uint8Array;
}

/** Keys of an established session, as the packet engine takes them. */
export interface HandshakeKeys {
  readonly localIndex: number;
  readonly remoteIndex: number;
  readonly sendKey: Uint8Array;
  readonly receiveKey: Uint8Array;
  readonly cipher: CipherName;
}

/** What the initiator keeps between its message and the answer. */
export interface InitiatorState {
  readonly localIndex: number;
  readonly ephemeral: KeyObject;
  readonly transcript: Transcript;
}

/** What the responder holds between reading the initiation and writing the response. */
export interface ResponderState {
  readonly remoteIndex: number;
  readonly remoteEphemeral: Uint8Array;
  readonly transcript: Transcript;
}

export interface OpenedInitiation<Peer> {
  readonly peer: Peer;
  /** TAI64N, 12 bytes. The caller drops the initiation unless it is later than the latest of that peer. */
  readonly timestamp: Uint8Array;
  readonly state: ResponderState;
}

export type HandshakeDropReason = 'bad-mac1' | 'zero-dh' | 'not-authentic' | 'unknown-key';

const encoder = new TextEncoder();
const EMPTY = new Uint8Array(0);

function labelledKeys(publicKey: Uint8Array): { mac1Key: Uint8Array; cookieKey: Uint8Array } {
  return {
    mac1Key: hash(encoder.encode(LABEL_MAC1), publicKey),
    cookieKey: hash(encoder.encode(LABEL_COOKIE), publicKey),
  };
}

/** Appends mac1, and mac2 with the cookie that the receiver has given; without one mac2 is zero (§5.4.4). */
function withMacs(head: Uint8Array, mac1Key: Uint8Array, cookie: Uint8Array | undefined): Uint8Array {
  const beforeMac2 = concat(head, mac(mac1Key, head));
  return concat(beforeMac2, cookie === undefined ? new Uint8Array(MAC_BYTES) : mac(cookie, beforeMac2));
}

/** @param privateKey 32 bytes; the caller may wipe them afterwards. */
export function createIdentity(cipher: CipherName, privateKey: Uint8Array): Identity {
  const key = importPrivateKey(privateKey);
  const publicKey = publicKeyOf(key);
  return { cipher, privateKey: key, publicKey, ...labelledKeys(publicKey) };
}

/** Undefined when the public key is of low order: no session with it can be secret. */
export function createRemoteIdentity(
  identity: Identity,
  publicKey: Uint8Array,
  presharedKey: Uint8Array = new Uint8Array(KEY_BYTES),
): RemoteIdentity | undefined {
  const staticShared = dh(identity.privateKey, publicKey);
  if (staticShared === undefined) return undefined;
  return { publicKey, ...labelledKeys(publicKey), staticShared, presharedKey };
}

/** First check on any handshake message: does the sender know our public key? Costs no DH. */
export function hasValidMac1(identity: Identity, message: InitiationMessage | ResponseMessage): boolean {
  return equalSecrets(mac(identity.mac1Key, message.beforeMac1), message.mac1);
}

/**
 * @param input.ephemeral 32 random bytes, used for this message only; wiped here.
 * @param input.cookie what the peer has given under load, if it has
 */
export function createInitiation(
  identity: Identity,
  remote: RemoteIdentity,
  input: {
    readonly ephemeral: Uint8Array;
    readonly localIndex: number;
    readonly timestamp: Uint8Array;
    readonly cookie?: Uint8Array | undefined;
  },
): { bytes: Uint8Array; state: InitiatorState } | HandshakeDropReason {
  const ephemeral = importPrivateKey(input.ephemeral);
  input.ephemeral.fill(0);
  const ephemeralPublic = publicKeyOf(ephemeral);
  const shared = dh(ephemeral, remote.publicKey);
  if (shared === undefined) return 'zero-dh';
  const transcript = Transcript.start(identity.cipher, remote.publicKey);
  transcript.mixKey(ephemeralPublic);
  transcript.mixHash(ephemeralPublic);
  const sealedStatic = transcript.seal(transcript.mixKeyForSeal(shared), identity.publicKey);
  shared.fill(0);
  const sealedTimestamp = transcript.seal(transcript.mixKeyForSeal(remote.staticShared), input.timestamp);
  const head = encodeHandshakeHead(
    MessageType.initiation,
    [input.localIndex],
    [ephemeralPublic, sealedStatic, sealedTimestamp],
  );
  const state = { localIndex: input.localIndex, ephemeral, transcript };
  return { bytes: withMacs(head, remote.mac1Key, input.cookie), state };
}

/**
 * Reads an initiation whose mac1 has been checked. `findPeer` gives the peer that owns a static public key: unknown
 * keys cost one DH and get nothing.
 */
export function openInitiation<Peer extends { readonly remote: RemoteIdentity }>(
  identity: Identity,
  message: InitiationMessage,
  findPeer: (publicKey: Uint8Array) => Peer | undefined,
): OpenedInitiation<Peer> | HandshakeDropReason {
  const transcript = Transcript.start(identity.cipher, identity.publicKey);
  transcript.mixKey(message.ephemeral);
  transcript.mixHash(message.ephemeral);
  const shared = dh(identity.privateKey, message.ephemeral);
  if (shared === undefined) return 'zero-dh';
  const remoteStatic = transcript.open(transcript.mixKeyForSeal(shared), message.sealedStatic);
  shared.fill(0);
  if (remoteStatic === undefined) return 'not-authentic';
  const peer = findPeer(remoteStatic);
  if (peer === undefined) return 'unknown-key';
  const timestamp = transcript.open(
    transcript.mixKeyForSeal(peer.remote.staticShared),
    message.sealedTimestamp,
  );
  if (timestamp === undefined) return 'not-authentic';
  const state = {
    remoteIndex: message.sender,
    remoteEphemeral: copyOf(message.ephemeral),
    transcript,
  };
  return { peer, timestamp, state };
}

/** Answers an initiation; uses its state up. @param input.ephemeral 32 random bytes; wiped here. */
export function createResponse(
  state: ResponderState,
  remote: RemoteIdentity,
  input: {
    readonly ephemeral: Uint8Array;
    readonly localIndex: number;
    readonly cookie?: Uint8Array | undefined;
  },
): { bytes: Uint8Array; keys: HandshakeKeys } | HandshakeDropReason {
  const { transcript } = state;
  const ephemeral = importPrivateKey(input.ephemeral);
  input.ephemeral.fill(0);
  const ephemeralPublic = publicKeyOf(ephemeral);
  const ephemeralShared = dh(ephemeral, state.remoteEphemeral);
  const staticShared = dh(ephemeral, remote.publicKey);
  if (ephemeralShared === undefined || staticShared === undefined) return 'zero-dh';
  transcript.mixKey(ephemeralPublic);
  transcript.mixHash(ephemeralPublic);
  transcript.mixKey(ephemeralShared);
  transcript.mixKey(staticShared);
  ephemeralShared.fill(0);
  staticShared.fill(0);
  const sealedEmpty = transcript.seal(transcript.mixPresharedKey(remote.presharedKey), EMPTY);
  const head = encodeHandshakeHead(
    MessageType.response,
    [input.localIndex, state.remoteIndex],
    [ephemeralPublic, sealedEmpty],
  );
  const { initiatorKey, responderKey } = transcript.split();
  const keys = {
    localIndex: input.localIndex,
    remoteIndex: state.remoteIndex,
    sendKey: responderKey,
    receiveKey: initiatorKey,
    cipher: transcript.cipher,
  };
  return { bytes: withMacs(head, remote.mac1Key, input.cookie), keys };
}

/** Reads the answer to our initiation, mac1 checked. The state stays usable unless keys are returned. */
export function openResponse(
  identity: Identity,
  remote: RemoteIdentity,
  state: InitiatorState,
  message: ResponseMessage,
): HandshakeKeys | HandshakeDropReason {
  const ephemeralShared = dh(state.ephemeral, message.ephemeral);
  const staticShared = dh(identity.privateKey, message.ephemeral);
  if (ephemeralShared === undefined || staticShared === undefined) return 'zero-dh';
  const transcript = state.transcript.copy();
  transcript.mixKey(message.ephemeral);
  transcript.mixHash(message.ephemeral);
  transcript.mixKey(ephemeralShared);
  transcript.mixKey(staticShared);
  ephemeralShared.fill(0);
  staticShared.fill(0);
  if (transcript.open(transcript.mixPresharedKey(remote.presharedKey), message.sealedEmpty) === undefined) {
    transcript.wipe();
    return 'not-authentic';
  }
  state.transcript.wipe();
  const { initiatorKey, responderKey } = transcript.split();
  return {
    localIndex: state.localIndex,
    remoteIndex: message.sender,
    sendKey: initiatorKey,
    receiveKey: responderKey,
    cipher: transcript.cipher,
  };
}
