/** Who talks to whom, in the running router: answers other routers' questions, and asks them when an operator wants to know. */
import type { TrafficRequest, TrafficView } from '../../control/traffic-view.js';
import type { DataPlane } from '../../dataplane/plane.js';
import type { Clock } from '../../net/clock.js';
import { Ip } from '../../net/ip.js';
import type { Conduct } from '../../protocol/conduct.js';
import { MAX_ASKED_NODE_IPS, type TrafficMessage } from '../../protocol/traffic-message.js';
import type { RouterId, TrafficConfig, VnetId } from '../../tables/model.js';
import { Answering } from '../../traffic/asking/answering.js';
import { Asking } from '../../traffic/asking/asking.js';
import { TrafficAuthority, trafficCounters } from '../../traffic/asking/authority.js';
import type { Decoded } from '../../traffic/collect/seen-flow.js';
import { Combined } from '../../traffic/combine.js';
import { slice, type Told } from '../../traffic/gather.js';
import { type Plan, planOf, type TrafficQuery } from '../../traffic/query.js';
import type { Prepared } from '../reload/prepared.js';
import type { Tables } from '../tables.js';
import type { SiteTrafficCounts } from '../view/traffic-families.js';
import { FlowListener } from './flow-listener.js';
import { Metering } from './metering.js';
import { SensorListener } from './sensor-listener.js';
import { trafficView } from './view.js';

const SECOND_MS = 1_000;
/** Questions of operators that are open at a time. */
const MOST_OPEN = 4;

export interface TrafficDeskOptions {
  readonly clock: Clock;
  readonly conduct: Conduct;
  readonly tables: Pick<Tables, 'gndt' | 'directory'>;
  readonly plane: Pick<DataPlane, 'harvest' | 'unattributed'>;
  readonly config: TrafficConfig;
  /** Does this router serve the site? */
  readonly isActive: () => boolean;
  readonly tunnel: { say(to: RouterId, message: TrafficMessage): void; upPeers(): RouterId[] };
}

export class TrafficDesk {
  readonly #options: TrafficDeskOptions;
  readonly #counters = trafficCounters();
  readonly #authority: TrafficAuthority;
  readonly #answering: Answering;
  readonly #metering: Metering;
  readonly #listener: FlowListener;
  readonly #sensors: SensorListener;
  readonly #open = new Set<Asking>();
  #keepSeconds: number;
  #waiting = 0;
  #lastQueryId: number;
  #isStopped = false;

