import type { Family, Ip } from '../../net/ip.js';
import { wordMask } from '../../net/masks.js';
import { Prefix } from '../../net/prefix.js';
import type { VnetId } from '../model.js';
import * as layout from './forwarding-layout.js';
import { H } from './forwarding-layout.js';
import { decodeRoute, ROUTE_WORDS, type Route } from './route.js';

/** Times a reader tries again at once before it lets the writer have the processor. */
const SPINS = 64;

/** The reading half of a forwarding table: what may be done in any thread while another one writes. */
export class ForwardingReader {
  /** Where in the memory, as an Int32Array, the `Generations` are. */
  static readonly generationsWord = layout.GENERATIONS;
  readonly memory: SharedArrayBuffer;
  protected readonly words: Int32Array;
  /** Slots − 1. */
  protected readonly slotMask: number;
  /** Private to this thread: an atomic operation on it keeps the reads before it before what follows (ARM reorders). */
  readonly #fence = new Int32Array(1);
  /** Prefix length of the last look-up that matched. */
  #matchedLength = 0;

  protected constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.words = new Int32Array(memory);
    if (this.words[H.magic] !== layout.MAGIC) throw new Error('not a forwarding table');
    this.slotMask = (this.words[H.slots] ?? 0) - 1;
  }

  /** Rises by two with each change; odd while one is under way. Wraps at 2^32. */
  get version(): number {
    return Atomics.load(this.words, H.version) >>> 0;
  }

  /** Routes for which there is room: three quarters of the slots. */
  get capacity(): number {
    return Math.floor((3 * (this.slotMask + 1)) / 4);
  }

  /** Routes in the table. */
  get size(): number {
    return this.words[H.routes] ?? 0;
  }

  /**
   * Copies the words (`R`) of the longest prefix that holds the address into `out`; zeros and false when there is none.
   * The address is as in `IpWords`, signed or unsigned; IPv4 in w3. No allocation.
   */
  lookup(
    vnet: number,
    family: Family,
    w0: number,
    w1: number,
    w2: number,
    w3: number,
    out: Int32Array,
  ): boolean {
    const words = this.words;
    for (let tries = 0; ; tries++) {
      const version = Atomics.load(words, H.version);
      if ((version & 1) === 0) {
        const offset = this.#longest(vnet, family, w0 | 0, w1 | 0, w2 | 0, w3 | 0);
        if (offset < 0) for (let i = 0; i < ROUTE_WORDS; i++) out[i] = 0;
        else for (let i = 0; i < ROUTE_WORDS; i++) out[i] = words[offset + layout.SLOT_ROUTE + i] ?? 0;
        if (this.#unchangedSince(version)) return offset >= 0;
      }
      if (tries >= SPINS) Atomics.wait(words, H.version, version, 1);
    }
  }

  /** The longest prefix that holds the address, and its route. For people; allocates. */
  matched(vnet: VnetId, ip: Ip): { prefix: Prefix; route: Route } | undefined {
    const out = new Int32Array(ROUTE_WORDS);
    const { w0, w1, w2, w3 } = ip;
    if (!this.lookup(vnet, ip.family, w0, w1, w2, w3, out)) return undefined;
    return { prefix: Prefix.containing(ip, this.#matchedLength), route: decodeRoute(out) };
  }

  /**
   * Copies [family, w0, w1, w2, w3] of a network's gateway into `out`; zeros and false when it has none.
   * `network` is its position in gndt.json: a route's `network` − 1.
   */
  gateway(network: number, out: Int32Array): boolean {
    const words = this.words;
    const isNetwork = network >= 0 && network < layout.MAX_NETWORKS;
    const offset = layout.GATEWAYS + network * layout.GATEWAY_WORDS;
    for (let tries = 0; ; tries++) {
      const version = Atomics.load(words, H.version);
      if ((version & 1) === 0) {
        for (let i = 0; i < 5; i++) out[i] = isNetwork ? (words[offset + i] ?? 0) : 0;
        if (this.#unchangedSince(version)) return out[0] !== 0;
      }
      if (tries >= SPINS) Atomics.wait(words, H.version, version, 1);
    }
  }

  /** The slot with that key, or the empty one where it would go. Ends also when the table changes under it. */
  protected probe(meta: number, w0: number, w1: number, w2: number, w3: number): number {
    const words = this.words;
    const mask = this.slotMask;
    let slot = layout.hashKey(meta, w0, w1, w2, w3) & mask;
    for (let step = 0; step < mask; step++) {
      const offset = layout.slotOffset(slot);
      const found = words[offset];
      if (found === 0) return slot;
      if (
        found === meta &&
        words[offset + 4] === w3 &&
        words[offset + 3] === w2 &&
        words[offset + 2] === w1 &&
        words[offset + 1] === w0
      ) {
        return slot;
      }
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  /** Offset of the slot of the longest matching prefix, −1 if none. */
  #longest(vnet: number, family: Family, w0: number, w1: number, w2: number, w3: number): number {
    const words = this.words;
    const area = (words[layout.VNET_INDEX + (vnet & 0xffff)] ?? 0) - 1;
    if (area < 0) return -1;
    const lengths = layout.lengthsOffset(area, family);
    const count = words[lengths] ?? 0;
    for (let i = 1; i <= count; i++) {
      const length = words[lengths + i] ?? 0;
      const meta = layout.packMeta(vnet, family, length);
      const slot =
        family === 4
          ? this.probe(meta, 0, 0, 0, w3 & wordMask(4, length, 3))
          : this.probe(
              meta,
              w0 & wordMask(6, length, 0),
              w1 & wordMask(6, length, 1),
              w2 & wordMask(6, length, 2),
              w3 & wordMask(6, length, 3),
            );
      const offset = layout.slotOffset(slot);
      if (words[offset] === meta) {
        this.#matchedLength = length;
        return offset;
      }
    }
    return -1;
  }

  /** Did nobody write since that version? Whatever was read in between has been read by now. */
  #unchangedSince(version: number): boolean {
    Atomics.add(this.#fence, 0, 1);
    return Atomics.load(this.words, H.version) === version;
  }
}
