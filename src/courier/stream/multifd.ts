/**
 * A channel of multifd (QEMU's migration/multifd.c, 7.2 to 10): who it is, then packets, each with as many pages behind it as it says. All
 * big-endian.
 *
 *     be32 magic, be32 version 1, 16 bytes UUID, u8 channel, 39 bytes of nothing
 *     be32 magic, be32 version 1, be32 flags, be32 offsets, be32 pages, be32 bytes that follow, be64 number, 32 bytes (from 9.0 on: how many
 *       pages are zero), 256 bytes block's name, be64 for each of 128 offsets, used or not; then the pages
 */
import { MORE, type Reading, Unknown, u32 } from './item.js';
import { PAGE_BYTES } from './token.js';

export const MULTIFD_MAGIC = 0x11223344;
const VERSION = 1;
const HELLO_BYTES = 64;
/** Of 512 KiB, QEMU's own choice. */
const MOST_PAGES = (512 * 1024) / PAGE_BYTES;
const PACKET_BYTES = 320 + 8 * MOST_PAGES;
/** The others say that the pages are compressed, or that it is no packet of pages. */
const SYNC = 1;

export function readHello(bytes: Uint8Array): Reading {
  if (bytes.length < HELLO_BYTES) return MORE;
  if (u32(bytes, 4) !== VERSION) return new Unknown(`multifd version ${u32(bytes, 4)}`);
  return { kind: 'multifd-hello', bytes: HELLO_BYTES };
}

/** The packet at the beginning of `bytes`. */
export function readPacket(bytes: Uint8Array): Reading {
  if (bytes.length < PACKET_BYTES) return MORE;
  if (u32(bytes, 0) !== MULTIFD_MAGIC || u32(bytes, 4) !== VERSION)
    return new Unknown('no packet of multifd');
  const flags = u32(bytes, 8);
  if ((flags & ~SYNC) !== 0) return new Unknown(`a packet of multifd with flags 0x${flags.toString(16)}`);
  const [offsets, pages] = [u32(bytes, 12), pagesOf(bytes)];
  if (offsets > MOST_PAGES || pages > offsets) return new Unknown('a packet of multifd with too many pages');
  // A packet without pages has the last one's length there (7.2), and no offsets (10).
  const areOurs = offsets === MOST_PAGES && u32(bytes, 20) === pages * PAGE_BYTES;
  if (pages > 0 && !areOurs) return new Unknown('pages of another size');
  return { kind: 'multifd-packet', bytes: PACKET_BYTES };
}

/** How many follow the packet at the beginning of `bytes`. */
export function pagesOf(bytes: Uint8Array): number {
  return u32(bytes, 16);
}
