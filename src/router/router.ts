/**
 * The composition root: builds the tables, the tunnel, mobility and the data plane, connects them, and takes them down
 * again. What a part does is in its own room; here is only who hears whom.
 */
import type { Logger } from 'pino';
import { gndtDigest } from '../config/digest.js';
import type { LoadOutcome, VineConfig } from '../config/load.js';
import type { ReloadErrorView, ReloadRequest, ReloadView, StatusView } from '../control/api.js';
import { type ControlServer, startControlServer } from '../control/server.js';
import type { NativeAddon } from '../dataplane/engine.js';
import { loadNative } from '../dataplane/native.js';
import { DataPlane } from '../dataplane/plane.js';
import type { PlaneListener } from '../dataplane/worker/plane-worker.js';
import { takePrecedence } from '../dataplane/worker/precedence.js';
import { compileSoon } from '../dataplane/worker/tiering.js';
import { Mobility } from '../mobility/mobility.js';
import { systemClock } from '../net/system-clock.js';
import { Conduct } from '../protocol/conduct.js';
import { CLIENT_MTU_BYTES, ownInnerMtu, TUN_MTU_BYTES } from '../protocol/overhead.js';
import { Directory } from '../tables/directory.js';
import { ForwardingCompiler } from '../tables/forwarding-compiler.js';
import { ForwardingTable } from '../tables/forwarding-table.js';
import { Gndt } from '../tables/gndt.js';
import { Hwdt } from '../tables/hwdt.js';
import { LanGrowth } from '../tables/lan-growth.js';
import { LanNodes } from '../tables/lan-nodes.js';
import { Lndt } from '../tables/lndt.js';
import type { RouterConfig } from '../tables/model.js';
import type { TunnelTimes } from '../tunnel/times.js';
import { Tunnel } from '../tunnel/tunnel.js';
import { lanWarnings } from './lan/interfaces.js';
import { LanRescue } from './lan/lan-rescue.js';
import { LanSide } from './lan/lan-side.js';
import { LanWatch } from './lan/lan-watch.js';
import { InitialSync } from './life/initial-sync.js';
import { StartSequence, type Step, takeDown } from './life/sequence.js';
import { Guards } from './machine/guards.js';
import { openSockets, type Sockets } from './machine/sockets.js';
import { TunRoutes } from './machine/tun-ports.js';
import { planeOptions } from './plane-options.js';
import { planeListener } from './punts.js';
import { Relays } from './relays.js';
import { type ApplyParts, prepareConfig } from './reload/apply.js';
import { Reloader } from './reload/reloader.js';
import { LocalRecords } from './state/local-records.js';
import { StateStore } from './state/state-store.js';
import { tunnelPorts } from './tunnel-ports.js';
import { CounterBoard } from './view/counter-board.js';
import { COUNTER_CLASSES, type RouterCounts } from './view/counter-classes.js';
import { DropSummary } from './view/drop-summary.js';
import { EventHub } from './view/event-hub.js';
import { LazyMetrics } from './view/lazy-metrics.js';
import { MetricsHost } from './view/metrics-host.js';
import { metricsSource } from './view/metrics-source.js';
import { MobilityEvents } from './view/mobility-events.js';
import type { Tables } from './view/table-views.js';
import { emitTunnelEvent } from './view/tunnel-events.js';
import { LiveView } from './view/view.js';

export interface RouterOptions {
  readonly config: VineConfig;
  /** From reading the configuration. */
  readonly warnings: readonly string[];
  readonly version: string;
  /** Reads the configuration again, for a reload. */
  readonly load: () => LoadOutcome;
  readonly log: Logger;
  /** For labs: what differs from the tunnel's own times. */
  readonly times?: Partial<TunnelTimes>;
  /** Something without which the router cannot go on (a packet worker) has ended. */
  readonly onFailure: (error: Error) => void;
}

