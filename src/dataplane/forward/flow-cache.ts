/**
 * What the forwarding table said about a pair of addresses, for as long as the table does not change. A bulk flow asks
 * about the same pair for every packet; the answer is then a comparison of ten words instead of two look-ups.
 * Direct-mapped and of fixed size: a flood of pairs costs no more than not having it.
 */
import { type ForwardingTable, ROUTE_WORDS } from '../../tables/forwarding/forwarding-table.js';
import type { PacketView } from './packet.js';

const ENTRIES = 256;

class Entry {
  /** The table's version that the answer is of. */
  version = 0;
  vnet = 0;
  /** 0: nothing is kept here. */
  family = 0;
  source0 = 0;
  source1 = 0;
  source2 = 0;
  source3 = 0;
  destination0 = 0;
  destination1 = 0;
  destination2 = 0;
  destination3 = 0;
  readonly source = new Int32Array(ROUTE_WORDS);
  readonly destination = new Int32Array(ROUTE_WORDS);
}

export class FlowCache {
  readonly #table: ForwardingTable;
  readonly #entries = Array.from({ length: ENTRIES }, () => new Entry());

  constructor(table: ForwardingTable) {
    this.#table = table;
  }

  /** Source and destination route of the packet; the arrays are the cache's, valid until the next call. */
  find(vnet: number, p: PacketView): { readonly source: Int32Array; readonly destination: Int32Array } {
    const hash = Math.imul(
      p.source3 ^ Math.imul(p.destination3 ^ p.destination1, 0x9e3779b1) ^ vnet,
      0x85ebca77,
    );
    const entry = this.#entries[(hash >>> 24) & (ENTRIES - 1)] as Entry;
    if (entry.version === this.#table.recentVersion && matches(entry, vnet, p)) return entry;
    return this.#fill(entry, vnet, p);
  }

  #fill(entry: Entry, vnet: number, p: PacketView): Entry {
    const table = this.#table;
    entry.vnet = vnet;
    entry.source0 = p.source0;
    entry.source1 = p.source1;
    entry.source2 = p.source2;
    entry.source3 = p.source3;
    entry.destination0 = p.destination0;
    entry.destination1 = p.destination1;
    entry.destination2 = p.destination2;
    entry.destination3 = p.destination3;
    const before = table.version;
    table.lookup(vnet, p.family, p.source0, p.source1, p.source2, p.source3, entry.source);
    table.lookup(
      vnet,
      p.family,
      p.destination0,
      p.destination1,
      p.destination2,
      p.destination3,
      entry.destination,
    );
    // Two answers from before and after a change are as good as two look-ups, but not to be kept.
    entry.version = before | 0;
    entry.family = table.version === before && (before & 1) === 0 ? p.family : 0;
    return entry;
  }
}

function matches(entry: Entry, vnet: number, p: PacketView): boolean {
  return (
    entry.source3 === p.source3 &&
    entry.destination3 === p.destination3 &&
    entry.vnet === vnet &&
    entry.family === p.family &&
    entry.source2 === p.source2 &&
    entry.destination2 === p.destination2 &&
    entry.source1 === p.source1 &&
    entry.destination1 === p.destination1 &&
    entry.source0 === p.source0 &&
    entry.destination0 === p.destination0
  );
}
