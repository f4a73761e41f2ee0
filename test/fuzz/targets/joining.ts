/** Tokens, memberships and the exchange that hands them in: whole, mutated, and signed again by one who has the keys. */
import assert from 'node:assert/strict';
import {
  createJoinAnswer,
  createJoinRequest,
  JOIN_CIPHER,
  openJoinAnswer,
  openJoinRequest,
} from '../../../src/membership/join-exchange.js';
import { decodeMembership, forgeryIn, joinMembership, memberOf } from '../../../src/membership/membership.js';
import { MembershipSet } from '../../../src/membership/membership-set.js';
import { sign } from '../../../src/membership/signature.js';
import { decodeToken, TOKEN_HEAD } from '../../../src/membership/token.js';
import { createIdentity, createRemoteIdentity } from '../../../src/wireguard/handshake.js';
import { mac } from '../../../src/wireguard/primitives.js';
import {
  BOOTSTRAPS,
  EXPIRES_S,
  membershipBytes,
  NETWORK_KEY,
  NETWORK_SEED,
  secret,
  tokenLine,
} from '../../support/tokens.js';
import { joined, mutated } from '../mutate.js';
import type { Random } from '../random.js';
import type { Target } from '../target.js';

const SIGNATURE_BYTES = 64;
const ENDPOINTS = ['udp://192.0.2.3:7700', 'tcp://[2001:db8::3]:443', 'udp://vr-c.example.net:7700'];

/** Of each number the same, as its keys are: making them costs more than the rest. */
const WHOLE = Array.from({ length: 8 }, (_, i) =>
  membershipBytes(3 + i, { endpoints: ENDPOINTS.slice(0, i % 4) }),
);
const TOKENS = [3, 4, 5].map((number) => tokenLine(number));

/** As an administrator's broken program would sign it. */
function signedAnew(bytes: Uint8Array, random: Random): Uint8Array {
  const read = decodeMembership(bytes);
  assert.ok(typeof read !== 'string');
  const grant = mutated(read.grant.signed, random);
  return joinMembership(
    joined(grant, sign('grant', grant, NETWORK_SEED)),
    bytes.subarray(3 + read.grant.signed.length + SIGNATURE_BYTES),
  );
}

function membershipCase(random: Random): string {
  const whole = random.pick(WHOLE);
  const bytes = random.chance(30) ? signedAnew(whole, random) : mutated(whole, random);
  const copy = Uint8Array.from(bytes);
  const read = decodeMembership(bytes);
  assert.deepEqual(bytes, copy, 'the input was changed');
  const set = new MembershipSet();
  const hearing = {
    nowS: EXPIRES_S - 1,
    networkKeys: [NETWORK_KEY],
    revoked: new Set<string>(),
    speaker: BOOTSTRAPS[0] ?? NETWORK_KEY,
  };
  const verdict = set.take(bytes, hearing);
  if (typeof read === 'string') {
    assert.ok(verdict.is === 'refused' && verdict.why === 'malformed');
    return 'malformed';
  }
  // Whatever is read is within its bounds, and means the same when it is read again.
  const member = memberOf(read);
  assert.ok(member.networks.length >= 1 && member.networks.length <= 16 && member.endpoints.length <= 4);
  assert.deepEqual(decodeMembership(read.bytes), read);
  const forgery = forgeryIn(read, [NETWORK_KEY]);
  assert.equal(verdict.is === 'new', forgery === undefined);
  // Nobody but the holder of the keys makes one that holds.
  if (forgery === undefined) assert.ok(WHOLE.some((one) => Buffer.compare(one, bytes) === 0));
  return forgery ?? 'whole';
}

export const memberships: Target = {
  name: 'memberships',
  outcomes: ['malformed', 'unknown-network-key', 'not-bound'],
  open: () => membershipCase,
};

function tokenCase(random: Random): string {
  const line = random.pick(TOKENS);
  const bytes = mutated(Buffer.from(line.slice(TOKEN_HEAD.length), 'base64url'), random);
  const changed = random.chance(50)
    ? TOKEN_HEAD + Buffer.from(bytes).toString('base64url')
    : Buffer.from(mutated(Buffer.from(line), random)).toString('latin1');
  const read = decodeToken(changed);
  if (typeof read === 'string') return 'refused';
  assert.ok(TOKENS.includes(changed.trim()), 'a token that nobody has made');
  return 'read';
}

export const tokens: Target = { name: 'tokens', outcomes: ['refused'], open: () => tokenCase };

const MACS_BYTES = 32;

function openJoins(): (random: Random) => string {
  const machine = createIdentity(JOIN_CIPHER, secret(3));
  const router = createIdentity(JOIN_CIPHER, secret(101));
  const remote = createRemoteIdentity(machine, router.publicKey);
  assert.ok(remote);
  return (random) => {
    const membership = random.pick(WHOLE);
    const input = {
      ephemeral: random.bytes(32),
      index: random.word() >>> 0,
      unixS: 1 + random.below(2 ** 31),
      membership,
    };
    const made = createJoinRequest(machine, remote, input);
    assert.ok(made);
    const changed = mutated(made.bytes, random);
    // As one would do who knows the router's public key.
    if (random.chance(50) && changed.length > MACS_BYTES) {
      const before = changed.subarray(0, changed.length - MACS_BYTES);
      changed.set(mac(router.mac1Key, before), before.length);
    }
    const question = openJoinRequest(router, changed);
    // The index is no secret and nobody relies on it, as in a handshake; the MAC over it anybody can make.
    const signed = (bytes: Uint8Array): Uint8Array => bytes.subarray(8, -MACS_BYTES);
    const same = Buffer.compare(signed(changed), signed(made.bytes)) === 0;
    if (typeof question === 'string') return question;
    assert.ok(same, 'a request that nobody has made');
    assert.deepEqual(question.membership, membership);
    const said = {
      isAdmitted: random.chance(50),
      unixS: random.below(2 ** 31),
      reason: 'x'.repeat(random.below(500)),
    };
    const answer = createJoinAnswer(question, said, random.bytes(32));
    assert.ok(answer);
    const garbled = mutated(answer, random);
    const read = openJoinAnswer(machine, made.call, garbled);
    if (typeof read === 'string') return `answer ${read}`;
    assert.equal(Buffer.compare(garbled, answer), 0, 'an answer that nobody has given');
    return 'answered';
  };
}

export const joins: Target = {
  name: 'joins',
  outcomes: ['bad-length', 'bad-mac1', 'malformed', 'not-authentic'],
  open: openJoins,
};
