/** The four WireGuard messages: their fields, the handshake and the cookie reply behind them. */
import assert from 'node:assert/strict';
import { cookieFor, createCookieReply, openCookieReply } from '../../../src/wireguard/cookie.js';
import {
  createIdentity,
  createInitiation,
  createRemoteIdentity,
  createResponse,
  type HandshakeKeys,
  hasValidMac1,
  type Identity,
  openInitiation,
  openResponse,
  type RemoteIdentity,
} from '../../../src/wireguard/handshake.js';
import {
  type CookieMessage,
  decodeMessage,
  encodeTransportHeader,
  type InitiationMessage,
  MessageType,
  type ResponseMessage,
  type WireMessage,
} from '../../../src/wireguard/messages.js';
import { mac } from '../../../src/wireguard/primitives.js';
import { joined, mutated } from '../mutate.js';
import { Random } from '../random.js';
import type { Target } from '../target.js';

const MACS_BYTES = 32;
/** Genuine ones to begin from. */
const HANDSHAKES = 16;

interface Two {
  readonly caller: Identity;
  readonly called: Identity;
  readonly calledByCaller: RemoteIdentity;
  readonly callerByCalled: RemoteIdentity;
}

function twoRouters(): Two {
  const [caller, called] = [1, 2].map((fill) =>
    createIdentity('chacha20-poly1305', new Uint8Array(32).fill(fill)),
  );
  assert.ok(caller && called);
  const calledByCaller = createRemoteIdentity(caller, called.publicKey);
  const callerByCalled = createRemoteIdentity(called, caller.publicKey);
  assert.ok(calledByCaller && callerByCalled);
  return { caller, called, calledByCaller, callerByCalled };
}

/** A handshake, with all that was said in it. */
function handshakeOf({ caller, called, calledByCaller, callerByCalled }: Two, random: Random) {
  const [localIndex, farIndex] = [random.word() >>> 0, random.word() >>> 0];
  const first = createInitiation(caller, calledByCaller, {
    ephemeral: random.bytes(32),
    localIndex,
    timestamp: random.bytes(12),
  });
  assert.ok(typeof first !== 'string');
  const opened = opensInitiation(called, callerByCalled, decodeMessage(first.bytes));
  assert.ok(opened !== undefined, 'a genuine initiation is not taken');
  const input = { ephemeral: random.bytes(32), localIndex: farIndex };
  const second = createResponse(opened.state, callerByCalled, input);
  assert.ok(typeof second !== 'string');
  return { first, second };
}

function opensInitiation(called: Identity, remote: RemoteIdentity, message: WireMessage | string) {
  if (typeof message === 'string' || message.type !== MessageType.initiation) return undefined;
  const isCaller = (key: Uint8Array): boolean => Buffer.compare(key, remote.publicKey) === 0;
  const opened = openInitiation(called, message, (key) => (isCaller(key) ? { remote } : undefined));
  return typeof opened === 'string' ? undefined : opened;
}

/** Anyone who knows the public key can make mac1 right: the message behind it must hold all the same. */
function withMac1(bytes: Uint8Array, identity: Identity): Uint8Array {
  if (bytes.length < MACS_BYTES) return bytes;
  const end = bytes.length - MACS_BYTES;
  const signed = Uint8Array.from(bytes);
  signed.set(mac(identity.mac1Key, bytes.subarray(0, end)), end);
  return signed;
}

/** The fields of a message, put together again. */
function bytesOf(message: WireMessage): Uint8Array {
  const index = (value: number): Uint8Array => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return bytes;
  };
  const head = Uint8Array.of(message.type, 0, 0, 0);
  switch (message.type) {
    case MessageType.initiation:
      return joined(
        head,
        index(message.sender),
        message.ephemeral,
        message.sealedStatic,
        message.sealedTimestamp,
        message.mac1,
        message.mac2,
      );
    case MessageType.response:
      return joined(
        head,
        index(message.sender),
        index(message.receiver),
        message.ephemeral,
        message.sealedEmpty,
        message.mac1,
        message.mac2,
      );
    case MessageType.cookie:
      return joined(head, index(message.receiver), message.nonce, message.sealedCookie);
    default:
      return joined(encodeTransportHeader(message.receiver, message.counter), message.sealedPacket);
  }
}

const isEqual = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

class Messages {
  readonly #two = twoRouters();
  readonly #handshakes = Array.from({ length: HANDSHAKES }, (_, i) =>
    handshakeOf(this.#two, new Random(i + 1)),
  );

