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
import { text, wholeNumber } from '../../tables/files/schema.js';
import { MAX_SEQUENCE, MAX_STAMP } from '../../tables/record.js';
import type { Decoded, StateForm } from './state-store.js';

/** Rises when an older program could not read the file. */
const VERSION = 1;

/** About half a millisecond's work. */
const RECORDS_PER_PART = 256;

/** Bad records that are named in the warning; the others are counted. */
const MOST_NAMED = 5;

/** What no message could carry must not come from the disk either: it would be refused by every other router. */
const recordSchema = z.strictObject({
  vnet: wholeNumber(1, 65_535, "the vnet's id"),
  ip: text(readNodeIp, { description: "the node's address" }),
  mac: text(readMac, { description: "the node's MAC" }),
  router: text(readName, { description: 'the VR on whose LAN it is' }),
  seq: wholeNumber(1, MAX_SEQUENCE, 'the sequence number'),
  state: z.enum(['here', 'withdrawn']),
  stamp: wholeNumber(1, MAX_STAMP, "its router's time of writing it, microseconds"),
  frozen: z.literal(true).optional(),
  previous: text(readName, { description: 'the VR where it was before' }).optional(),
});

const envelopeSchema = z.object({ version: z.number(), records: z.array(z.unknown()) });

export function encodeState(records: Iterable<SavedRecord>): string {
  return [...encodeStateParts(records)].join('');
}

/** The same in parts of some hundred records, each made when it is taken: what comes of a move must not wait for all. */
export function* encodeStateParts(records: Iterable<SavedRecord>): Generator<string> {
  let part = `{ "version": ${VERSION}, "records": [\n`;
  let count = 0;
  for (const record of records) {
    if (count > 0) part += ',\n';
    if (count > 0 && count % RECORDS_PER_PART === 0) {
      yield part;
      part = '';
    }
    part += lineOf(record);
    count++;
  }
  yield `${part}\n] }\n`;
}

function lineOf({ vnet, ip, mac, router, seq, state, stamp, frozen, previous }: SavedRecord): string {
  const named = { vnet, ip: ip.key, mac: formatMac(mac), router, seq, state, stamp, frozen, previous };
  return JSON.stringify(named);
}

export function decodeState(source: string): Decoded<SavedRecord> {
  const lost = (damage: string): Decoded<SavedRecord> => ({ records: [], damage });
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
  const bad: string[] = [];
  for (const [index, entry] of entries.entries()) {
    const record = recordSchema.safeParse(entry);
    if (record.success) records.push(recordOf(record.data));
    else bad.push(`records[${index}]${addressIn(entry)}: ${problemOf(record.error)}`);
  }
  return { records, damage: bad.length === 0 ? undefined : damageOf(bad, entries.length) };
}

function damageOf(bad: readonly string[], total: number): string {
  const named = bad.slice(0, MOST_NAMED).join('; ');
  const more = bad.length > MOST_NAMED ? `; and ${bad.length - MOST_NAMED} more` : '';
  return `${bad.length} of ${total} records left out: ${named}${more}`;
}

function addressIn(entry: unknown): string {
  const { success, data } = z.object({ ip: z.string().max(50) }).safeParse(entry);
  return success ? ` (${data.ip})` : '';
}

function problemOf({ issues: [first] }: z.ZodError): string {
  if (first === undefined) return 'malformed';
  return first.path.length === 0 ? first.message : `${first.path.join('.')}: ${first.message}`;
}

function recordOf({ frozen, previous, ...record }: z.infer<typeof recordSchema>): SavedRecord {
  return { ...record, ...(frozen && { frozen }), ...(previous !== undefined && { previous }) };
}

export const DIRECTORY_FORM: StateForm<SavedRecord> = {
  file: 'directory.json',
  encode: encodeStateParts,
  decode: decodeState,
};
