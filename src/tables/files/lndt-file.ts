/** lndt.json: who may take part at this site. */
import { z } from 'zod';
import { MAX_LNDT_ENTRIES } from '../limits.js';
import type { LndtEntry, VnetId } from '../model.js';
import { macAddress, nodePrefix, schemaReference, vnetName } from './fields.js';
import { known } from './gndt-file.js';
import { strict } from './schema.js';

export const LNDT_FILE = 'lndt.json';

const entry = strict(
  {
    vnet: vnetName("name of the node's vnet, from gndt.json"),
    ip: nodePrefix('an address, or a prefix of addresses'),
    mac: macAddress('the only MAC address that may use it; any, when left out').optional(),
  },
  'an address or a prefix that may take part here',
);

export const lndtSchema = strict(
  {
    $schema: schemaReference,
    nodes: z
      .array(entry)
      .max(MAX_LNDT_ENTRIES, {
        error: ({ input }) =>
          `expected at most ${MAX_LNDT_ENTRIES} entries (a prefix stands for many addresses), got ${lengthOf(input)}`,
      })
      .meta({ description: 'the nodes that may take part; others are dropped and shown as unauthorised' }),
  },
  'lndt.json: the Local Network Description Table, who may take part at this site',
);

function lengthOf(list: unknown): number {
  return Array.isArray(list) ? list.length : 0;
}

/** lndt.json as it is written, its texts read into values; vnets still by name. */
export type LndtFile = z.output<typeof lndtSchema>;

/** For a file that has passed `checkLndt`; positions stay the same. */
export function toLndtEntries(file: LndtFile, ids: ReadonlyMap<string, VnetId>): LndtEntry[] {
  return file.nodes.map(({ vnet, ip, mac }) => ({ vnet: known(ids.get(vnet), vnet), prefix: ip, mac }));
}