  work(random: Random): string {
    const { first, second } = random.pick(this.#handshakes);
    switch (random.below(4)) {
      case 0:
        return this.#initiation(first.bytes, random);
      case 1:
        // Each with a state of its own: a taken response uses it up.
        return this.#response({ ...first.state, transcript: first.state.transcript.copy() }, second, random);
      case 2:
        return this.#cookie(first.bytes, random);
      default:
        return this.#anything(random);
    }
  }

  #initiation(genuine: Uint8Array, random: Random): string {
    const { called, callerByCalled } = this.#two;
    const bytes = this.#mutant(genuine, called, random);
    const message = this.#decoded(bytes);
    if (typeof message === 'string') return message;
    if (message.type !== MessageType.initiation) return 'another type';
    if (!hasValidMac1(called, message)) return 'initiation bad mac1';
    const opened = opensInitiation(called, callerByCalled, message);
    // The sender's index in front of the ephemeral key is nobody's secret.
    const isGenuine = isEqual(bytes.subarray(8, 116), genuine.subarray(8, 116));
    assert.equal(
      opened !== undefined,
      isGenuine,
      'an initiation that is not genuine is taken, or a genuine one is not',
    );
    return isGenuine ? 'initiation taken' : 'initiation not authentic';
  }

  #response(
    state: Parameters<typeof openResponse>[2],
    answer: { bytes: Uint8Array; keys: HandshakeKeys },
    random: Random,
  ): string {
    const { caller, calledByCaller } = this.#two;
    const bytes = this.#mutant(answer.bytes, caller, random);
    const message = this.#decoded(bytes);
    if (typeof message === 'string') return message;
    if (message.type !== MessageType.response) return 'another type';
    if (!hasValidMac1(caller, message)) return 'response bad mac1';
    const opened = openResponse(caller, calledByCaller, state, message);
    const isGenuine = isEqual(bytes.subarray(12, 60), answer.bytes.subarray(12, 60));
    assert.equal(
      typeof opened !== 'string',
      isGenuine,
      'a response that is not genuine is taken, or a genuine one is not',
    );
    if (typeof opened === 'string') {
      // A forged one must not spoil the true one.
      const genuine = decodeMessage(answer.bytes) as ResponseMessage;
      const keys = openResponse(caller, calledByCaller, state, genuine);
      assert.ok(typeof keys !== 'string', 'a forged response has spoilt the handshake');
      assert.deepEqual(keys.sendKey, answer.keys.receiveKey);
    }
    return isGenuine ? 'response taken' : 'response not authentic';
  }

  #cookie(initiation: Uint8Array, random: Random): string {
    const { calledByCaller } = this.#two;
    const { mac1, sender } = decodeMessage(initiation) as InitiationMessage;
    const cookie = cookieFor(random.bytes(32), {
      address: random.bytes(random.pick([4, 16])),
      port: random.below(65_536),
    });
    const { cookieKey } = calledByCaller;
    const genuine = createCookieReply({ receiver: sender, mac1, cookie, cookieKey, nonce: random.bytes(24) });
    const bytes = random.chance(10) ? genuine : mutated(genuine, random);
    const message = this.#decoded(bytes);
    if (typeof message === 'string') return message;
    if (message.type !== MessageType.cookie) return 'another type';
    const opened = openCookieReply(cookieKey, mac1, message as CookieMessage);
    const isGenuine = isEqual(bytes.subarray(8), genuine.subarray(8));
    assert.equal(
      opened !== undefined,
      isGenuine,
      'a cookie that is not genuine is taken, or a genuine one is not',
    );
    if (opened !== undefined) assert.deepEqual(opened, cookie);
    return isGenuine ? 'cookie taken' : 'cookie not authentic';
  }

  /** Any bytes, with the length and the first bytes of a message often right. */
  #anything(random: Random): string {
    const length = random.chance(50)
      ? random.pick([148, 92, 64, 32, 16, 4]) + random.below(3) - 1
      : random.below(2_000);
    const bytes = random.bytes(length);
    if (random.chance(80)) bytes.set([1 + random.below(4), 0, 0, 0].slice(0, length));
    const message = this.#decoded(bytes);
    if (typeof message === 'string') return message;
    if (message.type === MessageType.initiation || message.type === MessageType.response)
      assert.equal(hasValidMac1(this.#two.called, message), false);
    return `random type ${message.type}`;
  }

  #mutant(genuine: Uint8Array, called: Identity, random: Random): Uint8Array {
    if (random.chance(5)) return genuine;
    const bytes = mutated(genuine, random);
    if (random.chance(30)) bytes.set(genuine.subarray(0, 4).subarray(0, bytes.length));
    const whole = random.chance(30) && bytes.length > genuine.length ? bytes.slice(0, genuine.length) : bytes;
    return random.chance(70) ? withMac1(whole, called) : whole;
  }

  #decoded(bytes: Uint8Array): WireMessage | string {
    const message = decodeMessage(bytes);
    if (typeof message !== 'string') assert.deepEqual(bytesOf(message), Uint8Array.from(bytes));
    return message;
  }
}

export const messages: Target = {
  name: 'messages',
  outcomes: [
    'too-short',
    'unknown-type',
    'reserved-not-zero',
    'bad-length',
    'initiation taken',
    'initiation bad mac1',
    'initiation not authentic',
    'response taken',
    'response bad mac1',
    'response not authentic',
    'cookie taken',
    'cookie not authentic',
    'random type 4',
  ],
  open: () => {
    const state = new Messages();
    return (random) => state.work(random);
  },
};
