import { Ip } from '../../net/ip.js';
import { type Mac, macHigh, macLow } from '../../net/mac.js';
import { Prefix } from '../../net/prefix.js';
import type { VnetId } from '../model.js';
import * as layout from './forwarding-layout.js';
import { H } from './forwarding-layout.js';
import { ForwardingReader } from './forwarding-reader.js';
import { GENERATION_WORDS, Generations } from './generations.js';
import { decodeRoute, encodeRoute, R, ROUTE_WORDS, type Route, RouteFlag, RouteKind } from './route.js';

export { R, ROUTE_WORDS, type Route, RouteFlag, RouteKind };

const DEFAULT_SLOTS = 1 << 18;

/**
 * The compiled tables that the packet workers read: longest-prefix match per vnet, in shared memory.
 *
 * One thread writes (the one that called `create`), any number read. The writer makes the version odd, changes, and
 * makes it even again; a reader that met an odd version, or another one after than before, reads again, and so never
 * acts on a route that is half written. Readers take no locks. An update touches the route's own slot (and on removal
 * the few that follow it), never the rest. What decisions are kept by, that depend on more than the table, is beside it
 * (`Generations`, `touch`).
 */
export class ForwardingTable extends ForwardingReader {
  readonly #scratch = new Int32Array(ROUTE_WORDS);
  readonly #generations = new Generations(
    this.words.subarray(layout.GENERATIONS, layout.GENERATIONS + GENERATION_WORDS),
  );
  /** Of all networks' gateways, how many networks have it: on its route depends more than what goes to it. */
  readonly #gateways = new Map<string, number>();

  /** An empty table. `slots` is a power of two; three quarters of them can be used. 64 bytes each. */
  static create(options: { readonly slots?: number } = {}): ForwardingTable {
    const slots = options.slots ?? DEFAULT_SLOTS;
    if (!Number.isInteger(Math.log2(slots)) || slots < 4 || slots > 1 << 24) {
      throw new RangeError(`slots: ${slots} is not a power of two from 4 to 2^24`);
    }
    const memory = new SharedArrayBuffer(layout.tableBytes(slots));
    const words = new Int32Array(memory);
    words[H.magic] = layout.MAGIC;
    words[H.slots] = slots;
    return new ForwardingTable(memory);
  }

  /** The same table; in another thread only the calls of `ForwardingReader` are allowed. */
  static attach(memory: SharedArrayBuffer): ForwardingTable {
    return new ForwardingTable(memory);
  }

  /**
   * Adds or replaces one route. False, and nothing changed, when there is no room: three quarters of the slots are
   * taken, or the vnet would be the 257th in use.
   */
  set(vnet: VnetId, prefix: Prefix, route: Route): boolean {
    const slot = this.#find(vnet, prefix);
    const offset = layout.slotOffset(slot);
    encodeRoute(route, this.#scratch);
    if (this.words[offset] !== 0) {
      this.#replace(offset + layout.SLOT_ROUTE, vnet, prefix);
      return true;
    }
    const area = this.#areaFor(vnet);
    if (area < 0 || this.size >= this.capacity) return false;
    this.#change(vnet, prefix, () => {
      const meta = layout.packMeta(vnet, prefix.family, prefix.length);
      this.words[offset] = meta;
      this.words[offset + 1] = prefix.address.w0;
      this.words[offset + 2] = prefix.address.w1;
      this.words[offset + 3] = prefix.address.w2;
      this.words[offset + 4] = prefix.address.w3;
      this.words.set(this.#scratch, offset + layout.SLOT_ROUTE);
      this.words[layout.VNET_INDEX + vnet] = area + 1;
      this.words[layout.areaOffset(area)] = vnet + 1;
      this.#countLength(area, prefix, 1);
    });
    return true;
  }

  /** Removes one route; harmless if it is not there. */
  delete(vnet: VnetId, prefix: Prefix): void {
    const slot = this.#find(vnet, prefix);
    if (this.words[layout.slotOffset(slot)] === 0) return;
    this.#change(vnet, prefix, () => {
      this.#vacate(slot);
      const area = (this.words[layout.VNET_INDEX + vnet] ?? 0) - 1;
      this.#countLength(area, prefix, -1);
      if (this.#isUnused(area)) {
        this.words[layout.VNET_INDEX + vnet] = 0;
        this.words[layout.areaOffset(area)] = 0;
      }
    });
  }

  /** What exactly this prefix has. For the writer's thread. */
  get(vnet: VnetId, prefix: Prefix): Route | undefined {
    const offset = layout.slotOffset(this.#find(vnet, prefix));
    return this.words[offset] === 0 ? undefined : decodeRoute(this.words, offset + layout.SLOT_ROUTE);
  }

  /** All routes, in no order. For the writer's thread; the table must not change meanwhile. */
  *routes(): IterableIterator<{ vnet: VnetId; prefix: Prefix; route: Route }> {
    for (let slot = 0; slot <= this.slotMask; slot++) {
      const offset = layout.slotOffset(slot);
      const meta = this.words[offset] ?? 0;
      if (meta === 0) continue;
      const word = (i: number): number => this.words[offset + 1 + i] ?? 0;
      const address = Ip.fromWords(layout.metaFamily(meta), [word(0), word(1), word(2), word(3)]);
      const prefix = Prefix.containing(address, layout.metaLength(meta));
      const route = decodeRoute(this.words, offset + layout.SLOT_ROUTE);
      yield { vnet: layout.metaVnet(meta), prefix, route };
    }
  }

  /** A network's way to the outside world. `network` is the GNDT's number for it, 0 … 4095. */
  setGateway(network: number, vnet: VnetId, gateway: Ip | undefined): void {
    if (network < 0 || network >= layout.MAX_NETWORKS) throw new RangeError(`network ${network}`);
    const offset = layout.GATEWAYS + network * layout.GATEWAY_WORDS;
    // Of a whole table's places nearly all: no family, none kept.
    if (gateway === undefined && this.words[offset] === 0) return;
    const wanted = gateway === undefined ? [0, 0, 0, 0, 0, 0] : [gateway.family, ...gateway.words, vnet];
    if (wanted.every((word, i) => this.words[offset + i] === (word | 0))) return;
    const before = this.#gatewayAt(offset);
    if (before !== undefined) this.#countGateway(before, -1);
    if (gateway !== undefined) this.#countGateway(gatewayKey(vnet, gateway), 1);
    this.#write(() => {
      this.words.set(wanted, offset);
      this.#generations.everything();
    });
  }

  #gatewayAt(offset: number): string | undefined {
    const word = (i: number): number => this.words[offset + i] ?? 0;
    if (word(0) === 0) return undefined;
    const address = Ip.fromWords(word(0) === 6 ? 6 : 4, [word(1), word(2), word(3), word(4)]);
    return gatewayKey(word(5), address);
  }

  #countGateway(key: string, change: 1 | -1): void {
    const count = (this.#gateways.get(key) ?? 0) + change;
    if (count === 0) this.#gateways.delete(key);
    else this.#gateways.set(key, count);
  }

  /**
   * Something else has changed that any decision may depend on: whoever has kept one decides anew. For the writer's thread, after
   * the change.
   */
  touch(): void {
    this.#generations.everything();
    Atomics.add(this.words, H.version, 2);
  }

  /** Something has changed that decisions over frames from or to that MAC depend on. As `touch`. */
  touchMac(mac: Mac): void {
    this.#generations.of(0, 0, macHigh(mac), macLow(mac));
  }

  #change(vnet: VnetId, prefix: Prefix, action: () => void): void {
    this.#write(() => {
      action();
      const { address } = prefix;
      const isOneNodes = prefix.isHost && !this.#gateways.has(gatewayKey(vnet, address));
      if (isOneNodes) this.#generations.of(address.w0, address.w1, address.w2, address.w3);
      else this.#generations.everything();
    });
  }

  /** Runs the change between an odd and an even version; both steps are full barriers. */
  #write(action: () => void): void {
    Atomics.add(this.words, H.version, 1);
    action();
    Atomics.add(this.words, H.version, 1);
  }

  /** Writes the encoded route over the one at `offset`, unless they are the same: readers need not start again. */
  #replace(offset: number, vnet: VnetId, prefix: Prefix): void {
    const scratch = this.#scratch;
    let same = 0;
    while (same < scratch.length && this.words[offset + same] === scratch[same]) same++;
    if (same < scratch.length) this.#change(vnet, prefix, () => this.words.set(scratch, offset));
  }

  /** The prefix's slot, or the empty one where it would go. */
  #find(vnet: VnetId, prefix: Prefix): number {
    if (vnet < 0 || vnet > 0xffff) throw new RangeError(`vnet ${vnet}`);
    const { w0, w1, w2, w3 } = prefix.address;
    return this.probe(layout.packMeta(vnet, prefix.family, prefix.length), w0, w1, w2, w3);
  }

  /** The vnet's area, or a free one, or −1. */
  #areaFor(vnet: VnetId): number {
    const area = (this.words[layout.VNET_INDEX + vnet] ?? 0) - 1;
    if (area >= 0) return area;
    for (let free = 0; free < layout.MAX_VNETS_IN_USE; free++) {
      if (this.words[layout.areaOffset(free)] === 0) return free;
    }
    return -1;
  }

  #isUnused(area: number): boolean {
    return this.words[layout.lengthsOffset(area, 4)] === 0 && this.words[layout.lengthsOffset(area, 6)] === 0;
  }

  /**
   * Empties a slot and closes the gap: any route behind it that had to go past the gap from where its key belongs
   * moves back into it (Knuth, TAOCP 6.4, algorithm R). So there are no tombstones, and look-ups stay short for ever.
   */
  #vacate(slot: number): void {
    const words = this.words;
    const mask = this.slotMask;
    let gap = slot;
    for (let next = (gap + 1) & mask; ; next = (next + 1) & mask) {
      const from = layout.slotOffset(next);
      if (words[from] === 0) break;
      const distance = (next - this.#homeSlot(from)) & mask;
      if (distance < ((next - gap) & mask)) continue;
      words.copyWithin(layout.slotOffset(gap), from, layout.slotOffset(next + 1));
      gap = next;
    }
    words.fill(0, layout.slotOffset(gap), layout.slotOffset(gap + 1));
  }

  /** Where the key at this offset belongs. */
  #homeSlot(offset: number): number {
    const word = (i: number): number => this.words[offset + i] ?? 0;
    return layout.hashKey(word(0), word(1), word(2), word(3), word(4)) & this.slotMask;
  }

  /** Counts a route of the prefix's length in or out, and keeps the list of lengths in use, longest first. */
  #countLength(area: number, prefix: Prefix, change: 1 | -1): void {
    const words = this.words;
    const lengths = layout.lengthsOffset(area, prefix.family);
    const counter = layout.countOffset(lengths, prefix.family, prefix.length);
    const count = (words[counter] ?? 0) + change;
    words[counter] = count;
    words[H.routes] = this.size + change;
    const used = words[lengths] ?? 0;
    if (change > 0 && count === 1) {
      let at = lengths + used;
      for (; at > lengths && (words[at] ?? 0) < prefix.length; at--) words[at + 1] = words[at] ?? 0;
      words[at + 1] = prefix.length;
      words[lengths] = used + 1;
    } else if (count === 0) {
      const at = words.indexOf(prefix.length, lengths + 1);
      words.copyWithin(at, at + 1, lengths + 1 + used);
      words[lengths + used] = 0;
      words[lengths] = used - 1;
    }
  }
}

function gatewayKey(vnet: VnetId, gateway: Ip): string {
  return `${vnet} ${gateway.key}`;
}
