/**
 * The form of small state files that a router can do without:
 *
 *     { "version": 1, "router": "<its public key>", "sum": "<SHA-256 of the lines below>", "MEMBER": [
 *       {…},
 *       {…}
 *     ] }
 *
 * One that is not whole, not as it was written or not this router's is not used at all. The sum finds what disks, editors
 * and copies do.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { encodeKey } from '../../tables/files/read.js';
import type { Decoded, StateForm } from './state-store.js';

/** Rises when an older program could not read the file. */
const VERSION = 1;

export interface SummedForm<Kept, Entry> {
  readonly file: string;
  /** What the list is called. */
  readonly member: string;
  /** Longer lists are refused. */
  readonly mostEntries: number;
  readonly mostBytes: number;
  readonly entry: z.ZodType<Entry>;
  /** As it is written; of what `keptOf` gives, what was read. */
  lineOf(kept: Kept): string;
  keptOf(entry: Entry): Kept;
  /** What is wrong with all of them together. */
  objectionTo?(all: readonly Kept[]): string | undefined;
}

/** @param router its public key */
export function summedForm<Kept, Entry>(router: Uint8Array, form: SummedForm<Kept, Entry>): StateForm<Kept> {
  return {
    file: form.file,
    mostBytes: form.mostBytes,
    encode: (all) => [encode(router, form, all)],
    decode: (source) => decode(router, form, source),
  };
}

function encode<Kept, Entry>(router: Uint8Array, form: SummedForm<Kept, Entry>, all: Iterable<Kept>): string {
  const lines = linesOf(form, all);
  const head = `"version": ${VERSION}, "router": "${encodeKey(router)}", "sum": "${sumOf(lines)}"`;
  return `{ ${head}, "${form.member}": [\n${lines}\n] }\n`;
}

function linesOf<Kept, Entry>(form: SummedForm<Kept, Entry>, all: Iterable<Kept>): string {
  return [...all].map((kept) => form.lineOf(kept)).join(',\n');
}

function sumOf(lines: string): string {
  return createHash('sha256').update(lines).digest('hex');
}

function decode<Kept, Entry>(
  router: Uint8Array,
  form: SummedForm<Kept, Entry>,
  source: string,
): Decoded<Kept> {
  const all = read(router, form, source);
  return typeof all === 'string' ? { records: [], damage: all } : { records: all, damage: undefined };
}

/** A string is what is wrong. */
function read<Kept, Entry>(
  router: Uint8Array,
  form: SummedForm<Kept, Entry>,
  source: string,
): Kept[] | string {
  let json: unknown;
  try {
    json = JSON.parse(source);
  } catch {
    return 'not JSON';
  }
  const { member } = form;
  const envelope = z
    .strictObject({ version: z.number(), router: z.string(), sum: z.string(), [member]: z.unknown() })
    .safeParse(json);
  const entries = z.array(z.unknown()).max(form.mostEntries).safeParse(envelope.data?.[member]);
  if (!envelope.success || !entries.success)
    return `not of the form {"version", "router", "sum", "${member}"}`;
  const { version, router: writer, sum } = envelope.data;
  if (version !== VERSION) return `version ${version}, expected ${VERSION}`;
  if (writer !== encodeKey(router)) return 'written by a router with another key';
  const all: Kept[] = [];
  for (const [index, written] of entries.data.entries()) {
    const { success, data, error } = form.entry.safeParse(written);
    if (!success)
      return `${member}[${index}]: ${error.issues[0]?.path.join('.')}: ${error.issues[0]?.message}`;
    all.push(form.keptOf(data));
  }
  return (
    form.objectionTo?.(all) ?? (sumOf(linesOf(form, all)) === sum ? all : 'changed since it was written')
  );
}
