import type { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import { Prefix } from '../net/prefix.js';
import type { OwnClient } from './clients.js';
import type { Directory } from './directory.js';
import type { Gndt } from './gndt.js';
import type { LndtEntry, NetworkConfig, NodeRecord, VnetId } from './model.js';
import { PrefixIndex } from './prefix-index.js';

/**
 * The Local Network Description Table: who may take part at this VR. The operator's entries count inside networks whose
 * home is here; visiting and departed nodes follow from the directory, so there is nothing to keep in step. Of several
 * entries that cover an address the most specific one decides (of equal ones the first), its pin included. A network's
 * gateway is as good as listed: an unpinned entry of its own.
 */
export class Lndt {
  readonly #gndt: Gndt;
  readonly #directory: Directory;
  #entries: readonly LndtEntry[];
  #index: PrefixIndex<LndtEntry>;

  constructor(entries: readonly LndtEntry[], gndt: Gndt, directory: Directory) {
    this.#gndt = gndt;
    this.#directory = directory;
    this.#entries = entries;
    this.#index = indexOf(entries, gndt);
  }

  /** lndt.json as it is. */
  get entries(): readonly LndtEntry[] {
    return this.#entries;
  }

  /** Takes other entries; also to be called with the same ones after the GNDT has changed. */
  adopt(entries: readonly LndtEntry[]): void {
    this.#entries = entries;
    this.#index = indexOf(entries, this.#gndt);
  }

  /**
   * May the address take part here now? Listed in a home network and not departed, or visiting; a home network's
   * gateway whatever the directory says.
   * @param mac who uses it: must be the pinned one, if there is a pin; undefined leaves the pin out of account
   */
  authorises(vnet: VnetId, ip: Ip, mac: Mac | undefined): boolean {
    // Its address is no LAN host's to use, here or elsewhere.
    if (this.#gndt.clientAt(vnet, ip) !== undefined) return false;
    const record = this.#directory.here(vnet, ip);
    const network = this.#gndt.networkOf(vnet, ip);
    if (network === undefined) return false;
    const isHome = network.router === this.#gndt.self;
    if (!isHome) return record?.router === this.#gndt.self;
    const isDeparted = record !== undefined && record.router !== this.#gndt.self;
    if (isDeparted && network.gateway?.equals(ip) !== true) return false;
    const entry = this.entryFor(vnet, Prefix.host(ip));
    return entry !== undefined && (mac === undefined || entry.mac === undefined || entry.mac === mac);
  }

  /** The static entry that decides for all of the prefix (an address is a host prefix), in a home network or not. */
  entryFor(vnet: VnetId, prefix: Prefix): LndtEntry | undefined {
    return this.#index.covering(vnet, prefix);
  }

  /** Nodes that are here and native elsewhere. */
  visiting(): readonly NodeRecord[] {
    return this.#directory.of(this.#gndt.self).filter((record) => {
      const home = this.#gndt.homeOf(record.vnet, record.ip);
      if (this.#gndt.clientAt(record.vnet, record.ip) !== undefined) return false;
      return record.state === 'here' && home !== undefined && home !== this.#gndt.self;
    });
  }

  /** The WireGuard clients that connect to this VR. */
  clients(): readonly OwnClient[] {
    return this.#gndt.ownClients;
  }

  /** Nodes native to this VR that are at another. Looks through the whole directory. */
  departed(): readonly NodeRecord[] {
    const departed: NodeRecord[] = [];
    for (const record of this.#directory.all()) {
      if (record.state !== 'here' || record.router === this.#gndt.self) continue;
      if (this.#gndt.isHome(record.vnet, record.ip)) departed.push(record);
    }
    return departed;
  }
}

function indexOf(entries: readonly LndtEntry[], gndt: Gndt): PrefixIndex<LndtEntry> {
  const index = new PrefixIndex<LndtEntry>();
  for (const entry of [...entries, ...gndt.config.networks.flatMap(gatewayEntry)]) {
    if (index.get(entry.vnet, entry.prefix) === undefined) index.set(entry.vnet, entry.prefix, entry);
  }
  return index;
}

function gatewayEntry(network: NetworkConfig): LndtEntry[] {
  const { vnet, gateway } = network;
  return gateway === undefined ? [] : [{ vnet, prefix: Prefix.host(gateway), mac: undefined }];
}