export class Router {
  readonly #options: RouterOptions;
  readonly #clock = systemClock;
  /** One account of each member, whatever its messages are about. */
  readonly #conduct = new Conduct(this.#clock);
  readonly #hub: EventHub;
  readonly #tables: Tables;
  readonly #compiler: ForwardingCompiler;
  readonly #growth: LanGrowth;
  readonly #forwarding = ForwardingTable.create();
  readonly #store: StateStore;
  readonly #local: LocalRecords;
  readonly #sockets: Sockets;
  readonly #rescue: LanRescue;
  readonly #relays: Relays;
  readonly #plane: DataPlane;
  readonly #lanSide: LanSide;
  readonly #lanWatch: LanWatch;
  readonly #mobilityEvents: MobilityEvents;
  readonly #mobility: Mobility;
  readonly #tunnel: Tunnel;
  readonly #initialSync: InitialSync;
  readonly #startup: StartSequence;
  readonly #board = new CounterBoard(COUNTER_CLASSES);
  readonly #drops: DropSummary;
  readonly #view: LiveView;
  readonly #warnings: string[];
  readonly #guards: Guards;
  readonly #metrics: LazyMetrics;
  readonly #metricsHost: MetricsHost;
  readonly #reloader: Reloader;
  #control: ControlServer | undefined;
  readonly #tunRoutes: TunRoutes;
  #serving = false;

