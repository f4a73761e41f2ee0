/** Reads a configuration directory: everything is checked before anything of the system is touched. */
import { Buffer } from 'node:buffer';
import { readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Description, decodeText, textOf } from '../membership/description.js';
import { memberOf } from '../membership/membership.js';
import type { Succession } from '../membership/succession.js';
import { codeOf, messageOf } from '../net/system-error.js';
import type { ConfigError, Outcome } from '../tables/files/error.js';
import { GNDT_FILE } from '../tables/files/gndt-file.js';
import { LNDT_FILE } from '../tables/files/lndt-file.js';
import { parseFiles, type TableConfig } from '../tables/files/parse.js';
import { encodeKey } from '../tables/files/read.js';
import { ROUTER_FILE, routerSchema, toRouterConfig } from '../tables/files/router-file.js';
import { parseFile } from '../tables/files/schema.js';
import type { RouterId } from '../tables/model.js';
import { chooseDescription, type DescriptionSource } from './description.js';
import { etcdFileWarnings } from './etcd-files.js';
import { derivePublicKey, readPresharedKey, readPrivateKey } from './keys.js';
import { type ReadMemberships, readMemberships } from './membership-file.js';
import { unusedNetworks } from './unused-networks.js';

/** A checked configuration. Nothing here is to be logged whole: it holds the private key. */
export interface VineConfig extends TableConfig {
  /** X25519, 32 bytes. */
  readonly privateKey: Uint8Array;
  /** 32 bytes each. */
  readonly presharedKeys: ReadonlyMap<RouterId, Uint8Array>;
  /** Where `gndt` is from, when it is signed. */
  readonly description?: Description | undefined;
  /** What follows the key that router.json pins. */
  readonly successions?: readonly Succession[];
}

export type LoadOutcome =
  | {
      readonly config: VineConfig;
      /** What an operator should know, one sentence each. */
      readonly warnings: readonly string[];
    }
  | { readonly errors: readonly ConfigError[] };

/** The files of a network of 1,000 sites have a few hundred kilobytes. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;

/**
 * Reads router.json, gndt.json, lndt.json and the private key. Never throws for what is in them.
 * @param description to be read in the place of gndt.json: is all well with it here?
 */
export function loadConfigDirectory(directory: string, description?: Description): LoadOutcome {
  const base = resolve(directory);
  const missing = directoryProblem(base);
  if (missing !== undefined) return { errors: [{ file: base, path: '', message: missing }] };
  const router = textIn(readBytes(base, ROUTER_FILE), ROUTER_FILE);
  const source = description === undefined ? gndtSource(base, router) : given(description);
  const texts = { router, gndt: source.text, lndt: textIn(readBytes(base, LNDT_FILE), LNDT_FILE) };
  const members = membershipsOf(base, router);
  const parsed = parseFiles(
    texts,
    base,
    members.held.map(({ membership }) => memberOf(membership)),
  );
  if ('errors' in parsed) return parsed;
  const tables = parsed.value;
  const privateKey = readPrivateKey(tables.router.privateKeyFile);
  if ('problem' in privateKey) return keyError(privateKey.problem);
  const mismatch = keyMismatch(tables, privateKey.value);
  if (mismatch !== undefined) return keyError(mismatch);
  const presharedKeys = new Map<RouterId, Uint8Array>();
  const errors: ConfigError[] = [];
  for (const [id, path] of tables.router.presharedKeyFiles) {
    const key = readPresharedKey(path);
    if ('value' in key) presharedKeys.set(id, key.value);
    else errors.push({ file: ROUTER_FILE, path: `presharedKeys.${id}`, message: key.problem });
  }
  if (errors.length > 0) return { errors };
  return {
    config: {
      ...tables,
      privateKey: privateKey.value,
      presharedKeys,
      description: source.description,
      successions: source.successions,
    },
    warnings: [
      ...source.warnings,
      ...(members.problem === undefined ? [] : [members.problem]),
      ...unusedNetworks(tables),
      ...etcdFileWarnings(tables.router.network?.etcd),
    ],
  };
}

/** What is read as gndt.json: the file, unless a network key makes something else count. */
function gndtSource(base: string, routerText: Outcome<string>): DescriptionSource {
  const gndt = readBytes(base, GNDT_FILE);
  if ('errors' in gndt) return { text: gndt, description: undefined, successions: [], warnings: [] };
  const router = 'value' in routerText ? parseFile(ROUTER_FILE, routerText.value, routerSchema) : routerText;
  if ('value' in router) return chooseDescription(base, toRouterConfig(router.value, base), gndt.value);
  return { text: textIn(gndt, GNDT_FILE), description: undefined, successions: [], warnings: [] };
}

/** Only where a network's key is pinned somebody can have joined with a token. */
function membershipsOf(base: string, routerText: Outcome<string>): ReadMemberships {
  const router = 'value' in routerText ? parseFile(ROUTER_FILE, routerText.value, routerSchema) : routerText;
  if ('errors' in router || router.value.network === undefined) return { held: [] };
  return readMemberships(toRouterConfig(router.value, base).stateDir);
}

function given(description: Description): DescriptionSource {
  return { text: textOf(description), description, successions: [], warnings: [] };
}

function directoryProblem(path: string): string | undefined {
  try {
    return statSync(path).isDirectory() ? undefined : 'not a directory; expected the one with router.json';
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'there is no such directory';
    return `cannot be opened: ${messageOf(error)}`;
  }
}

function readBytes(directory: string, file: string): Outcome<Buffer> {
  const fail = (message: string): Outcome<Buffer> => ({ errors: [{ file, path: '', message }] });
  const path = join(directory, file);
  try {
    const status = statSync(path);
    if (!status.isFile()) return fail(`${path} is not a regular file`);
    if (status.size > MAX_FILE_BYTES)
      return fail(`${path} is larger than ${MAX_FILE_BYTES / 1024 / 1024} MiB`);
    return { value: readFileSync(path) };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return fail(`there is no such file in ${directory}`);
    if (codeOf(error) === 'EACCES') return fail(`${path} may not be read by this user`);
    return fail(`cannot read ${path}: ${messageOf(error)}`);
  }
}

function textIn(bytes: Outcome<Uint8Array>, file: string): Outcome<string> {
  return 'errors' in bytes ? bytes : decodeText(bytes.value, file);
}

function keyMismatch({ router, gndt }: TableConfig, privateKey: Uint8Array): string | undefined {
  const listed = gndt.routers.find(({ id }) => id === router.id)?.publicKey;
  const derived = derivePublicKey(privateKey);
  if (listed === undefined || Buffer.compare(listed, derived) === 0) return undefined;
  const path = router.privateKeyFile;
  return `the key in ${path} has the public key ${encodeKey(derived)}, but ${GNDT_FILE} gives "${router.id}" the public key ${encodeKey(listed)}; put the first into every router's ${GNDT_FILE}, or the right private key into ${path}`;
}

function keyError(message: string): LoadOutcome {
  return { errors: [{ file: ROUTER_FILE, path: 'privateKeyFile', message }] };
}
