/** The router in Prometheus' terms, as far as it is read when it is scraped. docs/metrics.md lists what there is. */
import type { CountersView, PeerView, StatusView } from '../../control/api.js';
import type { NameView } from '../../control/name-view.js';
import type { VnetTraffic } from '../../dataplane/plane.js';
import { cpuSeconds } from '../life/thread-time.js';
import { counter, gauge, type MetricFamily, type MetricRow, single } from './exposition.js';
import { type NetworkSource, networkFamilies } from './network-families.js';
import { type PairSource, pairFamilies } from './pair-families.js';
import { type SiteTrafficSource, siteTrafficFamilies } from './traffic-families.js';

/** Asked anew for each scrape. */
export interface MetricsSource extends PairSource, NetworkSource, SiteTrafficSource {
  status(): StatusView;
  peers(): readonly PeerView[];
  counters(): CountersView;
  /** Does the counter count what was refused or lost? */
  isDrop(name: string): boolean;
  /** Table → number of entries. */
  tables(): Readonly<Record<string, number>>;
  vnetTraffic(): readonly { readonly vnet: string; readonly traffic: VnetTraffic }[];
  threads(): readonly { readonly name: string; readonly thread: number }[];
}

/** What one scrape is made of: nothing is asked for twice. */
interface Seen {
  readonly source: MetricsSource;
  readonly status: StatusView;
  readonly peers: readonly PeerView[];
  readonly counters: CountersView;
}

const MS = 1e-3;
const PEER_STATES = ['up', 'connecting', 'down', 'refused'] as const;

export function familiesOf(source: MetricsSource): readonly MetricFamily[] {
  const seen = { source, status: source.status(), peers: source.peers(), counters: source.counters() };
  return [
    ...routerFamilies(seen),
    ...peerFamilies(seen),
    ...pairFamilies(source, seen.counters),
    ...networkFamilies(source, seen.counters, seen.status.id),
    ...trafficFamilies(seen),
    ...siteTrafficFamilies(source),
    ...flowFamilies(seen),
    ...controlFamilies(seen),
    ...processFamilies(seen),
  ];
}

function routerFamilies({ source, status }: Seen): MetricFamily[] {
  const { id, version, ready, warnings, startedAt } = status;
  const { nodesHere, nodesVisiting, nodesDeparted, nodesMissing } = status;
  return [
    gauge('vine_info', 'The router and its version; always 1', ['router', 'version'], () => [
      [[id, version], 1],
    ]),
    gauge('vine_ready', 'Tables are complete and the workers run', [], () => single(ready ? 1 : 0)),
    gauge('vine_warnings', 'Warnings that "vinectl status" shows', [], () => single(warnings.length)),
    gauge('vine_start_time_seconds', 'Unix time of the start', [], () => single(Date.parse(startedAt) * MS)),
    gauge('vine_table_entries', 'Entries of each table', ['table'], () =>
      Object.entries(source.tables()).map(([table, count]) => [[table], count]),
    ),
    gauge(
      'vine_nodes',
      'Nodes on the LANs here, of these visiting, native ones that are away, and those that do not answer',
      ['state'],
      () => [
        [['here'], nodesHere],
        [['visiting'], nodesVisiting],
        [['departed'], nodesDeparted],
        [['missing'], nodesMissing],
      ],
    ),
  ];
}

const NAME_STATES = ['resolved', 'kept', 'failing', 'unresolved'] as const;

/** `kept`: known from before the start; `failing`: the last look-up failed, whatever is used meanwhile. */
function nameState({ problem, kept, resolvedAt }: NameView): (typeof NAME_STATES)[number] {
  if (problem !== '') return 'failing';
  if (kept) return 'kept';
  return resolvedAt === null ? 'unresolved' : 'resolved';
}

