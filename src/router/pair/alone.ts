/** The only router of its site: it is active from the start to the end, and there is nobody to hand over to. */
import type { RoleView } from '../../control/role-view.js';
import type { Clock } from '../../net/clock.js';
import type { Gndt } from '../../tables/gndt.js';
import type { RoleSource } from './role-source.js';

export interface AloneOptions {
  readonly clock: Clock;
  readonly gndt: Pick<Gndt, 'self' | 'router'>;
}

export class Alone implements RoleSource {
  readonly #options: AloneOptions;
  readonly #since: string;

  constructor(options: AloneOptions) {
    this.#options = options;
    this.#since = new Date(options.clock.wallMs()).toISOString();
  }

  view(): RoleView {
    const { gndt } = this.#options;
    return {
      site: gndt.self,
      router: gndt.router,
      role: 'active',
      draining: false,
      term: 0,
      since: this.#since,
      cause: 'alone',
      priority: null,
      health: null,
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
