/** Control payloads as they come from one peer: decoded as far as they are worth it, and counted. */
import type { Conduct } from '../../protocol/conduct.js';
import type { ControlCodec, ControlDropReason } from '../../protocol/control-codec.js';
import type { Envelope, EnvelopeHead } from '../../protocol/envelope.js';
import type { RouterId } from '../../tables/model.js';
import type { Counters } from '../counters.js';

export interface InputContext {
  readonly codec: ControlCodec;
  readonly counters: Counters;
  readonly conduct: Conduct;
}

/** `repeated`: it has come before, and its body was not looked at. */
export type Input = { readonly envelope: Envelope } | { readonly repeated: EnvelopeHead };

/** Who knows what has come before; `Channel` is one. */
export interface Memory {
  isRepeated(head: EnvelopeHead): boolean;
}

export class EnvelopeInput {
  readonly #peer: RouterId;
  readonly #context: InputContext;
  readonly #memory: Memory;

  constructor(peer: RouterId, context: InputContext, memory: Memory) {
    this.#peer = peer;
    this.#context = context;
    this.#memory = memory;
  }

  /** Undefined: it is malformed. */
  read(payload: Uint8Array): Input | undefined {
    const { codec, counters } = this.#context;
    const head = codec.decodeHead(payload);
    if (typeof head === 'string') return this.#malformed(head);
    counters.add(`control_received_${codec.bodyTypeOf(head) ?? 'ack'}`);
    if (this.#memory.isRepeated(head)) {
      counters.add('control_duplicates');
      return { repeated: head };
    }
    const decoded = codec.decodeBody(payload, head);
    if (typeof decoded === 'string') return this.#malformed(decoded);
    if (decoded.unknownFields > 0) counters.add('control_with_unknown_fields');
    const { id, acks, epoch, ackEpoch, oldest } = head;
    return { envelope: { id, acks, epoch, ackEpoch, oldest, body: decoded.body } };
  }

  #malformed(reason: ControlDropReason): undefined {
    this.#context.counters.add(`control_drop_${reason}`);
    this.#context.conduct.refused(this.#peer, 'malformed', reason);
  }
}
