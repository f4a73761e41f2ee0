/**
 * At-least-once delivery of control messages to one peer, over sessions that lose, reorder and repeat.
 *
 * Each message gets an id when it is first sent, and is sent again, doubling the delay, until the peer names the id in
 * `acks`. Acknowledgements ride on whatever is sent, or go at once in an envelope of their own. The receiver remembers
 * ids, so that a repeated message is acknowledged again but delivered once; `oldest` tells it what it may forget.
 * Ids belong to an epoch, which is new whenever one side has begun anew: what refers to another epoch is ignored.
 *
 * At most `WINDOW` ordinary messages are in flight, so that a full table does not flood the path; claims, their results
 * and what concerns the link go at once. At most `LIMIT` messages are kept: then the oldest ordinary one is dropped and
 * counted (tables are compared periodically, which repairs it).
 */
import type { Clock, Timer } from '../../net/clock.js';
import { MAX_ACKS_PER_ENVELOPE } from '../../protocol/constants.js';
import type { ControlMessage } from '../../protocol/control-message.js';
import type { Envelope, EnvelopeHead } from '../../protocol/envelope.js';
import type { Counters } from '../counters.js';
import type { DatagramAddress } from '../ports.js';
import type { TunnelTimes } from '../times.js';
import type { RttEstimator } from './rtt.js';

const WINDOW = 128;
const LIMIT = 4_096;
/** Ids remembered at most; beyond, the lower half is forgotten, at the price of perhaps delivering one twice. */
const MAX_SEEN = 16_384;

const URGENT: ReadonlySet<ControlMessage['type']> = new Set(['hello', 'bye', 'claim', 'claimResult']);

interface InFlight {
  readonly body: ControlMessage;
  dueMs: number;
  intervalMs: number;
}

/** How one message differs from the others: it goes by a path of its own, or is filled up with zeros to a length. */
export interface Way {
  readonly to?: DatagramAddress | undefined;
  readonly lengthBytes?: number | undefined;
}

/** Where envelopes go. */
export interface EnvelopeOutput {
  /** False: the socket said no. */
  transmit(envelope: Envelope, way?: Way): boolean;
}

export interface ChannelContext {
  readonly clock: Clock;
  readonly times: TunnelTimes;
  readonly rtt: RttEstimator;
  readonly output: EnvelopeOutput;
  readonly counters: Counters;
}

export class Channel {
  readonly #context: ChannelContext;
  readonly #inFlight = new Map<number, InFlight>();
  #waiting: ControlMessage[] = [];
  #nextId = 1;
  #ownEpoch: number;
  #peerEpoch = 0;
  readonly #seen = new Set<number>();
  #forgottenBelow = 0;
  #owedAcks: number[] = [];
  #timer: Timer | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;

  constructor(context: ChannelContext) {
    this.#context = context;
    this.#ownEpoch = Math.max(1, Math.floor(context.clock.wallMs()));
  }

  get epoch(): number {
    return this.#ownEpoch;
  }

  /** 0 while the peer's epoch is not known. */
  get remoteEpoch(): number {
    return this.#peerEpoch;
  }

  /** Messages that are not acknowledged yet. */
  get pending(): number {
    return this.#inFlight.size + this.#waiting.length;
  }

  /** Begins anew on our side: forgets everything, both ways. */
  restart(): void {
    this.#clear();
    this.#peerEpoch = 0;
    this.#nextId = 1;
    this.#ownEpoch = Math.max(this.#ownEpoch + 1, Math.floor(this.#context.clock.wallMs()));
  }

  /** The peer is heard for the first time. */
  peerBegan(epoch: number): void {
    this.#peerEpoch = epoch;
  }

  /** The peer has begun anew: it knows nothing of what was sent before. */
  peerRestarted(epoch: number): void {
    this.#clear();
    this.#peerEpoch = epoch;
  }

