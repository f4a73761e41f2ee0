/** The list of docs/logs.md, for tests. */
import { readFileSync } from 'node:fs';

export interface ListedEvent {
  readonly level: string;
  readonly fields: readonly string[];
  readonly stream: boolean;
  /** Its fields are counters' names. */
  readonly isOpen: boolean;
}

export function documentedEvents(): Map<string, ListedEvent> {
  const text = readFileSync(new URL('../../../../docs/logs.md', import.meta.url), 'utf8');
  const rows = text.matchAll(/^\| `(\w+)` \| (\w+) \| ([^|]*) \| (\w*) ?\| [^|]+ \|$/gm);
  return new Map(
    [...rows].map(([, event = '', level = '', fields = '', stream = '']) => [
      event,
      {
        level,
        fields: [...fields.matchAll(/`(\w+)`/g)].map(([, name = '']) => name),
        stream: stream === 'stream',
        isOpen: fields.includes('names of counters'),
      },
    ]),
  );
}
