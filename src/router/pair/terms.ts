/** Terms on disk (`term-file.ts`): the own one before anybody hears of it, the others' in a while. */
import type { Clock } from '../../net/clock.js';
import type { Gndt } from '../../tables/gndt.js';
import type { RouterId, SiteId } from '../../tables/model.js';
import { StateStore } from '../state/state-store.js';
import { type SavedTerm, TERM_FORM } from './term-file.js';

export interface TermsOptions {
  readonly stateDir: string;
  readonly clock: Clock;
  readonly gndt: Pick<Gndt, 'sites' | 'self'>;
  readonly onError: (reason: string) => void;
}

export class Terms {
  readonly problem: string | undefined;
  readonly #store: StateStore<SavedTerm>;
  readonly #gndt: Pick<Gndt, 'sites' | 'self'>;
  readonly #terms = new Map<SiteId, SavedTerm>();
  #isChanged = false;

  constructor({ stateDir, clock, gndt, onError }: TermsOptions) {
    this.#gndt = gndt;
    this.#store = new StateStore(stateDir, TERM_FORM, clock, onError);
    const { records, problem } = this.#store.load();
    this.problem = problem;
    for (const saved of records) this.#terms.set(saved.site, saved);
    this.keepOnly();
  }

  /** Of the own site; 0 when none is known. */
  get own(): number {
    return this.#terms.get(this.#gndt.self)?.term ?? 0;
  }

  /** Of the other sites. */
  *others(): IterableIterator<readonly [site: SiteId, term: number, active: RouterId]> {
    for (const { site, term, active } of this.#terms.values())
      if (site !== this.#gndt.self) yield [site, term, active];
  }

  /** Blocks until it is on disk: a term that was said must not be said again by somebody else after a crash. */
  storeOwn(term: number, active: RouterId): void {
    const { self } = this.#gndt;
    this.#terms.set(self, { site: self, term, active });
    this.#store.save(this.#terms.values());
    this.#isChanged = false;
  }

  follow(site: SiteId, term: number, active: RouterId): void {
    const known = this.#terms.get(site);
    if (known?.term === term && known.active === active) return;
    this.#terms.set(site, { site, term, active });
    this.#isChanged = true;
    this.#store.schedule(() => this.#terms.values());
  }

  /** Others are in gndt.json no more, or are no sites of two. */
  keepOnly(): void {
    for (const [site, { active }] of this.#terms) {
      const routers = this.#gndt.sites.get(site);
      if (routers === undefined || routers.length < 2 || !routers.includes(active)) this.#terms.delete(site);
    }
  }

  async stop(): Promise<void> {
    await this.#store.idle();
    if (this.#isChanged) this.#store.save(this.#terms.values());
  }
}
