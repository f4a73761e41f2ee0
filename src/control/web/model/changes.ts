/** What an event makes the page ask for again. */

export type Topic = 'routers' | 'nodes' | 'moves';

/** By how an event's name begins (docs/logs.md). */
const TOPICS: readonly (readonly [prefix: string, topics: readonly Topic[]])[] = [
  ['move_', ['moves', 'nodes']],
  ['claim_', ['moves', 'nodes']],
  ['node_', ['nodes']],
  ['duplicate_address', ['nodes']],
  ['unauthorised_', ['nodes']],
  ['peer_', ['routers']],
  ['role_', ['routers']],
  ['partner_', ['routers']],
  ['site_switched', ['routers']],
  ['router_joined', ['routers', 'nodes']],
  ['reload_applied', ['routers', 'nodes']],
  ['description_', ['routers', 'nodes']],
  ['events_dropped', ['routers', 'nodes', 'moves']],
];

export function topicsOf(event: string): readonly Topic[] {
  return TOPICS.find(([prefix]) => event.startsWith(prefix))?.[1] ?? [];
}
