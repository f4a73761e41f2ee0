/**
 * Control payloads: `type/version (1) | Envelope (protobuf)`. The high nibble of the first byte is 2, the low one the
 * version, 0. Zero bytes may follow, since transport messages are padded (WireGuard paper §5.4.6): no field has the tag 0.
 *
 * They are decoded in two steps, because of a message that has come before nobody wants the body.
 */
import protobuf from 'protobufjs';
import { ClaimReader } from './claim-reader.js';
import { ClaimWriter } from './claim-writer.js';
import { CONTROL_TYPE, CONTROL_VERSION } from './constants.js';
import type { ControlMessage } from './control-message.js';
import type { Envelope } from './envelope.js';
import { Faults, type FieldDropReason, FieldReader } from './field-reader.js';
import { isBodyType, readBody } from './from-wire.js';
import { type HeadDropReason, type ReadHead, readHead } from './head-reader.js';
import { loadEnvelopeType } from './schema.js';
import { envelopeToWire } from './to-wire.js';

export type ControlDropReason =
  | 'empty'
  | 'not-control'
  | 'unsupported-version'
  | HeadDropReason
  | FieldDropReason;

export interface DecodedBody {
  readonly body: ControlMessage | undefined;
  /** Fields and bodies of a newer version, ignored. */
  readonly unknownFields: number;
}

export interface DecodedEnvelope {
  readonly envelope: Envelope;
  readonly unknownFields: number;
}

interface Body {
  readonly type: ControlMessage['type'];
  readonly wire: protobuf.Type;
}

const FIRST_BYTE = (CONTROL_TYPE << 4) | CONTROL_VERSION;

export class ControlCodec {
  readonly #type = loadEnvelopeType();
  readonly #claimReader = new ClaimReader();
  readonly #claimWriter = new ClaimWriter();
  /** By field number. */
  readonly #bodies = bodiesOf(this.#type);
  /**
   * What the first message of each kind was made from and read into. V8 forgets what it has learned of a kind of object
   * when it collects the last one, and claims are rare: each would begin from nothing.
   */
  readonly #kept = new Map<string, readonly object[]>();

  encode(envelope: Envelope): Uint8Array {
    const { body } = envelope;
    const claim = body?.type === 'claim' ? this.#claimWriter.write(FIRST_BYTE, envelope, body) : undefined;
    return claim ?? this.encodeBySchema(envelope);
  }

  /** What `encode` gives, whatever is in the envelope. */
  encodeBySchema(envelope: Envelope): Uint8Array {
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
    const head = this.decodeHead(payload);
    if (typeof head === 'string') return head;
    const decoded = this.decodeBody(payload, head);
    if (typeof decoded === 'string') return decoded;
    const { id, acks, epoch, ackEpoch, oldest } = head;
    const { body, unknownFields } = decoded;
    return { envelope: { id, acks, epoch, ackEpoch, oldest, body }, unknownFields };
  }

  /** The first step. */
  decodeHead(payload: Uint8Array): ReadHead | ControlDropReason {
    const first = payload[0];
    if (first === undefined) return 'empty';
    if (first >> 4 !== CONTROL_TYPE) return 'not-control';
    if ((first & 0xf) !== CONTROL_VERSION) return 'unsupported-version';
    return readHead(payload, 1, this.#bodies);
  }

  /** Undefined: there is no body, or one that this version does not know. */
  bodyTypeOf({ bodyField }: ReadHead): ControlMessage['type'] | undefined {
    return this.#bodies.get(bodyField)?.type;
  }

  /** The second step: of the same payload. */
  decodeBody(payload: Uint8Array, head: ReadHead): DecodedBody | ControlDropReason {
    if (this.bodyTypeOf(head) === 'claim') {
      const body = this.#claimReader.read(payload.subarray(head.bodyStart, head.bodyEnd));
      if (body !== undefined) return { body, unknownFields: head.unknownFields };
    }
    return this.decodeBodyBySchema(payload, head);
  }

  /** What `decodeBody` gives, whatever is in the body. */
  decodeBodyBySchema(payload: Uint8Array, head: ReadHead): DecodedBody | ControlDropReason {
    const known = this.#bodies.get(head.bodyField);
    if (known === undefined) return { body: undefined, unknownFields: head.unknownFields };
    const message = this.#parse(known, payload.subarray(head.bodyStart, head.bodyEnd));
    if (message === undefined) return 'not-protobuf';
    const faults = new Faults();
    const fields = new FieldReader(message, faults);
    this.#keep(`${known.type} received`, message, fields);
    const body = readBody(known.type, fields);
    return faults.first ?? { body, unknownFields: head.unknownFields + faults.unknownFields };
  }

  #keep(kind: string, ...objects: readonly object[]): void {
    if (!this.#kept.has(kind)) this.#kept.set(kind, objects);
  }

  #parse({ wire }: Body, bytes: Uint8Array): object | undefined {
    try {
      const reader = protobuf.Reader.create(bytes);
      reader.discardUnknown = false;
      this.#keep('reader', reader);
      return wire.decode(reader);
    } catch {
      return undefined;
    }
  }
}

/** Of the schema's bodies those that this program has readers for: all of them, as a test checks. */
function bodiesOf(envelope: protobuf.Type): ReadonlyMap<number, Body> {
  const bodies = new Map<number, Body>();
  for (const { id, name, resolvedType } of envelope.fieldsArray) {
    if (resolvedType instanceof protobuf.Type && isBodyType(name))
      bodies.set(id, { type: name, wire: resolvedType });
  }
  return bodies;
}
