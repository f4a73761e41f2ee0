import type { Directory, DirectoryChange } from '../directory.js';
import type { Gndt } from '../gndt.js';
import type { NodeRecord, VnetId } from '../model.js';
import type { MacTable } from './mac-table.js';

/**
 * Keeps what frames to other MACs are judged by: the set of MACs that the directory places at other VRs (and at none
 * of this VR's LANs), and for each vnet whether any node is where some host of this site may not expect it.
 * When GNDT has adopted a new configuration, `rebuild`.
 */
export class Rescue {
  readonly #gndt: Gndt;
  readonly #directory: Directory;
  readonly #macs: MacTable;
  /** By vnet: addresses of nodes that hosts here, or they themselves, may look for at a wrong MAC. */
  readonly #displaced = new Map<VnetId, Set<string>>();
  readonly #changed: (vnet: VnetId, isNeeded: boolean) => void;

  /** @param changed called when a vnet has its first such node, or has lost its last one */
  constructor(
    gndt: Gndt,
    directory: Directory,
    macs: MacTable,
    changed: (vnet: VnetId, isNeeded: boolean) => void,
  ) {
    this.#gndt = gndt;
    this.#directory = directory;
    this.#macs = macs;
    this.#changed = changed;
    directory.subscribe((change) => this.#update(change));
    this.rebuild();
  }

  isNeeded(vnet: VnetId): boolean {
    return (this.#displaced.get(vnet)?.size ?? 0) > 0;
  }

  rebuild(): void {
    for (const record of this.#directory.all()) this.#update({ before: undefined, after: record });
  }

  #update({ before, after }: DirectoryChange): void {
    this.#place(after);
    if (before !== undefined && before.mac !== after.mac) this.#place(before);
    const { vnet, ip } = after;
    const displaced = this.#displaced.get(vnet) ?? new Set();
    this.#displaced.set(vnet, displaced);
    const neededBefore = displaced.size > 0;
    const current = this.#directory.here(vnet, ip);
    if (current !== undefined && this.#isDisplaced(current)) displaced.add(ip.key);
    else displaced.delete(ip.key);
    const isNeeded = displaced.size > 0;
    if (isNeeded !== neededBefore) this.#changed(vnet, isNeeded);
  }

  #place({ vnet, mac }: NodeRecord): void {
    if (this.#directory.isElsewhere(vnet, mac)) this.#macs.add(vnet, mac);
    else this.#macs.delete(vnet, mac);
  }

  /** Departed from here or visiting here; on one large subnet also: it was here, whatever its home is. */
  #isDisplaced({ vnet, ip, router }: NodeRecord): boolean {
    const { self } = this.#gndt;
    const home = this.#gndt.homeOf(vnet, ip);
    if (home === undefined) return false;
    if (router !== home && (router === self || home === self)) return true;
    const isOneLink = this.#gndt.vnet(vnet)?.subnet?.contains(ip) === true;
    return isOneLink && router !== self && this.#directory.previous(vnet, ip) === self;
  }
}
