/**
 * How large a packet the path to one peer carries, found by probes (after RFC 8899): Pings that are filled up to the
 * length of a data message, which nobody may fragment. Sizes here are inner ones: of the IP packet that a node sends.
 *
 *   base ──largest of a few common sizes──▶ search (in between) ──▶ found ──raise, every `mtuRaiseMs`──▶ search
 *     ▲                                                           │
 *     └────── three probes of that size in a row unanswered ──────┘   (a black hole: the path has shrunk)
 *
 * While data is sent, the size found is probed once a second, so that a path that shrinks is noticed in seconds.
 */
import type { Clock, Timer } from '../../net/clock.js';
import {
  innerBytes,
  MAX_INNER_MTU_BYTES,
  MIN_INNER_MTU_BYTES,
  overheadBytes,
  payloadBytes,
} from '../../protocol/overhead.js';
import type { Ping } from '../link/pings.js';
import type { DatagramAddress } from '../ports.js';
import type { TunnelTimes } from '../times.js';
import { kindOf } from './path.js';

/** RFC 8200 §5: what every path carries (RFC 8899's BASE_PLPMTU for those that we speak of). */
const BASE_OUTER_BYTES = 1_280;
/** Of Ethernet, and what tunnels, PPPoE and clouds leave of it; jumbo frames. */
const COMMON_OUTER_BYTES = [1_340, 1_400, 1_420, 1_440, 1_460, 1_480, 1_492, 1_500, 4_000, 8_000, 9_000];
/** With which a probe is still no longer than the longest IP packet. */
const MAX_LIMIT_BYTES = innerBytes(MAX_INNER_MTU_BYTES);
/** Close enough. */
const GRAIN_BYTES = 8;
const TRIES = 3;
const SHORTEST_WAIT_MS = 200;
/** Sizes in between that are asked at once: each round leaves a fifth of what was open. */
const POINTS = 4;
/** More would look like a burst of data. */
const PROBES_AT_ONCE = 8;

export interface PathMtuOwner {
  /** Sends a Ping of that payload length by the path in use. False: the link does not take it. */
  trySize(lengthBytes: number): boolean;
  readonly rttMs: number | undefined;
  /** Packets up to this size can be sent from now on; 576 at least. */
  mtuFound(innerBytes: number): void;
}

export class PathMtu {
  readonly #clock: Clock;
  readonly #times: TunnelTimes;
  readonly #owner: PathMtuOwner;
  #overhead = 0;
  /** Answered; not answered; asked how often. */
  #low = 0;
  #high = 0;
  #limit = 0;
  readonly #asked = new Map<number, number>();
  #timer: Timer | undefined;
  #raiseTimer: Timer | undefined;
  #state: 'off' | 'searching' | 'found' = 'off';
  #missed = 0;

  constructor(clock: Clock, times: TunnelTimes, owner: PathMtuOwner) {
    this.#clock = clock;
    this.#times = times;
    this.#owner = owner;
  }

  /** The outer packet that the path is known to carry; undefined when there is nothing to find out (TCP, no path). */
  get pathBytes(): number | undefined {
    return this.#state === 'off' || this.#overhead === 0 ? undefined : this.#low + this.#overhead;
  }

  /** @param limitBytes largest inner packet that the peer takes */
  begin(path: DatagramAddress, limitBytes: number): void {
    this.stop();
    const limit = Math.min(MAX_LIMIT_BYTES, Math.max(MIN_INNER_MTU_BYTES, limitBytes));
    const kind = kindOf(path);
    if (kind === 'tcp') {
      this.#overhead = 0;
      this.#owner.mtuFound(limit);
      return;
    }
    const family = kind === 'udp' && path.address.length === 4 ? 4 : 6;
    this.#overhead = overheadBytes(family, kind === 'relay');
    this.#limit = limit;
    this.#restart(limit);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#raiseTimer?.cancel();
    this.#state = 'off';
  }

  /** A probe has come back. */
  answered({ lengthBytes }: Ping): void {
    const inner = innerBytes(lengthBytes);
    if (this.#state === 'off' || inner < this.#low) return;
    this.#missed = 0;
    if (inner === this.#low) return;
    this.#low = Math.min(inner, this.#limit);
    if (this.#high <= this.#low) this.#high = this.#limit + 1;
    this.#owner.mtuFound(this.#low);
  }

  /** Once a second, `inUse`: data has been sent since the last time. */
  tick(inUse: boolean): void {
    if (this.#state === 'off' || !inUse || this.#low <= this.#base) return;
    if (this.#missed >= TRIES) {
      // What was found is no more; what the path carries now is less.
      this.#restart(this.#low - 1);
      return;
    }
    this.#missed++;
    this.#owner.trySize(payloadBytes(this.#low));
  }

  get #base(): number {
    return Math.min(BASE_OUTER_BYTES - this.#overhead, this.#limit);
  }

  #restart(limit: number): void {
    this.#timer?.cancel();
    this.#low = this.#base;
    this.#high = Math.max(this.#low, limit) + 1;
    this.#missed = 0;
    this.#owner.mtuFound(this.#low);
    this.#search();
  }

  #search(): void {
    this.#state = 'searching';
    this.#raiseTimer?.cancel();
    this.#asked.clear();
    this.#round();
  }

  #round(): void {
    for (const [size, tries] of this.#asked) {
      if (size <= this.#low) this.#asked.delete(size);
      else if (tries >= TRIES) this.#high = Math.min(this.#high, size);
    }
    for (const size of this.#asked.keys()) if (size >= this.#high) this.#asked.delete(size);
    const sizes = this.#sizes();
    if (sizes.length === 0) {
      this.#finish();
      return;
    }
    for (const size of sizes) {
      if (this.#owner.trySize(payloadBytes(size))) this.#asked.set(size, (this.#asked.get(size) ?? 0) + 1);
      else this.#high = Math.min(this.#high, size);
    }
    const waitMs = Math.max(SHORTEST_WAIT_MS, 3 * (this.#owner.rttMs ?? 0));
    this.#timer = this.#clock.after('mtu-probe', waitMs, () => this.#round());
  }

  /** What to ask now: common sizes in between, the largest that the peer takes, else some in between. */
  #sizes(): number[] {
    if (this.#high - this.#low <= GRAIN_BYTES && this.#high <= this.#limit) return [];
    const open = [...COMMON_OUTER_BYTES.map((outer) => outer - this.#overhead), this.#limit]
      .filter((size) => size > this.#low && size < this.#high && size <= this.#limit)
      .sort((a, b) => a - b);
    if (open.length > 0) return [...new Set(open)].slice(0, PROBES_AT_ONCE);
    const step = (this.#high - this.#low) / (POINTS + 1);
    const points = Array.from({ length: POINTS }, (_, i) => Math.floor(this.#low + (i + 1) * step));
    return [...new Set(points)].filter((size) => size > this.#low && size < this.#high);
  }

  #finish(): void {
    this.#state = 'found';
    this.#raiseTimer = this.#clock.after('mtu-raise', this.#times.mtuRaiseMs, () => {
      this.#high = this.#limit + 1;
      this.#search();
    });
  }
}
