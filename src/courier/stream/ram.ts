/**
 * The content of a `ram` section, version 4 (QEMU's migration/ram.c, 7.2 to 10): records until one that ends the part.
 *
 *     be64 page address | flags      flags in the bits below the page size
 *       without CONTINUE             u8 length, name of the block
 *       ZERO                         u8 that fills the page
 *       PAGE                         the page
 *       XBZRLE                       u8 1, be16 length, that many bytes
 *       COMPRESS_PAGE                be32 length, that many bytes (QEMU's own compression, before 9.1)
 *     be64 total | MEM_SIZE          per block: u8 length, name, be64 bytes, with x-ignore-shared be64 address
 *     be64 MULTIFD_FLUSH, be64 EOS
 */
import { type Item, MORE, type Reading, Unknown, u16, u32, u64 } from './item.js';

const ZERO = 0x02;
const MEM_SIZE = 0x04;
const PAGE = 0x08;
const EOS = 0x10;
const CONTINUE = 0x20;
const XBZRLE = 0x40;
const COMPRESS_PAGE = 0x100;
const MULTIFD_FLUSH = 0x200;

const HEAD = 8;
const XBZRLE_ENCODING = 1;
/** More blocks than any machine has (a few tens). */
const MOST_BLOCKS = 4096;

export interface RamLayout {
  /** A power of two. */
  readonly pageBytes: number;
  /** The capability x-ignore-shared: each block's size is followed by an address. */
  readonly ignoreShared: boolean;
}

/** The record at the beginning of `bytes`. A page is told by its header; that `pageBytes` follow the parser knows. */
export function readRam(bytes: Uint8Array, layout: RamLayout): Reading {
  if (bytes.length < HEAD) return MORE;
  const flags = u32(bytes, 4) & (layout.pageBytes - 1);
  switch (flags & ~CONTINUE) {
    case ZERO:
    case PAGE:
    case XBZRLE:
    case COMPRESS_PAGE:
      return readPage(bytes, flags, layout);
  }
  switch (flags) {
    case MEM_SIZE:
      return readBlocks(bytes, layout);
    case EOS:
      return { kind: 'part-end', bytes: HEAD };
    case MULTIFD_FLUSH:
      return { kind: 'multifd-flush', bytes: HEAD };
    default:
      return new Unknown(`memory record with flags 0x${flags.toString(16)}`);
  }
}

function readPage(bytes: Uint8Array, flags: number, layout: RamLayout): Reading {
  const name = flags & CONTINUE ? 0 : bytes[HEAD];
  if (name === undefined) return MORE;
  const at = HEAD + (flags & CONTINUE ? 0 : 1 + name);
  switch (flags & ~CONTINUE) {
    case ZERO:
      return { kind: 'fill-page', bytes: at + 1 };
    case PAGE:
      return { kind: 'page-header', bytes: at };
    case XBZRLE:
      return readXbzrle(bytes, at, layout);
    default:
      return readCompressed(bytes, at, layout);
  }
}

function readXbzrle(bytes: Uint8Array, at: number, layout: RamLayout): Reading {
  if (bytes.length < at + 3) return MORE;
  const length = u16(bytes, at + 1);
  if (bytes[at] !== XBZRLE_ENCODING || length > layout.pageBytes) return new Unknown('XBZRLE page');
  return { kind: 'xbzrle-page', bytes: at + 3 + length };
}

function readCompressed(bytes: Uint8Array, at: number, layout: RamLayout): Reading {
  if (bytes.length < at + 4) return MORE;
  const length = u32(bytes, at);
  // zlib's worst case is a little more than the page.
  if (length === 0 || length > layout.pageBytes * 2) return new Unknown('compressed page');
  return { kind: 'compressed-page', bytes: at + 4 + length };
}

function readBlocks(bytes: Uint8Array, layout: RamLayout): Reading {
  let left = u64(bytes, 0) - MEM_SIZE;
  let at = HEAD;
  for (let blocks = 0; left > 0; blocks++) {
    if (blocks === MOST_BLOCKS) return new Unknown('too many memory blocks');
    const name = bytes[at];
    if (name === undefined || bytes.length < at + 1 + name + 8) return MORE;
    left -= u64(bytes, at + 1 + name);
    at += 1 + name + (layout.ignoreShared ? 16 : 8);
  }
  if (left < 0) return new Unknown('the sizes of the memory blocks are not their sum');
  return { kind: 'blocks', bytes: at } satisfies Item;
}
