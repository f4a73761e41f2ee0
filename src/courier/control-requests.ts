/** What operators ask or tell with parameters, read strictly: a word that is not known is an error, not silence. */
import { z } from 'zod';
import { NAME, NAME_RULE } from '../net/name.js';
import type { SendRequest } from './commands.js';
import { MACS } from './config.js';

export interface Refusal {
  /** Of HTTP. */
  readonly status: number;
  readonly error: string;
}

export function isRefusal(given: object): given is Refusal {
  return 'error' in given && 'status' in given;
}

const NAMED = z.string('is missing').regex(NAME, `no name; ${NAME_RULE}`);
/** QEMU's rule for what it calls by an id. */
const NODE = z.string().regex(/^[A-Za-z#][A-Za-z0-9._#-]{0,30}$/, 'no name of a node of QEMU');
const MOST_NODES = 64;
const YES_NO = z.enum(['yes', 'no']).default('yes');

const RECEIVE = z.strictObject({
  vm: NAMED,
  disks: YES_NO,
  node: z.array(NODE).max(MOST_NODES).default([]),
});
const SEND = RECEIVE.extend({ to: NAMED, form: z.enum(['qmp', 'virsh']).default('qmp') });
const TOLD = z.strictObject({ vm: NAMED, to: NAMED, macs: MACS });

export function readSend(query: URLSearchParams): SendRequest | Refusal {
  const read = readQuery(SEND, query);
  if ('error' in read) return read;
  const { vm, to, form, disks, node } = read;
  return { vm, to, form, disks: disks === 'yes', nodes: node };
}

export function readReceive(query: URLSearchParams): Pick<SendRequest, 'vm' | 'disks' | 'nodes'> | Refusal {
  const read = readQuery(RECEIVE, query);
  return 'error' in read ? read : { vm: read.vm, disks: read.disks === 'yes', nodes: read.node };
}

export function readMacs(body: string): z.infer<typeof TOLD> | Refusal {
  let content: unknown;
  try {
    content = JSON.parse(body);
  } catch {
    return { status: 400, error: 'not JSON' };
  }
  return checked(TOLD, content);
}

/** `node` may be there several times, everything else once. */
function readQuery<Value extends object>(schema: z.ZodType<Value>, query: URLSearchParams): Value | Refusal {
  const fields: Record<string, string | string[]> = {};
  for (const name of new Set(query.keys())) {
    const values = query.getAll(name);
    if (name !== 'node' && values.length > 1) return { status: 400, error: `${name} is there twice` };
    fields[name] = name === 'node' ? values : (values[0] ?? '');
  }
  return checked(schema, fields);
}

function checked<Value extends object>(schema: z.ZodType<Value>, content: unknown): Value | Refusal {
  const read = schema.safeParse(content);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const place = issue?.path.join('.') ?? '';
  return { status: 400, error: [place, issue?.message].filter(Boolean).join(': ') };
}
