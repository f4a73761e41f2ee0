/**
 * Which messages a worker may hand up to the control thread. Two bounds:
 *
 * - What waits there, in units (`unitsOf`). A peer's queue may grow to a sixteenth of the room that is left (dynamic
 *   thresholds: Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998): one that floods gets a seventeenth
 *   of all, a thousand that flood at once still leave a place for every other, and the sum is never more than `ROOM`. Of
 *   what is no peer's so many may wait.
 * - A peer's rate. The burst is a first synchronisation of 100,000 records (16 a message) and the acknowledgements of
 *   another the other way; what is beyond is sent again by the channel, which is at-least-once.
 *
 * Workers of one direction count together; of a peer's messages each may let one through that is too many. A peer's share
 * of both can be made smaller by the control thread (`DataPlane.setControlShare`).
 */
import type { Rate } from '../../net/rate-limit.js';
import type { Budgets } from '../budget/budgets.js';
import { MAX_PEERS } from '../engine.js';
import type { PeerShares } from './peer-shares.js';
import { costOf, type Punt, type ReportKind, Tally, tallyOf, unitsOf } from './punt.js';

/** Units that may wait: 32 MB of control messages at most. */
const ROOM = 16_384;
/** Binary logarithm of the part of the free room that one queue may take. */
const PART_BITS = 4;
const PEER_RATE: Rate = { perSecond: 2_000, burst: 16_384 };
/** A stranger's handshake takes the control thread a millisecond. */
const MOST_HANDSHAKES = 512;
/** Of each kind: those of two seconds. */
const MOST_REPORTS = 2_048;
/** The control thread keeps no more connections of strangers than that (`Streams`): more need not wait for it. */
const MOST_ACCEPTED = 64;

export type PuntVerdict = 'pass' | 'rate' | 'full';

/** Of the workers of one direction, by `Tally`, modulo 2^32; see `WorkerInput`. */
export interface PuntTallies {
  /** Units that the control thread, which alone writes, has worked on since the start. */
  readonly puntsDone: SharedArrayBuffer;
  /** Units that these workers have passed. */
  readonly puntsPassed: SharedArrayBuffer;
}

export class PuntPolicer {
  readonly #done: Int32Array;
  readonly #shares: PeerShares;
  readonly #passed: Int32Array;
  readonly #peerRate: { allow(peer: number, units: number): boolean };

  constructor(budgets: Pick<Budgets, 'numbered'>, tallies: PuntTallies, shares: PeerShares) {
    this.#done = new Int32Array(tallies.puntsDone);
    this.#passed = new Int32Array(tallies.puntsPassed);
    this.#shares = shares;
    this.#peerRate = budgets.numbered('control', PEER_RATE);
  }

  /** A control message of that peer. */
  control(peer: number, lengthBytes: number): PuntVerdict {
    const units = unitsOf(lengthBytes);
    const share = this.#shares.of(peer);
    if (!this.#hasRoom(peer, units, share)) return 'full';
    if (!this.#peerRate.allow(peer, units / share)) return 'rate';
    this.#passPeer(peer, units);
    return 'pass';
  }

  /** Always: there are no more than sessions that the control thread has made. */
  sessionConfirmed(peer: number): void {
    this.#passPeer(peer, 1);
  }

  handshake(): boolean {
    return this.#passUpTo(Tally.handshake, MOST_HANDSHAKES);
  }

  /** Somebody has connected. */
  accepted(): boolean {
    return this.#passUpTo(Tally.stream, MOST_ACCEPTED);
  }

  /** What else becomes of connections. Always: there are no more of them than the addon keeps. */
  stream(): void {
    this.#pass(Tally.stream, 1);
  }

  report(kind: ReportKind): boolean {
    return this.#passUpTo(Tally[kind], MOST_REPORTS);
  }

  /** It has passed, and could not be handed up after all: it does not wait. */
  takeBack(punt: Punt): void {
    const tally = tallyOf(punt);
    if (tally < MAX_PEERS) this.#passPeer(tally, -costOf(punt));
    else this.#pass(tally, -1);
  }

  #passUpTo(tally: number, most: number): boolean {
    if (this.#waiting(tally) >= most) return false;
    this.#pass(tally, 1);
    if (this.#waiting(tally) <= most) return true;
    // Another worker was as quick.
    this.#pass(tally, -1);
    return false;
  }

  #hasRoom(peer: number, units: number, share: number): boolean {
    const free = ROOM - this.#waiting(Tally.peers);
    if (units > free) return false;
    const waiting = this.#waiting(peer);
    return waiting === 0 || waiting + units <= (free >> PART_BITS) * share;
  }

  #waiting(tally: number): number {
    return (Atomics.load(this.#passed, tally) - Atomics.load(this.#done, tally)) | 0;
  }

  #passPeer(peer: number, units: number): void {
    this.#pass(peer, units);
    this.#pass(Tally.peers, units);
  }

  #pass(tally: number, units: number): void {
    Atomics.add(this.#passed, tally, units);
  }
}
