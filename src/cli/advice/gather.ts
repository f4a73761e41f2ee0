/** Asks the router for all that an advice is made from. */
import type { DirectoryView, GndtView, MigrationView, PeerView, StatusView } from '../../control/api.js';
import type { TrafficView } from '../../control/traffic-view.js';
import { MOST_TOP, TRAFFIC_PATIENCE_MS } from '../../control/traffic-view.js';
import { Ip } from '../../net/ip.js';
import { MIB } from '../../net/sizes.js';
import { siteIds } from '../../tables/files/advice-checks.js';
import type { AdviceFile } from '../../tables/files/advice-file.js';
import { vnetIds } from '../../tables/files/gndt-file.js';
import type { SiteId, VnetId } from '../../tables/model.js';
import { siteResolver } from '../../tables/sites.js';
import { addressKey } from '../../traffic/advice/build.js';
import type { AdviceInput, AdvisedSite } from '../../traffic/advice/input.js';
import type { PairTraffic, TrafficMatrix } from '../../traffic/matrix.js';
import type { ControlClient } from '../client.js';
import { CliError, REFUSED } from '../exit.js';
import { readAdviceFile, readGndt } from './files.js';
import { Links } from './links.js';
import { type Machine, machinesOf } from './machines.js';

export interface Gathered {
  readonly input: AdviceInput;
  /** As the input has them. */
  readonly machines: readonly Machine[];
  readonly file: AdviceFile;
  readonly traffic: TrafficView;
  readonly links: Links;
  /** About what it was made from, one sentence each. */
  readonly notes: readonly string[];
}

/** @param lastSeconds the time of which the traffic counts */
export async function gather(
  client: ControlClient,
  directory: string,
  lastSeconds: number,
): Promise<Gathered> {
  const gndt = await readGndt(client, directory);
  const file = readAdviceFile(directory, gndt);
  const [status, peers, routes, rows, migrations, traffic] = await Promise.all([
    client.get<StatusView>('/v1/status'),
    client.get<readonly PeerView[]>('/v1/peers'),
    client.get<readonly GndtView[]>('/v1/gndt'),
    client.get<readonly DirectoryView[]>('/v1/directory'),
    client.get<readonly MigrationView[]>('/v1/migrations'),
    client.get<TrafficView>(
      '/v1/traffic',
      { last: String(lastSeconds), by: 'node', top: String(MOST_TOP) },
      TRAFFIC_PATIENCE_MS,
    ),
  ]);
  // A router that has joined with a token stands in no file, and may be of a site of two.
  const joined = new Map(peers.body.flatMap(({ id, site }) => (site === null ? [] : [[id, site] as const])));
  const inFile = siteResolver(gndt.sites);
  const siteOf = (id: string): SiteId => joined.get(id) ?? inFile(id);
  const ids = vnetIds(gndt);
  const machines = machinesOf({
    gndt,
    advice: file,
    routes: routes.body,
    directory: rows.body,
    migrations: migrations.body,
    siteOf,
    vnetIds: ids,
  });
  const links = new Links(file, siteOf(status.body.id), peers.body, siteOf);
  const known = [
    ...siteIds(gndt),
    ...peers.body.map(({ id }) => siteOf(id)),
    ...machines.map(({ site }) => site),
  ];
  const lists = positionsOf(file, machines, ids);
  return {
    input: {
      sites: [...new Set(known)].map((id) => limitsOf(id, file, siteOf)),
      machines,
      matrix: matrixOf(traffic.body, ids),
      link: (from, to) => links.between(from, to),
      ...lists,
    },
    machines,
    file,
    traffic: traffic.body,
    links,
    notes: [...lists.notes, ...notesOn(traffic.body)],
  };
}

function limitsOf(id: SiteId, { sites }: AdviceFile, siteOf: (id: string) => SiteId): AdvisedSite {
  const entry = sites.find((site) => siteOf(site.id) === id);
  const memoryBytes = entry?.memoryMib === undefined ? undefined : entry.memoryMib * MIB;
  return { id, nodes: entry?.machines, memoryBytes };
}

/** `together` and `apart`, by position in `machines`. */
function positionsOf(file: AdviceFile, machines: readonly Machine[], ids: ReadonlyMap<string, VnetId>) {
  const positions = new Map(
    machines.flatMap(({ vnet, addresses }, i) =>
      addresses.map((address) => [addressKey(vnet, address), i] as const),
    ),
  );
  const notes: string[] = [];
  const [only] = ids.keys();
  const list = ({ vnet, ips }: AdviceFile['apart'][number]): number[] =>
    ips.flatMap((ip) => {
      const position = positions.get(addressKey(ids.get(vnet ?? only ?? '') ?? 0, String(ip)));
      if (position === undefined) notes.push(`${ip} stands in advice.json and is no machine that is known`);
      return position ?? [];
    });
  return { together: file.together.map(list), apart: file.apart.map(list), notes };
}

function matrixOf({ parts, missing }: TrafficView, ids: ReadonlyMap<string, VnetId>): TrafficMatrix {
  const [part] = parts;
  if (part === undefined || part.seconds <= 0)
    throw new CliError(
      REFUSED,
      'the routers have counted no traffic yet: ask again when a period of 30 s has ended',
    );
  const pairs = part.rows.flatMap((row): PairTraffic[] => {
    const vnet = ids.get(row.vnet);
    if (vnet === undefined || row.source === null || row.destination === null) return [];
    return [{ ...row, vnet, source: nameOf(row.source), destination: nameOf(row.destination) }];
  });
  return { seconds: part.seconds, pairs, rest: [], unattributed: { packets: 0, bytes: 0 }, missing };
}

/** The directory and the matrix may write an address differently. */
const nameOf = (text: string): string => String(Ip.parse(text) ?? text);

function notesOn({ parts, partial, missing, lacking }: TrafficView): string[] {
  const share = parts[0]?.shareOfBytes ?? 1;
  const notes: string[] = [];
  if (share < 0.9995)
    notes.push(
      `${(100 * share).toFixed(1)} % of the bytes are known by their pair of nodes, the rest is not taken into account`,
    );
  if (missing.length > 0) notes.push(`these routers have not said what they counted: ${missing.join(', ')}`);
  else if (partial && lacking.length > 0)
    notes.push(
      `these routers have counted only a part of the time: ${lacking.map(({ router }) => router).join(', ')}`,
    );
  return notes;
}
