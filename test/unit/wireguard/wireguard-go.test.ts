/**
 * Our handshake against bytes of an implementation that is not ours: messages that Debian's wireguard-go sent, and that
 * it accepted (test/fixtures/wireguard-go/record.ts says how they were recorded).
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { openCookieReply } from '../../../src/wireguard/cookie.js';
import {
  createIdentity,
  createInitiation,
  createRemoteIdentity,
  createResponse,
  type HandshakeKeys,
  hasValidMac1,
  openInitiation,
  openResponse,
  type RemoteIdentity,
} from '../../../src/wireguard/handshake.js';
import { decodeMessage, mac1Of, type WireMessage } from '../../../src/wireguard/messages.js';
import { isLater } from '../../../src/wireguard/tai64n.js';
import { openMessage } from '../../support/transport-message.js';

interface Exchange {
  readonly initiation: string;
  readonly response: string;
  readonly transport: string;
}

interface Recording {
  readonly ourPrivateKey: string;
  readonly itsPrivateKey: string;
  readonly presharedKey: string;
  readonly addresses: { readonly ours: string; readonly its: string };
  /** Without and with the preshared key. */
  readonly responder: readonly [Exchange, Exchange];
  readonly initiator: readonly [
    Exchange & { readonly timestamp: string },
    Exchange & { readonly timestamp: string },
  ];
  readonly underLoad: {
    readonly timestamps: readonly [string, string];
    readonly initiations: readonly [string, string];
    readonly cookieReply: string;
    readonly response: string;
  };
}

const file = new URL('../../../../test/fixtures/wireguard-go/messages.json', import.meta.url);
const recording = JSON.parse(readFileSync(file, 'utf8')) as Recording;
const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
const hex = (data: Uint8Array): string => Buffer.from(data).toString('hex');
/** As the recorder makes its ephemeral keys; a copy each time, for they are wiped. */
const fixed = (name: string): Uint8Array => Uint8Array.from(createHash('sha256').update(name).digest());

const identity = createIdentity('chacha20-poly1305', bytes(recording.ourPrivateKey));
const itsPublic = createIdentity('chacha20-poly1305', bytes(recording.itsPrivateKey)).publicKey;

function remoteWith(presharedKey: Uint8Array | undefined): RemoteIdentity {
  return createRemoteIdentity(identity, itsPublic, presharedKey) ?? assert.fail('a key of low order');
}

function message<Type extends WireMessage['type']>(text: string, type: Type) {
  const decoded = decodeMessage(bytes(text));
  assert.ok(typeof decoded === 'object' && decoded.type === type);
  return decoded as Extract<WireMessage, { type: Type }>;
}

/** An echo request from its address to ours: nobody but the two could have sealed it. */
function assertIsPing(keys: HandshakeKeys, transport: string): void {
  const packet =
    openMessage('chacha20-poly1305', keys.receiveKey, bytes(transport)) ?? assert.fail('not authentic');
  const { receiver } = message(transport, 4);
  assert.equal(receiver, keys.localIndex);
  assert.equal(packet[0], 0x45);
  assert.equal(packet[9], 1, 'ICMP');
  assert.equal(packet.subarray(12, 16).join('.'), recording.addresses.its);
  assert.equal(packet.subarray(16, 20).join('.'), recording.addresses.ours);
  assert.equal(packet[20], 8, 'echo request');
}

for (const [index, psk] of [undefined, bytes(recording.presharedKey)].entries()) {
  const remote = remoteWith(psk);
  const wrong = remoteWith(psk === undefined ? fixed('another') : undefined);
  describe(`wireguard-go's handshake ${psk === undefined ? 'without' : 'with'} a preshared key`, () => {
    it('we answer what it begins', () => {
      const exchange = recording.responder[index] ?? assert.fail();
      const initiation = message(exchange.initiation, 1);
      assert.ok(hasValidMac1(identity, initiation));
      const opened = openInitiation(identity, initiation, (key) =>
        hex(key) === hex(itsPublic) ? { remote } : undefined,
      );
      assert.ok(typeof opened === 'object');
      assert.equal(hex(opened.timestamp).slice(0, 8), '40000000', 'TAI64N of this century');
      const input = { ephemeral: fixed('responder ephemeral'), localIndex: 0x01020304 };
      const response = createResponse(opened.state, remote, input);
      assert.ok(typeof response === 'object');
      assert.equal(hex(response.bytes), exchange.response, 'byte for byte what it accepted');
      assertIsPing(response.keys, exchange.transport);
    });

    it('we begin, and it answers', () => {
      const exchange = recording.initiator[index] ?? assert.fail();
      const input = {
        ephemeral: fixed('initiator ephemeral'),
        localIndex: 0x05060708,
        timestamp: bytes(exchange.timestamp),
      };
      const initiation = createInitiation(identity, remote, input);
      assert.ok(typeof initiation === 'object');
      assert.equal(hex(initiation.bytes), exchange.initiation, 'byte for byte what it answered');
      const response = message(exchange.response, 2);
      assert.ok(hasValidMac1(identity, response));
      assert.equal(response.receiver, 0x05060708);
      assert.equal(openResponse(identity, wrong, initiation.state, response), 'not-authentic');
      const keys = openResponse(identity, remote, initiation.state, response);
      assert.ok(typeof keys === 'object');
      assertIsPing(keys, exchange.transport);
    });
  });
}

describe('wireguard-go under load', () => {
  const { underLoad } = recording;
  const remote = remoteWith(undefined);

  it('gives a cookie that we can read, for our message only', () => {
    const reply = message(underLoad.cookieReply, 3);
    assert.equal(reply.receiver, 0x11121314);
    const mac1 = mac1Of(bytes(underLoad.initiations[0]));
    assert.equal(openCookieReply(remote.cookieKey, mac1, reply)?.length, 16);
    assert.equal(openCookieReply(identity.cookieKey, mac1, reply), undefined);
    assert.equal(
      openCookieReply(remote.cookieKey, mac1Of(bytes(underLoad.initiations[1])), reply),
      undefined,
    );
  });

  it('takes the initiation whose mac2 shows the cookie', () => {
    const mac1 = mac1Of(bytes(underLoad.initiations[0]));
    const cookie = openCookieReply(remote.cookieKey, mac1, message(underLoad.cookieReply, 3));
    const [first, second] = underLoad.timestamps.map(bytes);
    assert.ok(first !== undefined && second !== undefined && isLater(second, first));
    const initiation = createInitiation(identity, remote, {
      ephemeral: fixed('second ephemeral'),
      localIndex: 0x21222324,
      timestamp: second,
      cookie,
    });
    assert.ok(typeof initiation === 'object');
    assert.equal(hex(initiation.bytes), underLoad.initiations[1]);
    assert.notEqual(hex(initiation.bytes.subarray(-16)), '00'.repeat(16));
    const keys = openResponse(identity, remote, initiation.state, message(underLoad.response, 2));
    assert.ok(typeof keys === 'object');
  });
});
