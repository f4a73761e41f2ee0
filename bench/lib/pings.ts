/** Round trips as ping(8) of iputils tells of them, with `-D`. */
import { percentile } from './distribution.js';

/** One that was answered; Unix milliseconds with a fraction. */
export interface Ping {
  readonly sentMs: number;
  readonly answeredMs: number;
  readonly ms: number;
}

/** `[1795856751.874398] 64 bytes from 10.2.0.2: icmp_seq=1 ttl=62 time=0.123 ms`; "(DUP!)" after a second answer. */
const answerLine = /^\[(\d+\.\d+)\] .*\bicmp_seq=\d+ .*\btime=(\d+(?:\.\d+)?) ms$/;

/** Lines of anything else, and second answers, are passed over. */
export function parsePings(text: string): Ping[] {
  return text.split('\n').flatMap((line) => {
    const [, seconds, ms] = (answerLine.exec(line) ?? []).map(Number);
    if (seconds === undefined || ms === undefined) return [];
    const answeredMs = seconds * 1000;
    return [{ sentMs: answeredMs - ms, answeredMs, ms }];
  });
}

export interface RoundTrips {
  readonly meanMs: number;
  readonly p50Ms: number;
  /** Of fewer than a hundred it is the longest. */
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** NaN of none. */
export function roundTrips(ms: readonly number[]): RoundTrips {
  return {
    meanMs: ms.reduce((sum, one) => sum + one, 0) / ms.length,
    p50Ms: percentile(ms, 50),
    p99Ms: percentile(ms, 99),
    maxMs: percentile(ms, 100),
  };
}
