/**
 * Control payloads: `type/version (1) | Envelope (protobuf)`. The high nibble of the first byte is 2, the low one the
 * version, 0. Zero bytes may follow, since transport messages are padded (WireGuard paper §5.4.6): no field has the tag 0.
 */
import protobuf from 'protobufjs';
import { CONTROL_TYPE, CONTROL_VERSION, MAX_ELEMENTS, MAX_FIELDS_BYTES } from './constants.js';
import type { Envelope } from './envelope.js';
import { Faults, type FieldDropReason, FieldReader } from './field-reader.js';
import { readBody } from './from-wire.js';
import { loadEnvelopeType } from './schema.js';
import { envelopeToWire } from './to-wire.js';

export type ControlDropReason =
  | 'empty'
  | 'not-control'
  | 'unsupported-version'
  | 'not-protobuf'
  | 'too-long'
  | FieldDropReason;

export interface DecodedEnvelope {
  readonly envelope: Envelope;
  /** Fields and bodies of a newer version, ignored. */
  readonly unknownFields: number;
}

const FIRST_BYTE = (CONTROL_TYPE << 4) | CONTROL_VERSION;

export class ControlCodec {
  readonly #type = loadEnvelopeType();
  /**
   * What the first message of each kind was made from and read into. V8 forgets what it has learned of a kind of object
   * when it collects the last one, and claims are rare: each would begin from nothing.
   */
  readonly #kept = new Map<string, readonly object[]>();

  encode(envelope: Envelope): Uint8Array {
    const wire = envelopeToWire(envelope);
    this.#keep(`${envelope.body?.type} sent`, wire);
    const writer = this.#type.encode(wire);
    this.#keep('writer', writer);
    const body = writer.finish();
    const payload = new Uint8Array(1 + body.length);
    payload[0] = FIRST_BYTE;
    payload.set(body, 1);
    return payload;
  }

  /** Any bytes in, an envelope or the reason why it is none out. Nothing in it refers to the input. */
  decode(payload: Uint8Array): DecodedEnvelope | ControlDropReason {
    const first = payload[0];
    if (first === undefined) return 'empty';
    if (first >> 4 !== CONTROL_TYPE) return 'not-control';
    if ((first & 0xf) !== CONTROL_VERSION) return 'unsupported-version';
    const message = this.#parse(payload);
    if (typeof message === 'string') return message;
    const faults = new Faults();
    const fields = new FieldReader(message, faults);
    const bodyName = 'body' in message ? message.body : undefined;
    this.#keep(`${bodyName} received`, message, fields);
    const envelope = {
      id: fields.id('id'),
      acks: fields.ids('acks', MAX_ELEMENTS),
      epoch: fields.epoch('epoch'),
      ackEpoch: fields.id('ackEpoch'),
      oldest: fields.id('oldest'),
      body: typeof bodyName === 'string' ? readBody(bodyName, fields.child(bodyName)) : undefined,
    };
    return faults.first ?? { envelope, unknownFields: faults.unknownFields };
  }

  #keep(kind: string, ...objects: readonly object[]): void {
    if (!this.#kept.has(kind)) this.#kept.set(kind, objects);
  }

  #parse(payload: Uint8Array): object | ControlDropReason {
    try {
      const end = endOfFields(payload);
      if (end - 1 > MAX_FIELDS_BYTES) return 'too-long';
      const reader = protobuf.Reader.create(payload.subarray(1, end));
      reader.discardUnknown = false;
      this.#keep('reader', reader);
      return this.#type.decode(reader);
    } catch {
      return 'not-protobuf';
    }
  }
}

/** Where the padding begins. Throws when the bytes before it are no protobuf fields. */
function endOfFields(payload: Uint8Array): number {
  if (payload.at(-1) !== 0) return payload.length;
  const reader = protobuf.Reader.create(payload);
  reader.pos = 1;
  while (reader.pos < reader.len && payload[reader.pos] !== 0) {
    const tag = reader.tag();
    reader.skipType(tag & 7, 0, tag >>> 3);
  }
  if (payload.subarray(reader.pos).some((byte) => byte !== 0)) throw new Error('padding is not zero');
  return reader.pos;
}
