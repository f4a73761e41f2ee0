/** The machine's side of handing a membership in at one bootstrap router: what to send, what an answer means. No I/O. */
import { CookieJar } from '../wireguard/cookie.js';
import {
  createIdentity,
  createRemoteIdentity,
  type Identity,
  type RemoteIdentity,
} from '../wireguard/handshake.js';
import { decodeMessage, MessageType } from '../wireguard/messages.js';
import {
  createJoinRequest,
  JOIN_CIPHER,
  type JoinAnswer,
  type JoinCall,
  openJoinAnswer,
} from './join-exchange.js';

/** Earlier requests may still be answered. */
const MOST_CALLS = 8;

export interface JoinCallerPorts {
  /** Fresh bytes of a cryptographic quality; they are overwritten. */
  random(length: number): Uint8Array;
  /** Milliseconds, monotonic. */
  nowMs(): number;
  /** Unix time, seconds. */
  unixS(): number;
}

export class JoinCaller {
  readonly #identity: Identity;
  readonly #router: RemoteIdentity;
  readonly #membership: Uint8Array;
  readonly #ports: JoinCallerPorts;
  readonly #cookies: CookieJar;
  #calls: JoinCall[] = [];

  private constructor(
    identity: Identity,
    router: RemoteIdentity,
    membership: Uint8Array,
    ports: JoinCallerPorts,
  ) {
    this.#identity = identity;
    this.#router = router;
    this.#membership = membership;
    this.#ports = ports;
    this.#cookies = new CookieJar(router.cookieKey);
  }

  /** Undefined: the bootstrap router's key is none. @param privateKey of the router that joins, 32 bytes */
  static create(
    privateKey: Uint8Array,
    bootstrapKey: Uint8Array,
    membership: Uint8Array,
    ports: JoinCallerPorts,
  ): JoinCaller | undefined {
    const identity = createIdentity(JOIN_CIPHER, privateKey);
    const router = createRemoteIdentity(identity, bootstrapKey);
    return router && new JoinCaller(identity, router, membership, ports);
  }

  /** A fresh request, each time it is called. */
  request(): Uint8Array {
    const { random, nowMs, unixS } = this.#ports;
    const index = new DataView(Uint8Array.from(random(4)).buffer).getUint32(0);
    const made = createJoinRequest(this.#identity, this.#router, {
      ephemeral: random(32),
      index,
      unixS: unixS(),
      membership: this.#membership,
      cookie: this.#cookies.fresh(nowMs()),
    });
    if (made === undefined) return new Uint8Array(0); // `create` has tried the key
    this.#calls = [...this.#calls, made.call].slice(-MOST_CALLS);
    this.#cookies.sent(index, made.bytes);
    return made.bytes;
  }

  /** `busy`: the router wants to see that this address is ours: send another request. Undefined: it is no answer. */
  received(bytes: Uint8Array): JoinAnswer | 'busy' | undefined {
    const message = decodeMessage(bytes);
    if (typeof message !== 'string' && message.type === MessageType.cookie)
      return this.#cookies.received(message, this.#ports.nowMs()) === undefined ? 'busy' : undefined;
    for (const call of this.#calls) {
      const answer = openJoinAnswer(this.#identity, call, bytes);
      if (typeof answer !== 'string') return answer;
    }
    return undefined;
  }
}
