/**
 * Which handshake messages the worker lets through to the control thread, where each costs several Diffie-Hellmans
 * (WireGuard paper §5.3). The engine has dropped those without a valid mac1 before. Up to 50 a second pass unasked;
 * beyond, the router is under load, and whoever has not proven its address by a mac2 is answered with a cookie, which
 * the engine makes without the control thread. A proven address gets 20 a second. What may wait is bounded besides
 * (`PuntPolicer`), so no flood, whatever it consists of, takes memory or the control thread's time.
 *
 * What a relay has passed on comes in a session with it, and in the name of a router of gndt.json: each has a rate.
 *
 * A flood of cookie replies can at most keep a true one out, while the peer that sent it is itself under load.
 */
import type { Budgets } from '../budget/budgets.js';
import { MAX_PEERS } from '../engine.js';
import type { AddressWords } from './punt.js';

export type GateVerdict = 'pass' | 'cookie' | 'limited';

const COOKIE_REPLY = 3;
const JOIN_REQUEST = 0x76;
/** A stranger's handshake takes the control thread 1 ms (measured): 5 % of a processor, whatever the flood. */
const UNPROVEN = { perSecond: 50, burst: 50 };
/** A token's use takes twice that; nobody waits for one but the machine that joins. None takes a router's place. */
const JOINS = { perSecond: 5, burst: 10 };
const PROVEN = { perSecond: 1_000, burst: 1_000 };
const REPLIES = { perSecond: 200, burst: 200 };
/** Bounds what the worker spends on strangers; beyond, they are dropped, and true ones among them try again. */
const COOKIES = { perSecond: 10_000, burst: 1_000 };
/** Of each proven address, and of each router whose messages are relayed. */
const EACH = { perSecond: 20, burst: 5 };
/** By way of one relay: all that a network of a thousand routers needs when the relay begins anew. */
const EACH_RELAY = { perSecond: 200, burst: 1_000 };

interface One {
  allow(): boolean;
}

export class HandshakeGate {
  readonly #unproven: One;
  readonly #joins: One;
  readonly #proven: One;
  readonly #replies: One;
  readonly #cookies: One;
  readonly #addresses: { allow(host: string): boolean };
  readonly #relays: { allow(relay: number): boolean };
  readonly #relayed: { allow(sender: string): boolean };

  constructor(budgets: Budgets) {
    this.#unproven = budgets.one('unprovenHandshakes', UNPROVEN);
    this.#joins = budgets.one('joinRequests', JOINS);
    this.#proven = budgets.one('provenHandshakes', PROVEN);
    this.#replies = budgets.one('cookieReplies', REPLIES);
    this.#cookies = budgets.one('cookies', COOKIES);
    this.#addresses = budgets.keyed('addresses', EACH);
    this.#relays = budgets.numbered('relays', EACH_RELAY);
    this.#relayed = budgets.keyed('relayedHandshakes', EACH);
  }

  /** @param type of the message: 1, 2 or 3, or that of a join request */
  judge(type: number, isProven: boolean, source: AddressWords): GateVerdict {
    if (type === COOKIE_REPLY) return this.#replies.allow() ? 'pass' : 'limited';
    if (type === JOIN_REQUEST) return this.#judgeJoin(isProven, source);
    if (this.#unproven.allow()) return 'pass';
    if (!isProven) return this.#cookies.allow() ? 'cookie' : 'limited';
    return this.#addresses.allow(hostOf(source)) && this.#proven.allow() ? 'pass' : 'limited';
  }

  #judgeJoin(isProven: boolean, source: AddressWords): GateVerdict {
    if (!isProven) return this.#joins.allow() ? 'pass' : this.#cookies.allow() ? 'cookie' : 'limited';
    return this.#addresses.allow(hostOf(source)) && this.#proven.allow() ? 'pass' : 'limited';
  }

  /** One that `relay` has passed on and says to be of router `sender`, both by number: none can spend another's share. */
  mayPassRelayed(relay: number, sender: number): boolean {
    return this.#relays.allow(relay) && this.#relayed.allow(String(relay * MAX_PEERS + sender));
  }
}

/** Of IPv6 the first 64 bits: one subscriber has all the rest. */
function hostOf({ family, words }: AddressWords): string {
  return family === 4 ? String(words[3]) : `${words[0]}:${words[1]}`;
}
