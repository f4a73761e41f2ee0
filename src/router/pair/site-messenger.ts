/** Mobility speaks with sites; the tunnel with routers. What is for a site goes to the one that is active there. */
import type { Messenger } from '../../mobility/ports.js';
import type { TableMessage } from '../../protocol/table-message.js';
import type { Gndt } from '../../tables/gndt.js';
import type { RouterId, SiteId } from '../../tables/model.js';
import type { Sites } from './sites.js';

export class SiteMessenger implements Messenger {
  readonly #tunnel: Messenger;
  readonly #gndt: Pick<Gndt, 'siteOf' | 'self'>;
  readonly #sites: Pick<Sites, 'activeOf' | 'isActive'>;

  /** @param tunnel to routers */
  constructor(
    tunnel: Messenger,
    gndt: Pick<Gndt, 'siteOf' | 'self'>,
    sites: Pick<Sites, 'activeOf' | 'isActive'>,
  ) {
    this.#tunnel = tunnel;
    this.#gndt = gndt;
    this.#sites = sites;
  }

  send(to: SiteId, message: TableMessage): void {
    const router: RouterId | undefined = this.#sites.activeOf(to);
    if (router !== undefined) this.#tunnel.send(router, message);
  }

  upPeers(): readonly SiteId[] {
    return this.#tunnel
      .upPeers()
      .filter((router) => this.#sites.isActive(router))
      .map((router) => this.#gndt.siteOf(router))
      .filter((site) => site !== this.#gndt.self);
  }
}
