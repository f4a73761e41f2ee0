/** The metrics' listener over reloads: on, off, or on another address, without a gap when that is possible. */

import { type MetricsServer, startMetricsServer } from '../../control/metrics-server.js';
import { codeOf, messageOf } from '../../net/system-error.js';
import type { RouterConfig } from '../../tables/model.js';
import { NOTHING_TO_DO, type Prepared } from '../reload/prepared.js';
import type { LazyMetrics } from './lazy-metrics.js';

type Address = RouterConfig['metrics'];

export interface MetricsHostOptions {
  /** `load` is awaited before it listens for the first time. */
  readonly metrics: Pick<LazyMetrics, 'load' | 'collect'>;
  readonly onFault: (fault: unknown) => void;
}

export class MetricsHost {
  readonly #options: MetricsHostOptions;
  #address: Address;
  #server: MetricsServer | undefined;

  constructor(options: MetricsHostOptions) {
    this.#options = options;
  }

  /** Where it listens; undefined when it does not. */
  get address(): Address {
    return this.#server === undefined ? undefined : this.#address;
  }

  /** @returns a problem with the address; the router works without metrics */
  async start(address: Address): Promise<string | undefined> {
    const prepared = await this.prepare(address, false);
    if (typeof prepared === 'string') return prepared;
    prepared.commit();
    return undefined;
  }

  /** @param lenient rather no metrics than a problem */
  async prepare(address: Address, lenient: boolean): Promise<Prepared | string> {
    if (sameAddress(address, this.#address) && (this.#server !== undefined || address === undefined))
      return NOTHING_TO_DO;
    if (address === undefined) return this.#change(undefined, undefined);
    const server = await this.#open(address);
    if (typeof server !== 'string') return this.#change(address, server);
    return lenient ? this.#change(address, undefined) : server;
  }

  async stop(): Promise<void> {
    await this.#server?.close();
    this.#server = undefined;
  }

  /**
   * A listener on the same port of all addresses keeps the new one from binding, or the other way round: then the old
   * one makes way for it, and comes back when that was in vain.
   */
  async #open(address: NonNullable<Address>): Promise<MetricsServer | string> {
    const first = await this.#listen(address);
    if (first.server !== undefined) return first.server;
    const old = this.#server;
    const oldAddress = this.#address;
    const inTheWay =
      first.code === 'EADDRINUSE' &&
      old !== undefined &&
      oldAddress !== undefined &&
      oldAddress.port === address.port;
    if (!inTheWay) return first.problem;
    await old.close();
    this.#server = undefined;
    const second = await this.#listen(address);
    if (second.server !== undefined) return second.server;
    this.#server = (await this.#listen(oldAddress)).server;
    return second.problem;
  }

  async #listen({ address, port }: NonNullable<Address>): Promise<{
    readonly server: MetricsServer | undefined;
    readonly code: string | undefined;
    readonly problem: string;
  }> {
    const { metrics, onFault } = this.#options;
    const collect = (): ReturnType<LazyMetrics['collect']> => metrics.collect();
    try {
      await metrics.load();
      const server = await startMetricsServer({ address: address.key, port, collect, onFault });
      return { server, code: undefined, problem: '' };
    } catch (error) {
      const problem = `router.json: metrics.listen: cannot listen there: ${messageOf(error)}`;
      return { server: undefined, code: codeOf(error), problem };
    }
  }

  #change(address: Address, server: MetricsServer | undefined): Prepared {
    return {
      commit: () => {
        const old = this.#server;
        this.#server = server;
        this.#address = address;
        void old?.close();
      },
      abandon: () => void server?.close(),
    };
  }
}

function sameAddress(a: Address, b: Address): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.port === b.port && a.address.equals(b.address);
}
