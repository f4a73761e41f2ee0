/** Datagrams of exporters, made by hand from the RFCs' figures. */

export function bytesOf(...hex: readonly string[]): Uint8Array {
  return Uint8Array.from(Buffer.from(hex.join('').replaceAll(' ', ''), 'hex'));
}

const hexOf = (value: number, bytes: number): string => value.toString(16).padStart(2 * bytes, '0');
const clean = (hex: readonly string[]): string => hex.join('').replaceAll(' ', '');

/** Its length is right. */
export function set(id: number, ...content: readonly string[]): string {
  const hex = clean(content);
  return `${hexOf(id, 2)}${hexOf(4 + hex.length / 2, 2)}${hex}`;
}

export function ipfix(domain: number, ...sets: readonly string[]): Uint8Array {
  const hex = clean(sets);
  return bytesOf(`000a${hexOf(16 + hex.length / 2, 2)} 69a42e40 00000009 ${hexOf(domain, 4)}`, hex);
}

export function netflow9(source: number, ...flowsets: readonly string[]): Uint8Array {
  return bytesOf(`0009 0001 00001000 69a42e40 00000009 ${hexOf(source, 4)}`, ...flowsets);
}

/** Of IPv4: source, destination, packets and bytes, all as they are in the registry. */
export const TEMPLATE_256 = '0100 0004 0008 0004 000c 0004 0002 0008 0001 0008';
/** 10.1.0.5 to 10.1.0.6, 3 packets, 300 bytes. */
export const RECORD_256 = '0a010005 0a010006 0000000000000003 000000000000012c';
/** Of IPv6, counters in four bytes. */
export const TEMPLATE_257 = '0101 0004 001b 0010 001c 0010 0002 0004 0001 0004';
export const RECORD_257 = `fd0000010000000000000000000000 05 fd0000010000000000000000000000 06 00000002 000000c8`;

const word = (value: number): string => hexOf(value, 4);

export function sflow(...samples: readonly string[]): Uint8Array {
  return bytesOf(`00000005 00000001 0a010002 00000007 00000009 00001000 ${word(samples.length)}`, ...samples);
}

/** Format, length, content, and zeros up to whole words. */
export function part(format: number, ...content: readonly string[]): string {
  const hex = clean(content);
  const bytes = hex.length / 2;
  return `${word(format)}${word(bytes)}${hex}${'00'.repeat(-bytes & 3)}`;
}

export function flowSample(rate: number, ...records: readonly string[]): string {
  return part(
    1,
    `00000001 00000003 ${word(rate)} 00010000 00000000 00000003 00000004`,
    word(records.length),
    ...records,
  );
}

export function expandedSample(rate: number, ...records: readonly string[]): string {
  const ports = '00000000 00000003 00000000 00000004';
  return part(
    3,
    `00000001 00000000 00000003 ${word(rate)} 00010000 00000000 ${ports}`,
    word(records.length),
    ...records,
  );
}

export function sampledHeader(protocol: number, header: string): string {
  const hex = clean([header]);
  return part(1, word(protocol), word(1_518), word(4), word(hex.length / 2), hex);
}

const MACS = '525400000006 525400000005';
/** 1,500 bytes from 10.1.0.5 to 10.1.0.6, of which UDP's first bytes are there. */
export const PACKET4 = '4500 05dc 0001 4000 4011 0000 0a010005 0a010006 1234 5678 05c8 0000';
/** 40 and 1,000 bytes from fd00:1::5 to fd00:1::6. */
export const PACKET6 =
  '60000000 03e8 11 40 fd000001000000000000000000000005 fd000001000000000000000000000006 1234 5678';
export const FRAME4 = `${MACS} 0800 ${PACKET4}`;
export const FRAME6 = `${MACS} 8100 000c 86dd ${PACKET6}`;
