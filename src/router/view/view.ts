/** What the control API asks: every answer comes from memory, at once. */

import { pingWhole } from '../../config/machine.js';
import type {
  ClientView,
  ConfirmView,
  CountersView,
  DirectoryView,
  EventView,
  FindingView,
  GndtView,
  HwdtView,
  LndtView,
  MigrationView,
  PeerView,
  PingView,
  ReloadErrorView,
  ReloadRequest,
  ReloadView,
  RouterView,
  RouteView,
  StatusView,
} from '../../control/api.js';
import type { LanSocket, TcpListener, UdpSocket } from '../../dataplane/engine.js';
import type { DataPlane } from '../../dataplane/plane.js';
import type { Mobility } from '../../mobility/mobility.js';
import type { Clock } from '../../net/clock.js';
import { Ip } from '../../net/ip.js';
import { formatMac } from '../../net/mac.js';
import { formatEndpoint } from '../../tables/files/endpoint-text.js';
import { encodeKey } from '../../tables/files/read.js';
import type { ForwardingTable } from '../../tables/forwarding-table.js';
import type { Lans } from '../../tables/lan.js';
import type { GndtConfig, RouterConfig } from '../../tables/model.js';
import type { PeerState } from '../../tunnel/peer-state.js';
import type { Tunnel } from '../../tunnel/tunnel.js';
import type { TunPort } from '../machine/tun-ports.js';
import type { Reloader } from '../reload/reloader.js';
import type { CounterBoard } from './counter-board.js';
import { examine } from './doctor.js';
import type { EventHub } from './event-hub.js';
import { RouteExplainer } from './route-view.js';
import {
  directoryView,
  gndtView,
  hwdtView,
  lndtView,
  migrationView,
  recordView,
  type Tables,
  vnetName,
} from './table-views.js';

