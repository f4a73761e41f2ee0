/** The Pings that wait for a Pong: what each was for, and how many of the last ones were lost. */
import type { DatagramAddress } from './ports.js';

/** `alive`: the regular ones, on the path in use. `path`: does another path work? `size`: does so much fit? */
export type PingPurpose = 'alive' | 'path' | 'size';

export interface Ping {
  readonly purpose: PingPurpose;
  readonly sentMs: number;
  /** By which it was sent; undefined when nothing says. */
  readonly path: DatagramAddress | undefined;
  /** Payload length that it was filled up to; 0 = not. */
  readonly lengthBytes: number;
  /** Who else wants to know the round trip. */
  readonly asker?: ((rttMs: number) => void) | undefined;
}

/** Remembered: an answer to an older one says nothing new. */
const MAX_WAITING = 64;
/** Regular Pings that the loss is taken from. */
const LOSS_WINDOW = 100;

export class Pings {
  #nextToken = 1;
  readonly #waiting = new Map<number, Ping>();
  /** Of the last regular Pings, oldest first: was it answered? */
  #outcomes: { readonly token: number; answered: boolean }[] = [];

  /** The token to send. */
  asked(ping: Ping): number {
    const token = this.#nextToken++;
    this.#waiting.set(token, ping);
    for (const oldest of this.#waiting.keys()) {
      if (this.#waiting.size <= MAX_WAITING) break;
      this.#waiting.delete(oldest);
    }
    if (ping.purpose === 'alive') {
      this.#outcomes.push({ token, answered: false });
      if (this.#outcomes.length > LOSS_WINDOW) this.#outcomes.shift();
    }
    return token;
  }

  /** What the answered Ping was; undefined when it was none of ours, or was answered before. */
  answered(token: number): Ping | undefined {
    const ping = this.#waiting.get(token);
    this.#waiting.delete(token);
    const outcome = ping?.purpose === 'alive' ? this.#outcomes.find((one) => one.token === token) : undefined;
    if (outcome !== undefined) outcome.answered = true;
    return ping;
  }

  /** Share of the regular Pings that got no answer, 0 … 100; undefined before the first. The newest may still get one. */
  get lossPercent(): number | undefined {
    const newest = this.#outcomes.at(-1);
    const judged = newest?.answered === false ? this.#outcomes.slice(0, -1) : this.#outcomes;
    if (judged.length === 0) return undefined;
    return (100 * judged.filter(({ answered }) => !answered).length) / judged.length;
  }

  reset(): void {
    this.#waiting.clear();
    this.#outcomes = [];
  }
}
