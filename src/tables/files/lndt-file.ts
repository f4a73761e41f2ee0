/** lndt.json: who may take part at this site. */
import { z } from 'zod';
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
      .meta({ description: 'a node that is not listed is dropped and shown as unauthorised' }),
  },
  'lndt.json: the Local Network Description Table, who may take part at this site',
);

/** lndt.json as it is written, its texts read into values; vnets still by name. */
export type LndtFile = z.output<typeof lndtSchema>;

/** For a file that has passed `checkLndt`; positions stay the same. */
export function toLndtEntries(file: LndtFile, ids: ReadonlyMap<string, VnetId>): LndtEntry[] {
  return file.nodes.map(({ vnet, ip, mac }) => ({ vnet: known(ids.get(vnet), vnet), prefix: ip, mac }));
}
