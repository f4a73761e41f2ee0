/**
 * sFlow version 5 in (sflow.org, "sFlow Version 5", July 2004; XDR, everything in words of four bytes).
 *
 *   version 5 | agent's address: 1 and 4 bytes, or 2 and 16 | sub-agent | sequence | uptime | number of samples
 *   a sample:   format | length | content
 *   flow (1):           sequence | source | rate | pool | drops | input | output | number of records
 *   expanded flow (3):  sequence | source (2) | rate | pool | drops | input (2) | output (2) | number of records
 *   a record:   format | length | content
 *   sampled header (1): protocol | frame's length | stripped | header's length | header
 *   IPv4 (3), IPv6 (4): packet's length | protocol | source | destination | …
 *
 * A sample is one packet, and stands for as many as its rate says. It keeps no state.
 */
import { Ip } from '../../net/ip.js';
import { type PacketStart, readFrame, readPacket } from './packet-start.js';
import { Decoded } from './seen-flow.js';

export const SFLOW_VERSION = 5;
const FLOW = 1;
const EXPANDED_FLOW = 3;
const SAMPLED_HEADER = 1;
const SAMPLED_IPV4 = 3;
const SAMPLED_IPV6 = 4;
const ETHERNET = 1;
const IPV4 = 11;
const IPV6 = 12;

/** Reads words; what would go beyond the end is undefined, and so is all that comes after it. */
class Words {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  word(): number | undefined {
    const found = this.take(4);
    return found && new DataView(found.buffer, found.byteOffset, 4).getUint32(0);
  }

  /** @returns the last of them */
  words(count: number): number | undefined {
    this.take(4 * (count - 1));
    return this.word();
  }

  take(bytes: number): Uint8Array | undefined {
    const end = this.#at + bytes;
    this.#at = end;
    return end > this.#bytes.length ? undefined : this.#bytes.subarray(end - bytes, end);
  }

  /** Format, length and content; XDR pads to whole words. */
  part(): { readonly format: number; readonly content: Words; readonly bytes: Uint8Array } | undefined {
    const [format, length] = [this.word(), this.word()];
    if (format === undefined || length === undefined) return undefined;
    const bytes = this.take(length);
    if (bytes !== undefined) this.take(-length & 3);
    return bytes && { format, content: new Words(bytes), bytes };
  }
}

export function decodeSflow(datagram: Uint8Array, exporter: string): Decoded {
  const words = new Words(datagram);
  const [, family] = [words.word(), words.word()];
  const agent = family === 1 || family === 2 ? words.take(family === 1 ? 4 : 16) : undefined;
  const subAgent = words.word();
  const samples = words.words(3);
  if (agent === undefined || subAgent === undefined || samples === undefined) {
    const refused = new Decoded(exporter);
    refused.drop('length');
    return refused;
  }
  const decoded = new Decoded(`${exporter} ${Buffer.from(agent).toString('hex')} ${subAgent}`);
  for (let i = 0; i < samples; i++) {
    const sample = words.part();
    if (sample === undefined) {
      decoded.drop('length');
      break;
    }
    readSample(sample.format, sample.content, decoded);
  }
  return decoded;
}

function readSample(format: number, content: Words, decoded: Decoded): void {
  if (format !== FLOW && format !== EXPANDED_FLOW) {
    decoded.ignore('other-sample');
    return;
  }
  const isExpanded = format === EXPANDED_FLOW;
  const rate = content.words(isExpanded ? 4 : 3);
  const records = content.words(isExpanded ? 7 : 5);
  if (rate === undefined || records === undefined) {
    decoded.drop('length');
    return;
  }
  let found: PacketStart | 'not-ip' | undefined;
  for (let i = 0; i < records; i++) {
    const record = content.part();
    if (record === undefined) {
      decoded.drop('length');
      return;
    }
    const read = readRecord(record.format, record.content, record.bytes);
    if (read === 'bad') {
      decoded.drop('packet');
      return;
    }
    // The sampled header says all that the others could.
    if (found === undefined || found === 'not-ip') found = read ?? found;
  }
  if (found === undefined || found === 'not-ip') {
    decoded.ignore('no-addresses');
    return;
  }
  decoded.add(found.source, found.destination, { packets: 1, bytes: found.bytes }, rate);
}

/** Undefined: it says nothing of the packet's addresses. */
function readRecord(
  format: number,
  content: Words,
  bytes: Uint8Array,
): PacketStart | 'not-ip' | 'bad' | undefined {
  if (format === SAMPLED_HEADER) return readHeader(content);
  if (format !== SAMPLED_IPV4 && format !== SAMPLED_IPV6) return undefined;
  const [family, addressBytes] = format === SAMPLED_IPV4 ? ([4, 4] as const) : ([6, 16] as const);
  const length = content.word();
  if (length === undefined || bytes.length < 8 + 2 * addressBytes) return 'bad';
  return {
    source: Ip.read(family, bytes, 8),
    destination: Ip.read(family, bytes, 8 + addressBytes),
    bytes: length,
  };
}

function readHeader(content: Words): PacketStart | 'not-ip' | 'bad' {
  const protocol = content.word();
  const length = content.words(3);
  const header = length === undefined ? undefined : content.take(length);
  if (header === undefined) return 'bad';
  if (protocol === ETHERNET) return readFrame(header) ?? 'bad';
  if (protocol === IPV4 || protocol === IPV6) return readPacket(header) ?? 'bad';
  return 'not-ip';
}
