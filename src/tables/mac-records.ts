import type { Mac } from '../net/mac.js';
import type { NodeRecord, RouterId, VnetId } from './model.js';
import { VnetMap } from './vnet-map.js';

/** The records of a MAC with several addresses. */
interface Several {
  readonly records: Set<NodeRecord>;
  /** How many of them name this router. */
  own: number;
  /** Made when it is asked for; never changed, since callers may hold it. */
  list: readonly NodeRecord[] | undefined;
}

/**
 * Records by MAC. Nearly every MAC has one address: then nothing else is kept for it. One with thousands (a made-up one)
 * costs no more at each change than any other.
 */
export class MacRecords {
  readonly #self: RouterId;
  readonly #records = new VnetMap<Mac, NodeRecord | Several>();

  constructor(self: RouterId) {
    this.#self = self;
  }

  add(record: NodeRecord): void {
    const { vnet, mac } = record;
    const known = this.#records.get(vnet, mac);
    if (known === undefined) this.#records.set(vnet, mac, record);
    else if ('records' in known) this.#change(known, record, 1);
    else {
      const several: Several = {
        records: new Set([known]),
        own: this.#isOwn(known) ? 1 : 0,
        list: undefined,
      };
      this.#change(several, record, 1);
      this.#records.set(vnet, mac, several);
    }
  }

  /** The record itself, not one like it. */
  delete(record: NodeRecord): void {
    const { vnet, mac } = record;
    const known = this.#records.get(vnet, mac);
    if (known === record) this.#records.delete(vnet, mac);
    else if (known !== undefined && 'records' in known && known.records.has(record)) {
      this.#change(known, record, -1);
      if (known.records.size > 1) return;
      for (const only of known.records) this.#records.set(vnet, mac, only);
    }
  }

  /** In the order in which they were added. */
  of(vnet: VnetId, mac: Mac): readonly NodeRecord[] {
    const known = this.#records.get(vnet, mac);
    if (known === undefined) return [];
    if (!('records' in known)) return [known];
    known.list ??= [...known.records];
    return known.list;
  }

  /** It has records, and none of them names this router. */
  isElsewhere(vnet: VnetId, mac: Mac): boolean {
    const known = this.#records.get(vnet, mac);
    if (known === undefined) return false;
    return 'records' in known ? known.own === 0 : !this.#isOwn(known);
  }

  #change(several: Several, record: NodeRecord, change: 1 | -1): void {
    if (change === 1) several.records.add(record);
    else several.records.delete(record);
    if (this.#isOwn(record)) several.own += change;
    several.list = undefined;
  }

  #isOwn({ router }: NodeRecord): boolean {
    return router === this.#self;
  }
}
