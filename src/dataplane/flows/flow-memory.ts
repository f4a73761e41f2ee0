/**
 * The flow memory of a packet worker: what TypeScript has decided once, the engine does for the packets that follow, and
 * counts them. Memory that the control thread makes and reads; the worker's engine is its only writer but for `F.tail`.
 * In 32-bit words (mirrored in native/engine/flow_memory.h):
 *
 *     header (64) | entries, two to a set, 32 words each | ring of entries that have been replaced, with their last counts
 *
 * An entry is a key and the action that was decided for it, good as long as the key's generation is what it was before
 * (`tables/forwarding/generations`). Its
 * set is given by a hash of the key and of the memory's seed, which nobody outside knows.
 *
 * For who reads: `E.sequence` is odd while an entry's key and serial number are written (a seqlock; counts are 64 bits
 * wide and only rise). A new entry has a new serial number and counts from 0; before it takes the place of another one, that
 * one is put into the ring, its number in place of the sequence, or, when nobody has emptied it, its counts are added to the header's.
 * So it goes too with one whose packets go another way from now on: what was counted went the way that the entry names.
 *
 * Every packet that is forwarded for somebody is counted in an entry, what TypeScript decided as well. An entry of what is not to
 * be kept has the generation that no key ever has: it counts and decides nothing. Counted are packets and bytes as the next
 * hop gets them: a super-packet as its segments, what is fragmented here as its fragments.
 */
import { randomBytes } from 'node:crypto';

export const FLOW_MAGIC = 0x56694e46;
export const FLOW_HEADER_WORDS = 64;
export const FLOW_ENTRY_WORDS = 32;
/** What a worker of a router has: 2 MB, touched as it fills. */
export const FLOW_ENTRIES = 16_384;
export const FLOW_RING_ENTRIES = 4_096;

/** Word offsets in the header. Wide ones are 64-bit counts at an even offset. */
export const F = {
  magic: 0,
  /** A power of two, at least 2. */
  entries: 1,
  /** Places in the ring: a power of two. */
  ring: 2,
  seed: 3,
  /** Entries in use. */
  used: 4,
  /** Serial number of the entry that was made last, wrapping. */
  serial: 5,
  /** Entries ever put into the ring, wrapping. */
  head: 6,
  /** Times that an entry was added to, wrapping; written after what was added. */
  counted: 7,
  /** Forwarded packets, and their bytes, of entries that the ring had no room for. */
  unattributedPackets: 8,
  unattributedBytes: 10,
  /** Entries ever taken out of the ring, wrapping; written by who reads. */
  tail: 32,
} as const;

/** Word offsets in an entry: its key, and from `generation` on what is done and counted for a packet. */
export const E = {
  sequence: 0,
  /** 0: never used. */
  serial: 1,
  /** Family, and `FlowKind` × 256. */
  kind: 2,
  /** LAN or TUN index, or peer, as `D.from`. */
  from: 3,
  /** That of the overlay header; 0 for other kinds. */
  keyVnet: 4,
  source: 5,
  destination: 9,
  /** MACs of a frame: the first 16 bits of both (source × 65,536), then the last 32 of each. */
  macsHigh: 13,
  srcMacLow: 14,
  dstMacLow: 15,
  /** Of the key, when it was decided: a sum of `Generations`. */
  generation: 16,
  /** `Action`, and `FlowFlag` × 256. */
  action: 17,
  to: 18,
  outMacHigh: 19,
  outMacLow: 20,
  /** Hops, and the packet's vnet × 256. */
  vnetHops: 21,
  mtu: 22,
  /** Index in the packet counters (`C`), and 65,536 × (1 + that of a second one that counts it too). */
  counter: 23,
  /** Index of the packets in the vnets' counters, their bytes behind it; −1: not counted there. */
  vnetCounter: 24,
  /** Numbers in `NodeActivity` of who has sent the packet, and of whom it is sent to; −1: none. */
  heard: 25,
  sent: 26,
  /** The receive call in which a packet of it was left to TypeScript: those behind it must not overtake it. */
  batch: 27,
  packets: 28,
  bytes: 30,
} as const;

/** What a key is of: a frame, an overlay packet, a WireGuard client's bare packet. */
export const FlowKind = { frame: 0, overlay: 1, bare: 2 } as const;

export const FlowFlag = {
  /** It takes a hop of the packet. */
  spendsTtl: 1,
} as const;

export interface FlowMemorySize {
  readonly entries?: number;
  readonly ring?: number;
}

export function createFlowMemory({
  entries = FLOW_ENTRIES,
  ring = FLOW_RING_ENTRIES,
}: FlowMemorySize = {}): SharedArrayBuffer {
  if (!isPowerOfTwo(entries) || entries < 2 || entries > 1 << 20) throw new RangeError(`entries: ${entries}`);
  if (!isPowerOfTwo(ring) || ring > 1 << 20) throw new RangeError(`ring: ${ring}`);
  const memory = new SharedArrayBuffer(4 * (FLOW_HEADER_WORDS + (entries + ring) * FLOW_ENTRY_WORDS));
  const words = new Int32Array(memory);
  words[F.magic] = FLOW_MAGIC;
  words[F.entries] = entries;
  words[F.ring] = ring;
  words[F.seed] = randomBytes(4).readInt32LE();
  return memory;
}

/** Entries of it in use. */
export function flowsInUse(memory: SharedArrayBuffer): number {
  return new Int32Array(memory)[F.used] ?? 0;
}

function isPowerOfTwo(n: number): boolean {
  return Number.isInteger(Math.log2(n));
}
