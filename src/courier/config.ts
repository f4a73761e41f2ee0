/** The courier's file. Everything in it is checked before anything is opened; each problem is named with its place. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { formatMac, parseMac } from '../net/mac.js';
import { NAME, NAME_RULE } from '../net/name.js';
import { messageOf } from '../net/system-error.js';
import { MOST_PATH_BYTES } from '../net/unix-socket.js';
import { type Address, isLocal, parseAddress } from './address.js';
import { LOCK_NAME_BYTES } from './store/lock.js';
import { MOST_MACS } from './wire/limits.js';

const NAMED = z.string().regex(NAME, `no name; ${NAME_RULE}`);
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

const UNITS = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };
const SECTOR_BYTES = 512;
/** 64 TiB. */
const MOST_VOLUME_BYTES = 2 ** 46;

/** A number of bytes, or a text like "20G" (powers of 1,024). */
const SIZE = z
  .union([
    z.int(),
    z.string().regex(/^[0-9]{1,15}[KMGT]?$/, 'expected bytes, or a text like "20G" (K, M, G, T)'),
  ])
  .transform((given) => {
    if (typeof given === 'number') return given;
    const unit = given.replace(/[0-9]+/, '') as keyof typeof UNITS;
    return Number.parseInt(given, 10) * UNITS[unit];
  })
  .refine((size) => size >= SECTOR_BYTES && size <= MOST_VOLUME_BYTES, 'expected 512 bytes to 64T')
  .refine((size) => size % SECTOR_BYTES === 0, `expected a multiple of ${SECTOR_BYTES} bytes`);
/** As `formatMac` writes it. */
const MAC = z.string().transform((text, context): string => {
  const mac = parseMac(text);
  if (mac !== undefined) return formatMac(mac);
  context.addIssue({ code: 'custom', message: 'expected a MAC address like 52:54:00:00:00:09' });
  return z.NEVER;
});
/** A guest's, one or several. */
export const MACS = z
  .preprocess((given) => (typeof given === 'string' ? [given] : given), z.array(MAC).max(MOST_MACS))
  .transform((macs) => [...new Set(macs)]);

/** An object as a map, in which only what is written there is found: every object has a "constructor". */
function byName<Value extends z.ZodType>(value: Value) {
  const asMap = (given: unknown): unknown =>
    typeof given === 'object' && given !== null && !Array.isArray(given) && !(given instanceof Map)
      ? new Map(Object.entries(given))
      : given;
  return z.preprocess(asMap, z.map(NAMED, value, 'expected an object of names')).prefault({});
}

/** Each page of a store has its place in tables in memory, whether it is in memory or on disk (docs/courier.md). */
export const MOST_STORE_MB = 65_536;
const TOO_MUCH = `at most ${MOST_STORE_MB} (64 GiB), whose tables alone take 0.8 GB of memory`;

/** An absolute path at which, or below which, there is a Unix socket. */
function pathOf(mostBytes: number) {
  const fits = (path: string): boolean => Buffer.byteLength(path) <= mostBytes;
  return z
    .string()
    .startsWith('/')
    .refine(fits, `longer than the ${mostBytes} bytes that its socket leaves it`);
}

