/**
 * Calls of clients that may go on sealing for a session which this router does not have any more: when it has started
 * again, and when a reload has made a client anew. Their own timers would tell them after 15 s of silence (§6.2, §6.4).
 *
 * So many at a time, so that a start among thousands leaves room for everything else; each call is repeated as any, and
 * given up after 90 s (`Client`). A client that calls first is not called any more.
 */
import type { Clock, Timer } from '../net/clock.js';
import type { Client } from './client.js';
import type { Counters } from './counters.js';
import type { TunnelEvent } from './peer-state.js';

/**
 * 250 a second. An initiation and its answer cost the control thread 0.5 to 1 ms together: that is a quarter of it at most,
 * and a move waits for two of them.
 */
const CALLS_AT_ONCE = 2;
const EVERY_MS = 8;

export interface ClientCallsContext {
  readonly clock: Clock;
  readonly counters: Counters;
  event(event: TunnelEvent): void;
}

export class ClientCalls {
  readonly #context: ClientCallsContext;
  readonly #waiting: Client[] = [];
  readonly #open = new Set<Client>();
  #timer: Timer | undefined;
  #beganMs = 0;
  #answered = 0;
  #unanswered = 0;

  constructor(context: ClientCallsContext) {
    this.#context = context;
  }

  /** Calls those that may hold a session. */
  begin(clients: readonly Client[]): void {
    const called = clients.filter(({ mayHoldSession }) => mayHoldSession);
    if (called.length === 0) return;
    const { clock, event } = this.#context;
    if (this.#open.size === 0) this.#reset(clock.nowMs());
    for (const client of called) {
      this.#waiting.push(client);
      this.#open.add(client);
    }
    event({ event: 'clients_called', clients: called.length });
    if (this.#timer === undefined) this.#callSome();
  }

  /** It has a session, or was called for long enough. Harmless when nobody waits for it. */
  ended(client: Client, isAnswered: boolean): void {
    if (!this.#open.delete(client)) return;
    this.#context.counters.add(isAnswered ? 'client_calls_answered' : 'client_calls_unanswered');
    if (isAnswered) this.#answered++;
    else this.#unanswered++;
    this.#tellWhenDone();
  }

  /** It is no client any more. */
  forget(client: Client): void {
    if (this.#open.delete(client)) this.#tellWhenDone();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#waiting.length = 0;
    this.#open.clear();
  }

  #callSome(): void {
    this.#timer = undefined;
    for (const client of this.#waiting.splice(0, CALLS_AT_ONCE)) {
      if (!this.#open.has(client)) continue;
      this.#context.counters.add('client_calls');
      client.call();
    }
    if (this.#waiting.length > 0)
      this.#timer = this.#context.clock.after('client-calls', EVERY_MS, () => this.#callSome());
  }

  #reset(nowMs: number): void {
    this.#beganMs = nowMs;
    this.#answered = this.#unanswered = 0;
  }

  #tellWhenDone(): void {
    if (this.#open.size > 0) return;
    const tookMs = Math.round(this.#context.clock.nowMs() - this.#beganMs);
    const [answered, unanswered] = [this.#answered, this.#unanswered];
    this.#context.event({ event: 'clients_answered', answered, unanswered, tookMs });
  }
}
