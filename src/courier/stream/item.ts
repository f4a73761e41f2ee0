/** How the parser's readers tell what stands at the beginning of some bytes. */
import type { TokenKind } from './token.js';

/** `bytes` bytes of one kind. */
export interface Item {
  readonly kind: TokenKind;
  readonly bytes: number;
}

/** More bytes are needed to tell. */
export const MORE = 'more';

/** Nothing that is known: from here on the stream is passed on as it is. */
export class Unknown {
  constructor(readonly reason: string) {}
}

export type Reading = Item | typeof MORE | Unknown;

export function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

export function u32(bytes: Uint8Array, at: number): number {
  return u16(bytes, at) * 0x10000 + u16(bytes, at + 2);
}

/** Beyond 2^53 it is not exact, which no caller needs: nothing is as large. */
export function u64(bytes: Uint8Array, at: number): number {
  return u32(bytes, at) * 0x1_0000_0000 + u32(bytes, at + 4);
}

/** The length byte and the text behind it; undefined: it is not all there. */
export function counted(bytes: Uint8Array, at: number): string | undefined {
  const length = bytes[at];
  if (length === undefined || at + 1 + length > bytes.length) return undefined;
  return latin1(bytes.subarray(at + 1, at + 1 + length));
}

/** What came from a wire, for people: nothing in it that a terminal obeys. */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?');
}

export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
