/** From the router's tables to machines: which addresses are one, where it is, where it may go, what is known of it. */
import type { DirectoryView, GndtView, MigrationView } from '../../control/api.js';
import { Ip } from '../../net/ip.js';
import { Prefix } from '../../net/prefix.js';
import { MIB } from '../../net/sizes.js';
import type { AdviceFile } from '../../tables/files/advice-file.js';
import type { GndtFile } from '../../tables/files/gndt-file.js';
import type { SiteId, VnetId } from '../../tables/model.js';
import { PrefixIndex } from '../../tables/prefix-index.js';
import type { AdvisedMachine, PastMove } from '../../traffic/advice/input.js';

export interface Tables {
  readonly gndt: GndtFile;
  readonly advice: AdviceFile;
  readonly routes: readonly GndtView[];
  readonly directory: readonly DirectoryView[];
  readonly migrations: readonly MigrationView[];
  readonly siteOf: (id: string) => SiteId;
  readonly vnetIds: ReadonlyMap<string, VnetId>;
}

/** With what people and commands call it by. */
export interface Machine extends AdvisedMachine {
  readonly vnetName: string;
  readonly mac: string;
}

interface Network {
  readonly gateway: string | undefined;
  /** Undefined: anywhere. */
  readonly allow: ReadonlySet<SiteId> | undefined;
}

export function machinesOf(tables: Tables): Machine[] {
  const byMac = new Map<string, DirectoryView[]>();
  for (const row of tables.directory) {
    if (row.state !== 'here') continue;
    const key = macKey(row);
    byMac.set(key, [...(byMac.get(key) ?? []), row]);
  }
  const known = new Known(tables);
  return [...byMac.values()].flatMap((rows) => known.machine(rows) ?? []);
}

const macKey = ({ vnet, mac }: { readonly vnet: string; readonly mac: string }): string => `${vnet} ${mac}`;

/** What is known beside the directory, to be looked up by address. */
class Known {
  readonly #tables: Tables;
  readonly #networks = new PrefixIndex<Network>();
  readonly #entries = new PrefixIndex<AdviceFile['machines'][number]>();
  readonly #clients: ReadonlySet<string>;
  readonly #past = new Map<string, PastMove[]>();

  constructor(tables: Tables) {
    this.#tables = tables;
    const { gndt, advice, routes, migrations, siteOf } = tables;
    this.#clients = new Set(gndt.nodes.map(({ vnet, ip }) => `${vnet} ${ip.key}`));
    for (const route of routes) this.#addNetwork(route);
    for (const entry of advice.machines) this.#entries.set(this.#vnetId(entry.vnet), entry.ip, entry);
    for (const { vnet, mac, from, startedUnixMs, verdict } of migrations) {
      if (verdict !== 'accepted' || from === null) continue;
      const past = this.#past.get(macKey({ vnet, mac })) ?? [];
      this.#past.set(macKey({ vnet, mac }), [...past, { atMs: startedUnixMs, from: siteOf(from) }]);
    }
  }

  /** Undefined: it is in a vnet that the description does not have. */
  machine(rows: readonly DirectoryView[]): Machine | undefined {
    const [first] = rows;
    const vnet = this.#tables.vnetIds.get(first?.vnet ?? '');
    if (first === undefined || vnet === undefined) return undefined;
    const ips = rows.flatMap(({ ip }) => Ip.parse(ip) ?? []);
    const networks = ips.map((ip) => this.#networks.longest(vnet, ip));
    const entry = ips.map((ip) => this.#entries.longest(vnet, ip)).find((found) => found !== undefined);
    const { assume } = this.#tables.advice;
    return {
      vnet,
      vnetName: first.vnet,
      mac: first.mac,
      addresses: ips.map(String),
      site: this.#tables.siteOf(first.router),
      load: {
        memoryBytes: (entry?.memoryMib ?? assume.memoryMib) * MIB,
        dirtyBytesPerSecond: (entry?.dirtyMibPerSecond ?? assume.dirtyMibPerSecond) * MIB,
        diskBytes: (entry?.diskMib ?? assume.diskMib) * MIB,
      },
      isAssumed: entry?.memoryMib === undefined || entry.dirtyMibPerSecond === undefined,
      stays: entry?.pinned ? 'it is pinned in advice.json' : this.#stays(rows, ips, networks),
      allow: common([...networks.map((network) => network?.allow), this.#sites(entry?.sites)]),
      pastMoves: this.#past.get(macKey(first)),
    };
  }

  #stays(
    rows: readonly DirectoryView[],
    ips: readonly Ip[],
    networks: readonly (Network | undefined)[],
  ): string | undefined {
    const [first] = rows;
    if (rows.some(({ router }) => router !== first?.router)) return 'it is on its way';
    if (rows.some(({ frozen }) => frozen)) return 'it is frozen';
    if (rows.some(({ missing }) => missing)) return 'it does not answer';
    if (ips.some((ip) => this.#clients.has(`${first?.vnet} ${ip.key}`))) return 'it is a WireGuard client';
    if (networks.includes(undefined)) return 'it has an address in no network';
    const isGateway = ips.some((ip) => networks.some((network) => network?.gateway === String(ip)));
    return isGateway ? "it is its network's gateway" : undefined;
  }

  #addNetwork({ vnet, prefix: text, kind, router, gateway }: GndtView): void {
    const [address = '', length] = text.split('/');
    const [ip, id] = [Ip.parse(address), this.#tables.vnetIds.get(vnet)];
    if (kind !== 'network' || ip === undefined || id === undefined) return;
    const prefix = Prefix.containing(ip, Number(length));
    // The router's answer does not have what is allowed; the file does, for networks that nobody has joined with.
    const entry = this.#tables.gndt.networks.find(
      (network) => network.vnet === vnet && String(network.prefix) === String(prefix),
    );
    const allow = this.#sites(entry?.mobility?.allow && [...entry.mobility.allow, router]);
    this.#networks.set(id, prefix, { gateway: gateway ?? undefined, allow });
  }

  #sites(ids: readonly string[] | undefined): ReadonlySet<SiteId> | undefined {
    return ids && new Set(ids.map(this.#tables.siteOf));
  }

  #vnetId(name: string | undefined): VnetId {
    const [only] = this.#tables.vnetIds.values();
    return (name === undefined ? only : this.#tables.vnetIds.get(name)) ?? 0;
  }
}

/** What all of them allow; undefined: none of them says anything. */
function common(sets: readonly (ReadonlySet<SiteId> | undefined)[]): ReadonlySet<SiteId> | undefined {
  const given = sets.filter((set) => set !== undefined);
  const [first] = given;
  return first && new Set([...first].filter((site) => given.every((set) => set.has(site))));
}
