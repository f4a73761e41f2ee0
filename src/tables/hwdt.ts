import type { Clock } from '../net/clock.js';
import type { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import type { BindingSource, LanIndex, VnetId } from './model.js';
import { Subscribers } from './subscribers.js';
import { VnetMap } from './vnet-map.js';

/** Bindings a LAN may have before the least recently seen one is evicted (tables.md). */
export const DEFAULT_LIMIT_PER_LAN = 65_536;

/** One MAC ↔ IP binding as seen on one of this VR's LANs. Times are the clock's monotonic milliseconds. */
export interface Binding {
  readonly lan: LanIndex;
  readonly vnet: VnetId;
  readonly mac: Mac;
  readonly ip: Ip;
  readonly source: BindingSource;
  /** When this MAC was first seen to have the address. */
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  /** It did not answer when asked. */
  readonly silent: boolean;
}

export interface Learned {
  readonly outcome: 'new' | 'known' | 'rebound';
  /** The MAC that had the address on this LAN before (`rebound`), or keeps it against the one just seen (`known`). */
  readonly previousMac: Mac | undefined;
}

/** The internal, changing form of a binding. */
type Entry = { -readonly [Field in keyof Binding]: Binding[Field] } & {
  /** Rises with every sighting: tells the fresher of two in one millisecond. */
  sighting: number;
};

/** What is bound to one address over all LANs, and what subscribers were last told of it. */
interface Address {
  readonly entries: Entry[];
  shownLan: LanIndex;
  shownMac: Mac;
}

interface LanTable {
  /** By `vnet/ip`, least recently seen first; so are each MAC's. */
  readonly byIp: Map<string, Entry>;
  readonly byMac: Map<Mac, Set<Entry>>;
}

/**
 * The HardWare Description Table: (vnet, LAN, MAC) ↔ IPs of what is seen on the VR's own LANs. On one LAN an address
 * belongs to one MAC at a time. `static` bindings (the gateway machine's own addresses) are the operator's word: frames
 * do not change them, and they are neither evicted nor called stale. Bounded per LAN; every call on one address takes
 * constant time.
 */
export class Hwdt {
  readonly #clock: Clock;
  readonly #limitPerLan: number;
  readonly #lans = new Map<LanIndex, LanTable>();
  readonly #addresses = new VnetMap<string, Address>();
  readonly #subscribers = new Subscribers<[VnetId, Ip]>();
  #sightings = 0;
  #size = 0;
  #evicted = 0;

  constructor(clock: Clock, limitPerLan = DEFAULT_LIMIT_PER_LAN) {
    this.#clock = clock;
    this.#limitPerLan = limitPerLan;
  }

  get size(): number {
    return this.#size;
  }

  /** How many bindings were dropped for want of room. */
  get evicted(): number {
    return this.#evicted;
  }

  /** A frame on the LAN said that `mac` has `ip`. */
  learn(lan: LanIndex, vnet: VnetId, mac: Mac, ip: Ip, source: BindingSource): Learned {
    const table = this.#lan(lan);
    const known = table.byIp.get(addressKey(vnet, ip));
    if (known?.source === 'static' && source !== 'static') {
      if (known.mac === mac) this.#seen(table, known);
      return { outcome: 'known', previousMac: known.mac === mac ? undefined : known.mac };
    }
    if (known?.mac === mac) {
      known.source = source;
      this.#seen(table, known);
      this.#tellIfChanged(vnet, ip);
      return { outcome: 'known', previousMac: undefined };
    }
    const previousMac = known?.mac;
    if (known !== undefined) this.#drop(known);
    else if (table.byIp.size >= this.#limitPerLan) this.#evict(table);
    this.#add(table, lan, vnet, mac, ip, source);
    this.#tellIfChanged(vnet, ip);
    return { outcome: known === undefined ? 'new' : 'rebound', previousMac };
  }

  /** A frame that names no address (RARP) shows that the MAC is alive: refreshes all its bindings on this LAN. */
  seenMac(lan: LanIndex, mac: Mac): void {
    const table = this.#lan(lan);
    const entries = [...(table.byMac.get(mac) ?? [])];
    for (const entry of entries) this.#seen(table, entry);
    for (const entry of entries) this.#tellIfChanged(entry.vnet, entry.ip);
  }

  /** The freshest binding of the address over the vnet's LANs. */
  get(vnet: VnetId, ip: Ip): Binding | undefined {
    const entry = freshest(this.#addresses.get(vnet, ip.key)?.entries);
    return entry && snapshot(entry);
  }

  byMac(vnet: VnetId, mac: Mac): readonly Binding[] {
    const found: Binding[] = [];
    for (const table of this.#lans.values()) {
      for (const entry of table.byMac.get(mac) ?? []) if (entry.vnet === vnet) found.push(snapshot(entry));
    }
    return found;
  }

  *all(): IterableIterator<Binding> {
    for (const table of this.#lans.values()) for (const entry of table.byIp.values()) yield snapshot(entry);
  }

  /** Drops the address on all LANs. */
  forget(vnet: VnetId, ip: Ip): void {
    const entries = this.#addresses.get(vnet, ip.key)?.entries ?? [];
    for (const entry of [...entries]) this.#drop(entry);
    this.#tellIfChanged(vnet, ip);
  }

  /** The address does not answer; the next sighting takes it back. */
  markSilent(vnet: VnetId, ip: Ip): void {
    for (const entry of this.#addresses.get(vnet, ip.key)?.entries ?? []) entry.silent = true;
  }

  /** Bindings not seen for `olderThanMs` or longer, the oldest first on each LAN. For probing. */
  stale(olderThanMs: number): readonly Binding[] {
    const limitMs = this.#clock.nowMs() - olderThanMs;
    const found: Binding[] = [];
    for (const table of this.#lans.values()) {
      for (const entry of table.byIp.values()) {
        if (entry.lastSeenMs > limitMs) break;
        if (entry.source !== 'static') found.push(snapshot(entry));
      }
    }
    return found;
  }

  /**
   * Calls `listener` synchronously after the LAN or the MAC that `get` gives for an address has appeared, changed or
   * gone; mere sightings are not told. Returns how to stop.
   */
  subscribe(listener: (vnet: VnetId, ip: Ip) => void): () => void {
    return this.#subscribers.subscribe(listener);
  }

  #lan(lan: LanIndex): LanTable {
    let table = this.#lans.get(lan);
    if (table === undefined) {
      table = { byIp: new Map(), byMac: new Map() };
      this.#lans.set(lan, table);
    }
    return table;
  }

  /** Moves it to the end of both least-recently-seen orders. */
  #seen(table: LanTable, entry: Entry): void {
    entry.lastSeenMs = this.#clock.nowMs();
    entry.sighting = ++this.#sightings;
    entry.silent = false;
    const key = addressKey(entry.vnet, entry.ip);
    table.byIp.delete(key);
    table.byIp.set(key, entry);
    const ofMac = table.byMac.get(entry.mac);
    ofMac?.delete(entry);
    ofMac?.add(entry);
  }

  #add(table: LanTable, lan: LanIndex, vnet: VnetId, mac: Mac, ip: Ip, source: BindingSource): void {
    const nowMs = this.#clock.nowMs();
    const entry: Entry = {
      lan,
      vnet,
      mac,
      ip,
      source,
      firstSeenMs: nowMs,
      lastSeenMs: nowMs,
      silent: false,
      sighting: ++this.#sightings,
    };
    table.byIp.set(addressKey(entry.vnet, entry.ip), entry);
    const ofMac = table.byMac.get(entry.mac);
    if (ofMac === undefined) table.byMac.set(entry.mac, new Set([entry]));
    else ofMac.add(entry);
    const address = this.#addresses.get(entry.vnet, entry.ip.key);
    if (address !== undefined) address.entries.push(entry);
    else
      this.#addresses.set(entry.vnet, entry.ip.key, { entries: [entry], shownLan: -1, shownMac: entry.mac });
    this.#size++;
  }

  /** Takes it out of all indexes. The address itself stays until `#tellIfChanged`. */
  #drop(entry: Entry): void {
    const table = this.#lan(entry.lan);
    table.byIp.delete(addressKey(entry.vnet, entry.ip));
    const ofMac = table.byMac.get(entry.mac);
    ofMac?.delete(entry);
    if (ofMac?.size === 0) table.byMac.delete(entry.mac);
    const entries = this.#addresses.get(entry.vnet, entry.ip.key)?.entries;
    entries?.splice(entries.indexOf(entry), 1);
    this.#size--;
  }

  /** Makes room for one. Static bindings are passed over (and to the end, so that this stays cheap). */
  #evict(table: LanTable): void {
    for (let tries = table.byIp.size; tries > 0; tries--) {
      const oldest = table.byIp.entries().next().value;
      if (oldest === undefined) return;
      const [key, entry] = oldest;
      if (entry.source === 'static') {
        table.byIp.delete(key);
        table.byIp.set(key, entry);
        continue;
      }
      this.#drop(entry);
      this.#evicted++;
      this.#tellIfChanged(entry.vnet, entry.ip);
      return;
    }
  }

  #tellIfChanged(vnet: VnetId, ip: Ip): void {
    const address = this.#addresses.get(vnet, ip.key);
    if (address === undefined) return;
    const entry = freshest(address.entries);
    if (entry === undefined) this.#addresses.delete(vnet, ip.key);
    else if (entry.lan === address.shownLan && entry.mac === address.shownMac) return;
    else {
      address.shownLan = entry.lan;
      address.shownMac = entry.mac;
    }
    this.#subscribers.notify(vnet, ip);
  }
}

function addressKey(vnet: VnetId, ip: Ip): string {
  return `${vnet}/${ip.key}`;
}

function freshest(entries: readonly Entry[] | undefined): Entry | undefined {
  let best: Entry | undefined;
  for (const entry of entries ?? []) if (best === undefined || entry.sighting > best.sighting) best = entry;
  return best;
}

function snapshot(entry: Entry): Binding {
  const { lan, vnet, mac, ip, source, firstSeenMs, lastSeenMs, silent } = entry;
  return { lan, vnet, mac, ip, source, firstSeenMs, lastSeenMs, silent };
}