function peerFamilies({ peers }: Seen): MetricFamily[] {
  const names = peers.flatMap((peer) => peer.names);
  return [
    gauge('vine_peers', 'Other routers, by state', ['state'], () =>
      PEER_STATES.map((state) => [[state], peers.filter((peer) => peer.state === state).length]),
    ),
    gauge(
      'vine_resolver_names',
      "Host names among the peers' endpoints, by what is known of them",
      ['state'],
      () => NAME_STATES.map((state) => [[state], names.filter((name) => nameState(name) === state).length]),
    ),
    gauge('vine_peer_up', 'Is the control link with the peer up?', ['peer'], () =>
      peers.map(({ id, state }) => [[id], state === 'up' ? 1 : 0]),
    ),
    gauge('vine_peer_cipher', 'The cipher of the session with the peer; 1', ['peer', 'cipher'], () =>
      peers.flatMap(({ id, cipher }) => (cipher === null ? [] : [[[id, cipher], 1]])),
    ),
    gauge('vine_peer_rtt_seconds', 'Smoothed round-trip time', ['peer'], () =>
      peers.flatMap(({ id, rttMs }) => (rttMs === null ? [] : [[[id], rttMs * MS]])),
    ),
    gauge('vine_peer_last_handshake_time_seconds', 'Unix time of the last handshake', ['peer'], () =>
      peers.flatMap(({ id, lastHandshakeAt }) =>
        lastHandshakeAt === null ? [] : [[[id], Date.parse(lastHandshakeAt) * MS]],
      ),
    ),
    counter('vine_peer_bytes_total', 'Sealed bytes, UDP payload', ['peer', 'direction'], () =>
      peers.flatMap(({ id, bytesSent, bytesReceived }) => bothWays([id], bytesSent, bytesReceived)),
    ),
    counter(
      'vine_peer_refusals_total',
      'Messages of the peer, or parts of them, that were refused',
      ['peer'],
      () => peers.map(({ id, refusals }) => [[id], refusals]),
    ),
    gauge(
      'vine_peer_misbehaving',
      'The peer goes on sending what is refused; its budgets have shrunk',
      ['peer'],
      () => peers.map(({ id, misbehaving }) => [[id], misbehaving ? 1 : 0]),
    ),
    counter('vine_peer_packets_total', 'Sealed messages', ['peer', 'direction'], () =>
      peers.flatMap(({ id, packetsSent, packetsReceived }) => bothWays([id], packetsSent, packetsReceived)),
    ),
  ];
}

function trafficFamilies({ source, counters }: Seen): MetricFamily[] {
  const both = (name: string, help: string, sent: string, received: string): MetricFamily =>
    counter(name, help, ['direction'], () => bothWays([], counters[sent] ?? 0, counters[received] ?? 0));
  const ofVnets = (
    name: string,
    help: string,
    pick: (traffic: VnetTraffic) => readonly [toTunnel: number, toLan: number],
  ): MetricFamily =>
    counter(name, help, ['vnet', 'direction'], () =>
      source.vnetTraffic().flatMap(({ vnet, traffic }): MetricRow[] => {
        const [toTunnel, toLan] = pick(traffic);
        return [
          [[vnet, 'to_tunnel'], toTunnel],
          [[vnet, 'to_lan'], toLan],
        ];
      }),
    );
  return [
    both(
      'vine_lan_frames_total',
      'Frames on the LANs; a super-packet is one',
      'lan_frames_sent',
      'lan_frames_received',
    ),
    both('vine_lan_bytes_total', 'Bytes on the LANs', 'lan_bytes_sent', 'lan_bytes_received'),
    both(
      'vine_tunnel_datagrams_total',
      'Datagrams to and from other routers',
      'tunnel_datagrams_sent',
      'tunnel_datagrams_received',
    ),
    both(
      'vine_tunnel_bytes_total',
      'Bytes to and from other routers',
      'tunnel_bytes_sent',
      'tunnel_bytes_received',
    ),
    ofVnets(
      'vine_vnet_packets_total',
      'Inner packets forwarded; a super-packet is one',
      ({ packetsToTunnel, packetsToLan }) => [packetsToTunnel, packetsToLan],
    ),
    ofVnets('vine_vnet_bytes_total', 'Bytes of inner packets forwarded', ({ bytesToTunnel, bytesToLan }) => [
      bytesToTunnel,
      bytesToLan,
    ]),
    counter('vine_drops_total', 'Packets, frames and messages that were refused or lost', ['reason'], () =>
      Object.entries(counters)
        .filter(([name]) => source.isDrop(name))
        .map(([name, value]) => [[name.replace(/^drop_/, '')], value]),
    ),
  ];
}

