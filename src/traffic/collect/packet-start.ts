/** Addresses and length of a sampled packet, of which only the beginning is there. */
import { Ip } from '../../net/ip.js';

const MACS_BYTES = 12;
const IPV4 = 0x0800;
const IPV6 = 0x86dd;
/** IEEE 802.1Q, 802.1ad, and what was used before it. */
const TAGS: readonly number[] = [0x8100, 0x88a8, 0x9100];
const TAG_BYTES = 4;

export interface PacketStart {
  readonly source: Ip;
  readonly destination: Ip;
  /** Of the IP packet, as it says itself. */
  readonly bytes: number;
}

/** Undefined: it is too short, or makes no sense; `not-ip`: it is something else. */
export function readFrame(bytes: Uint8Array): PacketStart | 'not-ip' | undefined {
  const view = viewOf(bytes);
  let at = MACS_BYTES;
  while (view.byteLength >= at + 2 && TAGS.includes(view.getUint16(at))) at += TAG_BYTES;
  if (view.byteLength < at + 2) return undefined;
  const type = view.getUint16(at);
  return type === IPV4 || type === IPV6 ? readPacket(bytes.subarray(at + 2)) : 'not-ip';
}

export function readPacket(bytes: Uint8Array): PacketStart | undefined {
  const view = viewOf(bytes);
  if (view.byteLength < 20) return undefined;
  const version = view.getUint8(0) >> 4;
  if (version === 4) {
    const length = view.getUint16(2);
    if ((view.getUint8(0) & 15) < 5 || length < 20) return undefined;
    return { source: Ip.read(4, bytes, 12), destination: Ip.read(4, bytes, 16), bytes: length };
  }
  if (version !== 6 || view.byteLength < 40) return undefined;
  return {
    source: Ip.read(6, bytes, 8),
    destination: Ip.read(6, bytes, 24),
    bytes: 40 + view.getUint16(4),
  };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
