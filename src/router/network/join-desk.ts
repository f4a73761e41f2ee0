/** Answers machines that hand in their memberships. Strangers: nothing is kept of them, and few are worked on at a time. */
import {
  createJoinAnswer,
  JOIN_CIPHER,
  type JoinQuestion,
  openJoinRequest,
} from '../../membership/join-exchange.js';
import type { Clock } from '../../net/clock.js';
import type { DatagramAddress, TunnelPorts } from '../../tunnel/ports.js';
import { createIdentity, type Identity } from '../../wireguard/handshake.js';
import type { Memberships } from './memberships.js';

/** That wait for their turn; who gets no answer asks again. */
const MOST_WAITING = 16;

type JoinDrop = 'join_dropped_no_network_key' | 'join_dropped_queue_full' | 'join_dropped_malformed';

export interface JoinDeskOptions {
  readonly clock: Clock;
  /** 32 bytes; copied. */
  readonly privateKey: Uint8Array;
  readonly ports: Pick<TunnelPorts, 'random' | 'sendDatagram'>;
  readonly memberships: Memberships;
}

export class JoinDesk {
  readonly #options: JoinDeskOptions;
  readonly #identity: Identity;
  #waiting = 0;

  constructor(options: JoinDeskOptions) {
    this.#options = options;
    this.#identity = createIdentity(JOIN_CIPHER, options.privateKey);
  }

  /** A datagram whose first byte is that of a join request. Nothing is thrown for what is in it. */
  received(bytes: Uint8Array, source: DatagramAddress): void {
    const { memberships } = this.#options;
    const question = this.#open(bytes, source);
    if (typeof question === 'string') {
      memberships.count(question);
      return;
    }
    this.#waiting++;
    void this.#answer(question, source).finally(() => this.#waiting--);
  }

  #open(bytes: Uint8Array, { relay }: DatagramAddress): JoinQuestion | JoinDrop {
    if (!this.#options.memberships.isOn) return 'join_dropped_no_network_key';
    if (this.#waiting >= MOST_WAITING) return 'join_dropped_queue_full';
    const question = relay === undefined ? openJoinRequest(this.#identity, bytes) : 'malformed';
    return typeof question === 'string' ? 'join_dropped_malformed' : question;
  }

  async #answer(question: JoinQuestion, source: DatagramAddress): Promise<void> {
    const { memberships, clock, ports } = this.#options;
    const { isAdmitted, reason } = await memberships.handedIn(question.membership, question.from);
    const unixS = Math.floor(clock.wallMs() / 1000);
    const answer = createJoinAnswer(question, { isAdmitted, unixS, reason }, ports.random(32));
    if (answer !== undefined) ports.sendDatagram(source, answer);
  }
}
