import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { JoinCaller } from '../../../src/membership/join-caller.js';
import {
  createJoinAnswer,
  createJoinRequest,
  JOIN_CIPHER,
  openJoinAnswer,
  openJoinRequest,
} from '../../../src/membership/join-exchange.js';
import { cookieFor, createCookieReply } from '../../../src/wireguard/cookie.js';
import { createIdentity, createRemoteIdentity } from '../../../src/wireguard/handshake.js';
import { mac } from '../../../src/wireguard/primitives.js';
import { membershipBytes, routerKey, secret } from '../../support/tokens.js';

const machine = createIdentity(JOIN_CIPHER, secret(3));
const router = createIdentity(JOIN_CIPHER, secret(101));
const membership = membershipBytes(3);

function remote() {
  const made = createRemoteIdentity(machine, router.publicKey);
  assert.ok(made);
  return made;
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));
}

function request() {
  const made = createJoinRequest(machine, remote(), {
    ephemeral: secret(7),
    index: 0x01020304,
    unixS: 1_767_000_000,
    membership,
  });
  assert.ok(made);
  return made;
}

describe('Handing a membership in', () => {
  it('carries it there, and the answer back', () => {
    const { bytes, call } = request();
    const question = openJoinRequest(router, bytes);
    assert.ok(typeof question !== 'string');
    assert.deepEqual(question.from, routerKey(3));
    assert.deepEqual(question.membership, membership);
    assert.equal(question.unixS, 1_767_000_000);
    const said = { isAdmitted: false, unixS: 1_767_000_001, reason: 'no: “site-3” is taken\u0007' };
    const answer = createJoinAnswer(question, said, secret(8));
    assert.ok(answer);
    assert.deepEqual(openJoinAnswer(machine, call, answer), { ...said, reason: 'no: “site-3” is taken?' });
  });

  it('has these bytes', () => {
    const { bytes } = request();
    assert.equal(
      bytes.subarray(0, 8).reduce((text, byte) => text + byte.toString(16).padStart(2, '0'), ''),
      '7600000004030201',
    );
    assert.equal(bytes.length, 8 + 32 + 48 + 7 + membership.length + 16 + 32);
    assert.equal(
      createHash('sha256').update(bytes).digest('hex'),
      'd38f15ae90068970a3d50c660339ca51f54d2b0e36b44fcf5fdecc645859f879',
    );
    const question = openJoinRequest(router, bytes);
    assert.ok(typeof question !== 'string');
    const answer = createJoinAnswer(
      question,
      { isAdmitted: true, unixS: 1_767_000_001, reason: '' },
      secret(8),
    );
    assert.equal(
      createHash('sha256')
        .update(answer ?? '')
        .digest('hex'),
      '0d249ebfe6788954eadff456c2188aaeabd571f0cc759c58d18f860706c2d265',
    );
  });

  it('is refused with any bit changed, cut anywhere, or for another router', () => {
    const { bytes, call } = request();
    for (let at = 0; at < bytes.length - 16; at++)
      assert.equal(typeof openJoinRequest(router, flipped(bytes, at)), 'string', `byte ${at}`);
    for (const length of [0, 1, 7, 8, 100, bytes.length - 1])
      assert.equal(typeof openJoinRequest(router, bytes.subarray(0, length)), 'string');
    assert.equal(openJoinRequest(createIdentity(JOIN_CIPHER, secret(102)), bytes), 'bad-mac1');
    const question = openJoinRequest(router, bytes);
    assert.ok(typeof question !== 'string');
    const answer = createJoinAnswer(question, { isAdmitted: true, unixS: 1, reason: '' }, secret(8));
    assert.ok(answer);
    for (let at = 0; at < answer.length; at++)
      assert.equal(typeof openJoinAnswer(machine, call, flipped(answer, at)), 'string', `byte ${at}`);
    // Whatever came in between, the true answer is still read.
    assert.ok(typeof openJoinAnswer(machine, call, answer) !== 'string');
  });

  it('asks again with the cookie of a busy router', () => {
    let byte = 20;
    const caller = JoinCaller.create(secret(3), router.publicKey, membership, {
      random: (length) => new Uint8Array(length).fill(byte++),
      nowMs: () => 0,
      unixS: () => 1_767_000_000,
    });
    assert.ok(caller);
    const first = caller.request();
    const cookie = cookieFor(secret(9), { address: Uint8Array.of(192, 0, 2, 3), port: 7 });
    const reply = createCookieReply({
      receiver: new DataView(first.buffer).getUint32(4, true),
      mac1: first.subarray(-32, -16),
      cookie,
      cookieKey: router.cookieKey,
      nonce: new Uint8Array(24).fill(5),
    });
    assert.equal(caller.received(Uint8Array.of(1, 2, 3)), undefined);
    assert.equal(caller.received(reply), 'busy');
    const second = caller.request();
    assert.deepEqual(second.subarray(-16), mac(cookie, second.subarray(0, -16)));
    for (const bytes of [first, second]) {
      const question = openJoinRequest(router, bytes);
      assert.ok(typeof question !== 'string');
      const answer = createJoinAnswer(question, { isAdmitted: true, unixS: 5, reason: '' }, secret(8));
      assert.ok(answer);
      assert.deepEqual(caller.received(answer), { isAdmitted: true, unixS: 5, reason: '' });
    }
  });
});