  constructor(options: TrafficDeskOptions) {
    this.#options = options;
    const { clock, conduct, tables, plane, config, tunnel, isActive } = options;
    const { gndt, directory } = tables;
    const counters = this.#counters;
    this.#keepSeconds = config.keepSeconds;
    this.#metering = new Metering({ clock, gndt, directory, plane, counters, config, isActive });
    const told = (decoded: Decoded): void => this.#metering.seen(decoded);
    this.#listener = new FlowListener({ clock, gndt, counters, told });
    this.#sensors = new SensorListener({ clock, gndt, counters, told });
    // So that a router that has been started anew is not told what it asked before.
    this.#lastQueryId = Math.floor(clock.wallMs());
    const siteOf = (router: RouterId) => gndt.siteOf(router);
    this.#authority = new TrafficAuthority({ clock, conduct, counters, siteOf });
    this.#answering = new Answering({
      clock,
      counters,
      gather: (question) => this.#metering.gather(question),
      say: (to, message) => tunnel.say(to, message),
    });
  }

  counters(): Readonly<Record<string, number>> {
    return this.#counters.counters();
  }

  /** What this router has counted since it was started, by the sites of both ends. */
  siteTraffic(): SiteTrafficCounts {
    const { rest, unattributed } = this.#metering.totals();
    const pairs = rest.map((total) => ({ ...total, vnet: this.#vnetName(total.vnet) }));
    return { pairs, unattributedBytes: unattributed.bytes };
  }

  start(): void {
    this.#metering.start();
  }

  /** @returns problems with where exporters and sensors are to be heard; the router works without them */
  async listen(): Promise<string[]> {
    const { config } = this.#options;
    const problems = [await this.#listener.start(config), await this.#sensors.start(config.sensors)];
    return problems.filter((problem) => problem !== undefined);
  }

  /** See `prepareConfig`. */
  async prepare(config: TrafficConfig, lenient: boolean): Promise<Prepared | string> {
    const exporters = await this.#listener.prepare(config, lenient);
    if (typeof exporters === 'string') return exporters;
    const sensors = await this.#sensors.prepare(config.sensors, lenient);
    if (typeof sensors === 'string') {
      exporters.abandon();
      return sensors;
    }
    const both = [exporters, sensors];
    return {
      commit: () => both.forEach((one) => void one.commit()),
      abandon: () => both.forEach((one) => void one.abandon()),
    };
  }

  stop(): void {
    this.#isStopped = true;
    this.#metering.stop();
    this.#listener.stop();
    this.#sensors.stop();
    for (const asking of [...this.#open]) asking.stop();
  }

  reconfigure(config: TrafficConfig): void {
    this.#keepSeconds = config.keepSeconds;
    this.#metering.reconfigure(config);
  }

  received(from: RouterId, message: TrafficMessage): void {
    if (message.type === 'trafficAsk') {
      if (this.#authority.allowsAsk(from, message)) this.#answering.asked(from, message);
      return;
    }
    const asking = [...this.#open].find((one) => one.questionTo(from, message.queryId) !== undefined);
    const part = this.#authority.admitPart(from, message, asking?.questionTo(from, message.queryId));
    if (part !== undefined) asking?.received(from, part, part.rows.length === message.rows.length);
  }

  /** A string is the reason why it cannot be answered, and what could. */
  async ask(request: TrafficRequest): Promise<TrafficView | string> {
    const { clock } = this.#options;
    const query = this.#queryOf(request);
    if (typeof query === 'string') return query;
    const askedMs = clock.nowMs();
    const plan = planOf(query, clock.wallMs(), this.#keepSeconds);
    if (typeof plan === 'string') return plan;
    if (this.#waiting >= MOST_OPEN)
      return `${MOST_OPEN} questions about traffic are open already: wait for them`;
    this.#waiting++;
    try {
      await this.#until(plan.askAtMs);
      if (this.#isStopped) return 'the router is stopping';
      return await this.#ask(
        query,
        plan,
        Math.max(0, query.waitSeconds * SECOND_MS - (clock.nowMs() - askedMs)),
      );
    } finally {
      this.#waiting--;
    }
  }

  async #ask(query: TrafficQuery, plan: Plan, withinMs: number): Promise<TrafficView> {
    const { clock, tables, tunnel } = this.#options;
    const { gndt } = tables;
    const combined = new Combined(plan.question);
    const periodsOf = new Map<RouterId, number>();
    const told = (router: RouterId, what: Told): void => {
      periodsOf.set(router, what.periods);
      combined.add(what);
    };
    const up = new Set(tunnel.upPeers());
    const [reached, down] = [[] as RouterId[], [] as RouterId[]];
    for (const { id } of gndt.otherRouters()) (up.has(id) ? reached : down).push(id);
    const others = new Promise<readonly RouterId[]>((resolve) => {
      const context = {
        clock,
        say: (to: RouterId, message: TrafficMessage) => tunnel.say(to, message),
        nextQueryId: () => ++this.#lastQueryId,
      };
      const asking: Asking = new Asking(context, plan.question, reached, withinMs, {
        told,
        done: (missing) => {
          // Not before it is made.
          clock.after('traffic-told', 0, () => this.#open.delete(asking));
          resolve(missing);
        },
      });
      this.#open.add(asking);
    });
    told(gndt.router, await this.#inSlices(this.#metering.gather(plan.question)));
    const missing = [...(await others), ...down].sort();
    const vnetName = (vnet: VnetId): string => this.#vnetName(vnet);
    const nameOf = (vnet: VnetId, ip: Ip): string => this.#nameOf(vnet, ip);
    return trafficView({ query, plan, combined, missing, periodsOf, nameOf, vnetName });
  }

  async #inSlices(work: Generator<number, Told>): Promise<Told> {
    for (;;) {
      const told = slice(work);
      if (told !== undefined) return told;
      await this.#after(0);
    }
  }

  #until(wallMs: number): Promise<void> {
    const inMs = wallMs - this.#options.clock.wallMs();
    return inMs <= 0 ? Promise.resolve() : this.#after(inMs);
  }

  #after(ms: number): Promise<void> {
    return new Promise((resolve) => this.#options.clock.after('traffic-wait', ms, resolve));
  }

  #queryOf(request: TrafficRequest): TrafficQuery | string {
    const { gndt } = this.#options.tables;
    const { by, vnet: name, node, ...rest } = request;
    if (by === 'group')
      return 'the router makes no groups, "vinectl traffic --by group" does, of by=node&detail=1 of the last 90 s or more: ask by node or by site';
    const vnet = name === undefined ? undefined : gndt.vnetByName(name);
    if (name !== undefined && vnet === undefined) return `there is no vnet "${name}" in gndt.json`;
    const ip = node === undefined ? undefined : Ip.parse(node);
    if (node !== undefined && ip === undefined) return `"${node}" is not an IP address`;
    const vnets = vnet === undefined ? gndt.config.vnets : [vnet];
    const ips = ip === undefined ? [] : vnets.flatMap(({ id }) => this.#addressesWith(id, ip));
    const unique = [...new Map(ips.map((one) => [one.key, one])).values()];
    return { ...rest, by, vnet: vnet?.id, ips: unique.slice(0, MAX_ASKED_NODE_IPS) };
  }

  #vnetName(vnet: VnetId): string {
    return this.#options.tables.gndt.vnet(vnet)?.name ?? String(vnet);
  }

  /** Of the machine that has this one. */
  #addressesWith(vnet: VnetId, ip: Ip): readonly Ip[] {
    const { directory } = this.#options.tables;
    const record = directory.here(vnet, ip);
    if (record === undefined) return [ip];
    return [ip, ...directory.byMac(vnet, record.mac).map((other) => other.ip)];
  }

  /** The lowest of its IPv4 addresses; of its IPv6 ones if it has no other. */
  #nameOf(vnet: VnetId, ip: Ip): string {
    let best = ip;
    for (const other of this.#addressesWith(vnet, ip)) if (isBefore(other, best)) best = other;
    return best.key;
  }
}

function isBefore(a: Ip, b: Ip): boolean {
  if (a.family !== b.family) return a.family === 4;
  const [left, right] = [a.words, b.words];
  const at = left.findIndex((word, i) => word !== right[i]);
  return at >= 0 && (left[at] ?? 0) < (right[at] ?? 0);
}
