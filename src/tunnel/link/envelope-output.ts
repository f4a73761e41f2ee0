/** Envelopes on their way to one peer: encoded, filled up when they are to try a size, sealed, counted. */
import type { ControlCodec } from '../../protocol/control-codec.js';
import type { Envelope } from '../../protocol/envelope.js';
import type { Counters } from '../counters.js';
import type { TunnelPorts } from '../ports.js';
import type { EnvelopeOutput, Way } from './channel.js';

const KEEP_ALIVE = new Uint8Array(0);

export interface OutputContext {
  readonly codec: ControlCodec;
  readonly ports: TunnelPorts;
  readonly counters: Counters;
}

export class SealedOutput implements EnvelopeOutput {
  readonly #peer: number;
  readonly #context: OutputContext;
  #lastSentMs = Number.NEGATIVE_INFINITY;

  constructor(peer: number, context: OutputContext) {
    this.#peer = peer;
    this.#context = context;
  }

  /** When anything was sent last, also in vain. */
  get lastSentMs(): number {
    return this.#lastSentMs;
  }

  transmit(envelope: Envelope, way: Way = {}): boolean {
    const { codec, ports, counters } = this.#context;
    this.#lastSentMs = ports.clock.nowMs();
    const payload = filledUp(codec.encode(envelope), way.lengthBytes ?? 0);
    const sent = ports.sealAndSend(this.#peer, payload, way.to);
    counters.add(`control_sent_${envelope.body?.type ?? 'ack'}`);
    if (!sent) counters.add('control_send_failed');
    return sent;
  }

  /** An empty message (WireGuard paper §6.5). */
  keepAlive(): void {
    const { ports } = this.#context;
    this.#lastSentMs = ports.clock.nowMs();
    ports.sealAndSend(this.#peer, KEEP_ALIVE);
  }
}

/** Zero bytes behind an envelope mean nothing (ControlCodec). */
function filledUp(payload: Uint8Array, lengthBytes: number): Uint8Array {
  if (payload.length >= lengthBytes) return payload;
  const filled = new Uint8Array(lengthBytes);
  filled.set(payload);
  return filled;
}
