/**
 * The router in Prometheus' terms. Everything is read when it is scraped; only moves are counted as they happen.
 * docs/metrics.md lists what there is.
 */
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { CountersView, PeerView, StatusView } from '../../control/api.js';
import type { VnetTraffic } from '../../dataplane/plane.js';
import type { MoveView } from '../../mobility/ports.js';
import { cpuSeconds } from '../life/thread-time.js';

export interface MetricsSource {
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

type Row<Label extends string> = readonly [labels: Readonly<Record<Label, string>>, value: number];

const MS = 1e-3;
const NS = 1e-9;
const PEER_STATES = ['up', 'connecting', 'down', 'refused'] as const;
const LAG_RESOLUTION_MS = 50;
const MOVE_BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];

export class Metrics {
  readonly #registry = new Registry();
  readonly #source: MetricsSource;
  readonly #lag: IntervalHistogram = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  readonly #moves: Counter<'role' | 'verdict'>;
  readonly #toClaim: Histogram;
  readonly #toAcknowledged: Histogram;
  readonly #blackout: Histogram;

  constructor(source: MetricsSource) {
    this.#source = source;
    const registers = [this.#registry];
    this.#moves = new Counter({
      name: 'vine_moves_total',
      help: "Verdicts on moves of nodes, by this router's part in them",
      labelNames: ['role', 'verdict'],
      registers,
    });
    const histogram = (name: string, help: string): Histogram =>
      new Histogram({ name, help, buckets: MOVE_BUCKETS, registers });
    this.#toClaim = histogram(
      'vine_move_detection_to_claim_seconds',
      'From the capture of the announcement to the claim that was sent, at the destination',
    );
    this.#toAcknowledged = histogram(
      'vine_move_claim_to_acknowledged_seconds',
      'From the claim to the acceptance by the router that had the node, at the destination',
    );
    this.#blackout = histogram(
      'vine_move_blackout_estimated_seconds',
      "For how long packets from its old LAN did not reach a node that came here, from the capture of its announcement; the hypervisor's own pause is not in it",
    );
    this.#defineRouter();
    this.#definePeers();
    this.#defineTraffic();
    this.#defineControl();
    this.#defineProcess();
  }

  /** Begins to watch the event loop; costs nothing before. */
  start(): void {
    this.#lag.enable();
  }

  stop(): void {
    this.#lag.disable();
  }

  async collect(): Promise<{ text: string; type: string }> {
    const text = await this.#registry.metrics();
    this.#lag.reset();
    return { text, type: this.#registry.contentType };
  }

  /** A move has got a verdict. */
  judged({ role, verdict, steps, from, blackoutUs }: MoveView): void {
    this.#moves.inc({ role, verdict });
    if (role !== 'destination' || verdict !== 'accepted') return;
    const at = (name: string): number | undefined => steps.find(({ step }) => step === name)?.atUs;
    const claimed = at('claim_sent');
    const acknowledged = from === undefined ? undefined : at(`accepted:${from}`);
    if (claimed !== undefined) this.#toClaim.observe(claimed / 1e6);
    if (claimed === undefined || acknowledged === undefined) return;
    this.#toAcknowledged.observe((acknowledged - claimed) / 1e6);
    if (blackoutUs !== undefined) this.#blackout.observe(blackoutUs / 1e6);
  }

  #gauge<Label extends string>(
    name: string,
    help: string,
    labels: readonly Label[],
    rows: () => Row<Label>[],
  ): void {
    new Gauge({
      name,
      help,
      labelNames: labels,
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [values, value] of rows()) this.set(values as Record<Label, string>, value);
      },
    });
  }

  /** For what is counted elsewhere. */
  #counter<Label extends string>(
    name: string,
    help: string,
    labels: readonly Label[],
    rows: () => Row<Label>[],
  ): void {
    new Counter({
      name,
      help,
      labelNames: labels,
      registers: [this.#registry],
      collect() {
        this.reset();
        for (const [values, value] of rows()) this.inc(values as Record<Label, string>, value);
      },
    });
  }

  #defineRouter(): void {
    const source = this.#source;
    this.#gauge('vine_info', 'The router and its version; always 1', ['router', 'version'], () => {
      const { id, version } = source.status();
      return [[{ router: id, version }, 1]];
    });
    this.#gauge('vine_ready', 'Tables are complete and the workers run', [], () => [
      [{}, source.status().ready ? 1 : 0],
    ]);
    this.#gauge('vine_warnings', 'Warnings that "vinectl status" shows', [], () => [
      [{}, source.status().warnings.length],
    ]);
    this.#gauge('vine_start_time_seconds', 'Unix time of the start', [], () => [
      [{}, Date.parse(source.status().startedAt) * MS],
    ]);
    this.#gauge('vine_table_entries', 'Entries of each table', ['table'], () =>
      Object.entries(source.tables()).map(([table, count]) => [{ table }, count]),
    );
    this.#gauge(
      'vine_nodes',
      'Nodes on the LANs here, of these visiting, and native ones that are away',
      ['state'],
      () => {
        const { nodesHere, nodesVisiting, nodesDeparted } = source.status();
        return [
          [{ state: 'here' }, nodesHere],
          [{ state: 'visiting' }, nodesVisiting],
          [{ state: 'departed' }, nodesDeparted],
        ];
      },
    );
  }

  #definePeers(): void {
    const source = this.#source;
    this.#gauge('vine_peers', 'Other routers, by state', ['state'], () => {
      const peers = source.peers();
      return PEER_STATES.map((state) => [{ state }, peers.filter((peer) => peer.state === state).length]);
    });
    this.#gauge('vine_peer_up', 'Is the control link with the peer up?', ['peer'], () =>
      source.peers().map(({ id, state }) => [{ peer: id }, state === 'up' ? 1 : 0]),
    );
    this.#gauge('vine_peer_rtt_seconds', 'Smoothed round-trip time', ['peer'], () =>
      source.peers().flatMap(({ id, rttMs }) => (rttMs === null ? [] : [[{ peer: id }, rttMs * MS]])),
    );
    this.#gauge('vine_peer_last_handshake_time_seconds', 'Unix time of the last handshake', ['peer'], () =>
      source
        .peers()
        .flatMap(({ id, lastHandshakeAt }) =>
          lastHandshakeAt === null ? [] : [[{ peer: id }, Date.parse(lastHandshakeAt) * MS]],
        ),
    );
    this.#counter('vine_peer_bytes_total', 'Sealed bytes, UDP payload', ['peer', 'direction'], () =>
      source
        .peers()
        .flatMap(({ id, bytesSent, bytesReceived }) => bothWays({ peer: id }, bytesSent, bytesReceived)),
    );
    this.#counter('vine_peer_packets_total', 'Sealed messages', ['peer', 'direction'], () =>
      source
        .peers()
        .flatMap(({ id, packetsSent, packetsReceived }) =>
          bothWays({ peer: id }, packetsSent, packetsReceived),
        ),
    );
  }

  #defineTraffic(): void {
    const source = this.#source;
    const from = (sent: string, received: string) => (): Row<'direction'>[] => {
      const counters = source.counters();
      return bothWays({}, counters[sent] ?? 0, counters[received] ?? 0);
    };
    const direction = ['direction'] as const;
    this.#counter(
      'vine_lan_frames_total',
      'Frames on the LANs; a super-packet is one',
      direction,
      from('lan_frames_sent', 'lan_frames_received'),
    );
    this.#counter(
      'vine_lan_bytes_total',
      'Bytes on the LANs',
      direction,
      from('lan_bytes_sent', 'lan_bytes_received'),
    );
    this.#counter(
      'vine_tunnel_datagrams_total',
      'Datagrams to and from other routers',
      direction,
      from('tunnel_datagrams_sent', 'tunnel_datagrams_received'),
    );
    this.#counter(
      'vine_tunnel_bytes_total',
      'Bytes to and from other routers',
      direction,
      from('tunnel_bytes_sent', 'tunnel_bytes_received'),
    );
    const vnets = (pick: (traffic: VnetTraffic) => readonly [toTunnel: number, toLan: number]) => () =>
      source.vnetTraffic().flatMap(({ vnet, traffic }): Row<'vnet' | 'direction'>[] => {
        const [toTunnel, toLan] = pick(traffic);
        return [
          [{ vnet, direction: 'to_tunnel' }, toTunnel],
          [{ vnet, direction: 'to_lan' }, toLan],
        ];
      });
    this.#counter(
      'vine_vnet_packets_total',
      'Inner packets forwarded; a super-packet is one',
      ['vnet', 'direction'],
      vnets(({ packetsToTunnel, packetsToLan }) => [packetsToTunnel, packetsToLan]),
    );
    this.#counter(
      'vine_vnet_bytes_total',
      'Bytes of inner packets forwarded',
      ['vnet', 'direction'],
      vnets(({ bytesToTunnel, bytesToLan }) => [bytesToTunnel, bytesToLan]),
    );
    this.#counter(
      'vine_drops_total',
      'Packets, frames and messages that were refused or lost',
      ['reason'],
      () =>
        Object.entries(source.counters())
          .filter(([name]) => source.isDrop(name))
          .map(([name, value]) => [{ reason: name.replace(/^drop_/, '') }, value]),
    );
  }

  #defineControl(): void {
    const source = this.#source;
    const named =
      <Label extends string>(label: Label, pattern: RegExp) =>
      (): Row<Label>[] =>
        Object.entries(source.counters()).flatMap(([name, value]) => {
          const found = pattern.exec(name)?.[1];
          return found === undefined ? [] : [[{ [label]: found } as Record<Label, string>, value]];
        });
    this.#counter('vine_sessions_established_total', 'Sessions that became current', [], () => [
      [{}, source.counters().sessions_established ?? 0],
    ]);
    this.#counter(
      'vine_handshake_messages_total',
      'Handshake messages: received ones, and initiations and responses sent',
      ['message'],
      named('message', /^handshake_(received|initiations_sent|responses_sent)$/),
    );
    this.#counter(
      'vine_handshake_failures_total',
      'Handshake messages that led to nothing',
      ['reason'],
      named('reason', /^handshake_(?:drop|failed)_(.+)$/),
    );
    this.#counter(
      'vine_control_messages_sent_total',
      'Control messages sent',
      ['type'],
      named('type', /^control_sent_(.+)$/),
    );
    this.#counter(
      'vine_control_messages_received_total',
      'Control messages received',
      ['type'],
      named('type', /^control_received_(.+)$/),
    );
    this.#counter('vine_control_retransmissions_total', 'Control messages sent again', [], () => [
      [{}, source.counters().control_retransmitted ?? 0],
    ]);
  }

  #defineProcess(): void {
    const source = this.#source;
    this.#counter(
      'vine_worker_busy_seconds_total',
      "Processor time of a packet worker's thread, kernel included; its rate is the worker's utilisation",
      ['worker'],
      () => source.threads().map(({ name, thread }) => [{ worker: name }, cpuSeconds(thread)]),
    );
    this.#counter('vine_process_cpu_seconds_total', 'Processor time of the whole process', [], () => {
      const { user, system } = process.cpuUsage();
      return [[{}, (user + system) * 1e-6]];
    });
    this.#gauge('vine_process_resident_memory_bytes', 'Resident memory', [], () => [
      [{}, process.memoryUsage.rss()],
    ]);
    this.#gauge(
      'vine_event_loop_lag_seconds',
      "How late the control thread's timers were since the last scrape",
      ['quantile'],
      () =>
        ([50, 90, 99, 100] as const).map((percent) => [
          { quantile: String(percent / 100) },
          Math.max(0, this.#lag.percentile(percent) * NS - LAG_RESOLUTION_MS * MS),
        ]),
    );
  }
}

function bothWays<Label extends string>(
  labels: Readonly<Record<Label, string>>,
  sent: number,
  received: number,
): Row<Label | 'direction'>[] {
  const row = (direction: string, value: number): Row<Label | 'direction'> => [
    { ...labels, direction } as Record<Label | 'direction', string>,
    value,
  ];
  return [row('sent', sent), row('received', received)];
}