const FILE = z.strictObject({
  name: NAMED,
  /** The control socket's path. */
  control: pathOf(MOST_PATH_BYTES).default('/run/vine-courier/control.sock'),
  /** The file with the secret that all couriers have. */
  tokenFile: z.string().min(1),
  /** Where other couriers call; without it nothing is received. */
  listen: ADDRESS.optional(),
  peers: byName(ADDRESS),
  /** Where hypervisors migrate to, and what becomes of it. */
  send: z
    .array(
      z.strictObject({
        ...{ listen: LOCAL, peer: NAMED, destination: NAMED, owner: NAMED.default('default') },
        /** The guest's, by which a job is found beside its move. */
        mac: MACS.prefault([]),
      }),
    )
    .max(1024)
    .default([]),
  /** The hypervisors that wait for guests, by the names that other couriers use. */
  receive: byName(z.strictObject({ connect: ADDRESS, owner: NAMED.default('default') })),
  /** Disks: where NBD clients write to, and what becomes of it. */
  disks: z
    .array(
      z.strictObject({
        listen: LOCAL,
        peer: NAMED,
        destination: NAMED,
        owner: NAMED.default('default'),
        /** So long writers wait when the WAN is cut; then they get an error. */
        stallSeconds: z.int().min(1).max(86_400).default(600),
      }),
    )
    .max(64)
    .default([]),
  /** NBD exports that disks are written to, by the names that other couriers use. */
  receiveDisks: byName(
    z.strictObject({
      connect: ADDRESS,
      export: z.string().max(255).default(''),
      owner: NAMED.default('default'),
    }),
  ),
  /** Disks of this courier's own: NBD exports that other couriers can take over. */
  volumes: z
    .array(
      z.strictObject({
        name: NAMED,
        listen: LOCAL,
        /** May be left out where there is a base. */
        size: SIZE.optional(),
        /** What was never written; nobody writes to it. */
        base: z.strictObject({ file: z.string().startsWith('/') }).optional(),
        directory: pathOf(MOST_PATH_BYTES - LOCK_NAME_BYTES),
        owner: NAMED.default('default'),
        /** Another courier may move one here; until then it serves nothing. */
        receive: z.boolean().default(false),
        /** So long clients wait for control, or for what only the other site has; then they get an error. */
        stallSeconds: z.int().min(1).max(86_400).default(30),
      }),
    )
    .max(64)
    .default([]),
  store: z
    .strictObject({
      memoryMb: z.int().min(1).max(MOST_STORE_MB, TOO_MUCH).default(256),
      /** 0: none. */
      diskMb: z.int().min(0).max(MOST_STORE_MB, TOO_MUCH).default(0),
      directory: pathOf(MOST_PATH_BYTES - LOCK_NAME_BYTES).default('/var/lib/vine-courier'),
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
    return { errors: [`${path}: ${messageOf(error)}`] };
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
      if (!config.peers.has(peer)) yield `${list}[${number}].peer: ${peer} is not in peers`;
      const where = JSON.stringify(listen);
      if (seen.has(where)) yield `${list}[${number}].listen: another one listens there`;
      seen.add(where);
    }
  yield* volumeRelations(config, seen);
  const { memoryMb, diskMb } = config.store;
  if (diskMb > 0 && diskMb < memoryMb)
    yield 'store.diskMb: smaller than memoryMb: what is in memory is on disk, too';
  const comes =
    config.receive.size + config.receiveDisks.size + config.volumes.filter((one) => one.receive).length;
  if (config.listen !== undefined && comes === 0)
    yield 'receive: empty, so that nothing can come: leave out listen';
  if (config.listen === undefined && config.send.length + config.disks.length + config.volumes.length === 0)
    yield 'send: empty, and there is no listen';
}

/** @param seen where something else listens */
function* volumeRelations(
  { volumes, store, listen: others }: Pick<CourierConfig, 'volumes' | 'store' | 'listen'>,
  seen: Set<string>,
): Generator<string> {
  const [names, directories] = [new Set<string>(), new Set([resolve(store.directory)])];
  for (const [number, { name, listen, size, base, directory, receive }] of volumes.entries()) {
    const at = `volumes[${number}]`;
    if (receive && others === undefined) yield `${at}.receive: nothing can come without listen`;
    if (names.has(name)) yield `${at}.name: another volume has it`;
    if (seen.has(JSON.stringify(listen))) yield `${at}.listen: another one listens there`;
    if (directories.has(resolve(directory))) yield `${at}.directory: something else is there`;
    if (size === undefined && base === undefined) yield `${at}.size: needed where there is no base`;
    names.add(name);
    seen.add(JSON.stringify(listen));
    directories.add(resolve(directory));
  }
}

function readToken(path: string): { token: string } | { error: string } {
  try {
    const token = readFileSync(path, 'utf8').trim();
    return token.length >= LEAST_TOKEN
      ? { token }
      : { error: `${path}: shorter than ${LEAST_TOKEN} characters` };
  } catch (error) {
    return { error: messageOf(error) };
  }
}
