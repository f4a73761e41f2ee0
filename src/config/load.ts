/** Reads a configuration directory: everything is checked before anything of the system is touched. */
import { Buffer } from 'node:buffer';
import { readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { ConfigError, Outcome } from '../tables/files/error.js';
import { GNDT_FILE } from '../tables/files/gndt-file.js';
import { LNDT_FILE } from '../tables/files/lndt-file.js';
import { parseFiles, type TableConfig } from '../tables/files/parse.js';
import { encodeKey } from '../tables/files/read.js';
import { ROUTER_FILE } from '../tables/files/router-file.js';
import type { RouterId } from '../tables/model.js';
import { derivePublicKey, readPresharedKey, readPrivateKey } from './keys.js';
import { codeOf, messageOf } from './system-error.js';
import { unusedNetworks } from './unused-networks.js';

/** A checked configuration. Nothing here is to be logged whole: it holds the private key. */
export interface VineConfig extends TableConfig {
  /** X25519, 32 bytes. */
  readonly privateKey: Uint8Array;
  /** 32 bytes each. */
  readonly presharedKeys: ReadonlyMap<RouterId, Uint8Array>;
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

/** Reads router.json, gndt.json, lndt.json and the private key. Never throws for what is in them. */
export function loadConfigDirectory(directory: string): LoadOutcome {
  const base = resolve(directory);
  const missing = directoryProblem(base);
  if (missing !== undefined) return { errors: [{ file: base, path: '', message: missing }] };
  const texts = {
    router: readText(base, ROUTER_FILE),
    gndt: readText(base, GNDT_FILE),
    lndt: readText(base, LNDT_FILE),
  };
  const parsed = parseFiles(texts, base);
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
    config: { ...tables, privateKey: privateKey.value, presharedKeys },
    warnings: unusedNetworks(tables),
  };
}

function directoryProblem(path: string): string | undefined {
  try {
    return statSync(path).isDirectory() ? undefined : 'not a directory; expected the one with router.json';
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'there is no such directory';
    return `cannot be opened: ${messageOf(error)}`;
  }
}

function readText(directory: string, file: string): Outcome<string> {
  const fail = (message: string): Outcome<string> => ({ errors: [{ file, path: '', message }] });
  const path = join(directory, file);
  let bytes: Buffer;
  try {
    const status = statSync(path);
    if (!status.isFile()) return fail(`${path} is not a regular file`);
    if (status.size > MAX_FILE_BYTES)
      return fail(`${path} is larger than ${MAX_FILE_BYTES / 1024 / 1024} MiB`);
    bytes = readFileSync(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return fail(`there is no such file in ${directory}`);
    if (codeOf(error) === 'EACCES') return fail(`${path} may not be read by this user`);
    return fail(`cannot read ${path}: ${messageOf(error)}`);
  }
  try {
    return { value: new TextDecoder('utf-8', { fatal: true }).decode(bytes) }; // a byte order mark is skipped
  } catch {
    return fail('not UTF-8 text; save the file as UTF-8');
  }
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
