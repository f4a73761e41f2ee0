/** Every duration that the tunnel obeys, in one place, so that tests and labs can shorten them. Milliseconds. */
import {
  KEEPALIVE_TIMEOUT_MS,
  REJECT_AFTER_TIME_MS,
  REKEY_AFTER_TIME_MS,
  REKEY_ATTEMPT_TIME_MS,
  REKEY_TIMEOUT_JITTER_MS,
  REKEY_TIMEOUT_MS,
} from '../wireguard/constants.js';
import type { NameTimes } from './names/names.js';

export interface TunnelTimes extends NameTimes {
  /** The initiator of a session replaces it at this age. */
  readonly rekeyAfterMs: number;
  /** A session is removed at this age, whatever happens. */
  readonly rejectAfterMs: number;
  /** An operator is told when a peer has not answered for so long. */
  readonly rekeyAttemptMs: number;
  /** Between initiations, once `firstRetriesMs` are used up, and while a session is there. */
  readonly rekeyTimeoutMs: number;
  /** Random extra, 0 … this, on every retry. */
  readonly retryJitterMs: number;
  /** Between the first initiations to a peer without a session: an overlay should come up in a blink. */
  readonly firstRetriesMs: readonly number[];
  /** An empty message is sent when nothing was sent for so long (only matters when pings are rarer). */
  readonly keepaliveMs: number;
  readonly pingIntervalMs: number;
  /**
   * Nothing authenticated for so long means that the peer is down. Ten pings: with 30 % loss each way a living peer
   * is given up by mistake once in years, and a cut shorter than this heals without a new handshake.
   */
  readonly deadAfterMs: number;
  /** Retransmission of a control message: at least, at most, and before any round trip was measured. */
  readonly minRetransmitMs: number;
  readonly maxRetransmitMs: number;
  readonly initialRetransmitMs: number;
  /** How often better paths are tried while the one in use is not straight UDP. */
  readonly pathProbeMs: number;
  /** An accepted TCP connection, or one that is being dialled, must prove itself within this. */
  readonly streamProofMs: number;
  /** A TCP connection on which nothing authentic was heard for so long is closed. */
  readonly streamIdleMs: number;
  /** How often a path is asked whether it carries more than was found (RFC 8899: PMTU_RAISE_TIMER). */
  readonly mtuRaiseMs: number;
  /** How often paths are looked after. */
  readonly pathTickMs: number;
  /** How long a refused peer's session is kept, so that it surely hears why. */
  readonly refusalLingerMs: number;
  /** How often a refused peer is tried again: it may have been upgraded. */
  readonly refusedRetryMs: number;
}

export const DEFAULT_TIMES: TunnelTimes = {
  rekeyAfterMs: REKEY_AFTER_TIME_MS,
  rejectAfterMs: REJECT_AFTER_TIME_MS,
  rekeyAttemptMs: REKEY_ATTEMPT_TIME_MS,
  rekeyTimeoutMs: REKEY_TIMEOUT_MS,
  retryJitterMs: REKEY_TIMEOUT_JITTER_MS,
  firstRetriesMs: [250, 500, 1_000, 2_000],
  keepaliveMs: KEEPALIVE_TIMEOUT_MS,
  pingIntervalMs: 1_000,
  deadAfterMs: 10_000,
  minRetransmitMs: 20,
  maxRetransmitMs: 1_000,
  initialRetransmitMs: 200,
  pathProbeMs: 60_000,
  streamProofMs: 10_000,
  streamIdleMs: 60_000,
  mtuRaiseMs: 600_000,
  pathTickMs: 500,
  refusalLingerMs: 1_000,
  refusedRetryMs: 60_000,
  nameRefreshMs: 60_000,
  nameRetryMs: 5_000,
  nameLimitMs: 15_000,
};

/**
 * When the responder of a session steps in, because the initiator has not replaced it: the paper's point (§6.2)
 * after which a rekey must start for the old session not to run out first.
 */
export function responderRekeyMs(times: TunnelTimes): number {
  return Math.max(
    times.rekeyAfterMs + times.rekeyTimeoutMs,
    times.rejectAfterMs - times.keepaliveMs - times.rekeyTimeoutMs,
  );
}
