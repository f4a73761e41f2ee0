/**
 * Makes the parts, each from those before it and none from one behind it. What they tell each other goes by topics, which
 * connections.ts connects.
 */
import type { Logger } from 'pino';
import { gndtDigest } from '../config/digest.js';
import type { LoadOutcome, VineConfig } from '../config/load.js';
import { loadNative } from '../dataplane/native.js';
import { DataPlane } from '../dataplane/plane.js';
import type { Description } from '../membership/description.js';
import { Mobility } from '../mobility/mobility.js';
import type { Clock } from '../net/clock.js';
import { systemClock } from '../net/system-clock.js';
import { Conduct } from '../protocol/conduct.js';
import { ownInnerMtu } from '../protocol/overhead.js';
import { Directory } from '../tables/directory.js';
import { ForwardingCompiler } from '../tables/forwarding/forwarding-compiler.js';
import { ForwardingTable } from '../tables/forwarding/forwarding-table.js';
import { NodeActivity } from '../tables/forwarding/node-activity.js';
import { Gndt } from '../tables/gndt.js';
import { Hwdt } from '../tables/hwdt.js';
import { LanGrowth } from '../tables/lan-growth.js';
import { LanNodes } from '../tables/lan-nodes.js';
import { Lndt } from '../tables/lndt.js';
import type { LanIndex } from '../tables/model.js';
import { isFastAes } from '../tunnel/cipher-choice.js';
import type { TunnelTimes } from '../tunnel/times.js';
import { Tunnel } from '../tunnel/tunnel.js';
import { Gateways } from './lan/gateways.js';
import { LanRescue } from './lan/lan-rescue.js';
import { LanSide } from './lan/lan-side.js';
import { LanWatch } from './lan/lan-watch.js';
import { Overhearing } from './lan/overhearing.js';
import { PortWatch } from './lan/port/port-watch.js';
import { VirtualMacWatch } from './lan/virtual-mac-watch.js';
import { InitialSync } from './life/initial-sync.js';
import { Readiness } from './life/readiness.js';
import type { LogStream } from './log-stream.js';
import { Guards } from './machine/guards.js';
import { Resolver } from './machine/resolver.js';
import { openSockets, type Sockets } from './machine/sockets.js';
import { TunRoutes } from './machine/tun-ports.js';
import { makeMemberships } from './network/make-memberships.js';
import { makeNetwork } from './network/make-network.js';
import { Alone } from './pair/alone.js';
import { makePair } from './pair/make-pair.js';
import { PartnerLink } from './pair/partner-link.js';
import type { RoleSource } from './pair/role-source.js';
import { SiteMessenger } from './pair/site-messenger.js';
import { SiteRoles } from './pair/site-roles.js';
import { Sites } from './pair/sites.js';
import { Terms } from './pair/terms.js';
import { planeOptions } from './plane-options.js';
import { Relays } from './relays.js';
import { prepareConfig } from './reload/apply.js';
import { Reloader } from './reload/reloader.js';
import { openEndpointMemory } from './state/endpoint-memory.js';
import { IgnoreFile } from './state/ignore-file.js';
import { LocalRecords } from './state/local-records.js';
import { openNameMemory } from './state/name-memory.js';
import { DIRECTORY_FORM } from './state/state-file.js';
import { StateStore } from './state/state-store.js';
import type { Tables } from './tables.js';
import { LanTopics, MobilityTopics, TunnelTopics } from './topics.js';
import { TrafficDesk } from './traffic/desk.js';
import { tunnelPorts } from './tunnel-ports.js';
import { ConductSummary } from './view/conduct-summary.js';
import { CounterBoard } from './view/counter-board.js';
import { COUNTER_CLASSES, type RouterCounts } from './view/counter-classes.js';
import { DropSummary } from './view/drop-summary.js';
import { EventHub } from './view/event-hub.js';
import { LazyMetrics } from './view/lazy-metrics.js';
import { LiveView } from './view/live-view.js';
import { MetricsHost } from './view/metrics-host.js';
import { metricsSource } from './view/metrics-source.js';
import { MobilityEvents } from './view/mobility-events.js';
import { OperatorActions } from './view/operator-actions.js';
import { PairEvents } from './view/pair-events.js';
import { RouteExplainer } from './view/route-view.js';
import { Warnings } from './view/warnings.js';

