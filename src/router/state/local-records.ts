/**
 * The records that are this router's affair: those that name it (visitors too), and those of nodes native to its networks,
 * wherever they are. They are what it must not forget over a restart, and what its status counts. Kept in step record by
 * record: of a directory of 100,000 these may be a hundred, the state is written at every move, and the status is asked
 * for several times a second.
 */
import type { Ip } from '../../net/ip.js';
import type { Directory, SavedRecord } from '../../tables/directory.js';
import type { Gndt } from '../../tables/gndt.js';
import type { GndtConfig, NodeRecord, VnetId } from '../../tables/model.js';
import { Subscribers } from '../../tables/subscribers.js';
import { VnetMap } from '../../tables/vnet-map.js';

/** How many nodes are here, how many of these are native elsewhere, and how many native ones are at other routers. */
export interface NodeCounts {
  readonly here: number;
  readonly visiting: number;
  readonly departed: number;
}

/** `home`: here, and native here or nowhere, or a WireGuard client. `gone`: withdrawn. */
type Standing = 'home' | 'visiting' | 'departed' | 'gone';

interface Local {
  readonly record: NodeRecord;
  readonly standing: Standing;
}

export class LocalRecords {
  readonly #gndt: Gndt;
  readonly #directory: Directory;
  #records = new VnetMap<string, Local>();
  #counts: Record<Standing, number> = none();
  /** For which it was made: a reload changes which networks are at home here. */
  #config: GndtConfig;
  readonly #subscribers = new Subscribers<[]>();

  constructor(gndt: Gndt, directory: Directory) {
    this.#gndt = gndt;
    this.#directory = directory;
    this.#config = gndt.config;
    this.#rebuild();
    directory.subscribeLater(({ after: { vnet, ip } }) => {
      this.#followConfig();
      // Not `after` itself: another listener may have changed the directory meanwhile.
      if (this.#update(vnet, ip, directory.get(vnet, ip))) this.#subscribers.notify();
    });
  }

  /** Calls `listener` when a record that is local, or was, has changed. Returns how to stop. */
  subscribe(listener: () => void): () => void {
    return this.#subscribers.subscribe(listener);
  }

  get size(): number {
    this.#follow();
    return this.#records.size;
  }

  get counts(): NodeCounts {
    this.#follow();
    const { home, visiting, departed } = this.#counts;
    return { here: home + visiting, visiting, departed };
  }

  /**
   * Tombstones included, as they are when each is asked for: whoever takes them in several turns gets some of before and
   * some of after a change.
   */
  *all(): Generator<SavedRecord> {
    this.#follow();
    for (const { record } of this.#records.values()) {
      // Tombstones expire in the directory without anybody's being told.
      if (this.#directory.get(record.vnet, record.ip) === record) yield this.#directory.saved(record);
      else this.#update(record.vnet, record.ip, undefined);
    }
  }

  /** Nodes that are here and native elsewhere. */
  visiting(): Iterable<NodeRecord> {
    return this.#standing('visiting');
  }

  /** Nodes native to this router's networks that are at another. */
  departed(): Iterable<NodeRecord> {
    return this.#standing('departed');
  }

  *#standing(wanted: Standing): Generator<NodeRecord> {
    this.#follow();
    for (const { record, standing } of this.#records.values()) if (standing === wanted) yield record;
  }

  /** What is told is as of now, in the middle of a turn too. */
  #follow(): void {
    this.#directory.catchUp();
    this.#followConfig();
  }

  #followConfig(): void {
    if (this.#config !== this.#gndt.config) this.#rebuild();
  }

  /** Looks at every record there is: at the start, and after a reload. */
  #rebuild(): void {
    this.#config = this.#gndt.config;
    this.#records = new VnetMap();
    this.#counts = none();
    for (const record of this.#directory.all()) this.#update(record.vnet, record.ip, record);
  }

  /** Is it local, or was it? What stays local keeps its place in the order. */
  #update(vnet: VnetId, ip: Ip, record: NodeRecord | undefined): boolean {
    const before = this.#records.get(vnet, ip.key);
    const standing = record && this.#standingOf(record);
    if (before !== undefined) this.#counts[before.standing]--;
    if (record === undefined || standing === undefined) return this.#records.delete(vnet, ip.key);
    this.#counts[standing]++;
    this.#records.set(vnet, ip.key, { record, standing });
    return true;
  }

  /** Undefined: it is not this router's affair. */
  #standingOf({ vnet, ip, router, state }: NodeRecord): Standing | undefined {
    const home = this.#gndt.homeOf(vnet, ip);
    const isNative = home === this.#gndt.self;
    const isHere = router === this.#gndt.self;
    if (!isHere && !isNative) return undefined;
    if (state === 'withdrawn') return 'gone';
    if (!isHere) return 'departed';
    const isVisiting = !isNative && home !== undefined && this.#gndt.clientAt(vnet, ip) === undefined;
    return isVisiting ? 'visiting' : 'home';
  }
}

function none(): Record<Standing, number> {
  return { home: 0, visiting: 0, departed: 0, gone: 0 };
}
