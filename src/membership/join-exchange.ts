/**
 * How a machine hands in its membership: one round trip of Noise_IK_25519_ChaChaPoly_BLAKE2s (The Noise Protocol Framework, revision
 * 34, §7.5), with the macs of a WireGuard handshake message (paper §5.4.4), so that a busy router answers it with a cookie.
 *
 *   request 0x76: type 1 | 0 3 | sender 4 | e 32 | static 32+16 | payload n+16 | mac1 16 | mac2 16      → e, es, s, ss
 *   answer  0x77: type 1 | 0 3 | receiver 4 | e 32 | payload n+16                                      ← e, ee, se
 *
 *   request's payload: version 1 | sender's Unix time 6 | membership
 *   answer's payload:  version 1 | result 1 | answerer's Unix time 6 | what people should read: length 2, UTF-8
 *
 * The machine's static key is the router's own: so it proves that it holds the key that its membership names. No I/O, no clock,
 * no randomness.
 */
import type { KeyObject } from 'node:crypto';
import { concat, copyOf } from '../wireguard/bytes.js';
import { KEY_BYTES, MAC_BYTES, TAG_BYTES } from '../wireguard/constants.js';
import type { Identity, RemoteIdentity } from '../wireguard/handshake.js';
import { Transcript } from '../wireguard/noise.js';
import {
  type CipherName,
  dh,
  equalSecrets,
  importPrivateKey,
  mac,
  publicKeyOf,
} from '../wireguard/primitives.js';
import { FieldReader, FieldWriter } from './byte-fields.js';
import { MOST_MEMBERSHIP_BYTES } from './membership.js';

export const JOIN_REQUEST = 0x76;
export const JOIN_ANSWER = 0x77;

/** Whatever the network's cipher is. */
export const JOIN_CIPHER: CipherName = 'chacha20-poly1305';
const PROTOCOL = 'Noise_IK_25519_ChaChaPoly_BLAKE2s';
const PROLOGUE = 'vine join 1';
const VERSION = 1;
const HEAD_BYTES = 8;
const SEALED_KEY_BYTES = KEY_BYTES + TAG_BYTES;
const LEAST_REQUEST_BYTES = HEAD_BYTES + KEY_BYTES + SEALED_KEY_BYTES + TAG_BYTES + 2 * MAC_BYTES;
/** With headers it fits what every link of IPv6 carries. */
const MOST_REQUEST_BYTES = 1_232;
const MOST_REASON_BYTES = 400;

export type JoinDropReason = 'bad-length' | 'bad-mac1' | 'zero-dh' | 'not-authentic' | 'malformed';

/** What the machine keeps until the answer. */
export interface JoinCall {
  readonly index: number;
  readonly ephemeral: KeyObject;
  readonly transcript: Transcript;
}

/** What the router keeps until it answers. */
export interface JoinQuestion {
  /** X25519 key that the machine has proven to hold, once it can read the answer; 32 bytes. */
  readonly from: Uint8Array;
  readonly unixS: number;
  readonly membership: Uint8Array;
  readonly index: number;
  readonly remoteEphemeral: Uint8Array;
  readonly transcript: Transcript;
}

export interface JoinAnswer {
  readonly isAdmitted: boolean;
  /** The router's clock, seconds. */
  readonly unixS: number;
  /** Why not; empty when admitted. */
  readonly reason: string;
}

/** Undefined: the router's key is none. @param input.ephemeral 32 random bytes; wiped here */
export function createJoinRequest(
  identity: Identity,
  router: RemoteIdentity,
  input: {
    readonly ephemeral: Uint8Array;
    readonly index: number;
    readonly unixS: number;
    readonly membership: Uint8Array;
    /** What the router has given. */
    readonly cookie?: Uint8Array | undefined;
  },
): { readonly bytes: Uint8Array; readonly call: JoinCall } | undefined {
  const ephemeral = importPrivateKey(input.ephemeral);
  input.ephemeral.fill(0);
  const shared = dh(ephemeral, router.publicKey);
  if (shared === undefined) return undefined;
  const transcript = Transcript.begin(JOIN_CIPHER, PROTOCOL, PROLOGUE, router.publicKey);
  const ephemeralPublic = publicKeyOf(ephemeral);
  transcript.mixHash(ephemeralPublic);
  const sealedStatic = transcript.seal(transcript.mixKeyForSeal(shared), identity.publicKey);
  const payload = new FieldWriter().u8(VERSION).u48(input.unixS).bytes(input.membership).done();
  const sealed = transcript.seal(transcript.mixKeyForSeal(router.staticShared), payload);
  const head = concat(headOf(JOIN_REQUEST, input.index), ephemeralPublic, sealedStatic, sealed);
  const beforeMac2 = concat(head, mac(router.mac1Key, head));
  const mac2 = input.cookie === undefined ? new Uint8Array(MAC_BYTES) : mac(input.cookie, beforeMac2);
  return { bytes: concat(beforeMac2, mac2), call: { index: input.index, ephemeral, transcript } };
}

export function isJoinRequest(bytes: Uint8Array): boolean {
  return bytes[0] === JOIN_REQUEST;
}

