/** The Pings that wait for a Pong: what each was for, what the answers say of round trip and clock, and how many were lost. */
import type { Clock } from '../../net/clock.js';
import type { Coordinate } from '../../net/coordinates.js';
import type { PingMessage, PongMessage } from '../../protocol/control-message.js';
import { MAX_STAMP } from '../../tables/record.js';
import type { DatagramAddress } from '../ports.js';
import type { Position } from './position.js';
import { RttEstimator } from './rtt.js';

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
  readonly rtt = new RttEstimator();
  readonly #clock: Clock;
  readonly #position: Position;
  #nextToken = 1;
  readonly #waiting = new Map<number, Ping>();
  /** Of the last regular Pings, oldest first: was it answered? */
  #outcomes: { readonly token: number; answered: boolean }[] = [];

  #offsetMs: number | undefined;
  #coordinate: Coordinate | undefined;

  constructor(clock: Clock, position: Position) {
    this.#clock = clock;
    this.#position = position;
  }

  /** Where the peer said last that it is. */
  get coordinate(): Coordinate | undefined {
    return this.#coordinate;
  }

  /** By how much the peer's clock is ahead of ours, as far as half a round trip can tell; undefined before a ping. */
  get clockOffsetMs(): number | undefined {
    return this.#offsetMs;
  }

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

  /** Does a Ping with that token wait for its answer? */
  isOpen(token: number): boolean {
    return this.#waiting.has(token);
  }

  /** What the answered Ping was; undefined when it was none of ours, or was answered before. */
  answered({ token, wallUs, coordinate }: PongMessage): Ping | undefined {
    const ping = this.#waiting.get(token);
    if (ping === undefined) return undefined;
    this.#waiting.delete(token);
    const rttMs = this.#clock.nowMs() - ping.sentMs;
    if (ping.purpose === 'alive') {
      this.rtt.sample(rttMs);
      const outcome = this.#outcomes.find((one) => one.token === token);
      if (outcome !== undefined) outcome.answered = true;
      this.#locate(coordinate, ping);
    }
    // Its clock was read about half a round trip ago.
    if (wallUs > 0) this.#offsetMs = wallUs / 1000 + rttMs / 2 - this.#clock.wallMs();
    ping.asker?.(rttMs);
    return ping;
  }

  /** By way of a relay it is no distance. Smoothed, since a place is for long. */
  #locate(coordinate: Coordinate | undefined, { path }: Ping): void {
    this.#coordinate = coordinate ?? this.#coordinate;
    const { rttMs } = this.rtt;
    if (coordinate !== undefined && rttMs !== undefined && path?.relay === undefined)
      this.#position.measured(coordinate, rttMs);
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
    this.#offsetMs = undefined;
    this.rtt.reset();
  }
}

/** The answer to a peer's Ping. A clock that is nowhere near the truth is not told. */
export function pongTo({ token }: PingMessage, clock: Clock, coordinate: Coordinate): PongMessage {
  const wallUs = Math.floor(clock.wallMs() * 1000);
  return { type: 'pong', token, wallUs: wallUs >= 0 && wallUs <= MAX_STAMP ? wallUs : 0, coordinate };
}
