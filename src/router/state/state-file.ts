/**
 * The form of `directory.json`:
 *
 *     { "version": 1, "records": [
 *       {"vnet":1,"ip":"10.1.0.9","mac":"52:54:00:00:00:09","router":"vr-a","seq":3,"state":"here","stamp":1700000000000000}
 *     ] }
 *
 * One record a line, so that an operator can read it and a damaged one costs only itself.
 */
import { z } from 'zod';
import { formatMac } from '../../net/mac.js';
import type { SavedRecord } from '../../tables/directory.js';
import { readMac, readName, readNodeIp } from '../../tables/files/read.js';
import { text } from '../../tables/files/schema.js';
import { MAX_SEQUENCE, MAX_STAMP } from '../../tables/record.js';

/** Rises when an older program could not read the file. */
const VERSION = 1;

const recordSchema = z.strictObject({
  vnet: z.number().int().min(1).max(65_535),
  ip: text(readNodeIp, { description: "the node's address" }),
  mac: text(readMac, { description: "the node's MAC" }),
  router: text(readName, { description: 'the VR on whose LAN it is' }),
  seq: z.number().int().min(1).max(MAX_SEQUENCE),
  state: z.enum(['here', 'withdrawn']),
  stamp: z.number().int().min(1).max(MAX_STAMP),
  frozen: z.literal(true).optional(),
  previous: text(readName, { description: 'the VR where it was before' }).optional(),
});

const envelopeSchema = z.object({ version: z.number(), records: z.array(z.unknown()) });

export interface DecodedState {
  readonly records: readonly SavedRecord[];
  /** What is wrong with the text; undefined when nothing is. */
  readonly damage: string | undefined;
}

export function encodeState(records: Iterable<SavedRecord>): string {
  const lines = Array.from(records, ({ vnet, ip, mac, router, seq, state, stamp, frozen, previous }) =>
    JSON.stringify({ vnet, ip: ip.key, mac: formatMac(mac), router, seq, state, stamp, frozen, previous }),
  );
  return `{ "version": ${VERSION}, "records": [\n${lines.join(',\n')}\n] }\n`;
}

export function decodeState(source: string): DecodedState {
  const lost = (damage: string): DecodedState => ({ records: [], damage });
  let json: unknown;
  try {
    json = JSON.parse(source);
  } catch {
    return lost('not JSON');
  }
  const envelope = envelopeSchema.safeParse(json);
  if (!envelope.success) return lost('not of the form {"version", "records"}');
  const { version, records: entries } = envelope.data;
  if (version !== VERSION) return lost(`version ${version}, expected ${VERSION}`);
  const records: SavedRecord[] = [];
  let firstBad: string | undefined;
  for (const [index, entry] of entries.entries()) {
    const record = recordSchema.safeParse(entry);
    if (record.success) records.push(recordOf(record.data));
    else firstBad ??= `records[${index}]: ${record.error.issues[0]?.message ?? 'malformed'}`;
  }
  if (firstBad === undefined) return { records, damage: undefined };
  return {
    records,
    damage: `${entries.length - records.length} of ${entries.length} records bad, first ${firstBad}`,
  };
}

function recordOf({ frozen, previous, ...record }: z.infer<typeof recordSchema>): SavedRecord {
  return { ...record, ...(frozen && { frozen }), ...(previous !== undefined && { previous }) };
}
