/**
 * Hosts that go on asking all for an address although this router has answered. Who has got an answer does not ask like that
 * again for a while: it asks the one that it knows, by a frame to that one alone (RFC 4861 §7.3.3; Linux does the same with
 * ARP). So the answers are dropped on the way, by a filter at this machine's port.
 */
import { BoundedMap } from '../../../net/bounded-map.js';
import type { Ip } from '../../../net/ip.js';
import { formatMac, type Mac } from '../../../net/mac.js';
import type { LanIndex } from '../../../tables/model.js';

/** A question nearer to the one before may have crossed the answer. Hosts ask once a second (RFC 4861 §10, RETRANS_TIMER). */
const CROSSED_MS = 500;
/** One later than that begins anew: it may be by the host's own forgetting. */
const SERIES_GAP_MS = 10_000;
/** Three are what a host asks at most before it gives up for the time being (RFC 4861 §10, MAX_MULTICAST_SOLICIT). */
const ENOUGH = 5;
/** It was put right, or the host has given up. */
const REMEMBERED_MS = 120_000;
/** A machine that makes up askers displaces others only until they ask again. */
const MOST_SERIES = 256;

/** An asker, what it asks for, and how often it did so in vain. */
export interface UnheededSeries {
  readonly lan: LanIndex;
  readonly asker: Mac;
  readonly target: Ip;
  readonly questions: number;
  /** Monotonic. */
  readonly lastMs: number;
}

export class Unheeded {
  readonly #series = new BoundedMap<string, UnheededSeries>(MOST_SERIES);

  /** A question to all is being answered by this router. @param nowMs monotonic */
  answered(lan: LanIndex, asker: Mac, target: Ip, nowMs: number): void {
    const key = `${lan}|${formatMac(asker)}|${target.key}`;
    const before = this.#series.get(key);
    const sinceMs = before === undefined ? Number.POSITIVE_INFINITY : nowMs - before.lastMs;
    if (sinceMs < CROSSED_MS) return;
    const questions = before === undefined || sinceMs > SERIES_GAP_MS ? 1 : before.questions + 1;
    this.#series.set(key, { lan, asker, target, questions, lastMs: nowMs });
  }

  /** Those that are long enough, and not over for long. The latest last. */
  list(nowMs: number): readonly UnheededSeries[] {
    return [...this.#series.values()].filter(
      ({ questions, lastMs }) => questions >= ENOUGH && nowMs - lastMs <= REMEMBERED_MS,
    );
  }
}
