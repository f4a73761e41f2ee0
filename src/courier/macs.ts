/** The MACs of guests that leave: those of the configuration, unless an operator has named others since the start. */
import type { CourierConfig } from './config.js';

type Route = CourierConfig['send'][number];

export class Macs {
  readonly #named = new Map<Route, readonly string[]>();

  of(route: Route): readonly string[] {
    return this.#named.get(route) ?? route.mac;
  }

  /** For jobs that begin from now on. */
  name(route: Route, macs: readonly string[]): void {
    this.#named.set(route, macs);
  }
}
