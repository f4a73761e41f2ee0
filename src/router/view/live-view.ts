/** What the control API, the metrics and the service manager ask: every answer comes from memory, at once. */
import type {
  ClientView,
  CountersView,
  DirectoryView,
  GndtView,
  HwdtView,
  LndtView,
  MigrationView,
  MissingView,
  PeerView,
  RouterView,
  RouteView,
  StatusView,
} from '../../control/api.js';
import type { NameView } from '../../control/name-view.js';
import type { RoleView } from '../../control/role-view.js';
import type { NativeAddon } from '../../dataplane/engine.js';
import type { DataPlane } from '../../dataplane/plane.js';
import type { Mobility } from '../../mobility/mobility.js';
import type { MissingNode } from '../../mobility/search/missing.js';
import type { Clock } from '../../net/clock.js';
import { formatMac } from '../../net/mac.js';
import type { Conduct } from '../../protocol/conduct.js';
import { formatEndpoint } from '../../tables/files/endpoint-text.js';
import { encodeKey } from '../../tables/files/read.js';
import { servingMac } from '../../tables/gateway.js';
import type { Lan } from '../../tables/lan.js';
import type { GndtConfig, RouterConfig } from '../../tables/model.js';
import { isFastAes } from '../../tunnel/cipher-choice.js';
import type { NameState } from '../../tunnel/names/names.js';
import type { PeerState } from '../../tunnel/peer-state.js';
import type { Tunnel } from '../../tunnel/tunnel.js';
import type { Readiness } from '../life/readiness.js';
import { cpuSeconds } from '../life/thread-time.js';
import type { Sockets } from '../machine/sockets.js';
import type { RoleSource } from '../pair/role-source.js';
import type { Sites } from '../pair/sites.js';
import type { LocalRecords } from '../state/local-records.js';
import type { Tables } from '../tables.js';
import type { CounterBoard } from './counter-board.js';
import { siteRoleOf } from './role-line.js';
import type { RouteExplainer } from './route-view.js';
import {
  directoryView,
  gndtView,
  hwdtView,
  lndtView,
  migrationView,
  missingView,
  vnetName,
} from './table-views.js';
import type { Warnings } from './warnings.js';
import { WorkerLoads } from './worker-loads.js';

export interface LiveParts {
  readonly version: string;
  /** Where it listens, which no reload changes. */
  readonly listen: RouterConfig['listen'];
  readonly cipher: GndtConfig['cipher'];
  readonly native: Pick<NativeAddon, 'rawChaCha' | 'cipherSpeeds'>;
  readonly clock: Clock;
  readonly tables: Tables;
  readonly sites: Pick<Sites, 'isActive'>;
  readonly local: LocalRecords;
  readonly sockets: Pick<Sockets, 'lans' | 'lanSockets' | 'udp' | 'tcp'>;
  readonly routes: RouteExplainer;
  readonly plane: Pick<DataPlane, 'workers' | 'threads' | 'peerMtu'>;
  readonly tunnel: Pick<Tunnel, 'upPeers' | 'peers' | 'clients'>;
  readonly mobility: Pick<Mobility, 'moves' | 'missing' | 'isMissing'>;
  readonly conduct: Pick<Conduct, 'view'>;
  readonly board: CounterBoard;
  readonly warnings: Warnings;
  readonly readiness: Readiness;
  readonly roleSource: RoleSource;
}

export class LiveView implements RouterView {
  readonly #parts: LiveParts;
  readonly #lanNames: readonly string[];
  readonly #startedWallMs: number;
  readonly #startedMs: number;
  readonly #loads: WorkerLoads;

  constructor(parts: LiveParts) {
    this.#parts = parts;
    this.#loads = new WorkerLoads(parts.clock, cpuSeconds);
    this.#lanNames = parts.sockets.lans.current().map((lan) => lan.interface);
    this.#startedWallMs = parts.clock.wallMs();
    this.#startedMs = parts.clock.nowMs();
  }

