/** What the addon does with handshake messages before they come up, by the tunnel's own functions. */

import type { DatagramAddress } from '../../src/tunnel/ports.js';
import { cookieFor, createCookieReply } from '../../src/wireguard/cookie.js';
import { mac1Of } from '../../src/wireguard/messages.js';
import { equalSecrets, mac } from '../../src/wireguard/primitives.js';

interface Keys {
  readonly mac1Key: Uint8Array;
  readonly cookieKey: Uint8Array;
  readonly cookieSecret: Uint8Array;
}

const hasMacs = (message: Uint8Array): boolean => message[0] === 1 || message[0] === 2;

export class FakeGuard {
  #keys: Keys | undefined;
  #nonces = 0;

  set({ mac1Key, cookieKey, cookieSecret }: Keys): void {
    for (const key of [mac1Key, cookieKey, cookieSecret])
      if (key.length !== 32) throw new RangeError('a key has 32 bytes');
    this.#keys = {
      mac1Key: mac1Key.slice(),
      cookieKey: cookieKey.slice(),
      cookieSecret: cookieSecret.slice(),
    };
  }

  check(message: Uint8Array, from: DatagramAddress): 'badMac1' | 'plain' | 'proven' {
    const keys = this.#keys;
    if (keys === undefined || !hasMacs(message)) return 'plain';
    const beforeMac1 = message.subarray(0, message.length - 32);
    if (!equalSecrets(mac(keys.mac1Key, beforeMac1), mac1Of(message))) return 'badMac1';
    const beforeMac2 = message.subarray(0, message.length - 16);
    const expected = mac(cookieFor(keys.cookieSecret, from), beforeMac2);
    return equalSecrets(expected, message.subarray(message.length - 16)) ? 'proven' : 'plain';
  }

  reply(message: Uint8Array, from: DatagramAddress): Uint8Array | undefined {
    const keys = this.#keys;
    if (keys === undefined || !hasMacs(message)) return undefined;
    const nonce = new Uint8Array(24);
    this.#nonces += 1;
    new DataView(nonce.buffer).setUint32(0, this.#nonces);
    return createCookieReply({
      receiver: new DataView(message.buffer, message.byteOffset).getUint32(4, true),
      mac1: mac1Of(message),
      cookie: cookieFor(keys.cookieSecret, from),
      cookieKey: keys.cookieKey,
      nonce,
    });
  }
}
