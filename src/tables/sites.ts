import type { RouterId, SiteConfig, SiteId } from './model.js';

/** The site of what is named, a router or a site: the same name where no site has the router. */
export function siteResolver(sites: readonly SiteConfig[] = []): (id: RouterId | SiteId) => SiteId {
  const byRouter = new Map(sites.flatMap(({ id, routers }) => routers.map((router) => [router, id])));
  return (id) => byRouter.get(id) ?? id;
}
