/**
 * The fields of an envelope around its body, read without decoding the body: a message that has come before is known by
 * them alone. Field numbers are those of proto/vine.proto's `Envelope`; zero bytes may follow, which are no field.
 *
 *   1 id | 2 acks, packed or not | 3 epoch | 4 ack_epoch | 5 oldest | 16 … one of the bodies, length-delimited
 */
import protobuf from 'protobufjs';
import { MAX_ELEMENTS, MAX_FIELDS_BYTES, MAX_ID } from './constants.js';
import type { EnvelopeHead } from './envelope.js';

export type HeadDropReason = 'not-protobuf' | 'too-long' | 'bad-number' | 'bad-epoch' | 'long-list';

const VARINT = 0;
const LENGTH_DELIMITED = 2;
const ACKS = 2;

/** One object and no copies of it: most of the control messages of a busy link are acknowledgements. */
export class ReadHead implements EnvelopeHead {
  id = 0;
  readonly acks: number[] = [];
  epoch = 0;
  ackEpoch = 0;
  oldest = 0;
  /** Field number of the body; 0: there is none. The last one counts, as everywhere in protobuf. */
  bodyField = 0;
  /** Where the body's own fields are in the payload. */
  bodyStart = 0;
  bodyEnd = 0;
  /** Other fields, of a newer version. */
  unknownFields = 0;
}

/** @param start of the first field in the payload @param bodies by field number */
export function readHead(
  payload: Uint8Array,
  start: number,
  bodies: ReadonlyMap<number, unknown>,
): ReadHead | HeadDropReason {
  const head = new ReadHead();
  try {
    const end = readFields(head, payload, start, bodies);
    if (end - start > MAX_FIELDS_BYTES) return 'too-long';
  } catch {
    return 'not-protobuf';
  }
  return faultOf(head) ?? head;
}

function faultOf({ id, acks, epoch, ackEpoch, oldest }: ReadHead): HeadDropReason | undefined {
  if (acks.length > MAX_ELEMENTS) return 'long-list';
  if (epoch < 1 || epoch > MAX_ID) return 'bad-epoch';
  if (id > MAX_ID || ackEpoch > MAX_ID || oldest > MAX_ID) return 'bad-number';
  return acks.every((ack) => ack <= MAX_ID) ? undefined : 'bad-number';
}

/** Where they end. Throws when they are no protobuf, or something else than zeros follows. */
function readFields(
  head: ReadHead,
  payload: Uint8Array,
  start: number,
  bodies: ReadonlyMap<number, unknown>,
): number {
  const reader = protobuf.Reader.create(payload);
  reader.pos = start;
  while (reader.pos < reader.len && payload[reader.pos] !== 0) {
    const tag = reader.tag();
    const field = tag >>> 3;
    const wire = tag & 7;
    if (wire === VARINT && field <= 5) readNumber(head, field, reader);
    else if (wire === LENGTH_DELIMITED && field === ACKS) readPackedAcks(head, reader);
    else if (wire === LENGTH_DELIMITED && bodies.has(field)) readBodyPlace(head, field, reader);
    else {
      reader.skipType(wire, 0, field);
      head.unknownFields++;
    }
  }
  for (let at = reader.pos; at < payload.length; at++)
    if (payload[at] !== 0) throw new Error('padding is not zero');
  return reader.pos;
}

function readNumber(head: ReadHead, field: number, reader: protobuf.Reader): void {
  const value = readVarint(reader);
  if (field === 1) head.id = value;
  else if (field === ACKS) head.acks.push(value);
  else if (field === 3) head.epoch = value;
  else if (field === 4) head.ackEpoch = value;
  else head.oldest = value;
}

function readPackedAcks({ acks }: ReadHead, reader: protobuf.Reader): void {
  const length = reader.uint32();
  const end = reader.pos + length;
  if (end > reader.len) throw new Error('a length beyond the end');
  // More than may be are not worth reading.
  while (reader.pos < end && acks.length <= MAX_ELEMENTS) acks.push(readVarint(reader));
  if (reader.pos > end) throw new Error('an acknowledgement beyond the end');
  reader.pos = end;
}

function readBodyPlace(head: ReadHead, field: number, reader: protobuf.Reader): void {
  const length = reader.uint32();
  head.bodyField = field;
  head.bodyStart = reader.pos;
  reader.skip(length);
  head.bodyEnd = reader.pos;
}

/** As a number, not as protobufjs' Long: beyond 2^53 it need not be exact to be too large. */
function readVarint(reader: protobuf.Reader): number {
  const { buf, len } = reader;
  let value = 0;
  for (let scale = 1; scale <= 2 ** 63 && reader.pos < len; scale *= 128) {
    const byte = buf[reader.pos++] ?? 0;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
  }
  throw new Error('a number without an end');
}