  /** Opens the sockets; throws when one cannot be had. Nothing is sent yet. */
  constructor(options: RouterOptions) {
    const { config, log } = options;
    const native = loadNative();
    this.#options = options;
    this.#warnings = [];
    this.#hub = new EventHub(log, this.#clock);
    const gndt = new Gndt(config.gndt, config.router.id);
    const directory = new Directory(gndt.self, this.#clock);
    const hwdt = new Hwdt(this.#clock);
    const lndt = new Lndt(config.lndt, gndt, directory);
    this.#tables = { gndt, directory, hwdt, lndt };
    const { store, hasStrangers } = this.#loadState();
    this.#store = store;
    this.#sockets = openSockets(native, config.router, gndt, config.lndt);
    const { lans, tuns } = this.#sockets;
    const lanNodes = new LanNodes(gndt.self, directory, hwdt);
    this.#growth = new LanGrowth(this.#clock, lanNodes, config.router.limits.nodesPerLan);
    // The tables follow the directory before mobility hears of a change: tables first, then messages, then ARP.
    const table = this.#forwarding;
    this.#compiler = new ForwardingCompiler({ ...this.#tables, clock: this.#clock, table, lans, tuns });
    this.#compiler.rebuild();
    this.#rescue = this.#createRescue(native);
    this.#relays = new Relays(native, gndt);
    this.#tunRoutes = new TunRoutes(tuns, lans, gndt, directory, (problem) =>
      this.#hub.emit('warn', 'tun_route_failed', 'a route of a TUN port could not be set', {
        reason: problem,
      }),
    );
    this.#plane = this.#createPlane(native);
    this.#lanSide = new LanSide({
      lans,
      pcap: native,
      clock: this.#clock,
      tables: this.#tables,
      onFrame: (lan, frame, capturedMs) => this.#mobility.frameSeen(lan, frame, capturedMs),
      onGone: (vnet, ip) => this.#mobility.nodeGone(vnet, ip),
    });
    lans.subscribe(({ interface: lan, addresses }) =>
      this.#hub.emit('info', 'lan_readdressed', 'the machine has other addresses on a LAN', {
        lan,
        addresses: addresses.map(String),
      }),
    );
    this.#lanWatch = new LanWatch({ clock: this.#clock, lans, onFailure: options.onFailure });
    this.#mobilityEvents = new MobilityEvents(this.#hub, gndt, this.#clock);
    this.#mobility = this.#createMobility();
    this.#initialSync = new InitialSync(this.#clock, gndt.otherRouters().length);
    this.#tunnel = this.#createTunnel(native);
    const sources = [this.#plane, this.#lanSide, this.#tunnel, this.#mobility, this.#growth, this.#compiler];
    for (const source of sources) this.#board.add(source);
    this.#board.add({ counters: () => ({ hwdt_evicted: hwdt.evicted }) satisfies RouterCounts });
    this.#drops = new DropSummary(this.#clock, this.#board, (drops) =>
      log.info({ event: 'drops', ...drops }, 'packets dropped in the last 10 s'),
    );
    this.#guards = new Guards(lans, gndt.self, this.#hub);
    this.#metrics = new LazyMetrics(
      metricsSource({
        view: () => this.#view,
        board: this.#board,
        tables: this.#tables,
        forwarding: this.#forwarding,
        plane: this.#plane,
      }),
    );
    this.#metricsHost = new MetricsHost({
      load: () => this.#metrics.load(),
      collect: () => this.#metrics.collect(),
      onFault: (err) => log.error({ event: 'metrics_fault', err }, 'the metrics listener has a fault'),
    });
    this.#reloader = this.#createReloader();
    this.#view = this.#createView();
    hwdt.subscribe((_vnet, _ip, change) => {
      if (change === 'seen') this.#plane.wakeHolding();
    });
    this.#startup = new StartSequence(this.#startSteps());
    this.#local = new LocalRecords(gndt, directory, () => this.#store.schedule(() => this.#local.all()));
    if (hasStrangers) this.#store.schedule(() => this.#local.all());
  }

  /** True when the router is ready: tables complete, workers running. False: it was stopped meanwhile. */
  start(): Promise<boolean> {
    return this.#startup.run();
  }

  status(): StatusView {
    return this.#view.status();
  }

  /** For the watchdog: how often each packet worker has gone round its loop. */
  workerTurns(): ReturnType<DataPlane['turns']> {
    return this.#plane.turns();
  }

  /** The kernel's numbers of the packet workers' threads, as far as known. */
  workerThreads(): readonly number[] {
    return this.#plane.threads().flatMap(({ thread }) => (thread === 0 ? [] : [thread]));
  }

  /**
   * Says goodbye, saves, closes everything, as far as it had come; nothing begins after this. Settles within a second, and
   * rejects when something could not be ended; the rest then is.
   */
  async stop(): Promise<void> {
    this.#serving = false;
    this.#initialSync.stop();
    await this.#startup.abort();
    await takeDown([
      { name: 'reload', run: () => this.#reloader.stop() },
      { name: 'metrics', run: () => this.#metrics.stop() },
      { name: 'mobility', run: () => this.#mobility.stop() },
      { name: 'LAN addresses', run: () => this.#lanWatch.stop() },
      { name: 'LANs', run: () => this.#lanSide.stop() },
      { name: 'rescue', run: () => this.#rescue.stop() },
      { name: 'tunnel', run: () => this.#tunnel.stop('the router is stopping') },
      { name: 'packet workers', run: () => this.#plane.stop() },
      // Behind what may still be an event: the end of the tunnel and of the workers.
      { name: 'events', run: () => this.#mobilityEvents.flush() },
      { name: 'drops', run: () => this.#drops.stop() },
      { name: 'state', run: () => this.#saveState() },
      { name: 'kernel guard', run: () => this.#guards.stop() },
      { name: 'TUN routes', run: () => this.#tunRoutes.stop() },
      { name: 'sockets', run: () => this.#sockets.close() },
      { name: 'metrics listener', run: () => this.#metricsHost.stop() },
      { name: 'control socket', run: () => this.#control?.close() },
    ]);
  }

  /** Reads the files again and applies what differs; what came of it is also an event. */
  reload(request: ReloadRequest): Promise<ReloadView | ReloadErrorView> {
    return this.#reloader.reload(request);
  }

  /** In this order; each begins when the one before it has ended, and none after `stop`. */
  #startSteps(): readonly Step[] {
    const { config, log } = this.#options;
    return [
      { name: 'control socket', run: () => this.#startControl() },
      { name: 'kernel guard', run: () => this.#startGuard() },
      { name: 'metrics', run: () => this.#startMetrics(config.router.metrics) },
      {
        name: 'warnings',
        run: () => {
          for (const warning of this.#allWarnings()) log.warn({ event: 'warning' }, warning);
          compileSoon();
        },
      },
      { name: 'tunnel worker', run: () => this.#plane.startTunnel(this.#listener()) },
      { name: 'tunnel', run: () => this.#tunnel.start() },
      // A newer sequence number that a peer has must win before anything is said here (after a restart above all).
      { name: 'initial sync', run: () => this.#initialSync.done },
      { name: 'LAN worker', run: () => this.#plane.serve(this.#listener()) },
      { name: 'TUN ports', run: () => this.#startTuns() },
      { name: 'LANs', run: () => this.#serve() },
    ];
  }

  #listener(): PlaneListener {
    const listeners = {
      gndt: this.#tables.gndt,
      tunnel: this.#tunnel,
      lanSide: this.#lanSide,
      mobility: this.#mobility,
      sockets: this.#sockets,
    };
    return planeListener(listeners, this.#options.onFailure);
  }

  async #startControl(): Promise<void> {
    const { config, log } = this.#options;
    const { socket, group } = config.router.control;
    const onFault = (call: string, fault: unknown): void =>
      log.error({ event: 'control_fault', call, err: fault }, 'a control call failed');
    this.#control = await startControlServer({ socket, group, router: this.#view, onFault });
    this.#warnings.push(...this.#control.warnings);
  }

  async #startGuard(): Promise<void> {
    this.#warnings.push(...(await this.#guards.start(this.#tables.gndt.config.networks)));
  }

  async #startMetrics(address: RouterConfig['metrics']): Promise<void> {
    const problem = await this.#metricsHost.start(address);
    if (problem !== undefined) this.#warnings.push(problem);
  }

  #serve(): void {
    this.#lanWatch.look();
    this.#lanWatch.start();
    this.#lanSide.open();
    this.#mobility.start();
    this.#lanSide.start();
    this.#drops.start();
    takePrecedence();
    this.#serving = true;
    this.#hub.emit('info', 'ready', 'the router is ready', { version: this.#options.version });
  }

  async #saveState(): Promise<void> {
    await this.#store.idle();
    this.#store.save(this.#local.all());
  }

  #setLogLevel(level: string): void {
    this.#options.log.level = level;
  }

  #allWarnings(): string[] {
    return [...this.#reloader.warnings(), ...this.#warnings, ...lanWarnings(this.#sockets.lans.current())];
  }

  #createReloader(): Reloader {
    const { config, warnings, load } = this.#options;
    const parts: ApplyParts = {
      clock: this.#clock,
      tables: this.#tables,
      compiler: this.#compiler,
      growth: this.#growth,
      plane: this.#plane,
      tunnel: this.#tunnel,
      mobility: this.#mobility,
      lanSide: this.#lanSide,
      lanWatch: this.#lanWatch,
      tunRoutes: this.#tunRoutes,
      rescue: this.#rescue,
      relays: this.#relays,
      guards: this.#guards,
      metrics: this.#metricsHost,
      setLogLevel: (level) => this.#setLogLevel(level),
    };
    return new Reloader({
      clock: this.#clock,
      hub: this.#hub,
      config,
      warnings,
      load,
      prepare: (before, after, lenient) => prepareConfig(parts, before, after, lenient),
      isReady: () => this.#serving,
    });
  }

  #loadState(): { readonly store: StateStore; readonly hasStrangers: boolean } {
    const { config } = this.#options;
    const store = new StateStore(config.router.stateDir, this.#clock, (message) =>
      this.#hub.emit('error', 'state_write_failed', 'the state could not be written', { reason: message }),
    );
    const { records, problem } = store.load();
    if (problem !== undefined) this.#warnings.push(problem);
    this.#tables.directory.load(records);
    const strangers = this.#tables.directory.keepMembers(this.#tables.gndt.memberIds);
    return { store, hasStrangers: strangers.length > 0 };
  }

  /** Follows the directory before mobility does, as the forwarding table: frames are taken when packets can be routed. */
  #createRescue(native: NativeAddon): LanRescue {
    const { gndt, directory } = this.#tables;
    const { lans, lanSockets } = this.#sockets;
    const onError = (lan: string, reason: string): void =>
      this.#hub.emit('warn', 'rescue_failed', 'frames to other MACs cannot be taken', { lan, reason });
    return new LanRescue({ native, clock: this.#clock, gndt, directory, lans, lanSockets, onError });
  }

  #createPlane(native: NativeAddon): DataPlane {
    const { gndt } = this.#tables;
    return new DataPlane(
      planeOptions({
        clock: this.#clock,
        native,
        gndt,
        sockets: this.#sockets,
        forwarding: this.#forwarding,
        relays: this.#relays,
        rescue: this.#rescue,
      }),
    );
  }

  #createMobility(): Mobility {
    return new Mobility({
      ...this.#tables,
      lans: this.#sockets.lans.current(),
      config: this.#options.config.router.mobility,
      limits: this.#options.config.router.limits,
      growth: this.#growth,
      conduct: this.#conduct,
      startsLater: true,
      ports: {
        clock: this.#clock,
        messenger: {
          send: (to, message) => this.#tunnel.send(to, message),
          upPeers: () => this.#tunnel.upPeers(),
        },
        sendFrame: (lan, frame) => this.#lanSide.sendFrame(lan, frame),
        event: (event) => this.#mobilityEvents.tell(event),
        moveJudged: (move) => this.#metrics.judged(move),
        // After what is being said on the wires now, not before: the disk must not add to a blackout.
        saveState: () => this.#store.saveSoon(() => this.#local.all()),
      },
    });
  }

  #createTunnel(native: NativeAddon): Tunnel {
    const { config, version } = this.#options;
    return new Tunnel({
      gndt: config.gndt,
      self: config.router.id,
      peerNumber: (router) => this.#tables.gndt.peerIndex(router),
      privateKey: config.privateKey,
      presharedKeys: config.presharedKeys,
      clients: this.#tables.gndt.ownClients,
      times: this.#options.times ?? {},
      description: {
        version,
        capabilities: [],
        gndtDigest: gndtDigest(config.gndt),
        innerMtuBytes: ownInnerMtu(this.#sockets.lanSockets.map(({ mtuBytes }) => mtuBytes)),
      },
      conduct: this.#conduct,
      ports: tunnelPorts(native, this.#sockets.udp, (peer) => this.#relays.tagOf(peer)),
      listeners: {
        message: (from, message) => this.#mobility.message(from, message),
        up: (router) => {
          this.#mobility.peerUp(router);
          this.#initialSync.peerUp(router);
        },
        down: (router) => this.#mobility.peerDown(router),
        mtu: (peer, innerBytes) => this.#plane.setPeerMtu(peer, innerBytes),
        event: (event) => emitTunnelEvent(this.#hub, event),
        client: ({ peer }, isConnected) => this.#plane.setPeerMtu(peer, isConnected ? CLIENT_MTU_BYTES : 0),
      },
    });
  }

  #createView(): LiveView {
    return new LiveView({
      listen: this.#options.config.router.listen,
      version: this.#options.version,
      clock: this.#clock,
      tables: this.#tables,
      forwarding: this.#forwarding,
      lans: this.#sockets.lans,
      lanSockets: this.#sockets.lanSockets,
      tuns: this.#sockets.tuns,
      udp: this.#sockets.udp,
      tcp: this.#sockets.tcp,
      cipher: this.#options.config.gndt.cipher,
      rawChaCha: loadNative().rawChaCha(),
      plane: this.#plane,
      tunnel: this.#tunnel,
      mobility: this.#mobility,
      hub: this.#hub,
      warnings: () => this.#allWarnings(),
      reloader: this.#reloader,
      guarded: () => this.#guards.standing,
      board: this.#board,
      isReady: () => this.#serving,
      setLogLevel: (level) => this.#setLogLevel(level),
    });
  }

  /** After the packet workers: what the machine sends would only be lost before. */
  async #startTuns(): Promise<void> {
    const warnings = await this.#tunRoutes.start(TUN_MTU_BYTES);
    for (const warning of warnings) this.#options.log.warn({ event: 'warning' }, warning);
    this.#warnings.push(...warnings);
  }
}
