/**
 * What this router must not forget over a restart: the records that name it (visitors too), and those of nodes native
 * to its networks, wherever they are. Kept in step record by record: of a directory of 100,000 these may be a hundred,
 * and the state is written at every move.
 */
import type { Directory, SavedRecord } from '../../tables/directory.js';
import type { Gndt } from '../../tables/gndt.js';
import type { GndtConfig, NodeRecord } from '../../tables/model.js';
import { VnetMap } from '../../tables/vnet-map.js';

export class LocalRecords {
  readonly #gndt: Gndt;
  readonly #directory: Directory;
  #records = new VnetMap<string, NodeRecord>();
  /** For which it was made: a reload changes which networks are at home here. */
  #config: GndtConfig;

  /** @param changed a record that is local, or was, has changed */
  constructor(gndt: Gndt, directory: Directory, changed: () => void) {
    this.#gndt = gndt;
    this.#directory = directory;
    this.#config = gndt.config;
    this.#rebuild();
    directory.subscribe(({ after }) => {
      // Not `after` itself: another listener may have changed the directory meanwhile.
      const current = directory.get(after.vnet, after.ip);
      const isLocal =
        current === undefined ? this.#records.delete(after.vnet, after.ip.key) : this.#note(current);
      if (isLocal) changed();
    });
  }

  get size(): number {
    return this.#records.size;
  }

  /** Tombstones included. */
  all(): SavedRecord[] {
    if (this.#config !== this.#gndt.config) this.#rebuild();
    const current: SavedRecord[] = [];
    for (const record of this.#records.values()) {
      const { vnet, ip } = record;
      // Tombstones expire in the directory without anybody's being told.
      if (this.#directory.get(vnet, ip) === record) current.push(this.#directory.saved(record));
      else this.#records.delete(vnet, ip.key);
    }
    return current;
  }

  #rebuild(): void {
    this.#config = this.#gndt.config;
    this.#records = new VnetMap();
    for (const record of this.#directory.all()) this.#note(record);
  }

  #note(record: NodeRecord): boolean {
    const { vnet, ip, router } = record;
    if (router !== this.#gndt.self && !this.#gndt.isHome(vnet, ip)) return this.#records.delete(vnet, ip.key);
    this.#records.set(vnet, ip.key, record);
    return true;
  }
}