  /** Until acknowledged. */
  send(body: ControlMessage): void {
    if (this.pending >= LIMIT && !this.#makeRoom()) {
      this.#context.counters.add('control_dropped_queue_full');
      return;
    }
    if (URGENT.has(body.type) || (this.#inFlight.size < WINDOW && this.#waiting.length === 0))
      this.#launch(body);
    else this.#waiting.push(body);
  }

  /** Once, without an acknowledgement. */
  sendOnce(body: ControlMessage, way?: Way): boolean {
    return this.#transmit(0, body, way);
  }

  /** Takes the envelope's acknowledgements. */
  acknowledged(envelope: EnvelopeHead): void {
    if (envelope.ackEpoch !== this.#ownEpoch) return;
    for (const id of envelope.acks) this.#inFlight.delete(id);
    while (this.#waiting.length > 0 && this.#inFlight.size < WINDOW) {
      const body = this.#waiting.shift();
      if (body !== undefined) this.#launch(body);
    }
    if (this.#inFlight.size === 0) this.#disarm();
  }

  /** Of the peer's current epoch, and delivered before: all that it needs is another acknowledgement. */
  isRepeated({ id, epoch }: EnvelopeHead): boolean {
    return id !== 0 && epoch === this.#peerEpoch && (id < this.#forgottenBelow || this.#seen.has(id));
  }

  /** Takes an envelope of the peer's current epoch; false when its body has been delivered before. */
  isNew(envelope: EnvelopeHead): boolean {
    const { id, oldest } = envelope;
    if (oldest > this.#forgottenBelow) this.#forgottenBelow = oldest;
    if (id === 0) return true;
    this.#owedAcks.push(id);
    if (id < this.#forgottenBelow || this.#seen.has(id)) return false;
    this.#seen.add(id);
    if (this.#seen.size > MAX_SEEN / 2) this.#forget();
    return true;
  }

  /** Sends the acknowledgements that nothing has carried yet. */
  flushAcks(): void {
    while (this.#owedAcks.length > 0) this.#transmit(0, undefined);
  }

  #clear(): void {
    this.#inFlight.clear();
    this.#waiting = [];
    this.#seen.clear();
    this.#forgottenBelow = 0;
    this.#owedAcks = [];
    this.#disarm();
  }

  #forget(): void {
    for (const id of this.#seen) if (id < this.#forgottenBelow) this.#seen.delete(id);
    if (this.#seen.size <= MAX_SEEN) return;
    const sorted = [...this.#seen].sort((a, b) => a - b);
    for (const id of sorted.slice(0, MAX_SEEN / 2)) this.#seen.delete(id);
  }

  /** Drops the oldest ordinary message. False: there are only urgent ones. */
  #makeRoom(): boolean {
    if (this.#waiting.shift() === undefined) {
      const oldest = [...this.#inFlight].find(([, { body }]) => !URGENT.has(body.type));
      if (oldest === undefined) return false;
      this.#inFlight.delete(oldest[0]);
    }
    this.#context.counters.add('control_dropped_queue_full');
    return true;
  }

  #launch(body: ControlMessage): void {
    const { clock, times, rtt } = this.#context;
    const id = this.#nextId++;
    const intervalMs = rtt.retransmitMs(times);
    const dueMs = clock.nowMs() + intervalMs;
    this.#inFlight.set(id, { body, intervalMs, dueMs });
    this.#transmit(id, body);
    this.#arm(dueMs);
  }

  #transmit(id: number, body: ControlMessage | undefined, way?: Way): boolean {
    const [oldest = this.#nextId] = this.#inFlight.keys();
    // What tries a way out may be lost: it carries no acknowledgements.
    const acks = way === undefined ? this.#owedAcks.splice(0, MAX_ACKS_PER_ENVELOPE) : [];
    return this.#context.output.transmit(
      { id, acks, epoch: this.#ownEpoch, ackEpoch: this.#peerEpoch, oldest, body },
      way,
    );
  }

  #retransmitDue(): void {
    const { clock, times, counters } = this.#context;
    const nowMs = clock.nowMs();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const [id, message] of this.#inFlight) {
      if (message.dueMs <= nowMs) {
        message.intervalMs = Math.min(2 * message.intervalMs, times.maxRetransmitMs);
        message.dueMs = nowMs + message.intervalMs;
        counters.add('control_retransmitted');
        this.#transmit(id, message.body);
      }
      nextMs = Math.min(nextMs, message.dueMs);
    }
    this.#arm(nextMs);
  }

  #arm(dueMs: number): void {
    if (dueMs >= this.#timerDueMs) return;
    this.#disarm();
    if (dueMs === Number.POSITIVE_INFINITY) return;
    this.#timerDueMs = dueMs;
    this.#timer = this.#context.clock.after('control-retransmit', dueMs - this.#context.clock.nowMs(), () => {
      this.#disarm();
      this.#retransmitDue();
    });
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerDueMs = Number.POSITIVE_INFINITY;
  }
}
