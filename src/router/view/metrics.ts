/** Everything that Prometheus gets: what is read when it is scraped, and moves, which are counted as they happen. */
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Counter, Histogram, Registry } from 'prom-client';
import type { MoveView } from '../../mobility/ports.js';
import { expose, type MetricFamily } from './exposition.js';
import { familiesOf, type MetricsSource } from './metric-families.js';

const MS = 1e-3;
const NS = 1e-9;
const LAG_RESOLUTION_MS = 50;
const MOVE_BUCKETS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];

export class Metrics {
  readonly #source: MetricsSource;
  /** Of what is counted here. */
  readonly #registry = new Registry();
  readonly #lag: IntervalHistogram = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  readonly #moves: Counter<'role' | 'verdict'>;
  readonly #toClaim: Histogram;
  readonly #toAcknowledged: Histogram;
  readonly #blackout: Histogram;

  constructor(source: MetricsSource) {
    this.#source = source;
    const registers = [this.#registry];
    this.#moves = new Counter({
      name: 'vine_moves_total',
      help: "Verdicts on moves of nodes, by this router's part in them",
      labelNames: ['role', 'verdict'],
      registers,
    });
    const histogram = (name: string, help: string): Histogram =>
      new Histogram({ name, help, buckets: MOVE_BUCKETS, registers });
    this.#toClaim = histogram(
      'vine_move_detection_to_claim_seconds',
      'From the capture of the announcement to the claim that was sent, at the destination',
    );
    this.#toAcknowledged = histogram(
      'vine_move_claim_to_acknowledged_seconds',
      'From the claim to the acceptance by the router that had the node, at the destination',
    );
    this.#blackout = histogram(
      'vine_move_blackout_estimated_seconds',
      "For how long packets from its old LAN did not reach a node that came here, from the capture of its announcement; the hypervisor's own pause is not in it",
    );
  }

  /** Begins to watch the event loop; costs nothing before. */
  start(): void {
    this.#lag.enable();
  }

  stop(): void {
    this.#lag.disable();
  }

  async collect(): Promise<{ text: string; type: string }> {
    const lag = this.#lagFamily();
    this.#lag.reset();
    const read = await expose([...familiesOf(this.#source), lag], nextTurn);
    return { text: read + (await this.#registry.metrics()), type: this.#registry.contentType };
  }

  /** A move has got a verdict. */
  judged({ role, verdict, steps, from, blackoutUs }: MoveView): void {
    this.#moves.inc({ role, verdict });
    if (role !== 'destination' || verdict !== 'accepted') return;
    const at = (name: string): number | undefined => steps.find(({ step }) => step === name)?.atUs;
    const claimed = at('claim_sent');
    const acknowledged = from === undefined ? undefined : at(`accepted:${from}`);
    if (claimed !== undefined) this.#toClaim.observe(claimed / 1e6);
    if (claimed === undefined || acknowledged === undefined) return;
    this.#toAcknowledged.observe((acknowledged - claimed) / 1e6);
    if (blackoutUs !== undefined) this.#blackout.observe(blackoutUs / 1e6);
  }

  #lagFamily(): MetricFamily {
    const seconds = (percent: number): number =>
      Math.max(0, this.#lag.percentile(percent) * NS - LAG_RESOLUTION_MS * MS);
    const values = [50, 90, 99, 100].map((percent) => [percent, seconds(percent)] as const);
    return {
      name: 'vine_event_loop_lag_seconds',
      type: 'gauge',
      help: "How late the control thread's timers were since the last scrape",
      labels: ['quantile'],
      rows: () => values.map(([percent, value]) => [[String(percent / 100)], value]),
    };
  }
}