export interface RouterOptions {
  readonly config: VineConfig;
  /** From reading the configuration. */
  readonly warnings: readonly string[];
  readonly version: string;
  /** Reads the configuration again, for a reload. */
  readonly load: (description?: Description) => LoadOutcome;
  readonly log: Logger;
  /** Where the log's lines go. */
  readonly logStream: Pick<LogStream, 'lost'>;
  /** For labs: what differs from the tunnel's own times. */
  readonly times?: Partial<TunnelTimes>;
  /** Something without which the router cannot go on (a packet worker, a LAN interface's MAC) has ended. */
  readonly onFailure: (error: Error) => void;
}

export type Parts = ReturnType<typeof assemble>;

/** Opens the sockets; throws when one cannot be had. Nothing is sent yet. */
export function assemble(options: RouterOptions) {
  const basis = makeBasis(options);
  const records = makeRecords(options, basis);
  const sockets = openSockets(basis.native, options.config.router, records.tables.gndt, options.config.lndt);
  basis.warnings.add(...sockets.warnings);
  standByAtFirst(records.tables.gndt, sockets);
  const packets = makePackets(options, { ...basis, ...records, sockets });
  const overlay = makeOverlay(options, { ...basis, ...records, ...packets, sockets });
  const operation = makeOperation(options, { ...basis, ...records, ...packets, ...overlay, sockets });
  return { ...basis, ...records, ...packets, ...overlay, ...operation, sockets };
}

/** What nearly everybody needs. */
function makeBasis({ log }: RouterOptions) {
  const clock: Clock = systemClock;
  const hub = new EventHub(log, clock);
  return {
    clock,
    native: loadNative(),
    hub,
    pairEvents: new PairEvents(hub, clock),
    warnings: new Warnings(),
    readiness: new Readiness(),
    board: new CounterBoard(COUNTER_CLASSES),
    /** One account of each member, whatever its messages are about. */
    conduct: new Conduct(clock),
    topics: {
      lans: new LanTopics(),
      tunnel: new TunnelTopics(),
      mobility: new MobilityTopics(),
    },
  };
}
type Basis = ReturnType<typeof makeBasis>;

/** The tables with what was saved of them. */
function makeRecords(
  { config, logStream }: RouterOptions,
  { clock, hub, warnings, board, pairEvents }: Basis,
) {
  const gndt = new Gndt(config.gndt, config.router.id);
  const sites = new Sites(gndt);
  const directory = new Directory(gndt.self, clock);
  const hwdt = new Hwdt(clock);
  const lndt = new Lndt(config.lndt, gndt, directory);
  const tables: Tables = { gndt, directory, hwdt, lndt };
  const { stateDir } = config.router;
  const writeFailed = (reason: string): void =>
    hub.emit('error', 'state_write_failed', 'the state could not be written', { reason });
  const store = new StateStore(stateDir, DIRECTORY_FORM, clock, writeFailed);
  const { records, problem } = store.load();
  if (problem !== undefined) warnings.add(problem);
  directory.load(records);
  const strangers = directory.keepMembers(gndt.siteIds);
  const local = new LocalRecords(gndt, directory);
  const ignoreFile = new IgnoreFile({ clock, local, hub });
  warnings.follow(ignoreFile);
  // The file must not bring them back.
  if (strangers.length > 0) store.schedule(() => local.all());
  const endpoints = openEndpointMemory(stateDir, gndt, clock, writeFailed);
  warnings.add(...endpoints.warnings);
  const names = openNameMemory(stateDir, gndt, clock, writeFailed);
  warnings.add(...names.warnings);
  const counts = (): RouterCounts => ({ hwdt_evicted: hwdt.evicted, log_lines_lost: logStream.lost });
  for (const source of [hub, pairEvents, { counters: counts }]) board.add(source);
  const terms = new Terms({ stateDir, clock, gndt, onError: writeFailed });
  if (terms.problem !== undefined) warnings.add(terms.problem);
  return { tables, sites, store, local, endpoints, names, ignoreFile, terms };
}
type Records = ReturnType<typeof makeRecords>;

