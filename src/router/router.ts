/** The router's life: its parts are begun in order, and ended in order. assembly.ts makes them, connections.ts connects them. */
import type { ReloadErrorView, ReloadRequest, ReloadView, StatusView } from '../control/api.js';
import { type ControlServer, startControlServer } from '../control/server.js';
import type { DataPlane } from '../dataplane/plane.js';
import { takePrecedence } from '../dataplane/worker/precedence.js';
import { TUN_MTU_BYTES } from '../protocol/overhead.js';
import { assemble, type Parts, type RouterOptions } from './assembly.js';
import { connect } from './connections.js';
import { StartSequence, type Step, takeDown } from './life/sequence.js';
import { planeListener } from './punts.js';

export class Router {
  readonly #options: RouterOptions;
  readonly #parts: Parts;
  readonly #startup: StartSequence;
  #control: ControlServer | undefined;

  /** Opens the sockets; throws when one cannot be had. Nothing is sent yet. */
  constructor(options: RouterOptions) {
    this.#options = options;
    this.#parts = assemble(options);
    connect(this.#parts);
    this.#startup = new StartSequence(this.#startSteps());
  }

  /** True when the router is ready: tables complete, workers running. False: it was stopped meanwhile. */
  start(): Promise<boolean> {
    return this.#startup.run();
  }

  status(): StatusView {
    return this.#parts.view.status();
  }

  /** For the watchdog: how often each packet worker has gone round its loop. */
  workerTurns(): ReturnType<DataPlane['turns']> {
    return this.#parts.plane.turns();
  }

  /** The kernel's numbers of the packet workers' threads, as far as known. */
  workerThreads(): readonly number[] {
    return this.#parts.plane.threads().flatMap(({ thread }) => (thread === 0 ? [] : [thread]));
  }

  /** Reads the files again and applies what differs; what came of it is also an event. */
  reload(request: ReloadRequest): Promise<ReloadView | ReloadErrorView> {
    return this.#parts.reloader.reload(request);
  }

  /**
   * Says goodbye, saves, closes everything, as far as it had come; nothing begins after this. Settles within a second, and
   * rejects when something could not be ended; the rest then is.
   */
  async stop(): Promise<void> {
    this.#parts.readiness.end();
    this.#parts.initialSync.stop();
    await this.#startup.abort();
    await takeDown(this.#stopSteps());
  }

  /** In this order; each begins when the one before it has ended, and none after `stop`. */
  #startSteps(): readonly Step[] {
    const { plane, tunnel, initialSync } = this.#parts;
    const listener = planeListener(this.#parts, this.#options.onFailure);
    return [
      { name: 'control socket', run: () => this.#startControl() },
      { name: 'kernel guard', run: () => this.#startGuard() },
      { name: 'metrics', run: () => this.#startMetrics() },
      { name: 'exporters', run: () => this.#startExporters() },
      { name: 'warnings', run: () => this.#logWarnings(this.#parts.warnings.all()) },
      { name: 'tunnel worker', run: () => plane.startTunnel(listener) },
      { name: 'tunnel', run: () => tunnel.start() },
      // A newer sequence number that a peer has must win before anything is said here (after a restart above all).
      { name: 'initial sync', run: () => initialSync.done },
      { name: 'LAN worker', run: () => plane.serve(listener) },
      // After the packet workers: what the machine sends would only be lost before.
      { name: 'TUN ports', run: () => this.#startTuns() },
      { name: 'LANs', run: () => this.#serve() },
    ];
  }

  #stopSteps(): readonly Step[] {
    const parts = this.#parts;
    return [
      // While everything still works: the other router takes over, and what is on its way here is forwarded.
      { name: 'role', run: () => parts.pair?.desk.stop() },
      { name: 'description', run: () => parts.network?.stop() },
      { name: 'reload', run: () => parts.reloader.stop() },
      { name: 'metrics', run: () => parts.metrics.stop() },
      { name: 'traffic', run: () => parts.traffic.stop() },
      { name: 'mobility', run: () => parts.mobility.stop() },
      { name: 'LAN addresses', run: () => parts.lanWatch.stop() },
      { name: 'overhearing', run: () => parts.overhearing.stop() },
      { name: 'gateway addresses', run: () => parts.gateways.stop() },
      { name: 'LANs', run: () => parts.lanSide.stop() },
      { name: 'rescue', run: () => parts.rescue.stop() },
      { name: 'tunnel', run: () => parts.tunnel.stop('the router is stopping') },
      { name: 'resolver', run: () => parts.resolver.stop() },
      { name: 'packet workers', run: () => parts.plane.stop() },
      // Behind what may still be an event: the end of the tunnel and of the workers.
      { name: 'events', run: () => parts.mobilityEvents.flush() },
      { name: 'drops', run: () => parts.drops.stop() },
      { name: 'conduct', run: () => parts.conductSummary.stop() },
      { name: 'writing', run: () => parts.store.idle() },
      { name: 'ignore file', run: () => parts.ignoreFile.stop() },
      { name: 'state', run: () => parts.store.save(parts.local.all()) },
      { name: 'writing endpoints', run: () => parts.endpoints.idle() },
      { name: 'endpoints', run: () => parts.endpoints.save() },
      { name: 'writing names', run: () => parts.names.idle() },
      { name: 'names', run: () => parts.names.save() },
      { name: 'kernel guard', run: () => parts.guards.stop() },
      { name: 'TUN routes', run: () => parts.tunRoutes.stop() },
      { name: 'sockets', run: () => parts.sockets.close() },
      { name: 'suppressed events', run: () => parts.hub.stop() },
      { name: 'terms', run: () => parts.terms.stop() },
      { name: 'metrics listener', run: () => parts.metricsHost.stop() },
      { name: 'control socket', run: () => this.#control?.close() },
    ];
  }

  async #startControl(): Promise<void> {
    const { config, log } = this.#options;
    const { view, actions, hub, warnings } = this.#parts;
    this.#control = await startControlServer({
      ...config.router.control,
      view,
      actions,
      events: hub,
      onFault: (call, fault) =>
        log.error({ event: 'control_fault', call, err: fault }, 'a control call failed'),
    });
    warnings.add(...this.#control.warnings);
  }

  async #startGuard(): Promise<void> {
    const { guards, tables, warnings } = this.#parts;
    warnings.add(...(await guards.start(tables.gndt.config.networks)));
  }

  async #startMetrics(): Promise<void> {
    const problem = await this.#parts.metricsHost.start(this.#options.config.router.metrics);
    if (problem !== undefined) this.#parts.warnings.add(problem);
  }

  async #startExporters(): Promise<void> {
    this.#parts.warnings.add(...(await this.#parts.traffic.listen()));
  }

  async #startTuns(): Promise<void> {
    const found = await this.#parts.tunRoutes.start(TUN_MTU_BYTES);
    this.#logWarnings(found);
    this.#parts.warnings.add(...found);
  }

  #logWarnings(found: readonly string[]): void {
    for (const warning of found) this.#options.log.warn({ event: 'warning' }, warning);
  }

  #serve(): void {
    const { lanWatch, overhearing, lanSide, gateways, mobility, drops, conductSummary, readiness, hub } =
      this.#parts;
    const { ignoreFile } = this.#parts;
    lanWatch.look();
    lanWatch.start();
    overhearing.start();
    lanSide.open();
    gateways.start();
    mobility.start();
    ignoreFile.configure(this.#options.config.router.dhcpIgnore);
    lanSide.start();
    drops.start();
    this.#parts.traffic.start();
    conductSummary.start();
    takePrecedence();
    readiness.begin();
    this.#parts.pair?.desk.start();
    this.#parts.network?.start();
    hub.emit('info', 'ready', 'the router is ready', { version: this.#options.version });
  }
}