  /** Asked for several times a second: it looks through no table but that of missing nodes, of which there are few. */
  status(): StatusView {
    const { version, clock, tables, local, tunnel, mobility, warnings, readiness } = this.#parts;
    const { here, visiting, departed } = local.counts;
    return {
      id: tables.gndt.router,
      version,
      startedAt: new Date(this.#startedWallMs).toISOString(),
      uptimeSeconds: Math.floor((clock.nowMs() - this.#startedMs) / 1000),
      ready: readiness.isReady,
      workers: this.#workers(),
      listen: this.#listen(),
      lans: this.#lans(),
      tunnel: this.#tunnel(),
      peersUp: tunnel.upPeers().length,
      peersTotal: tables.gndt.otherRouters().length,
      nodesHere: here,
      nodesVisiting: visiting,
      nodesDeparted: departed,
      nodesMissing: addressesOf(mobility.missing()),
      role: siteRoleOf(this.role()),
      descriptionVersion: tables.gndt.config.version ?? null,
      warnings: warnings.all(),
    };
  }

  role(): RoleView {
    return this.#parts.roleSource.view();
  }

  #tunnel(): StatusView['tunnel'] {
    const { cipher, native, sockets } = this.#parts;
    const cipherSpeeds = native.cipherSpeeds();
    const { udp } = sockets;
    return {
      cipher,
      sealing: cipher !== 'aes-256-gcm' && native.rawChaCha() ? 'primitives' : 'evp',
      ...cipherSpeeds,
      fastAes: isFastAes(cipherSpeeds),
      segmentation: udp.length > 0 && udp.every(({ segmentation }) => segmentation),
      coalescing: udp.length > 0 && udp.every(({ coalescing }) => coalescing),
    };
  }

  #workers(): StatusView['workers'] {
    const { plane } = this.#parts;
    const threads = new Map(plane.threads().map(({ name, thread }) => [name, thread]));
    return plane
      .workers()
      .map((worker) => ({ ...worker, load: this.#loads.of(worker.name, threads.get(worker.name) ?? 0) }));
  }

  #listen(): string[] {
    const { listen, sockets } = this.#parts;
    const bound = { udp: [...sockets.udp], tcp: [...sockets.tcp] };
    return listen.map((endpoint) =>
      formatEndpoint({ ...endpoint, port: bound[endpoint.transport].shift()?.port ?? endpoint.port }),
    );
  }

  #lans(): StatusView['lans'] {
    const { sockets, tables } = this.#parts;
    const { lans, lanSockets } = sockets;
    return lans.current().map((lan, i) => ({
      interface: lan.interface,
      vnet: vnetName(tables.gndt, lan.vnet),
      mac: formatMac(lan.mac),
      mtuBytes: lanSockets[i]?.mtuBytes ?? 0,
      offload: lanSockets[i]?.vnetHeader === true ? 'vnet-header' : 'none',
      ...servingView(lan, lans.isActive(lan.index)),
    }));
  }

  peers(): PeerView[] {
    return this.#parts.tunnel.peers().map((state) => this.#peer(state));
  }

  #peer(state: PeerState): PeerView {
    const { id, reason, transport, endpoint, relay, lastHandshakeWallMs, rttMs, version, counts } = state;
    const { tables, sites } = this.#parts;
    const site = tables.gndt.siteOf(id);
    return {
      id,
      site: site === id ? null : site,
      active: sites.isActive(id),
      state: state.state,
      reason,
      transport,
      endpoint:
        endpoint === undefined
          ? null
          : formatEndpoint({ transport: transport === 'tcp' ? 'tcp' : 'udp', ...endpoint }),
      relay: relay ?? null,
      cipher: state.cipher ?? null,
      cipherReason: state.cipherReason,
      names: state.names.map(nameView),
      nameInUse: state.nameInUse ?? null,
      lastHandshakeAt: timeOf(lastHandshakeWallMs),
      rttMs: rttMs ?? null,
      lossPercent: state.lossPercent ?? null,
      pathMtuBytes: state.pathMtuBytes ?? null,
      bytesSent: counts?.bytesSent ?? 0,
      bytesReceived: counts?.bytesReceived ?? 0,
      packetsSent: counts?.packetsSent ?? 0,
      packetsReceived: counts?.packetsReceived ?? 0,
      version: version ?? null,
      innerMtuBytes: this.#parts.plane.peerMtu(state.peer),
      coordinate: state.coordinate ?? null,
      clockOffsetMs: state.clockOffsetMs ?? null,
      sameGndt: state.sameGndt ?? null,
      ...this.#parts.conduct.view(id),
    };
  }

  clients(): ClientView[] {
    const { tunnel, tables } = this.#parts;
    return tunnel.clients().map(({ client, connected, endpoint, lastHandshakeWallMs, counts, calls }) => ({
      vnet: vnetName(tables.gndt, client.vnet),
      ip: client.ip.key,
      publicKey: encodeKey(client.publicKey),
      state: connected ? 'connected' : 'away',
      endpoint: endpoint === undefined ? null : formatEndpoint({ transport: 'udp', ...endpoint }),
      lastHandshakeAt: timeOf(lastHandshakeWallMs),
      bytesSent: counts?.bytesSent ?? 0,
      bytesReceived: counts?.bytesReceived ?? 0,
      calls,
    }));
  }

  gndt(): Iterable<GndtView> {
    return gndtView(this.#parts.tables);
  }

  lndt(): Iterable<LndtView> {
    const { tables, local, mobility } = this.#parts;
    return lndtView(tables, local, (record) => mobility.isMissing(record));
  }

  hwdt(): Iterable<HwdtView> {
    const { tables, clock } = this.#parts;
    return hwdtView(tables, this.#lanNames, clock.nowMs(), clock.wallMs());
  }

  directory(): Iterable<DirectoryView> {
    const { tables, mobility } = this.#parts;
    return directoryView(tables, (record) => mobility.isMissing(record));
  }

  *missing(): Generator<MissingView> {
    const { tables, mobility, clock } = this.#parts;
    for (const node of mobility.missing()) {
      yield missingView(tables.gndt, node, clock.nowMs(), clock.wallMs());
    }
  }

  route(query: { vnet: string | undefined; ip: string; from: string | undefined }): RouteView | string {
    return this.#parts.routes.explain(query);
  }

  migrations(): MigrationView[] {
    const { mobility, tables } = this.#parts;
    return mobility.moves().map((move) => migrationView(tables.gndt, move));
  }

  counters(): CountersView {
    return this.#parts.board.counters();
  }
}

function nameView(state: NameState): NameView {
  const { name, addresses, resolvedWallMs, isKept, problem, failingSinceWallMs, skipped } = state;
  return {
    name,
    addresses: addresses.map(String),
    resolvedAt: timeOf(resolvedWallMs),
    kept: isKept,
    problem,
    failingSince: timeOf(failingSinceWallMs),
    skipped: skipped.map(({ address, why }) => `${address} ${why}`),
  };
}

function timeOf(wallMs: number | undefined): string | null {
  return wallMs === undefined ? null : new Date(wallMs).toISOString();
}

/** Nothing of a LAN that is served as ever. */
function servingView(
  lan: Lan,
  active: boolean,
): Pick<StatusView['lans'][number], 'gateway' | 'servingMacs' | 'active'> {
  const { gateway = [], vrid } = lan;
  if (gateway.length === 0 && vrid === undefined) return {};
  const macs = vrid === undefined ? [lan.mac] : [servingMac(lan, 4), servingMac(lan, 6)];
  return { gateway: gateway.map(String), servingMacs: macs.map(formatMac), active };
}

/** Nodes are counted by their addresses, as everywhere. */
function addressesOf(missing: Iterable<MissingNode>): number {
  let count = 0;
  for (const { ips } of missing) count += ips.length;
  return count;
}
