/** Puts a new configuration into the running tables, tunnel and data plane: first what may fail, then all at once. */
import type { Logger } from 'pino';
import { gndtDigest } from '../../config/digest.js';
import { checkGatewayAddresses } from '../../config/interfaces.js';
import type { VineConfig } from '../../config/load.js';
import type { DataPlane } from '../../dataplane/plane.js';
import type { Mobility } from '../../mobility/mobility.js';
import type { Clock } from '../../net/clock.js';
import { leastMinorOf } from '../../protocol/least-minor.js';
import { formatConfigError } from '../../tables/files/error.js';
import type { ForwardingCompiler } from '../../tables/forwarding/forwarding-compiler.js';
import type { GndtPlan } from '../../tables/gndt.js';
import type { LanGrowth } from '../../tables/lan-growth.js';
import type { PeerPlan } from '../../tunnel/peer-changes.js';
import type { Tunnel } from '../../tunnel/tunnel.js';
import type { Gateways } from '../lan/gateways.js';
import type { LanRescue } from '../lan/lan-rescue.js';
import type { LanSide } from '../lan/lan-side.js';
import type { LanWatch } from '../lan/lan-watch.js';
import type { Guards } from '../machine/guards.js';
import type { TunRoutes } from '../machine/tun-ports.js';
import type { RoleSource } from '../pair/role-source.js';
import type { SiteRoles } from '../pair/site-roles.js';
import type { Sites } from '../pair/sites.js';
import type { Relays } from '../relays.js';
import type { IgnoreFile } from '../state/ignore-file.js';
import type { Tables } from '../tables.js';
import type { TrafficDesk } from '../traffic/desk.js';
import type { MetricsHost } from '../view/metrics-host.js';
import type { Prepared } from './prepared.js';

export interface ApplyParts {
  readonly clock: Clock;
  readonly tables: Tables;
  readonly sites: Sites;
  readonly roles: SiteRoles;
  readonly roleSource: Pick<RoleSource, 'reconfigure'>;
  readonly compiler: ForwardingCompiler;
  readonly growth: LanGrowth;
  readonly plane: DataPlane;
  readonly tunnel: Tunnel;
  readonly mobility: Mobility;
  readonly lanSide: LanSide;
  readonly gateways: Pick<Gateways, 'reconfigure'>;
  readonly lanWatch: LanWatch;
  readonly tunRoutes: TunRoutes;
  readonly rescue: LanRescue;
  readonly relays: Relays;
  readonly guards: Guards;
  readonly metrics: MetricsHost;
  readonly ignoreFile: IgnoreFile;
  readonly traffic: TrafficDesk;
  readonly log: Pick<Logger, 'level'>;
}

interface Plans {
  readonly gndt: GndtPlan;
  readonly peers: PeerPlan;
}

/** A string is the problem for which nothing was done. See `ReloaderOptions.prepare`. */
export async function prepareConfig(
  parts: ApplyParts,
  before: VineConfig,
  after: VineConfig,
  lenient: boolean,
): Promise<Prepared | string> {
  const [held] = checkGatewayAddresses(after);
  if (held !== undefined && !lenient) return formatConfigError(held);
  const gndt = parts.tables.gndt.plan(after.gndt, parts.clock.nowMs());
  if (typeof gndt === 'string') return gndt;
  const peers = parts.tunnel.planPeers(
    after.gndt.routers.filter(({ id }) => id !== after.router.id),
    gndt.ownClients,
  );
  if (typeof peers === 'string') return peers;
  const guard = await parts.guards.prepare(after.gndt.networks, lenient);
  if (typeof guard === 'string') return guard;
  const metrics = await parts.metrics.prepare(after.router.metrics, lenient);
  if (typeof metrics === 'string') {
    guard.abandon();
    return metrics;
  }
  const exporters = await parts.traffic.prepare(after.router.traffic, lenient);
  if (typeof exporters === 'string') {
    guard.abandon();
    metrics.abandon();
    return exporters;
  }
  return {
    commit: () => {
      commit(parts, { gndt, peers }, before, after);
      guard.commit();
      metrics.commit();
      exporters.commit();
    },
    abandon: () => {
      guard.abandon();
      metrics.abandon();
      exporters.abandon();
    },
  };
}

function commit(parts: ApplyParts, plans: Plans, before: VineConfig, after: VineConfig): void {
  const { tables, compiler, plane, tunnel, mobility, lanSide } = parts;
  const { gndt, lndt, directory } = tables;
  parts.lanWatch.look();
  gndt.adopt(plans.gndt, parts.clock.nowMs());
  parts.sites.renumber();
  parts.roles.reconfigure();
  parts.roleSource.reconfigure(after.router.failover);
  lndt.adopt(after.lndt);
  parts.gateways.reconfigure(after.router.lans);
  // What a router has said that is no member any more ends with it.
  const dropped = directory.keepMembers(gndt.siteIds);
  parts.growth.setLimit(after.router.limits.nodesPerLan);
  plane.setVnets(after.gndt.vnets.map(({ id }) => id));
  plane.setClients(gndt.ownClients);
  for (const peer of plans.gndt.peers.released) plane.forgetPeer(peer);
  // Routes first: the packets that come now are not for peers that are going.
  compiler.reconfigure();
  parts.rescue.rebuild();
  parts.relays.rebuild();
  mobility.reconfigure(after.router.mobility, after.router.limits);
  const numberOf = (router: string): number => gndt.peerIndex(router);
  tunnel.reconfigure(plans.peers, gndtDigest(after.gndt), numberOf, leastMinorOf(after.gndt));
  mobility.membersGone(dropped);
  lanSide.rescan();
  parts.traffic.reconfigure(after.router.traffic);
  parts.tunRoutes.reconfigure();
  parts.ignoreFile.configure(after.router.dhcpIgnore);
  if (before.router.log.level !== after.router.log.level) parts.log.level = after.router.log.level;
}
