/** The courier's file. Everything in it is checked before anything is opened; each problem is named with its place. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { type Address, isLocal, parseAddress } from './address.js';

const NAME = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'expected letters, digits, ".", "_" and "-", at most 64');
const ADDRESS = z.string().transform((text, context): Address => {
  const address = parseAddress(text);
  if (address !== undefined) return address;
  context.addIssue({ code: 'custom', message: 'expected unix:/path, tcp:1.2.3.4:port or tcp:[::1]:port' });
  return z.NEVER;
});
const LOCAL = ADDRESS.refine(
  isLocal,
  'whoever reaches it is served: only a Unix socket or this machine’s loopback may be',
);
const MEBIBYTES = z.int().min(1).max(1_048_576);

const FILE = z.strictObject({
  name: NAME,
  /** The control socket's path. */
  control: z.string().startsWith('/').max(107).default('/run/vine-courier/control.sock'),
  /** The file with the secret that all couriers have. */
  tokenFile: z.string().min(1),
  /** Where other couriers call; without it nothing is received. */
  listen: ADDRESS.optional(),
  peers: z.record(NAME, ADDRESS).default({}),
  /** Where hypervisors migrate to, and what becomes of it. */
  send: z
    .array(z.strictObject({ listen: LOCAL, peer: NAME, destination: NAME, owner: NAME.default('default') }))
    .max(1024)
    .default([]),
  /** The hypervisors that wait for guests, by the names that other couriers use. */
  receive: z.record(NAME, z.strictObject({ connect: ADDRESS, owner: NAME.default('default') })).default({}),
  /** Disks: where NBD clients write to, and what becomes of it. */
  disks: z
    .array(
      z.strictObject({
        listen: LOCAL,
        peer: NAME,
        destination: NAME,
        owner: NAME.default('default'),
        /** So long writers wait when the WAN is cut; then they get an error. */
        stallSeconds: z.int().min(1).max(86_400).default(600),
      }),
    )
    .max(64)
    .default([]),
  /** NBD exports that disks are written to, by the names that other couriers use. */
  receiveDisks: z
    .record(
      NAME,
      z.strictObject({
        connect: ADDRESS,
        export: z.string().max(255).default(''),
        owner: NAME.default('default'),
      }),
    )
    .default({}),
  store: z
    .strictObject({
      memoryMb: MEBIBYTES.default(256),
      /** 0: none. */
      diskMb: z.int().min(0).max(16_777_216).default(0),
      directory: z.string().startsWith('/').default('/var/lib/vine-courier'),
      /** Pages of all owners are matched against each other. */
      shared: z.boolean().default(false),
    })
    .prefault({}),
});

export type CourierConfig = Omit<z.infer<typeof FILE>, 'tokenFile'> & { readonly token: string };

const LEAST_TOKEN = 32;

/** The configuration, or what is wrong with it, a line each. */
export function loadConfig(path: string): CourierConfig | { readonly errors: readonly string[] } {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    return { errors: [`${path}: ${error instanceof Error ? error.message : String(error)}`] };
  }
  const read = FILE.safeParse(content);
  if (!read.success)
    return { errors: read.error.issues.map((issue) => `${path}: ${placeOf(issue.path)}${issue.message}`) };
  const { tokenFile, ...config } = read.data;
  const errors = [...relations(config)].map((problem) => `${path}: ${problem}`);
  const token = readToken(resolve(dirname(path), tokenFile));
  if ('error' in token) errors.push(`${path}: tokenFile: ${token.error}`);
  return errors.length > 0 || 'error' in token ? { errors } : { ...config, token: token.token };
}

function placeOf(path: readonly PropertyKey[]): string {
  const place = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  return place === '' ? '' : `${place.replace(/^\./, '')}: `;
}

function* relations(config: Omit<CourierConfig, 'token'>): Generator<string> {
  const seen = new Set<string>();
  for (const list of ['send', 'disks'] as const)
    for (const [number, { peer, listen }] of config[list].entries()) {
      if (config.peers[peer] === undefined) yield `${list}[${number}].peer: ${peer} is not in peers`;
      const where = JSON.stringify(listen);
      if (seen.has(where)) yield `${list}[${number}].listen: another one listens there`;
      seen.add(where);
    }
  const { memoryMb, diskMb } = config.store;
  if (diskMb > 0 && diskMb < memoryMb)
    yield 'store.diskMb: smaller than memoryMb: what is in memory is on disk, too';
  const places = Object.keys({ ...config.receive, ...config.receiveDisks });
  if (config.listen !== undefined && places.length === 0)
    yield 'receive: empty, so that nothing can come: leave out listen';
  if (config.listen === undefined && config.send.length + config.disks.length === 0)
    yield 'send: empty, and there is no listen';
}

function readToken(path: string): { token: string } | { error: string } {
  try {
    const token = readFileSync(path, 'utf8').trim();
    return token.length >= LEAST_TOKEN
      ? { token }
      : { error: `${path}: shorter than ${LEAST_TOKEN} characters` };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}
