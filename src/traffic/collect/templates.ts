/**
 * Templates: what the records of a set are made of.
 *
 *   IPFIX, set 2 (RFC 7011 §3.4.1):        id (2) | fields (2) | fields
 *   IPFIX, set 3, options (§3.4.2.2):      id (2) | fields (2) | scope fields (2) | fields, the scope's first
 *   NetFlow v9, flowset 0 (RFC 3954 §5.2): id (2) | fields (2) | fields
 *   NetFlow v9, flowset 1, options (§6.1): id (2) | scope, bytes (2) | options, bytes (2) | fields, the scope's first
 *   a field:                               element (2) | bytes (2) | in IPFIX, if the first bit is set: enterprise (4)
 */
import { isLengthOf, type Role, roleOf } from './elements.js';

/** A field's length in IPFIX: it stands before each value. */
export const VARIABLE = 0xffff;
const LEAST_ID = 256;
const MOST_FIELDS = 128;
const FIELD_BYTES = 4;
const ENTERPRISE_BIT = 0x8000;

export interface Field {
  readonly role: Role | undefined;
  readonly bytes: number;
}

export interface Template {
  readonly isOptions: boolean;
  readonly fields: readonly Field[];
  /** No record is shorter. At least 1. */
  readonly leastBytes: number;
}

/** `template` undefined: withdrawn (RFC 7011 §8.1); with the set's own id, all of its kind. */
export type TemplateRecord = { readonly id: number; readonly template: Template | undefined };

export type Protocol = 'netflow-9' | 'ipfix';

interface Head {
  readonly id: number;
  readonly fields: number;
  readonly scopeFields: number;
  readonly bytes: number;
}

/** All of a set; undefined stands for one that makes no sense, behind which nothing can be read. */
export function* readTemplates(
  set: DataView,
  protocol: Protocol,
  isOptions: boolean,
): Generator<TemplateRecord | undefined> {
  // What is shorter is padding.
  for (let at = 0; set.byteLength - at >= FIELD_BYTES; ) {
    const head = readHead(set, at, protocol, isOptions);
    if (head === undefined) return yield undefined;
    at += head.bytes;
    if (head.fields === 0) {
      yield { id: head.id, template: undefined };
      continue;
    }
    const read = readFields(set, at, protocol, head);
    const template = read && templateOf(read.fields, isOptions);
    if (read === undefined || template === undefined) return yield undefined;
    at = read.end;
    yield { id: head.id, template };
  }
}

function readHead(set: DataView, at: number, protocol: Protocol, isOptions: boolean): Head | undefined {
  const id = set.getUint16(at);
  const count = set.getUint16(at + 2);
  const isWithdrawal = protocol === 'ipfix' && count === 0;
  if (isWithdrawal) return { id, fields: 0, scopeFields: 0, bytes: 4 };
  const bytes = isOptions ? 6 : 4;
  if (id < LEAST_ID || set.byteLength - at < bytes) return undefined;
  if (!isOptions) return isCount(count) ? { id, fields: count, scopeFields: 0, bytes } : undefined;
  const second = set.getUint16(at + 4);
  const [fields, scopeFields] =
    protocol === 'ipfix'
      ? [count, second]
      : [(count + second) / FIELD_BYTES, Math.floor(count / FIELD_BYTES)];
  return isCount(fields) && scopeFields <= fields ? { id, fields, scopeFields, bytes } : undefined;
}

function isCount(fields: number): boolean {
  return Number.isInteger(fields) && fields >= 1 && fields <= MOST_FIELDS;
}

function readFields(
  set: DataView,
  start: number,
  protocol: Protocol,
  head: Head,
): { readonly fields: Field[]; readonly end: number } | undefined {
  const fields: Field[] = [];
  let at = start;
  for (let i = 0; i < head.fields; i++) {
    if (set.byteLength - at < FIELD_BYTES) return undefined;
    const element = set.getUint16(at);
    const bytes = set.getUint16(at + 2);
    at += FIELD_BYTES;
    let enterprise = 0;
    if (protocol === 'ipfix' && element >= ENTERPRISE_BIT) {
      if (set.byteLength - at < 4) return undefined;
      enterprise = set.getUint32(at);
      at += 4;
    }
    // NetFlow v9 has numbers of their own for scopes.
    const isNamed = protocol === 'ipfix' || (i >= head.scopeFields && element < ENTERPRISE_BIT);
    fields.push({ role: isNamed ? roleOf(element % ENTERPRISE_BIT, enterprise) : undefined, bytes });
    if (protocol === 'netflow-9' && bytes === VARIABLE) return undefined;
  }
  return { fields, end: at };
}

function templateOf(fields: readonly Field[], isOptions: boolean): Template | undefined {
  if (fields.some(({ role, bytes }) => role !== undefined && !isLengthOf(role, bytes))) return undefined;
  const leastBytes = fields.reduce((sum, { bytes }) => sum + (bytes === VARIABLE ? 1 : bytes), 0);
  return leastBytes === 0 ? undefined : { isOptions, fields: merged(fields), leastBytes };
}

/** Neighbours that nobody looks at are one field. */
function merged(fields: readonly Field[]): Field[] {
  const all: Field[] = [];
  for (const field of fields) {
    const last = all.at(-1);
    const isSkipped = (one: Field | undefined): one is Field =>
      one !== undefined && one.role === undefined && one.bytes !== VARIABLE;
    if (isSkipped(last) && isSkipped(field) && last.bytes + field.bytes < VARIABLE)
      all[all.length - 1] = { role: undefined, bytes: last.bytes + field.bytes };
    else all.push(field);
  }
  return all;
}
