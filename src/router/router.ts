/**
 * The composition root: builds the tables, the tunnel, mobility and the data plane, connects them, and takes them down
 * again. What a part does is in its own room; here is only who hears whom.
 */
import type { Logger } from 'pino';
import { gndtDigest } from '../config/digest.js';
import { listInterfaces } from '../config/interfaces.js';
import type { VineConfig } from '../config/load.js';
import type { StatusView } from '../control/api.js';
import { type ControlServer, startControlServer } from '../control/server.js';
import { loadNative } from '../dataplane/native.js';
import { DataPlane } from '../dataplane/plane.js';
import type { WorkerMessage } from '../dataplane/worker-message.js';
import { Mobility } from '../mobility/mobility.js';
import type { Mac } from '../net/mac.js';
import { systemClock } from '../net/system-clock.js';
import { Directory } from '../tables/directory.js';
import { ForwardingCompiler } from '../tables/forwarding-compiler.js';
import { ForwardingTable } from '../tables/forwarding-table.js';
import { Gndt } from '../tables/gndt.js';
import { Hwdt } from '../tables/hwdt.js';
import { Lndt } from '../tables/lndt.js';
import type { NodeRecord, RouterId } from '../tables/model.js';
import { Tunnel } from '../tunnel/tunnel.js';
import { sourceAddress, toIp } from './address-words.js';
import { DropSummary } from './drop-summary.js';
import { EventHub } from './event-hub.js';
import { Hearing } from './hearing.js';
import { KernelGuard } from './kernel-guard.js';
import { LanSide } from './lan-side.js';
import { kernelForwards } from './lans.js';
import { emitMobilityEvent } from './mobility-events.js';
import { innerMtu, ownInnerMtu } from './mtu.js';
import { openSockets, type Sockets } from './sockets.js';
import { StateStore } from './state-store.js';
import type { Tables } from './table-views.js';
import { TunRoutes } from './tun-ports.js';
import { emitTunnelEvent } from './tunnel-events.js';
import { tunnelPorts } from './tunnel-ports.js';
import { LiveView } from './view.js';

export interface RouterOptions {
  readonly config: VineConfig;
  /** From reading the configuration. */
  readonly warnings: readonly string[];
  readonly version: string;
  readonly log: Logger;
  /** Something without which the router cannot go on (a packet worker) has ended. */
  readonly onFailure: (error: Error) => void;
}

export class Router {
  readonly #options: RouterOptions;
  readonly #clock = systemClock;
  readonly #hub: EventHub;
  readonly #tables: Tables;
  readonly #forwarding = ForwardingTable.create();
  readonly #store: StateStore;
  readonly #sockets: Sockets;
  readonly #plane: DataPlane;
  readonly #lanSide: LanSide;
  readonly #mobility: Mobility;
  readonly #tunnel: Tunnel;
  readonly #hearing: Hearing;
  readonly #drops: DropSummary;
  readonly #view: LiveView;
  readonly #warnings: string[];
  #control: ControlServer | undefined;
  #guard: KernelGuard | undefined;
  readonly #tunRoutes: TunRoutes;
  #serving = false;