function flowFamilies({ status }: Seen): MetricFamily[] {
  return [
    counter(
      'vine_flow_lookups_total',
      'Packets looked for in the flow memories: forwarded by it (hit), handed to JavaScript (miss; stale: outdated)',
      ['worker', 'result'],
      () =>
        status.workers.flatMap(({ name, flows }): MetricRow[] => [
          [[name, 'hit'], flows.hits],
          [[name, 'miss'], flows.misses - flows.stale],
          [[name, 'stale'], flows.stale],
        ]),
    ),
    gauge('vine_flow_entries', 'Entries of the flow memories in use', ['worker'], () =>
      status.workers.map(({ name, flows }) => [[name], flows.entries]),
    ),
    counter('vine_flow_replacements_total', 'Entries that had to make room for others', ['worker'], () =>
      status.workers.map(({ name, flows }) => [[name], flows.replaced]),
    ),
  ];
}

/** Step → the counter of it. */
const SEARCH_STEPS = {
  doubted: 'nodes_doubted',
  missing: 'nodes_missing',
  found: 'nodes_found',
  made: 'searches',
  delayed: 'searches_delayed',
  sent: 'searches_sent',
  received: 'searches_received',
  refused: 'searches_refused',
  not_allowed: 'searches_not_allowed',
} as const;

function controlFamilies({ counters }: Seen): MetricFamily[] {
  const named = (name: string, help: string, label: string, pattern: RegExp): MetricFamily =>
    counter(name, help, [label], () =>
      Object.entries(counters).flatMap(([key, value]) => {
        const found = pattern.exec(key)?.[1];
        return found === undefined ? [] : [[[found], value]];
      }),
    );
  return [
    counter('vine_sessions_established_total', 'Sessions that became current', [], () =>
      single(counters.sessions_established ?? 0),
    ),
    named(
      'vine_handshake_messages_total',
      'Handshake messages: received ones, and initiations and responses sent',
      'message',
      /^handshake_(received|initiations_sent|responses_sent)$/,
    ),
    named(
      'vine_handshake_failures_total',
      'Handshake messages that led to nothing',
      'reason',
      /^handshake_(?:drop|failed)_(.+)$/,
    ),
    named(
      'vine_resolver_lookups_total',
      'Look-ups of host names: made, answered, failed; answers that were other ones, addresses that could not be used',
      'result',
      /^resolver_(.+)$/,
    ),
    named('vine_control_messages_sent_total', 'Control messages sent', 'type', /^control_sent_(.+)$/),
    named(
      'vine_control_messages_received_total',
      'Control messages received',
      'type',
      /^control_received_(.+)$/,
    ),
    counter(
      'vine_searches_total',
      'What was done about nodes that do not answer: doubts, nodes missing and found, searches, messages',
      ['step'],
      () => Object.entries(SEARCH_STEPS).map(([step, name]) => [[step], counters[`mobility_${name}`] ?? 0]),
    ),
    counter('vine_control_retransmissions_total', 'Control messages sent again', [], () =>
      single(counters.control_retransmitted ?? 0),
    ),
  ];
}

function processFamilies({ source }: Seen): MetricFamily[] {
  return [
    counter(
      'vine_worker_busy_seconds_total',
      "Processor time of a packet worker's thread, kernel included; its rate is the worker's utilisation",
      ['worker'],
      () => source.threads().map(({ name, thread }) => [[name], cpuSeconds(thread)]),
    ),
    counter('vine_process_cpu_seconds_total', 'Processor time of the whole process', [], () => {
      const { user, system } = process.cpuUsage();
      return single((user + system) * 1e-6);
    }),
    gauge('vine_process_resident_memory_bytes', 'Resident memory', [], () =>
      single(process.memoryUsage.rss()),
    ),
  ];
}

function bothWays(labels: readonly string[], sent: number, received: number): MetricRow[] {
  return [
    [[...labels, 'sent'], sent],
    [[...labels, 'received'], received],
  ];
}
