import type { Ip } from '../net/ip.js';
import { isClientMac } from './clients.js';
import type { Directory } from './directory.js';
import type { Hwdt } from './hwdt.js';
import type { LanIndex, RouterId, VnetId } from './model.js';
import { VnetMap } from './vnet-map.js';

/** Where a node is counted: the LAN of its freshest binding, or nowhere yet. */
type Place = LanIndex | 'unseen';

/**
 * How many nodes (addresses with a record in state `here`) this router has on each of its LANs, and by that the HWDT is told
 * whose bindings are established. Follows the directory and the HWDT by itself; each change costs constant time. WireGuard
 * clients are on no LAN.
 */
export class LanNodes {
  readonly #self: RouterId;
  readonly #directory: Directory;
  readonly #hwdt: Hwdt;
  readonly #places = new VnetMap<string, Place>();
  readonly #onLan = new Map<LanIndex, number>();
  /** By vnet: those that no LAN has shown yet (after a restart). */
  readonly #unseen = new Map<VnetId, number>();

  constructor(self: RouterId, directory: Directory, hwdt: Hwdt) {
    this.#self = self;
    this.#directory = directory;
    this.#hwdt = hwdt;
    for (const { vnet, ip } of directory.of(self)) this.#look(vnet, ip);
    directory.subscribeLater(({ after }) => this.#look(after.vnet, after.ip));
    hwdt.subscribe((vnet, ip) => this.#look(vnet, ip));
  }

  /** Nodes on the LAN. One that was not seen since the start may be on any LAN of its vnet, and counts on each. */
  on({ index, vnet }: { readonly index: LanIndex; readonly vnet: VnetId }): number {
    this.#directory.catchUp();
    return (this.#onLan.get(index) ?? 0) + (this.#unseen.get(vnet) ?? 0);
  }

  #look(vnet: VnetId, ip: Ip): void {
    const record = this.#directory.here(vnet, ip);
    const isNode = record?.router === this.#self && !isClientMac(record.mac);
    const place = isNode ? (this.#hwdt.get(vnet, ip)?.lan ?? 'unseen') : undefined;
    const before = this.#places.get(vnet, ip.key);
    if (place === before) return;
    if (before !== undefined) this.#count(vnet, before, -1);
    if (place === undefined) {
      this.#places.delete(vnet, ip.key);
      this.#hwdt.release(vnet, ip);
      return;
    }
    this.#count(vnet, place, 1);
    this.#places.set(vnet, ip.key, place);
    if (before === undefined) this.#hwdt.establish(vnet, ip);
  }

  #count(vnet: VnetId, place: Place, change: 1 | -1): void {
    if (place === 'unseen') this.#unseen.set(vnet, (this.#unseen.get(vnet) ?? 0) + change);
    else this.#onLan.set(place, (this.#onLan.get(place) ?? 0) + change);
  }
}
