/** Harvests the flow memories each second into periods, and does what is to be done when one has ended; all in slices. */
import { isDeepStrictEqual } from 'node:util';
import type { Flow, FlowCounts } from '../../dataplane/flows/flow-harvest.js';
import type { DataPlane } from '../../dataplane/plane.js';
import type { Clock, Timer } from '../../net/clock.js';
import type { Directory } from '../../tables/directory.js';
import { formatEndpoint } from '../../tables/files/endpoint-text.js';
import type { Gndt } from '../../tables/gndt.js';
import type { TrafficConfig } from '../../tables/model.js';
import type { TrafficCounters } from '../../traffic/asking/authority.js';
import type { Decoded } from '../../traffic/collect/seen-flow.js';
import { gather, type Told } from '../../traffic/gather.js';
import { Periods } from '../../traffic/periods.js';
import type { Question } from '../../traffic/query.js';
import { SiteTotals } from '../../traffic/site-totals.js';
import { Attribution } from './attribution.js';
import { Exporter } from './exporter.js';
import { ToldFlows } from './told-flows.js';
import { WithinSite, type WithinSiteOptions } from './within-site.js';

const SECOND_MS = 1_000;
/** Flows, before something else has its turn: a move must not wait for them. */
const FLOWS_A_SLICE = 500;
/** For `slice` (gather.ts): as many rows as it may look at. */
const A_SLICE = Number.POSITIVE_INFINITY;

export interface MeteringOptions {
  readonly clock: Clock;
  readonly gndt: Pick<Gndt, 'router' | 'idAt' | 'peerIndex'> & WithinSiteOptions['gndt'];
  readonly directory: Pick<Directory, 'here'>;
  readonly isActive: () => boolean;
  readonly plane: Pick<DataPlane, 'harvest' | 'unattributed'>;
  readonly counters: TrafficCounters;
  readonly config: TrafficConfig;
}

export class Metering {
  readonly #options: MeteringOptions;
  readonly #attribution: Attribution;
  readonly #withinSite: WithinSite;
  readonly #periods: Periods;
  readonly #totals = new SiteTotals();
  /** Where what is attributed goes. */
  readonly #counted: Pick<Periods, 'add'>;
  /** The pass over the flow memories that is under way. */
  #pass: Generator<void> | undefined;
  /** Harvested and not yet attributed; from `#next` on. */
  #harvested: (readonly [flow: Flow, counts: FlowCounts])[] = [];
  #next = 0;
  readonly #told: ToldFlows;
  /** The most that was ever nobody's: what was told and given up at the same time is taken back. */
  #unattributed = { packets: 0, bytes: 0 };
  #exporter: Exporter;
  /** The first period that was not exported. */
  #exportFrom: number;
  #timer: Timer | undefined;
  #isWorking = false;
  #isStopped = false;

  constructor(options: MeteringOptions) {
    this.#options = options;
    const { clock, gndt, config } = options;
    this.#periods = new Periods(clock.wallMs(), { keepSeconds: config.keepSeconds });
    this.#told = new ToldFlows(options.counters);
    this.#withinSite = new WithinSite(options);
    this.#attribution = new Attribution(gndt, (...pair) => this.#withinSite.forwarded(...pair));
    this.#counted = {
      add: (pair, counts) => {
        this.#periods.add(pair, counts);
        this.#totals.add(pair, counts);
      },
    };
    this.#exporter = this.#makeExporter(config);
    this.#exportFrom = this.#periods.startSeconds;
  }

  start(): void {
    this.#arm();
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#exporter.stop();
  }

  reconfigure(config: TrafficConfig): void {
    this.#periods.setKeepSeconds(config.keepSeconds);
    this.#attribution.forget();
    // Otherwise what it is sending goes on, and its numbers do.
    if (isDeepStrictEqual(config.export.map(formatEndpoint), this.#exporter.endpoints.map(formatEndpoint)))
      return;
    this.#exporter.stop();
    this.#exporter = this.#makeExporter(config);
  }

  /** Since the start. */
  totals(): ReturnType<SiteTotals['totals']> {
    return this.#totals.totals();
  }

  /** Counts what there is when it begins, and answers; in slices. */
  *gather(question: Question): Generator<number, Told> {
    // One that is under way may have gone by what has come since.
    for (; this.#pass !== undefined; this.#step()) yield A_SLICE;
    this.#begin();
    while (this.#step()) yield A_SLICE;
    return yield* gather(this.#periods, question, this.#options.clock.wallMs());
  }

  /** What an exporter of this site has seen; it is in the period in which it is told. */
  seen(decoded: Decoded): void {
    this.#told.add(decoded);
  }

  /** At whole seconds of the wall clock, so that a period's end is one. */
  #arm(): void {
    const { clock } = this.#options;
    const inMs = SECOND_MS - (clock.wallMs() % SECOND_MS);
    this.#timer = clock.after('traffic-harvest', inMs, () => {
      this.#begin();
      this.#arm();
      if (!this.#isWorking) this.#work();
    });
  }

  #work(): void {
    this.#isWorking = true;
    this.#options.clock.after('traffic-work', 0, () => {
      if (this.#isStopped) return;
      if (this.#step()) {
        this.#work();
        return;
      }
      this.#isWorking = false;
      this.#export();
    });
  }

  #begin(): void {
    if (this.#pass !== undefined) return;
    this.#pass = this.#options.plane.harvest((flow, counts) => this.#harvested.push([flow, counts]));
    this.#told.passBegan();
  }

  /** A slice of what is to be done. False: nothing is left. */
  #step(): boolean {
    if (this.#pass === undefined) return this.#attribute() || this.#periods.tidy();
    if (this.#pass.next().done === true) {
      this.#pass = undefined;
      this.#countUnattributed();
    }
    return true;
  }

  #countUnattributed(): void {
    const { packets, bytes } = this.#options.plane.unattributed();
    const before = this.#unattributed;
    if (packets <= before.packets) return;
    this.#unattributed = { packets, bytes };
    const grown = { packets: packets - before.packets, bytes: Math.max(0, bytes - before.bytes) };
    this.#periods.addUnattributed(grown);
    this.#totals.addUnattributed(grown);
  }

  /** Ends the period when all that was harvested and told in it is in it. False: nothing is left to do. */
  #attribute(): boolean {
    const end = Math.min(this.#harvested.length, this.#next + FLOWS_A_SLICE);
    for (; this.#next < end; this.#next++) {
      const [flow, counts] = this.#harvested[this.#next] ?? [];
      if (flow !== undefined && counts !== undefined) this.#attribution.count(flow, counts, this.#counted);
    }
    if (this.#next < this.#harvested.length) return true;
    this.#harvested = [];
    this.#next = 0;
    const due = this.#told.take(FLOWS_A_SLICE);
    for (const [observer, flow] of due) this.#withinSite.count(flow, observer, this.#counted);
    if (due.length > 0) return true;
    if (this.#periods.roll(this.#options.clock.wallMs())) this.#attribution.forget();
    return false;
  }

  /** What has ended since the last time. */
  #export(): void {
    const [from, to] = [this.#exportFrom, this.#periods.startSeconds];
    this.#exportFrom = to;
    if (!this.#exporter.isWanted) return;
    for (const { startSeconds, counted } of this.#periods.between(from, to))
      this.#exporter.export(startSeconds, counted.pairs);
  }

  #makeExporter({ export: collectors }: TrafficConfig): Exporter {
    const { clock, gndt, counters } = this.#options;
    return new Exporter({ clock, counters, collectors, domain: gndt.peerIndex(gndt.router) + 1 });
  }
}