  /** Opens the sockets; throws when one cannot be had. Nothing is sent yet. */
  constructor(options: RouterOptions) {
    const { config, log } = options;
    const native = loadNative();
    this.#options = options;
    this.#warnings = [...options.warnings];
    this.#hub = new EventHub(log, this.#clock);
    const gndt = new Gndt(config.gndt, config.router.id);
    const directory = new Directory(gndt.self, this.#clock);
    const hwdt = new Hwdt(this.#clock);
    const lndt = new Lndt(config.lndt, gndt, directory);
    this.#tables = { gndt, directory, hwdt, lndt };
    this.#store = this.#loadState();
    this.#sockets = openSockets(native, config.router, gndt, config.lndt);
    const { lans, tuns } = this.#sockets;
    // The tables follow the directory before mobility hears of a change: tables first, then messages, then ARP.
    const compiler = new ForwardingCompiler({
      gndt,
      lndt,
      hwdt,
      directory,
      table: this.#forwarding,
      lans,
      tuns,
    });
    compiler.rebuild();
    this.#tunRoutes = new TunRoutes(tuns, gndt, directory, (problem) =>
      this.#hub.emit('warn', 'tun_route_failed', 'a route of a TUN port could not be set', {
        reason: problem,
      }),
    );
    this.#plane = this.#createPlane();
    this.#lanSide = new LanSide({
      lans,
      clock: this.#clock,
      tables: this.#tables,
      onFrame: (lan, frame, atMs) => this.#mobility.frameSeen(lan, frame, atMs),
      onGone: (vnet, ip) => this.#mobility.nodeGone(vnet, ip),
    });
    this.#mobility = this.#createMobility();
    this.#hearing = new Hearing(this.#clock, gndt.otherRouters().length);
    this.#tunnel = this.#createTunnel(native);
    this.#drops = new DropSummary(
      this.#clock,
      () => this.#counters(),
      (drops) => log.info({ event: 'drops', ...drops }, 'packets dropped in the last 10 s'),
    );
    this.#view = this.#createView();
    hwdt.subscribe(() => this.#plane.wake());
    directory.subscribe(() => this.#store.schedule(() => this.#ownState()));
  }

  /** Settles when the router is ready: tables complete, workers running. */
  async start(): Promise<void> {
    const { config, log, version } = this.#options;
    this.#control = await startControlServer({
      socket: config.router.control.socket,
      group: config.router.control.group,
      router: this.#view,
      onFault: (call, fault) =>
        log.error({ event: 'control_fault', call, err: fault }, 'a control call failed'),
    });
    this.#warnings.push(...this.#control.warnings, ...(await this.#guardKernel()), ...this.#lanWarnings());
    for (const warning of this.#warnings) log.warn({ event: 'warning' }, warning);
    await this.#plane.startTunnel();
    this.#tunnel.start();
    // A newer sequence number that a peer has must win before anything is said here (after a restart above all).
    await this.#hearing.done;
    await this.#plane.serve();
    await this.#startTuns();
    this.#lanSide.open();
    this.#mobility.start();
    this.#lanSide.start();
    this.#drops.start();
    this.#serving = true;
    this.#hub.emit('info', 'ready', 'the router is ready', { version });
  }

  status(): StatusView {
    return this.#view.status();
  }

  /** For the watchdog: how often each packet worker has gone round its loop. */
  workerTurns(): ReturnType<DataPlane['turns']> {
    return this.#plane.turns();
  }

  /** Says goodbye, saves, closes everything. Settles within a second. */
  async stop(): Promise<void> {
    this.#serving = false;
    this.#hearing.stop();
    this.#mobility.stop();
    this.#lanSide.stop();
    this.#tunnel.stop('the router is stopping');
    await this.#plane.stop();
    this.#drops.stop();
    this.#store.save(this.#ownState());
    this.#guard?.stop();
    this.#tunRoutes.stop();
    this.#sockets.close();
    await this.#control?.close();
  }

  #loadState(): StateStore {
    const { config } = this.#options;
    const store = new StateStore(config.router.stateDir, this.#clock, (message) =>
      this.#hub.emit('error', 'state_write_failed', 'the state could not be written', { reason: message }),
    );
    const { records, problem } = store.load();
    if (problem !== undefined) this.#warnings.push(problem);
    this.#tables.directory.load(records);
    return store;
  }

  /** What must survive a restart: own records, and those of nodes native here. */
  #ownState(): NodeRecord[] {
    const { directory, gndt } = this.#tables;
    return [...directory.all()].filter(
      ({ vnet, ip, router }) => router === gndt.self || gndt.isHome(vnet, ip),
    );
  }

  #createPlane(): DataPlane {
    const { gndt } = this.#tables;
    const { lans, lanSockets, tuns, udp } = this.#sockets;
    return new DataPlane({
      clock: this.#clock,
      native: loadNative(),
      lans: lanSockets,
      tuns: tuns.map(({ socket }) => socket),
      udp,
      lanVnets: [...lans, ...tuns].map(({ vnet }) => vnet),
      lanAddresses: lans.map(({ addresses }) => ({
        v4: sourceAddress(addresses, 4),
        v6: sourceAddress(addresses, 6),
      })),
      vnets: gndt.config.vnets.map(({ id }) => id),
      table: this.#forwarding.memory,
      selfPeer: gndt.peerIndex(gndt.self),
      onMessage: (message) => this.#workerMessage(message),
      onFailure: (worker, error) =>
        this.#options.onFailure(
          new Error(`${worker}: ${error.message}${this.#lostPorts()}`, { cause: error }),
        ),
    });
  }

  /** What a dead worker may have died of. */
  #lostPorts(): string {
    const there = listInterfaces();
    const { lans, tuns } = this.#sockets;
    const lost = [...lans, ...tuns].map((port) => port.interface).filter((name) => !there.includes(name));
    return lost.length === 0 ? '' : `; this machine no longer has ${lost.join(', ')}`;
  }

  #createMobility(): Mobility {
    return new Mobility({
      ...this.#tables,
      lans: this.#sockets.lans,
      config: this.#options.config.router.mobility,
      ports: {
        clock: this.#clock,
        messenger: {
          send: (to, message) => this.#tunnel.send(to, message),
          upPeers: () => this.#tunnel.upPeers(),
        },
        sendFrame: (lan, frame) => this.#lanSide.sendFrame(lan, frame),
        event: (event) => emitMobilityEvent(this.#hub, this.#tables.gndt, event),
        // After what is being said on the wires now, not before: the disk must not add to a blackout.
        saveState: () => void this.#clock.after('save', 0, () => this.#store.save(this.#ownState())),
      },
    });
  }

  #createTunnel(native: ReturnType<typeof loadNative>): Tunnel {
    const { config, version } = this.#options;
    return new Tunnel({
      // AES-256-GCM sessions are still to come (config/not-yet.ts warns).
      gndt: { ...config.gndt, cipher: 'chacha20-poly1305' },
      self: config.router.id,
      privateKey: config.privateKey,
      description: {
        version,
        capabilities: [],
        gndtDigest: gndtDigest(config.gndt),
        innerMtuBytes: ownInnerMtu(config.router.listen),
      },
      ports: tunnelPorts(native, this.#sockets.udp),
      listeners: {
        message: (from, message) => this.#mobility.message(from, message),
        up: (router) => this.#peerUp(router),
        down: (router) => this.#mobility.peerDown(router),
        event: (event) => emitTunnelEvent(this.#hub, event),
      },
    });
  }

  #peerUp(router: RouterId): void {
    const state = this.#tunnel.peers().find(({ id }) => id === router);
    if (state !== undefined)
      this.#plane.setPeerMtu(state.peer, innerMtu(state.endpoint?.address, state.innerMtuBytes));
    this.#mobility.peerUp(router);
    this.#hearing.peerUp();
  }

  #createView(): LiveView {
    return new LiveView({
      config: this.#options.config,
      version: this.#options.version,
      clock: this.#clock,
      tables: this.#tables,
      forwarding: this.#forwarding,
      lans: this.#sockets.lans,
      lanSockets: this.#sockets.lanSockets,
      tuns: this.#sockets.tuns,
      udp: this.#sockets.udp,
      plane: this.#plane,
      tunnel: this.#tunnel,
      mobility: this.#mobility,
      hub: this.#hub,
      warnings: this.#warnings,
      counters: () => this.#counters(),
      isReady: () => this.#serving,
      setLogLevel: (level) => {
        this.#options.log.level = level;
      },
    });
  }

  #workerMessage(message: WorkerMessage): void {
    switch (message.type) {
      case 'handshake': {
        const source = { address: toIp(message.address).toBytes(), port: message.port };
        this.#tunnel.handshakeReceived(message.bytes, source);
        break;
      }
      case 'control':
        this.#tunnel.controlReceived(message.peer, message.payload);
        break;
      case 'sessionConfirmed':
        this.#tunnel.sessionConfirmed(message.peer, message.session);
        break;
      case 'want':
        this.#lanSide.want(message.vnet, toIp(message.address));
        break;
      case 'redirect': {
        const router = this.#tables.gndt.config.routers[message.peer];
        if (router !== undefined) this.#mobility.redirectHint(router.id, message.vnet, toIp(message.address));
        break;
      }
      case 'sourceElsewhere':
        this.#lanSide.probe(message.lan, toIp(message.address), message.mac as Mac);
        break;
      default: // 'running' and 'stopped' are the plane's own.
    }
  }

  #counters(): Record<string, number> {
    return {
      ...this.#plane.counters(),
      ...this.#lanSide.counters(),
      ...this.#tunnel.counters(),
      ...this.#mobility.counters(),
      hwdt_evicted: this.#tables.hwdt.evicted,
    };
  }

  async #guardKernel(): Promise<string[]> {
    const { lans } = this.#sockets;
    const guard = await KernelGuard.start(lans, this.#tables.gndt, () => {
      this.#hub.emit(
        'error',
        'kernel_guard_lost',
        'the nftables rules that keep the kernel off are gone: restart the router',
      );
    });
    if (typeof guard !== 'string') {
      this.#guard = guard;
      return [];
    }
    const forwarding = lans.filter((lan) => kernelForwards(lan.interface)).map((lan) => lan.interface);
    const harm =
      forwarding.length > 0
        ? `it forwards what arrives on ${forwarding.join(', ')}, so packets may leave twice, unencrypted`
        : 'it may answer IPv6 packets of the overlay with "no route"';
    return [`the kernel also handles the overlay's packets (${guard}): ${harm}`];
  }

  /** After the packet workers: what the machine sends would only be lost before. */
  async #startTuns(): Promise<void> {
    const warnings = await this.#tunRoutes.start(ownInnerMtu(this.#options.config.router.listen));
    for (const warning of warnings) this.#options.log.warn({ event: 'warning' }, warning);
    this.#warnings.push(...warnings);
  }

  #lanWarnings(): string[] {
    return this.#sockets.lans
      .filter(({ addresses }) => addresses.length === 0)
      .map(
        (lan) =>
          `${lan.interface} has no address: nodes are asked for by ARP probes only, and no ICMP errors are sent`,
      );
  }
}