/** The forwarding table and who follows the directory for it, the workers, the LANs, the kernel's part. */
function makePackets(
  { config, onFailure }: RouterOptions,
  {
    clock,
    native,
    hub,
    board,
    topics,
    tables,
    sites,
    sockets,
  }: Basis & Records & { readonly sockets: Sockets },
) {
  const { gndt, directory } = tables;
  const { lans, lanSockets, tuns } = sockets;
  // The tables follow the directory before mobility hears of a change: tables first, then messages, then ARP.
  const forwarding = ForwardingTable.create();
  const activity = new NodeActivity(gndt.self, directory);
  const compiler = new ForwardingCompiler({ ...tables, clock, table: forwarding, lans, activity, tuns });
  compiler.rebuild();
  const rescue = new LanRescue({ native, clock, gndt, directory, lans, lanSockets, hub });
  const relays = new Relays(native, gndt);
  const { workers } = config.router;
  const parts = { clock, native, workers, gndt, sockets, forwarding, relays, rescue, activity, sites };
  const plane = new DataPlane(planeOptions(parts));
  const lanSide = new LanSide({ lans, pcap: native, clock, tables, topics: topics.lans });
  const sendFrame = (lan: LanIndex, frame: Uint8Array): void => lanSide.sendFrame(lan, frame);
  const taken = (): void => topics.lans.taken.notify();
  const gateways = new Gateways({ clock, lans, hub, sendFrame, taken });
  const virtualMacs = new VirtualMacWatch();
  const overhearing = new Overhearing({ clock, plane, rescue });
  const ports = new PortWatch({ clock, lans, hwdt: tables.hwdt, rescue, plane, sendFrame });
  const lanWatch = new LanWatch({ clock, lans, onFailure });
  const tunRoutes = new TunRoutes({ ports: tuns, lans, gndt, directory, hub });
  const resolver = new Resolver({ addon: native, clock, overlayRoute: (ip) => tunRoutes.routeTo(ip) });
  const guards = new Guards(lans, gndt.self, hub);
  for (const source of [plane, lanSide, compiler, gateways]) board.add(source);
  return {
    activity,
    forwarding,
    compiler,
    rescue,
    relays,
    plane,
    lanSide,
    gateways,
    virtualMacs,
    overhearing,
    ports,
    lanWatch,
    tunRoutes,
    resolver,
    guards,
  };
}
type Packets = ReturnType<typeof makePackets>;

/** What speaks with the other routers, and what decides on moves. */
function makeOverlay(
  options: RouterOptions,
  parts: Basis & Records & Packets & { readonly sockets: Sockets },
) {
  const { config } = options;
  const { clock, hub, board, conduct, topics, tables, store, local, lanSide, sockets } = parts;
  const { activity, sites } = parts;
  const { gndt, directory, hwdt } = tables;
  const lanNodes = new LanNodes(gndt.self, directory, hwdt);
  const growth = new LanGrowth(clock, lanNodes, config.router.limits.nodesPerLan);
  const initialSync = new InitialSync(clock, gndt.otherRouters().length);
  const tunnel = makeTunnel(options, parts);
  const mobilityEvents = new MobilityEvents(hub, gndt, clock);
  const mobility = new Mobility({
    ...tables,
    lans: sockets.lans,
    config: config.router.mobility,
    limits: config.router.limits,
    growth,
    activity,
    conduct,
    startsLater: true,
    ...(gndt.partner === undefined ? {} : { standsBy: true }),
    ports: {
      clock,
      messenger: new SiteMessenger(tunnel, gndt, sites),
      ...(gndt.partner === undefined ? {} : { partner: new PartnerLink(tunnel, gndt) }),
      sendFrame: (lan, frame) => lanSide.sendFrame(lan, frame),
      event: (event) => mobilityEvents.tell(event),
      moveJudged: (move) => topics.mobility.judged.notify(move),
      answered: (lan, question) => topics.mobility.answered.notify(lan, question),
      // After what is being said on the wires now, not before: the disk must not add to a blackout.
      saveState: () => store.saveSoon(() => local.all()),
    },
  });
  const pair =
    gndt.partner === undefined ? undefined : makePair({ ...parts, config: config.router, tunnel, mobility });
  const roles = new SiteRoles({
    clock,
    gndt,
    sites,
    tunnel,
    conduct,
    terms: parts.terms,
    desk: pair?.desk,
  });
  const { plane } = parts;
  const traffic = new TrafficDesk({
    clock,
    conduct,
    tables,
    plane,
    tunnel,
    config: config.router.traffic,
    isActive: () => sites.isActive(gndt.router),
  });
  for (const source of [tunnel, roles, mobility, growth, traffic]) board.add(source);
  return { growth, initialSync, tunnel, roles, mobilityEvents, mobility, pair, traffic };
}
type Overlay = ReturnType<typeof makeOverlay>;

