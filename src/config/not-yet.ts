/**
 * What the files can already say and this version does not do yet. Each line becomes a warning at start, in
 * `vined --check` and in `vinectl status`. When a part is built, its line goes; nothing else has to change.
 */
import { formatEndpoint } from '../tables/files/endpoint-text.js';
import type { TableConfig } from '../tables/files/parse.js';

interface NotYet {
  /** As an operator finds it in the file. */
  readonly setting: string;
  /** Is it asked for? A text says where. */
  readonly asked: (config: TableConfig) => boolean | string;
  /** What happens instead. */
  readonly instead: string;
}

const NOT_YET: readonly NotYet[] = [
  {
    setting: 'router.json: listen tcp://',
    asked: ({ router }) => named(router.listen.filter(isTcp).map(formatEndpoint)),
    instead: 'nothing listens there; only udp:// is used',
  },
  {
    setting: 'gndt.json: endpoints tcp://',
    asked: ({ router, gndt }) =>
      named(
        gndt.routers
          .filter(({ id, endpoints }) => id !== router.id && endpoints.some(isTcp))
          .map(({ id }) => id),
      ),
    instead: 'they are never dialled; only udp:// is used',
  },
  {
    setting: 'gndt.json: relay',
    asked: ({ gndt }) => named(gndt.routers.filter(({ relay }) => relay).map(({ id }) => id)),
    instead: "it does not carry others' messages; routers that cannot reach each other directly stay apart",
  },
];

/** One sentence for each setting that is asked for in vain. */
export function notYet(config: TableConfig): string[] {
  const warnings: string[] = [];
  for (const { setting, asked, instead } of NOT_YET) {
    const where = asked(config);
    if (where === false || where === '') continue;
    const detail = typeof where === 'string' ? ` (${where})` : '';
    warnings.push(`NOT AVAILABLE YET in this version: ${setting}${detail}: ${instead}`);
  }
  return warnings;
}

function isTcp({ transport }: { readonly transport: 'udp' | 'tcp' }): boolean {
  return transport === 'tcp';
}

function named(names: readonly string[]): string {
  return names.join(', ');
}
