/** What an operator may have the router do. */
import type { Logger } from 'pino';
import { pingWhole } from '../../config/machine.js';
import type {
  ConfirmView,
  DirectoryView,
  FindingView,
  MigrationView,
  PingView,
  ReloadErrorView,
  ReloadRequest,
  ReloadView,
  RouterActions,
} from '../../control/api.js';
import type { MembershipView } from '../../control/membership-view.js';
import type { NetworkView, PublishRequest, PublishView } from '../../control/network-view.js';
import type { RoleView } from '../../control/role-view.js';
import type { TrafficRequest, TrafficView } from '../../control/traffic-view.js';
import type { Mobility } from '../../mobility/mobility.js';
import type { Clock } from '../../net/clock.js';
import { Ip } from '../../net/ip.js';
import type { Tunnel } from '../../tunnel/tunnel.js';
import type { Gateways } from '../lan/gateways.js';
import type { PortWatch } from '../lan/port/port-watch.js';
import type { Guards } from '../machine/guards.js';
import type { Memberships } from '../network/memberships.js';
import type { NetworkDesk } from '../network/network-desk.js';
import type { RoleSource } from '../pair/role-source.js';
import type { Reloader } from '../reload/reloader.js';
import type { Tables } from '../tables.js';
import type { TrafficDesk } from '../traffic/desk.js';
import { examine } from './doctor.js';
import type { LiveView } from './live-view.js';
import type { RouteExplainer } from './route-view.js';
import { migrationView, recordView } from './table-views.js';
import type { Warnings } from './warnings.js';

const PING_LIMIT_MS = 3_000;
const LOG_LEVELS: readonly string[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

export interface OperatorParts {
  readonly clock: Clock;
  readonly log: Pick<Logger, 'level'>;
  readonly tables: Tables;
  readonly view: LiveView;
  readonly routes: RouteExplainer;
  readonly tunnel: Pick<Tunnel, 'ping'>;
  readonly mobility: Pick<Mobility, 'moveByHand' | 'unfreeze' | 'isMissing'>;
  readonly reloader: Reloader;
  readonly guards: Guards;
  readonly gateways: Gateways;
  readonly ports: PortWatch;
  readonly warnings: Warnings;
  readonly roleSource: RoleSource;
  readonly memberships: Pick<Memberships, 'view'>;
  readonly traffic: Pick<TrafficDesk, 'ask'>;
  /** Undefined: no network key is pinned. */
  readonly network: Pick<NetworkDesk, 'view' | 'publish' | 'document' | 'conditions'> | undefined;
}

const NO_KEY =
  'router.json pins no network key: put "network": {"publicKey": …} into it on every router, and restart them';

const NO_NETWORK: NetworkView = {
  publicKey: null,
  newestKey: null,
  newestKeyUntil: null,
  successions: null,
  version: null,
  digest: null,
  trial: null,
  undone: [],
  etcd: null,
  routers: [],
  networks: [],
};

export class OperatorActions implements RouterActions {
  readonly #parts: OperatorParts;
  #examination: Promise<readonly FindingView[]> | undefined;

  constructor(parts: OperatorParts) {
    this.#parts = parts;
  }

  memberships(): readonly MembershipView[] {
    return this.#parts.memberships.view();
  }

  network(): NetworkView {
    return this.#parts.network?.view() ?? NO_NETWORK;
  }

  publish(request: PublishRequest): Promise<PublishView | string> {
    return this.#parts.network?.publish(request) ?? Promise.resolve(NO_KEY);
  }

  signedDescription(): Uint8Array | undefined {
    return this.#parts.network?.document();
  }

  traffic(request: TrafficRequest): Promise<TrafficView | string> {
    return this.#parts.traffic.ask(request);
  }

  takeRole(role: 'active' | 'standby'): Promise<RoleView | string> {
    return this.#parts.roleSource.take(role);
  }

  move({ vnet, ip: text }: { vnet: string | undefined; ip: string }): MigrationView | string {
    const { mobility, tables, routes } = this.#parts;
    const ip = Ip.parse(text);
    if (ip === undefined) return `"${text}" is not an IP address`;
    const found = routes.vnet(vnet, ip);
    if (typeof found === 'string') return found;
    const move = mobility.moveByHand(found.id, ip);
    return typeof move === 'string' ? move : migrationView(tables.gndt, move);
  }

  unfreeze({ vnet, ip: text }: { vnet: string | undefined; ip: string }): DirectoryView | string {
    const { mobility, tables, routes } = this.#parts;
    const ip = Ip.parse(text);
    if (ip === undefined) return `"${text}" is not an IP address`;
    const found = routes.vnet(vnet, ip);
    if (typeof found === 'string') return found;
    const released = mobility.unfreeze(found.id, ip);
    if (typeof released === 'string') return released;
    return recordView(tables.gndt, released, mobility.isMissing(released));
  }

  setLogLevel(level: string): string | undefined {
    if (!LOG_LEVELS.includes(level))
      return `"${level}" is not a log level; expected one of ${LOG_LEVELS.join(', ')}`;
    this.#parts.log.level = level;
    return undefined;
  }

  ping(router: string): Promise<PingView | string> {
    const { clock, tables, tunnel, view } = this.#parts;
    if (router === tables.gndt.self) return Promise.resolve(`${router} is this router`);
    const peer = view.peers().find(({ id }) => id === router);
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
    this.#examination ??= examine({ ...this.#parts, pingWhole }).finally(() => {
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
}
