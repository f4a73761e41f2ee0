import type { MoveView } from '../../mobility/ports.js';
import type { MetricsSource } from './metric-families.js';
import type { Metrics } from './metrics.js';
import type { NetworkSource } from './network-families.js';

/**
 * The metrics, from when somebody can scrape them on: a router without `metrics.listen` does without their library,
 * which costs it some megabytes.
 */
export class LazyMetrics {
  readonly #source: Omit<MetricsSource, keyof NetworkSource>;
  #network: NetworkSource = { network: () => undefined, memberships: () => [] };
  #metrics: Promise<Metrics> | undefined;
  #loaded: Metrics | undefined;

  constructor(source: Omit<MetricsSource, keyof NetworkSource>) {
    this.#source = source;
  }

  /** Made behind this one; to be called before anybody scrapes. */
  follow(network: NetworkSource): void {
    this.#network = network;
  }

  /** Moves count from now on. May be called again. */
  async load(): Promise<void> {
    await this.#load();
  }

  async collect(): Promise<{ text: string; type: string }> {
    return (await this.#load()).collect();
  }

  judged(move: { view(): MoveView }): void {
    this.#loaded?.judged(move.view());
  }

  stop(): void {
    this.#loaded?.stop();
  }

  #load(): Promise<Metrics> {
    this.#metrics ??= import('./metrics.js').then(({ Metrics }) => {
      this.#loaded = new Metrics({ ...this.#source, ...this.#network });
      this.#loaded.start();
      return this.#loaded;
    });
    return this.#metrics;
  }
}
