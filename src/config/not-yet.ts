/**
 * What the files can already say and this version does not do yet. Each line becomes a warning at start, in
 * `vined --check` and in `vinectl status`. When a part is built, its line goes; nothing else has to change.
 */
import type { TableConfig } from '../tables/files/parse.js';
import { DEFAULTS } from '../tables/files/router-file.js';

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
    setting: 'router.json: tun',
    asked: ({ router }) => router.tun.length > 0,
    instead:
      "no TUN port is made; packets for the gateway machine's own addresses from other sites are dropped",
  },
  {
    setting: 'router.json: metrics',
    asked: ({ router }) => router.metrics !== undefined,
    instead: 'nothing is served on that address; see "vinectl counters"',
  },
  {
    setting: 'router.json: mobility.verify "strict"',
    asked: ({ router }) => router.mobility.verify === 'strict',
    instead: 'moves are BELIEVED AT ONCE, as with "optimistic", and a false one is not undone',
  },
  {
    setting: 'router.json: mobility.maxMoves, mobility.moveWindowSeconds',
    asked: ({ router: { mobility } }) =>
      mobility.maxMoves !== DEFAULTS.maxMoves || mobility.moveWindowSeconds !== DEFAULTS.moveWindowSeconds,
    instead: 'a node that bounces is not frozen',
  },
  {
    setting: 'gndt.json: cipher "aes-256-gcm"',
    asked: ({ gndt }) => gndt.cipher === 'aes-256-gcm',
    instead: 'sessions are encrypted with chacha20-poly1305',
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
