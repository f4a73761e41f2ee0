/** Ethernet addresses (IEEE 802). */

declare const macBrand: unique symbol;

/** A 48-bit MAC address as an integer (0 … 2^48 − 1), so that it compares and hashes by value. */
export type Mac = number & { readonly [macBrand]: true };

export const BROADCAST_MAC = 0xffffffffffff as Mac;
export const ZERO_MAC = 0 as Mac;

const TEXT = /^([0-9a-f]{2}):([0-9a-f]{2}):([0-9a-f]{2}):([0-9a-f]{2}):([0-9a-f]{2}):([0-9a-f]{2})$/i;

/** Parses `52:54:00:00:00:09`; undefined when the text is anything else. */
export function parseMac(text: string): Mac | undefined {
  return TEXT.test(text) ? (Number.parseInt(text.replaceAll(':', ''), 16) as Mac) : undefined;
}

/** Parses a MAC that is known to be well formed (constants, tests); throws otherwise. */
export function mac(text: string): Mac {
  const parsed = parseMac(text);
  if (parsed === undefined) throw new Error(`not a MAC address: ${text}`);
  return parsed;
}

export function formatMac(value: Mac): string {
  return value
    .toString(16)
    .padStart(12, '0')
    .replace(/..(?!$)/g, '$&:');
}

/** Reads 6 bytes, network order. The caller has checked that they are there. */
export function readMac(bytes: Uint8Array, offset: number): Mac {
  let value = 0;
  for (let i = 0; i < 6; i++) value = value * 256 + (bytes[offset + i] ?? 0);
  return value as Mac;
}

export function writeMac(value: Mac, bytes: Uint8Array, offset: number): void {
  const high = macHigh(value);
  const low = macLow(value);
  bytes[offset] = high >>> 8;
  bytes[offset + 1] = high & 0xff;
  bytes[offset + 2] = low >>> 24;
  bytes[offset + 3] = (low >>> 16) & 0xff;
  bytes[offset + 4] = (low >>> 8) & 0xff;
  bytes[offset + 5] = low & 0xff;
}

/** The first 16 bits. */
export function macHigh(value: Mac): number {
  return Math.floor(value / 0x1_0000_0000);
}

/** The last 32 bits, unsigned. */
export function macLow(value: Mac): number {
  return value % 0x1_0000_0000;
}

export function macFromHalves(high: number, low: number): Mac {
  return ((high & 0xffff) * 0x1_0000_0000 + (low >>> 0)) as Mac;
}

/** Group bit of the first octet: multicast and broadcast. */
export function isGroupMac(value: Mac): boolean {
  return (macHigh(value) & 0x0100) !== 0;
}