/** Nothing is kept of one that is dropped. */
export function openJoinRequest(identity: Identity, bytes: Uint8Array): JoinQuestion | JoinDropReason {
  if (bytes.length < LEAST_REQUEST_BYTES || bytes.length > MOST_REQUEST_BYTES) return 'bad-length';
  if (!hasHead(bytes, JOIN_REQUEST)) return 'malformed';
  const beforeMac1 = bytes.subarray(0, bytes.length - 2 * MAC_BYTES);
  const mac1 = bytes.subarray(beforeMac1.length, beforeMac1.length + MAC_BYTES);
  if (!equalSecrets(mac(identity.mac1Key, beforeMac1), mac1)) return 'bad-mac1';
  const remoteEphemeral = copyOf(beforeMac1.subarray(HEAD_BYTES, HEAD_BYTES + KEY_BYTES));
  const rest = beforeMac1.subarray(HEAD_BYTES + KEY_BYTES);
  const shared = dh(identity.privateKey, remoteEphemeral);
  if (shared === undefined) return 'zero-dh';
  const transcript = Transcript.begin(JOIN_CIPHER, PROTOCOL, PROLOGUE, identity.publicKey);
  transcript.mixHash(remoteEphemeral);
  const from = transcript.open(transcript.mixKeyForSeal(shared), rest.subarray(0, SEALED_KEY_BYTES));
  if (from === undefined) return 'not-authentic';
  const staticShared = dh(identity.privateKey, from);
  if (staticShared === undefined) return 'zero-dh';
  const payload = transcript.open(transcript.mixKeyForSeal(staticShared), rest.subarray(SEALED_KEY_BYTES));
  if (payload === undefined) return 'not-authentic';
  const reader = new FieldReader(payload);
  reader.u8('version', VERSION, VERSION);
  const unixS = reader.u48('time');
  const membership = payload.subarray(reader.position);
  if (reader.problem !== undefined || membership.length > MOST_MEMBERSHIP_BYTES) return 'malformed';
  return { from, unixS, membership, index: indexOf(bytes), remoteEphemeral, transcript };
}

/** Answers, and uses the question up. @param ephemeralSecret 32 random bytes; wiped here */
export function createJoinAnswer(
  question: JoinQuestion,
  { isAdmitted, unixS, reason }: JoinAnswer,
  ephemeralSecret: Uint8Array,
): Uint8Array | undefined {
  const ephemeral = importPrivateKey(ephemeralSecret);
  ephemeralSecret.fill(0);
  const { transcript } = question;
  const ephemeralPublic = publicKeyOf(ephemeral);
  const [ee, se] = [dh(ephemeral, question.remoteEphemeral), dh(ephemeral, question.from)];
  if (ee === undefined || se === undefined) return undefined;
  transcript.mixHash(ephemeralPublic);
  transcript.mixKey(ee);
  const key = transcript.mixKeyForSeal(se);
  const text = shortened(reason);
  const payload = new FieldWriter()
    .u8(VERSION)
    .u8(isAdmitted ? 1 : 0)
    .u48(unixS)
    .u16(text.length)
    .bytes(text)
    .done();
  const sealed = transcript.seal(key, payload);
  transcript.wipe();
  return concat(headOf(JOIN_ANSWER, question.index), ephemeralPublic, sealed);
}

/** The call stays usable unless an answer is returned. */
export function openJoinAnswer(
  identity: Identity,
  call: JoinCall,
  bytes: Uint8Array,
): JoinAnswer | JoinDropReason {
  const most = HEAD_BYTES + KEY_BYTES + TAG_BYTES + MOST_REASON_BYTES + 10;
  if (bytes.length < HEAD_BYTES + KEY_BYTES + TAG_BYTES || bytes.length > most) return 'bad-length';
  if (!hasHead(bytes, JOIN_ANSWER) || indexOf(bytes) !== call.index) return 'malformed';
  const remoteEphemeral = bytes.subarray(HEAD_BYTES, HEAD_BYTES + KEY_BYTES);
  const ee = dh(call.ephemeral, remoteEphemeral);
  const se = dh(identity.privateKey, remoteEphemeral);
  if (ee === undefined || se === undefined) return 'zero-dh';
  const transcript = call.transcript.copy();
  transcript.mixHash(remoteEphemeral);
  transcript.mixKey(ee);
  const payload = transcript.open(transcript.mixKeyForSeal(se), bytes.subarray(HEAD_BYTES + KEY_BYTES));
  transcript.wipe();
  if (payload === undefined) return 'not-authentic';
  const reader = new FieldReader(payload);
  reader.u8('version', VERSION, VERSION);
  const isAdmitted = reader.u8('result', 0, 1) === 1;
  const unixS = reader.u48('time');
  const text = reader.bytes(reader.u16('length of the reason', 0, MOST_REASON_BYTES), 'reason');
  reader.end();
  if (reader.problem !== undefined) return 'malformed';
  // It is shown on a terminal.
  const reason = new TextDecoder().decode(text).replace(/[^\x20-\x7e\u00a0-\ud7ff]/g, '?');
  return { isAdmitted, unixS, reason };
}

function headOf(type: number, index: number): Uint8Array {
  const head = new Uint8Array(HEAD_BYTES);
  head[0] = type;
  new DataView(head.buffer).setUint32(4, index, true);
  return head;
}

function hasHead(bytes: Uint8Array, type: number): boolean {
  return bytes[0] === type && bytes[1] === 0 && bytes[2] === 0 && bytes[3] === 0;
}

function indexOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(4, true);
}

function shortened(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'utf8');
  return bytes.length <= MOST_REASON_BYTES ? bytes : bytes.subarray(0, MOST_REASON_BYTES);
}
