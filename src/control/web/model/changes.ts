/** What an event makes the page ask for again. */
export const TOPICS = ['routers', 'nodes', 'moves'] as const;
export type Topic = (typeof TOPICS)[number];

/** By how an event's name begins (docs/logs.md). */
const ABOUT: readonly (readonly [prefix: string, topics: readonly Topic[]])[] = [
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
  ['reload_', ['routers', 'nodes']],
  ['description_', ['routers', 'nodes']],
  ['events_dropped', TOPICS],
];

export interface EventName {
  readonly event: string;
  /** Of `events_suppressed`: the kind of which there were more. */
  readonly of?: unknown;
}

export function topicsOf({ event, of }: EventName): readonly Topic[] {
  const name = event === 'events_suppressed' ? String(of) : event;
  return ABOUT.find(([prefix]) => name.startsWith(prefix))?.[1] ?? [];
}
