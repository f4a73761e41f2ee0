/**
 * Cookies (WireGuard paper §5.3, §5.4.7). A router under load does no Diffie-Hellman for a stranger: it answers a
 * handshake message with a cookie, which only who receives at the message's source address can read, and works on the
 * next one, whose mac2 is keyed with that cookie. Here is the initiator's side, and the reply as bytes; the busy side
 * gives and checks cookies in the packet engine (native/session/handshake_guard), 50,000 a second.
 */
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { concat, copyOf } from './bytes.js';
import { COOKIE_LATENCY_MS, COOKIE_SECRET_MS } from './constants.js';
import { type CookieMessage, encodeCookie, mac1Of } from './messages.js';
import { mac } from './primitives.js';

/** Where a handshake message came from: 4 or 16 bytes in network order, and the UDP port. */
export interface SourceAddress {
  readonly address: Uint8Array;
  readonly port: number;
}

/** The cookie of a source address: Mac(secret, address ‖ port), the port big-endian. */
export function cookieFor(secret: Uint8Array, { address, port }: SourceAddress): Uint8Array {
  return mac(secret, concat(address, Uint8Array.of(port >>> 8, port & 0xff)));
}

export interface CookieReply {
  /** The sender index of the message that is answered, and its mac1. */
  readonly receiver: number;
  readonly mac1: Uint8Array;
  readonly cookie: Uint8Array;
  /** Of the one who answers: `Identity.cookieKey`. */
  readonly cookieKey: Uint8Array;
  /** 24 random bytes. */
  readonly nonce: Uint8Array;
}

export function createCookieReply({ receiver, mac1, cookie, cookieKey, nonce }: CookieReply): Uint8Array {
  return encodeCookie(receiver, nonce, xchacha20poly1305(cookieKey, nonce, mac1).encrypt(cookie));
}

/** The cookie; undefined when it is not sealed with that key for that mac1. */
export function openCookieReply(
  cookieKey: Uint8Array,
  mac1: Uint8Array,
  { nonce, sealedCookie }: CookieMessage,
): Uint8Array | undefined {
  try {
    return xchacha20poly1305(cookieKey, nonce, mac1).decrypt(sealedCookie);
  } catch {
    // The library's way to say that the tag is wrong.
    return undefined;
  }
}

/** The cookie that one peer has given, and the last message that it may be an answer to. */
export class CookieJar {
  readonly #cookieKey: Uint8Array;
  #cookie: Uint8Array | undefined;
  #receivedMs = 0;
  #sentIndex: number | undefined;
  #sentMac1: Uint8Array = new Uint8Array(0);

  /** @param cookieKey the peer's */
  constructor(cookieKey: Uint8Array) {
    this.#cookieKey = cookieKey;
  }

  /** What mac2 of the next message to the peer is keyed with; undefined: zero. */
  fresh(nowMs: number): Uint8Array | undefined {
    return nowMs - this.#receivedMs < COOKIE_SECRET_MS - COOKIE_LATENCY_MS ? this.#cookie : undefined;
  }

  /** A handshake message goes out. */
  sent(localIndex: number, bytes: Uint8Array): void {
    this.#sentIndex = localIndex;
    this.#sentMac1 = copyOf(mac1Of(bytes));
  }

  /** One message gives one cookie at most: a second reply to it is dropped. */
  received(message: CookieMessage, nowMs: number): 'no-handshake' | 'not-authentic' | undefined {
    if (message.receiver !== this.#sentIndex) return 'no-handshake';
    const cookie = openCookieReply(this.#cookieKey, this.#sentMac1, message);
    if (cookie === undefined) return 'not-authentic';
    this.#cookie = cookie;
    this.#receivedMs = nowMs;
    this.#sentIndex = undefined;
    return undefined;
  }
}
