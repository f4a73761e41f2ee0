/**
 * Where things are in a forwarding table's memory, counted in 32-bit words from its start:
 *
 *     header | generations | area number of each vnet | areas | gateways | slots
 *
 * An *area* belongs to one vnet and says, for each family, which prefix lengths are in use, the longest first: those
 * are what a look-up tries. A *slot* is one cache line: a key (meta, four address words) and a route; `meta` 0 = empty.
 * Slots form one open-addressing hash table with linear probing for all vnets.
 */
import type { Family } from '../../net/ip.js';
import { GENERATION_WORDS } from './generations.js';

export const MAGIC = 0x56694e31;

/** Word offsets in the header. */
export const H = {
  magic: 0,
  /** Odd while the writer is at work. */
  version: 1,
  /** A power of two. */
  slots: 2,
  routes: 3,
  words: 16,
} as const;

export const MAX_VNETS_IN_USE = 256;
export const MAX_NETWORKS = 4096;

const VNETS = 65_536;
export const GENERATIONS = H.words;
export const VNET_INDEX = GENERATIONS + GENERATION_WORDS;

/** In an area: owner's vnet + 1 (0 = free), then for each family: how many lengths, the lengths, routes per length. */
const LENGTHS_V4 = 33;
const LENGTHS_V6 = 129;
const AREA_V4 = 1;
const AREA_V6 = AREA_V4 + 1 + 2 * LENGTHS_V4;
export const AREA_WORDS = AREA_V6 + 1 + 2 * LENGTHS_V6;
export const AREAS = VNET_INDEX + VNETS;

/** Per network: family (0 = none), four address words, vnet. */
export const GATEWAY_WORDS = 6;
export const GATEWAYS = AREAS + MAX_VNETS_IN_USE * AREA_WORDS;

const SLOT_SHIFT = 4;
const SLOT_WORDS = 1 << SLOT_SHIFT;
/** Word offset of a route in its slot; the key's address words are before it. */
export const SLOT_ROUTE = 5;
/** On a boundary of 64 bytes. */
const SLOTS = Math.ceil((GATEWAYS + MAX_NETWORKS * GATEWAY_WORDS) / SLOT_WORDS) * SLOT_WORDS;

export function tableBytes(slots: number): number {
  return 4 * (SLOTS + slots * SLOT_WORDS);
}

export function slotOffset(slot: number): number {
  return SLOTS + (slot << SLOT_SHIFT);
}

export function areaOffset(area: number): number {
  return AREAS + area * AREA_WORDS;
}

/** Offset of a family's part of an area: the number of lengths, then the lengths. */
export function lengthsOffset(area: number, family: Family): number {
  return areaOffset(area) + (family === 4 ? AREA_V4 : AREA_V6);
}

/** From `lengthsOffset`: where the routes of one length are counted. */
export function countOffset(lengths: number, family: Family, length: number): number {
  return lengths + 1 + (family === 4 ? LENGTHS_V4 : LENGTHS_V6) + length;
}

/** A key's first word: vnet, family and prefix length; never 0. */
export function packMeta(vnet: number, family: Family, length: number): number {
  return (vnet << 10) | (family === 4 ? 0 : 0x200) | 0x100 | length;
}

export function metaVnet(meta: number): number {
  return meta >>> 10;
}

export function metaFamily(meta: number): Family {
  return (meta & 0x200) === 0 ? 4 : 6;
}

/** 0 … 128: bit 8 is the "in use" bit, so lengths up to 255 fit below it. */
export function metaLength(meta: number): number {
  return meta & 0xff;
}

/** Spreads a key over 32 bits (multiply each word by an odd constant of its own, then MurmurHash3's finalizer). */
export function hashKey(meta: number, w0: number, w1: number, w2: number, w3: number): number {
  let h = Math.imul(w3, 0x9e3779b1) + Math.imul(meta, 0x85ebca77);
  h = (h + Math.imul(w2, 0xc2b2ae3d) + Math.imul(w1, 0x27d4eb2f) + Math.imul(w0, 0x165667b1)) | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
