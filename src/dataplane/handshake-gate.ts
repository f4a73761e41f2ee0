/**
 * Which handshake messages the worker lets through to the main thread, where each costs several Diffie-Hellmans
 * (WireGuard paper §5.3). The engine has dropped those without a valid mac1 before. Up to 50 a second pass unasked;
 * beyond, the router is under load, and whoever has not proven its address by a mac2 is answered with a cookie, which
 * the engine makes without the main thread. A proven address gets 20 a second. What may wait at the main thread is
 * bounded, so no flood, whatever it consists of, takes memory or the main thread's time.
 *
 * A flood of cookie replies can at most keep a true one out, while the peer that sent it is itself under load.
 */
import type { AddressWords } from './worker-message.js';

export type GateVerdict = 'pass' | 'cookie' | 'limited' | 'full';

const COOKIE_REPLY = 3;
/** A stranger's handshake takes the main thread 1 ms (measured): 5 % of a processor, whatever the flood. */
const UNPROVEN_PER_SECOND = 50;
const PROVEN_PER_SECOND = 1_000;
const REPLIES_PER_SECOND = 200;
/** Bounds what the worker spends on strangers; beyond, they are dropped, and true ones among them try again. */
const COOKIES_PER_SECOND = 10_000;
const ADDRESS_PER_SECOND = 20;
const ADDRESS_BURST = 5;
/** Addresses remembered; beyond, the one that was heard first is forgotten (the limit for all of them still holds). */
const MAX_ADDRESSES = 4_096;
/** Messages that the main thread has not worked on yet. */
const MAX_WAITING = 512;

/** A token bucket that starts full. */
class Bucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #filledMs: number;
  #tokens: number;

  constructor(perSecond: number, burst: number, filledMs: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#filledMs = filledMs;
    this.#tokens = burst;
  }

  take(nowMs: number): boolean {
    this.#tokens = Math.min(this.#burst, this.#tokens + ((nowMs - this.#filledMs) * this.#perSecond) / 1_000);
    this.#filledMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}

export class HandshakeGate {
  readonly #nowMs: () => number;
  readonly #done: () => number;
  readonly #unproven: Bucket;
  readonly #proven: Bucket;
  readonly #replies: Bucket;
  readonly #cookies: Bucket;
  readonly #addresses = new Map<string, Bucket>();
  #passed = 0;

  /** @param done how many messages the main thread has worked on since the start, modulo 2^32 */
  constructor(nowMs: () => number, done: () => number) {
    this.#nowMs = nowMs;
    this.#done = done;
    const now = nowMs();
    this.#unproven = new Bucket(UNPROVEN_PER_SECOND, UNPROVEN_PER_SECOND, now);
    this.#proven = new Bucket(PROVEN_PER_SECOND, PROVEN_PER_SECOND, now);
    this.#replies = new Bucket(REPLIES_PER_SECOND, REPLIES_PER_SECOND, now);
    this.#cookies = new Bucket(COOKIES_PER_SECOND, COOKIES_PER_SECOND / 10, now);
  }

  /** @param type of the WireGuard message: 1, 2 or 3 */
  judge(type: number, isProven: boolean, source: AddressWords): GateVerdict {
    const verdict = this.#allowed(type, isProven, source);
    if (verdict !== 'pass') return verdict;
    return this.admit() ? 'pass' : 'full';
  }

  /** For a message whose sender is known: false only when too many wait already. */
  admit(): boolean {
    if (((this.#passed - this.#done()) | 0) >= MAX_WAITING) return false;
    this.#passed = (this.#passed + 1) | 0;
    return true;
  }

  #allowed(type: number, isProven: boolean, source: AddressWords): GateVerdict {
    const now = this.#nowMs();
    if (type === COOKIE_REPLY) return this.#replies.take(now) ? 'pass' : 'limited';
    if (this.#unproven.take(now)) return 'pass';
    if (!isProven) return this.#cookies.take(now) ? 'cookie' : 'limited';
    return this.#ofAddress(source, now).take(now) && this.#proven.take(now) ? 'pass' : 'limited';
  }

  /** Of IPv6 the first 64 bits: one subscriber has all the rest. */
  #ofAddress({ family, words }: AddressWords, now: number): Bucket {
    const key = family === 4 ? String(words[3]) : `${words[0]}:${words[1]}`;
    const known = this.#addresses.get(key);
    if (known !== undefined) return known;
    const bucket = new Bucket(ADDRESS_PER_SECOND, ADDRESS_BURST, now);
    this.#addresses.set(key, bucket);
    if (this.#addresses.size > MAX_ADDRESSES) {
      for (const oldest of this.#addresses.keys()) {
        this.#addresses.delete(oldest);
        break;
      }
    }
    return bucket;
  }
}
