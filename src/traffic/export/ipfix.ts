/**
 * Pairs as IPFIX (RFC 7011; information elements of the IANA registry "ipfix"). One message a datagram, each with its templates
 * before its records, so that a collector that has just been started reads the first one that comes (RFC 7011 §8.1 wants
 * templates sent again and again where the transport loses):
 *
 *     version 10 (2) | length (2) | export time, s (4) | sequence: data records sent before (4) | observation domain (4)
 *     set 2: templates 256 (IPv4), 257 (IPv6)
 *     set 256 or 257: records of
 *       source, destination address (4 or 16 each)     8, 12 or 27, 28; all zero: outside
 *       octetDeltaCount (8), packetDeltaCount (8)      1, 2
 *       flowStart, flowEndMilliseconds (8 each)        152, 153: the period
 *       ingressVRFID (4)                               234: the vnet's id
 */
import type { Ip } from '../../net/ip.js';
import type { CountedPair } from '../counted.js';

const VERSION = 10;
const TEMPLATE_SET = 2;
const HEADER_BYTES = 16;
const SET_HEADER_BYTES = 4;
/** With IP and UDP headers it fits on every Ethernet. */
const MOST_MESSAGE_BYTES = 1_420;

interface Template {
  readonly id: number;
  readonly addressBytes: 4 | 16;
  readonly fields: readonly (readonly [element: number, bytes: number])[];
  readonly recordBytes: number;
}

function template(id: number, addressBytes: 4 | 16, source: number, destination: number): Template {
  const fields = [
    [source, addressBytes],
    [destination, addressBytes],
    [1, 8],
    [2, 8],
    [152, 8],
    [153, 8],
    [234, 4],
  ] as const;
  return { id, addressBytes, fields, recordBytes: fields.reduce((sum, [, bytes]) => sum + bytes, 0) };
}

const TEMPLATES = { 4: template(256, 4, 8, 12), 6: template(257, 16, 27, 28) } as const;
const TEMPLATE_SET_BYTES =
  SET_HEADER_BYTES + Object.values(TEMPLATES).reduce((sum, { fields }) => sum + 4 + 4 * fields.length, 0);

export interface ExportedPeriod {
  readonly startMs: number;
  readonly endMs: number;
  readonly pairs: readonly CountedPair[];
}

export interface ExportContext {
  readonly exportSeconds: number;
  readonly domain: number;
  /** Data records sent before. */
  readonly sequence: number;
}

/** Pairs of which both ends are outside have no family, and are none of ours: they are left out. */
export function* ipfixMessages(period: ExportedPeriod, context: ExportContext): Generator<Uint8Array> {
  let { sequence } = context;
  for (const family of [4, 6] as const) {
    const { recordBytes } = TEMPLATES[family];
    const each = Math.floor(
      (MOST_MESSAGE_BYTES - HEADER_BYTES - TEMPLATE_SET_BYTES - SET_HEADER_BYTES) / recordBytes,
    );
    const pairs = period.pairs.filter((pair) => familyOf(pair) === family);
    for (let at = 0; at < pairs.length; at += each) {
      const some = pairs.slice(at, at + each);
      yield message(TEMPLATES[family], { ...period, pairs: some }, { ...context, sequence });
      sequence += some.length;
    }
  }
}

function familyOf({ source, destination }: CountedPair): 4 | 6 | undefined {
  return (source ?? destination)?.family;
}

function message(kind: Template, period: ExportedPeriod, context: ExportContext): Uint8Array {
  const dataBytes = SET_HEADER_BYTES + period.pairs.length * kind.recordBytes;
  const bytes = new Uint8Array(HEADER_BYTES + TEMPLATE_SET_BYTES + dataBytes);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, VERSION);
  view.setUint16(2, bytes.length);
  view.setUint32(4, context.exportSeconds);
  view.setUint32(8, context.sequence % 0x1_0000_0000);
  view.setUint32(12, context.domain);
  writeTemplates(view, HEADER_BYTES);
  let at = HEADER_BYTES + TEMPLATE_SET_BYTES;
  view.setUint16(at, kind.id);
  view.setUint16(at + 2, dataBytes);
  at += SET_HEADER_BYTES;
  for (const pair of period.pairs) at = writeRecord(bytes, view, at, kind, pair, period);
  return bytes;
}

function writeTemplates(view: DataView, start: number): void {
  view.setUint16(start, TEMPLATE_SET);
  view.setUint16(start + 2, TEMPLATE_SET_BYTES);
  let at = start + SET_HEADER_BYTES;
  for (const { id, fields } of Object.values(TEMPLATES)) {
    view.setUint16(at, id);
    view.setUint16(at + 2, fields.length);
    at += 4;
    for (const [element, length] of fields) {
      view.setUint16(at, element);
      view.setUint16(at + 2, length);
      at += 4;
    }
  }
}

function writeRecord(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  { addressBytes }: Template,
  pair: CountedPair,
  { startMs, endMs }: ExportedPeriod,
): number {
  const write = (ip: Ip | undefined, at: number): void => ip?.write(bytes, at);
  write(pair.source, start);
  write(pair.destination, start + addressBytes);
  let at = start + 2 * addressBytes;
  for (const value of [pair.bytes, pair.packets, startMs, endMs]) {
    view.setBigUint64(at, BigInt(value));
    at += 8;
  }
  view.setUint32(at, pair.vnet);
  return at + 4;
}
