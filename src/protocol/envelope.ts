/** What a control payload carries besides its message: see `Channel` for the meaning of the numbers. */
import type { ControlMessage } from './control-message.js';

export interface EnvelopeHead {
  readonly id: number;
  readonly acks: readonly number[];
  readonly epoch: number;
  readonly ackEpoch: number;
  readonly oldest: number;
}

export interface Envelope extends EnvelopeHead {
  /** Undefined: acknowledgements only, or a body that this version does not know. */
  readonly body: ControlMessage | undefined;
}
