/** Is the peer alive? When it was heard last, and what that means, without the time in which this router did not run. */
import { OwnStall } from './own-stall.js';

export class Liveness {
  readonly #deadAfterMs: number;
  readonly #stall = new OwnStall();
  #lastReceivedMs = 0;
  #greetingSinceMs = 0;
  #engineReceivedMs = 0;

  constructor({ deadAfterMs }: { readonly deadAfterMs: number }) {
    this.#deadAfterMs = deadAfterMs;
  }

  /** When something authenticated came last. */
  get lastReceivedMs(): number {
    return this.#lastReceivedMs;
  }

  /** A session is there, and the peer is to greet. */
  began(nowMs: number): void {
    this.#greetingSinceMs = this.#lastReceivedMs = nowMs;
    this.#stall.reset(nowMs);
  }

  authenticatedPacketReceived(nowMs: number): void {
    this.#lastReceivedMs = nowMs;
  }

  /** The engine hears more than control messages: packets, keep-alives. @param receivedMs on its own scale */
  counted(receivedMs: number, nowMs: number): void {
    if (receivedMs === this.#engineReceivedMs) return;
    this.#engineReceivedMs = receivedMs;
    this.#lastReceivedMs = nowMs;
  }

  /** A tick, due `everyMs` after the one before. True: this router did not run meanwhile, and that does not count. */
  ticked(nowMs: number, everyMs: number): boolean {
    const stalledMs = this.#stall.ticked(nowMs, everyMs);
    this.#lastReceivedMs = Math.min(nowMs, this.#lastReceivedMs + stalledMs);
    this.#greetingSinceMs = Math.min(nowMs, this.#greetingSinceMs + stalledMs);
    return stalledMs > 0;
  }

  /** Why the peer is dead; undefined while it is not. */
  deathOf(nowMs: number, isGreeting: boolean): string | undefined {
    const silentMs = nowMs - this.#lastReceivedMs;
    if (silentMs >= this.#deadAfterMs) return `nothing heard for ${seconds(silentMs)}`;
    const greetingMs = nowMs - this.#greetingSinceMs;
    return isGreeting && greetingMs >= this.#deadAfterMs
      ? `no greeting within ${seconds(greetingMs)}`
      : undefined;
  }
}

function seconds(durationMs: number): string {
  return `${Math.round(durationMs / 1_000)} s`;
}
