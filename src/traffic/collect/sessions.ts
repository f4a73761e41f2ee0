/**
 * What exporters have told of their templates and their sampling, by exporter, port and domain. Bounded: an exporter that makes up
 * domains or templates forgets its own, and all together have so many fields; those of the exporter that has been silent longest go.
 */
import { Sampling } from './sampling.js';
import type { Template } from './templates.js';

const MOST_EXPORTERS = 256;
const MOST_DOMAINS = 16;
/** Open vSwitch tells 88 of each bridge. */
const MOST_TEMPLATES = 256;
/** Some 20 MB. Open vSwitch's take 1,200 of each bridge. */
const MOST_FIELDS = 524_288;

/** One exporter's, of one observation domain. */
export class Session {
  readonly sampling = new Sampling();
  readonly #templates = new Map<number, Template>();
  /** Of all its templates. */
  fields = 0;

  template(id: number): Template | undefined {
    return this.#templates.get(id);
  }

  keep(id: number, template: Template): void {
    this.withdraw(id);
    this.#templates.set(id, template);
    this.fields += template.fields.length;
    const [oldest] = this.#templates.keys();
    if (this.#templates.size > MOST_TEMPLATES && oldest !== undefined) this.withdraw(oldest);
  }

  withdraw(id: number): void {
    this.fields -= this.#templates.get(id)?.fields.length ?? 0;
    this.#templates.delete(id);
  }

  withdrawAll(areOptions: boolean): void {
    for (const [id, { isOptions }] of [...this.#templates]) if (isOptions === areOptions) this.withdraw(id);
  }
}

export class Sessions {
  /** The one that has been heard of longest ago first, as in each exporter's domains. */
  readonly #exporters = new Map<string, Map<string, Session>>();
  #fields = 0;

  /** Lets `work` have the session; what it keeps there is counted. */
  use(exporter: string, domain: string, work: (session: Session) => void): void {
    const domains = this.#exporters.get(exporter) ?? new Map<string, Session>();
    this.#exporters.delete(exporter);
    this.#exporters.set(exporter, domains);
    const session = domains.get(domain) ?? new Session();
    domains.delete(domain);
    domains.set(domain, session);
    const before = session.fields;
    work(session);
    this.#fields += session.fields - before;
    const [oldest] = domains;
    if (domains.size > MOST_DOMAINS && oldest !== undefined) this.#forget(domains, oldest[0]);
    this.#fit();
  }

  #fit(): void {
    for (const [exporter, domains] of this.#exporters) {
      const isRoom = this.#exporters.size <= MOST_EXPORTERS && this.#fields <= MOST_FIELDS;
      if (isRoom || this.#exporters.size === 1) return;
      for (const domain of [...domains.keys()]) this.#forget(domains, domain);
      this.#exporters.delete(exporter);
    }
  }

  #forget(domains: Map<string, Session>, domain: string): void {
    this.#fields -= domains.get(domain)?.fields ?? 0;
    domains.delete(domain);
  }
}
