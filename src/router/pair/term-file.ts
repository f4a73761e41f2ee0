/**
 * The form of `terms.json`: which term each site of two routers is in, and which router of it is active.
 *
 *     { "version": 1, "sites": [
 *       {"site":"site-a","term":7,"active":"vr-a1"}
 *     ] }
 *
 * Of the own site it keeps the router from beginning with a term that the others have seen already; of the others it says whom
 * to send to until they speak. Without it both are learned again.
 */
import { z } from 'zod';
import { NAME } from '../../net/name.js';
import { MAX_TERM } from '../../pair/heartbeat.js';
import { wholeNumber } from '../../tables/files/schema.js';
import { MAX_PEERS } from '../../tables/gndt.js';
import type { RouterId, SiteId } from '../../tables/model.js';
import type { Decoded, StateForm } from '../state/state-store.js';

export interface SavedTerm {
  readonly site: SiteId;
  readonly term: number;
  readonly active: RouterId;
}

const VERSION = 1;
const MOST_BYTES = 300 * (MAX_PEERS + 2);

const name = z.string().regex(NAME);
const fileSchema = z.strictObject({
  version: z.literal(VERSION),
  sites: z
    .array(z.strictObject({ site: name, term: wholeNumber(0, MAX_TERM, 'its term'), active: name }))
    .max(MAX_PEERS),
});

export const TERM_FORM: StateForm<SavedTerm> = {
  file: 'terms.json',
  mostBytes: MOST_BYTES,
  encode: (terms) => {
    const lines = [...terms].map(({ site, term, active }) => JSON.stringify({ site, term, active }));
    return [`{ "version": ${VERSION}, "sites": [\n${lines.join(',\n')}\n] }\n`];
  },
  decode,
};

function decode(text: string): Decoded<SavedTerm> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { records: [], damage: 'not JSON' };
  }
  const { success, data, error } = fileSchema.safeParse(json);
  if (success) return { records: data.sites, damage: undefined };
  const [issue] = error.issues;
  return { records: [], damage: `${issue?.path.join('.')}: ${issue?.message}` };
}