function makeTunnel(
  { config, version, times = {} }: RouterOptions,
  parts: Basis & Records & Packets & { readonly sockets: Sockets },
): Tunnel {
  const { native, conduct, topics, tables, relays, endpoints, names, resolver, sockets } = parts;
  const { gndt } = tables;
  return new Tunnel({
    gndt: config.gndt,
    self: config.router.id,
    peerNumber: (router) => gndt.peerIndex(router),
    privateKey: config.privateKey,
    presharedKeys: config.presharedKeys,
    clients: gndt.ownClients,
    times,
    fastAes: isFastAes(native.cipherSpeeds()),
    description: {
      version,
      capabilities: [],
      gndtDigest: gndtDigest(config.gndt),
      innerMtuBytes: ownInnerMtu(sockets.lanSockets.map(({ mtuBytes }) => mtuBytes)),
    },
    ports: tunnelPorts(native, sockets.udp, (peer) => relays.tagOf(peer), resolver),
    listeners: topics.tunnel.listeners,
    conduct,
    lastHeard: (publicKey) => endpoints.lastHeard(publicKey),
    timestampsAfterUs: endpoints.stampFloorUs,
    keptName: (name) => names.kept(name),
  });
}

/** A router that has a partner serves nothing before it knows that the other one does not. */
function standByAtFirst(gndt: Gndt, { lans }: Sockets): void {
  if (gndt.partner === undefined) return;
  for (const { index } of lans.current()) lans.setRole(index, 'standby');
}

/** What shows the router to operators, and what they may do with it. */
function makeOperation(
  { config, version, log, load, ...options }: RouterOptions,
  parts: Basis & Records & Packets & Overlay & { readonly sockets: Sockets },
) {
  const { clock, hub, conduct, warnings, readiness, board, tables, forwarding, lanWatch, sockets } = parts;
  const drops = new DropSummary(clock, board, (grown) =>
    log.info({ event: 'drops', ...grown }, 'packets dropped in the last 10 s'),
  );
  const conductSummary = new ConductSummary(clock, conduct, hub);
  const routes = new RouteExplainer(tables.gndt, forwarding, sockets);
  const roleSource: RoleSource = parts.pair?.desk ?? new Alone({ clock, gndt: tables.gndt });
  const view = new LiveView({
    ...parts,
    roleSource,
    version,
    listen: config.router.listen,
    cipher: config.gndt.cipher,
    routes,
  });
  const metrics = new LazyMetrics(metricsSource({ ...parts, view }));
  const metricsHost = new MetricsHost({
    metrics,
    onFault: (err) => log.error({ event: 'metrics_fault', err }, 'the metrics listener has a fault'),
  });
  const applied = { ...parts, metrics: metricsHost, roleSource, log };
  const reloader = new Reloader({
    clock,
    hub,
    config,
    warnings: options.warnings,
    load: () => load(),
    prepare: (before, after, lenient) => prepareConfig(applied, before, after, lenient),
    readiness,
  });
  const network = makeNetwork({ ...parts, config, load, reloader });
  const joining = makeMemberships({ ...parts, config, reloader });
  metrics.follow({ network: () => network?.view(), memberships: () => joining.memberships.view() });
  for (const source of [reloader, lanWatch, parts.gateways]) warnings.follow(source);
  if (parts.pair !== undefined) warnings.follow(parts.pair.lans);
  const actions = new OperatorActions({
    ...parts,
    log,
    view,
    routes,
    reloader,
    roleSource,
    network,
    ...joining,
  });
  return { network, ...joining, drops, conductSummary, view, metrics, metricsHost, reloader, actions };
}
