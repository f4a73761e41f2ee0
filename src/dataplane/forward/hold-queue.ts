/** Packets that wait for a local node's MAC (design README, "How a packet travels", 5). Bounded in number and time. */
import type { Clock } from '../../net/clock.js';
import { type ForwardingTable, R, RouteKind } from '../../tables/forwarding/forwarding-table.js';
import { D, DESCRIPTOR_WORDS, type Engine, SCRATCH_SLOTS } from '../engine.js';
import type { AddressWords } from '../punt/punt.js';
import type { HoldRoom } from './hold-room.js';

const MAX_AGE_MS = 3000;

interface Held {
  readonly vnet: number;
  readonly next: AddressWords;
  readonly atMs: number;
  readonly bytes: Uint8Array;
  readonly descriptor: Int32Array;
}

export class HoldQueue {
  readonly #engine: Engine;
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #room: HoldRoom;
  #held: Held[] = [];
  #seenVersion = -1;

  constructor(engine: Engine, clock: Pick<Clock, 'nowMs'>, room: HoldRoom) {
    this.#engine = engine;
    this.#clock = clock;
    this.#room = room;
  }

  get size(): number {
    return this.#held.length;
  }

  /** Copies the packet. False when there is no room. */
  add(descriptor: number, vnet: number, next: AddressWords): boolean {
    if (!this.#room.take(vnet, next)) return false;
    const words = this.#engine.descriptors.slice(
      descriptor * DESCRIPTOR_WORDS,
      (descriptor + 1) * DESCRIPTOR_WORDS,
    );
    const offset = words[D.offset] ?? 0;
    const bytes = this.#engine.packets.slice(offset, offset + (words[D.length] ?? 0));
    this.#held.push({ vnet, next, atMs: this.#clock.nowMs(), bytes, descriptor: words });
    this.#seenVersion = -1;
    return true;
  }

  /**
   * Puts every packet whose node has a MAC now into a scratch slot, calls `send` with its descriptor and route, and
   * sends it; packets that are too old are reported with no route. Cheap when the table has not changed.
   */
  release(
    table: ForwardingTable,
    route: Int32Array,
    send: (descriptor: number, route: Int32Array | undefined, vnet: number) => void,
  ): void {
    if (this.#held.length === 0) return;
    const oldest = this.#held[0];
    const expired = oldest !== undefined && this.#clock.nowMs() - oldest.atMs > MAX_AGE_MS;
    if (table.version === this.#seenVersion && !expired) return;
    this.#seenVersion = table.version;
    const waiting: Held[] = [];
    let filled = 0;
    for (const held of this.#held) {
      const [w0, w1, w2, w3] = held.next.words;
      table.lookup(held.vnet, held.next.family, w0, w1, w2, w3, route);
      if (route[R.kind] === RouteKind.host) {
        this.#room.give(held.vnet, held.next);
        send(this.#stage(held, filled), route, held.vnet);
        filled++;
        if (filled === SCRATCH_SLOTS) filled = this.#flush(filled);
      } else if (this.#clock.nowMs() - held.atMs > MAX_AGE_MS || route[R.kind] !== RouteKind.onLink) {
        this.#room.give(held.vnet, held.next);
        send(-1, undefined, held.vnet);
      } else {
        waiting.push(held);
      }
    }
    this.#flush(filled);
    this.#held = waiting;
  }

  #stage(held: Held, scratch: number): number {
    const slot = this.#engine.capacity + scratch;
    const offset = this.#engine.scratchOffset(scratch);
    this.#engine.packets.set(held.bytes, offset);
    this.#engine.descriptors.set(held.descriptor, slot * DESCRIPTOR_WORDS);
    this.#engine.descriptors[slot * DESCRIPTOR_WORDS + D.offset] = offset;
    return slot;
  }

  #flush(filled: number): 0 {
    if (filled > 0) this.#engine.send(this.#engine.capacity, filled);
    return 0;
  }
}