const PING_LIMIT_MS = 3_000;
const LOG_LEVELS: readonly string[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

export interface LiveParts {
  /** Where it listens, which no reload changes. */
  readonly listen: RouterConfig['listen'];
  readonly version: string;
  readonly clock: Clock;
  readonly tables: Tables;
  readonly forwarding: ForwardingTable;
  readonly lans: Lans;
  readonly lanSockets: readonly LanSocket[];
  readonly tuns: readonly TunPort[];
  readonly udp: readonly UdpSocket[];
  readonly tcp: readonly TcpListener[];
  readonly cipher: GndtConfig['cipher'];
  /** ChaCha20-Poly1305 runs on OpenSSL's raw primitives. */
  readonly rawChaCha: boolean;
  readonly plane: DataPlane;
  readonly tunnel: Tunnel;
  readonly mobility: Mobility;
  readonly hub: EventHub;
  readonly warnings: () => readonly string[];
  readonly board: CounterBoard;
  readonly isReady: () => boolean;
  readonly setLogLevel: (level: string) => void;
  readonly reloader: Reloader;
  readonly guarded: () => boolean;
}

export class LiveView implements RouterView {
  readonly #parts: LiveParts;
  readonly #lanNames: readonly string[];
  readonly #routes: RouteExplainer;
  readonly #startedWallMs: number;
  readonly #startedMs: number;
  #examination: Promise<readonly FindingView[]> | undefined;

  constructor(parts: LiveParts) {
    this.#parts = parts;
    this.#lanNames = parts.lans.current().map((lan) => lan.interface);
    const tunNames = parts.tuns.map((tun) => tun.interface);
    this.#routes = new RouteExplainer(parts.tables.gndt, parts.forwarding, this.#lanNames, tunNames);
    this.#startedWallMs = parts.clock.wallMs();
    this.#startedMs = parts.clock.nowMs();
  }

  status(): StatusView {
    const { version, clock, tables, plane, tunnel, warnings, isReady } = this.#parts;
    const { directory, gndt, lndt } = tables;
    return {
      id: gndt.self,
      version,
      startedAt: new Date(this.#startedWallMs).toISOString(),
      uptimeSeconds: Math.floor((clock.nowMs() - this.#startedMs) / 1000),
      ready: isReady(),
      workers: plane.workers(),
      listen: this.#listen(),
      lans: this.#lans(),
      tunnel: this.#tunnel(),
      peersUp: tunnel.upPeers().length,
      peersTotal: gndt.otherRouters().length,
      nodesHere: directory.of(gndt.self).filter(({ state }) => state === 'here').length,
      nodesVisiting: lndt.visiting().length,
      nodesDeparted: lndt.departed().length,
      warnings: warnings(),
    };
  }

  #tunnel(): StatusView['tunnel'] {
    const { udp, cipher, rawChaCha } = this.#parts;
    return {
      cipher,
      sealing: cipher === 'chacha20-poly1305' && rawChaCha ? 'primitives' : 'evp',
      segmentation: udp.length > 0 && udp.every(({ segmentation }) => segmentation),
      coalescing: udp.length > 0 && udp.every(({ coalescing }) => coalescing),
    };
  }

  #listen(): string[] {
    const { listen, udp, tcp } = this.#parts;
    const bound = { udp: [...udp], tcp: [...tcp] };
    return listen.map((endpoint) =>
      formatEndpoint({ ...endpoint, port: bound[endpoint.transport].shift()?.port ?? endpoint.port }),
    );
  }

  #lans(): StatusView['lans'] {
    const { lans, lanSockets, tables } = this.#parts;
    return lans.current().map((lan, i) => ({
      interface: lan.interface,
      vnet: vnetName(tables.gndt, lan.vnet),
      mac: formatMac(lan.mac),
      mtuBytes: lanSockets[i]?.mtuBytes ?? 0,
      offload: lanSockets[i]?.vnetHeader === true ? 'vnet-header' : 'none',
    }));
  }

  peers(): PeerView[] {
    return this.#parts.tunnel.peers().map((state) => this.#peer(state));
  }

  #peer(state: PeerState): PeerView {
    const { id, reason, transport, endpoint, relay, lastHandshakeWallMs, rttMs, version, counts } = state;
    return {
      id,
      state: state.state,
      reason,
      transport,
      endpoint:
        endpoint === undefined
          ? null
          : formatEndpoint({ transport: transport === 'tcp' ? 'tcp' : 'udp', ...endpoint }),
      relay: relay ?? null,
      lastHandshakeAt: lastHandshakeWallMs === undefined ? null : new Date(lastHandshakeWallMs).toISOString(),
      rttMs: rttMs ?? null,
      lossPercent: state.lossPercent ?? null,
      pathMtuBytes: state.pathMtuBytes ?? null,
      bytesSent: counts?.bytesSent ?? 0,
      bytesReceived: counts?.bytesReceived ?? 0,
      packetsSent: counts?.packetsSent ?? 0,
      packetsReceived: counts?.packetsReceived ?? 0,
      version: version ?? null,
      innerMtuBytes: this.#parts.plane.peerMtu(state.peer),
      clockOffsetMs: state.clockOffsetMs ?? null,
      sameGndt: state.sameGndt ?? null,
    };
  }

  clients(): ClientView[] {
    const { tunnel, tables } = this.#parts;
    return tunnel.clients().map(({ client, connected, endpoint, lastHandshakeWallMs, counts }) => ({
      vnet: vnetName(tables.gndt, client.vnet),
      ip: client.ip.key,
      publicKey: encodeKey(client.publicKey),
      state: connected ? 'connected' : 'away',
      endpoint: endpoint === undefined ? null : formatEndpoint({ transport: 'udp', ...endpoint }),
      lastHandshakeAt: lastHandshakeWallMs === undefined ? null : new Date(lastHandshakeWallMs).toISOString(),
      bytesSent: counts?.bytesSent ?? 0,
      bytesReceived: counts?.bytesReceived ?? 0,
    }));
  }

  gndt(): GndtView[] {
    return gndtView(this.#parts.tables);
  }

  lndt(): LndtView[] {
    return lndtView(this.#parts.tables);
  }

  hwdt(): HwdtView[] {
    const { tables, clock } = this.#parts;
    return hwdtView(tables, this.#lanNames, clock.nowMs(), clock.wallMs());
  }

  directory(): DirectoryView[] {
    return directoryView(this.#parts.tables);
  }

  route(query: { vnet: string | undefined; ip: string; from: string | undefined }): RouteView | string {
    return this.#routes.explain(query);
  }

  migrations(): MigrationView[] {
    const { mobility, tables } = this.#parts;
    return mobility.moves().map((move) => migrationView(tables.gndt, move));
  }

  counters(): CountersView {
    return this.#parts.board.counters();
  }

  move({ vnet, ip: text }: { vnet: string | undefined; ip: string }): MigrationView | string {
    const { mobility, tables } = this.#parts;
    const ip = Ip.parse(text);
    if (ip === undefined) return `"${text}" is not an IP address`;
    const found = this.#routes.vnet(vnet, ip);
    if (typeof found === 'string') return found;
    const move = mobility.moveByHand(found.id, ip);
    return typeof move === 'string' ? move : migrationView(tables.gndt, move);
  }

  unfreeze({ vnet, ip: text }: { vnet: string | undefined; ip: string }): DirectoryView | string {
    const { mobility, tables } = this.#parts;
    const ip = Ip.parse(text);
    if (ip === undefined) return `"${text}" is not an IP address`;
    const found = this.#routes.vnet(vnet, ip);
    if (typeof found === 'string') return found;
    const released = mobility.unfreeze(found.id, ip);
    return typeof released === 'string' ? released : recordView(tables.gndt, released);
  }

  setLogLevel(level: string): string | undefined {
    if (!LOG_LEVELS.includes(level))
      return `"${level}" is not a log level; expected one of ${LOG_LEVELS.join(', ')}`;
    this.#parts.setLogLevel(level);
    return undefined;
  }

  ping(router: string): Promise<PingView | string> {
    const { clock, tables, tunnel } = this.#parts;
    if (router === tables.gndt.self) return Promise.resolve(`${router} is this router`);
    const peer = this.peers().find(({ id }) => id === router);
    if (peer === undefined) return Promise.resolve(`there is no router "${router}" in gndt.json`);
    return new Promise((resolve) => {
      const limit = clock.after('ping-limit', PING_LIMIT_MS, () => resolve(`${router} does not answer`));
      const sent = tunnel.ping(router, (rttMs) => {
        limit.cancel();
        resolve({ router, endpoint: peer.endpoint, rttMs });
      });
      if (sent) return;
      limit.cancel();
      resolve(`${router} is not up: ${peer.reason}`);
    });
  }

  /** One examination at a time, whoever asks. */
  doctor(): Promise<readonly FindingView[]> {
    const { reloader, warnings, guarded } = this.#parts;
    this.#examination ??= examine({
      config: () => reloader.config.router,
      peers: () => this.peers(),
      counters: () => this.counters(),
      warnings,
      files: () => reloader.filesState(),
      guarded,
      pingWhole,
    }).finally(() => {
      this.#examination = undefined;
    });
    return this.#examination;
  }

  reload(request: ReloadRequest): Promise<ReloadView | ReloadErrorView> {
    return this.#parts.reloader.reload(request);
  }

  confirm(): ConfirmView | string {
    return this.#parts.reloader.confirm();
  }

  onEvent(listener: (event: EventView) => void): () => void {
    return this.#parts.hub.subscribe(listener);
  }
}
