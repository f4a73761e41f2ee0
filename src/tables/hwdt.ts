import type { Clock } from '../net/clock.js';
import type { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import type { BindingSource, LanIndex, VnetId } from './model.js';
import { nodeKey } from './node-key.js';
import { Subscribers } from './subscribers.js';
import { VnetMap } from './vnet-map.js';

/** Newcomers that a LAN may have before the one that was seen longest ago is evicted. */
export const DEFAULT_NEWCOMERS_PER_LAN = 16_384;
/** And that one MAC may have of them. */
const NEWCOMERS_PER_MAC = 256;
/** Bindings of each kind that one frame without an address refreshes. */
const MOST_REFRESHED = 256;

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

/** The bindings of one kind on one LAN, least recently seen first; so are each MAC's. */
interface Bindings {
  /** By `vnet/ip`. */
  readonly byIp: Map<string, Entry>;
  readonly byMac: Map<Mac, Set<Entry>>;
}

interface LanTable {
  /** Static, or of an address that is established. */
  readonly established: Bindings;
  readonly newcomers: Bindings;
}

/**
 * Why subscribers are told: what `get` gives has appeared or changed by a frame; it was told to forget it; there was no
 * room for it.
 */
export type BindingChange = 'seen' | 'forgotten' | 'evicted';

/**
 * The HardWare Description Table: (vnet, LAN, MAC) ↔ IPs of what is seen on the VR's own LANs. On one LAN an address
 * belongs to one MAC at a time. `static` bindings (the gateway machine's own addresses) are the operator's word: frames
 * do not change them, and they are neither evicted nor called stale. Every call on one address takes constant time.
 *
 * A LAN can make up any number of addresses. So the bindings of established ones (nodes with a record here; whoever owns
 * the records says which) are kept apart from the newcomers, whose number is bounded, of the LAN and of each MAC: the one
 * that was seen longest ago is evicted for a new one, and never a binding of an established node.
 */
export class Hwdt {
  readonly #clock: Clock;
  readonly #newcomersPerLan: number;
  readonly #lans = new Map<LanIndex, LanTable>();
  readonly #addresses = new VnetMap<string, Address>();
  readonly #established = new VnetMap<string, true>();
  readonly #subscribers = new Subscribers<[VnetId, Ip, BindingChange]>();
  #sightings = 0;
  #size = 0;
  #evicted = 0;

  constructor(clock: Clock, newcomersPerLan = DEFAULT_NEWCOMERS_PER_LAN) {
    this.#clock = clock;
    this.#newcomersPerLan = newcomersPerLan;
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
    const known = entryOf(table, nodeKey(vnet, ip));
    if (known?.source === 'static' && source !== 'static') {
      if (known.mac === mac) this.#seen(table, known);
      return { outcome: 'known', previousMac: known.mac === mac ? undefined : known.mac };
    }
    if (known?.mac === mac) {
      known.source = source;
      if (source === 'static') this.#place(known);
      this.#seen(table, known);
      this.#tellIfChanged(vnet, ip, 'seen');
      return { outcome: 'known', previousMac: undefined };
    }
    const previousMac = known?.mac;
    if (known !== undefined) this.#drop(known);
    this.#add(table, lan, vnet, mac, ip, source);
    this.#evict(table, mac);
    this.#tellIfChanged(vnet, ip, 'seen');
    return { outcome: known === undefined ? 'new' : 'rebound', previousMac };
  }

  /**
   * A frame that names no address (RARP) shows that the MAC is alive: refreshes its bindings on this LAN, of more than 256
   * of a kind those that were seen longest ago.
   */
  seenMac(lan: LanIndex, mac: Mac): void {
    const table = this.#lan(lan);
    const { established, newcomers } = table;
    const entries = [established, newcomers].flatMap(({ byMac }) => first(byMac.get(mac), MOST_REFRESHED));
    for (const entry of entries) this.#seen(table, entry);
    for (const entry of entries) this.#tellIfChanged(entry.vnet, entry.ip, 'seen');
  }

  /** The address is a node's of this router from now on, seen or not: no newcomer takes its bindings' place. */
  establish(vnet: VnetId, ip: Ip): void {
    if (this.#established.get(vnet, ip.key) !== undefined) return;
    this.#established.set(vnet, ip.key, true);
    for (const entry of this.#addresses.get(vnet, ip.key)?.entries ?? []) this.#place(entry);
  }

  /** It is none any more. Its bindings are as good as any other. */
  release(vnet: VnetId, ip: Ip): void {
    if (!this.#established.delete(vnet, ip.key)) return;
    for (const entry of [...(this.#addresses.get(vnet, ip.key)?.entries ?? [])]) {
      this.#place(entry);
      this.#evict(this.#lan(entry.lan), entry.mac);
    }
  }

  /** The freshest binding of the address over the vnet's LANs. */
  get(vnet: VnetId, ip: Ip): Binding | undefined {
    const entry = freshest(this.#addresses.get(vnet, ip.key)?.entries);
    return entry && snapshot(entry);
  }

  byMac(vnet: VnetId, mac: Mac): readonly Binding[] {
    const found: Binding[] = [];
    for (const { established, newcomers } of this.#lans.values()) {
      for (const { byMac } of [established, newcomers]) {
        for (const entry of byMac.get(mac) ?? []) if (entry.vnet === vnet) found.push(snapshot(entry));
      }
    }
    return found;
  }

  *all(): IterableIterator<Binding> {
    for (const { established, newcomers } of this.#lans.values()) {
      for (const entry of established.byIp.values()) yield snapshot(entry);
      for (const entry of newcomers.byIp.values()) yield snapshot(entry);
    }
  }

  /** Drops the address on all LANs. */
  forget(vnet: VnetId, ip: Ip): void {
    const entries = this.#addresses.get(vnet, ip.key)?.entries ?? [];
    for (const entry of [...entries]) this.#drop(entry);
    this.#tellIfChanged(vnet, ip, 'forgotten');
  }

  /** The address does not answer; the next sighting takes it back. */
  markSilent(vnet: VnetId, ip: Ip): void {
    for (const entry of this.#addresses.get(vnet, ip.key)?.entries ?? []) entry.silent = true;
  }

  /** A LAN's bindings not seen for `olderThanMs` or longer: established nodes first, of both kinds the oldest first. */
  *stale(lan: LanIndex, olderThanMs: number): IterableIterator<Binding> {
    const limitMs = this.#clock.nowMs() - olderThanMs;
    const table = this.#lans.get(lan);
    if (table === undefined) return;
    for (const { byIp } of [table.established, table.newcomers]) {
      for (const entry of byIp.values()) {
        if (entry.source === 'static') continue;
        if (entry.lastSeenMs > limitMs) break;
        yield snapshot(entry);
      }
    }
  }

  /**
   * Calls `listener` synchronously after the LAN or the MAC that `get` gives for an address has appeared, changed or
   * gone; mere sightings are not told. Returns how to stop.
   */
  subscribe(listener: (vnet: VnetId, ip: Ip, change: BindingChange) => void): () => void {
    return this.#subscribers.subscribe(listener);
  }

  #lan(lan: LanIndex): LanTable {
    let table = this.#lans.get(lan);
    if (table === undefined) {
      const none = (): Bindings => ({ byIp: new Map(), byMac: new Map() });
      table = { established: none(), newcomers: none() };
      this.#lans.set(lan, table);
    }
    return table;
  }

  /** Moves it to the end of both least-recently-seen orders. */
  #seen(table: LanTable, entry: Entry): void {
    entry.lastSeenMs = this.#clock.nowMs();
    entry.sighting = ++this.#sightings;
    entry.silent = false;
    const { byIp, byMac } = this.#bindingsFor(table, entry);
    const key = nodeKey(entry.vnet, entry.ip);
    byIp.delete(key);
    byIp.set(key, entry);
    const ofMac = byMac.get(entry.mac);
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
    putLast(this.#bindingsFor(table, entry), entry);
    const address = this.#addresses.get(entry.vnet, entry.ip.key);
    if (address !== undefined) address.entries.push(entry);
    else
      this.#addresses.set(entry.vnet, entry.ip.key, { entries: [entry], shownLan: -1, shownMac: entry.mac });
    this.#size++;
  }

  /** Takes it out of all indexes. The address itself stays until `#tellIfChanged`. */
  #drop(entry: Entry): void {
    takeOut(this.#bindingsFor(this.#lan(entry.lan), entry), entry);
    const entries = this.#addresses.get(entry.vnet, entry.ip.key)?.entries;
    entries?.splice(entries.indexOf(entry), 1);
    this.#size--;
  }

  #bindingsFor(table: LanTable, { vnet, ip, source }: Entry): Bindings {
    const isKept = source === 'static' || this.#established.get(vnet, ip.key) !== undefined;
    return isKept ? table.established : table.newcomers;
  }

  /** Where it belongs now. At the end, though it may have been seen before others there: that only delays a probe. */
  #place(entry: Entry): void {
    const table = this.#lan(entry.lan);
    takeOut(table.established, entry);
    takeOut(table.newcomers, entry);
    putLast(this.#bindingsFor(table, entry), entry);
  }

  /** The MAC has one newcomer more: makes room for it if it has too many, or the LAN. */
  #evict({ newcomers: { byIp, byMac } }: LanTable, mac: Mac): void {
    const ofMac = byMac.get(mac);
    const isTooMany = ofMac !== undefined && ofMac.size > NEWCOMERS_PER_MAC;
    if (!isTooMany && byIp.size <= this.#newcomersPerLan) return;
    const [oldest] = first(isTooMany ? ofMac : byIp.values(), 1);
    if (oldest === undefined) return;
    this.#drop(oldest);
    this.#evicted++;
    this.#tellIfChanged(oldest.vnet, oldest.ip, 'evicted');
  }

  #tellIfChanged(vnet: VnetId, ip: Ip, change: BindingChange): void {
    const address = this.#addresses.get(vnet, ip.key);
    if (address === undefined) return;
    const entry = freshest(address.entries);
    if (entry === undefined) this.#addresses.delete(vnet, ip.key);
    else if (entry.lan === address.shownLan && entry.mac === address.shownMac) return;
    else {
      address.shownLan = entry.lan;
      address.shownMac = entry.mac;
    }
    this.#subscribers.notify(vnet, ip, change);
  }
}

function entryOf({ established, newcomers }: LanTable, key: string): Entry | undefined {
  return established.byIp.get(key) ?? newcomers.byIp.get(key);
}

function putLast({ byIp, byMac }: Bindings, entry: Entry): void {
  byIp.set(nodeKey(entry.vnet, entry.ip), entry);
  const ofMac = byMac.get(entry.mac);
  if (ofMac === undefined) byMac.set(entry.mac, new Set([entry]));
  else ofMac.add(entry);
}

/** Harmless if it is not there. */
function takeOut({ byIp, byMac }: Bindings, entry: Entry): void {
  byIp.delete(nodeKey(entry.vnet, entry.ip));
  const ofMac = byMac.get(entry.mac);
  ofMac?.delete(entry);
  if (ofMac?.size === 0) byMac.delete(entry.mac);
}

function first(entries: Iterable<Entry> | undefined, most: number): Entry[] {
  const found: Entry[] = [];
  for (const entry of entries ?? []) if (found.push(entry) === most) break;
  return found;
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
