/** The only router of its site: it is active from the start to the end, and there is nobody to hand over to. */
import type { RoleView } from '../../control/api.js';
import type { Clock } from '../../net/clock.js';
import { type Health, priorityOf } from '../../pair/heartbeat.js';
import type { Gndt } from '../../tables/gndt.js';
import type { RoleSource } from './role-source.js';

export interface AloneOptions {
  readonly clock: Clock;
  readonly gndt: Pick<Gndt, 'self' | 'router'>;
  readonly health: () => Health;
}

export class Alone implements RoleSource {
  readonly #options: AloneOptions;
  readonly #since: string;

  constructor(options: AloneOptions) {
    this.#options = options;
    this.#since = new Date(options.clock.wallMs()).toISOString();
  }

  view(): RoleView {
    const { gndt, health } = this.#options;
    const now = health();
    return {
      site: gndt.self,
      router: gndt.router,
      role: 'active',
      draining: false,
      term: 0,
      since: this.#since,
      cause: 'alone',
      priority: priorityOf(now),
      health: now,
      partner: null,
      lans: [],
    };
  }

  async take(): Promise<string> {
    return `site ${this.#options.gndt.self} has one router: there is no role to change`;
  }

  /** There is nobody whose silence would count. */
  reconfigure(): void {}
}
