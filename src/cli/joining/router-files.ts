/** A router's own files, as join and init lay them: written only where there are none, all of them or none. */
import {
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { generatePrivateKey, readPrivateKey } from '../../config/keys.js';
import { MEMBERSHIPS_FILE } from '../../config/membership-file.js';
import { messageOf } from '../../net/system-error.js';
import { formatConfigError } from '../../tables/files/error.js';
import { GNDT_FILE } from '../../tables/files/gndt-file.js';
import { LNDT_FILE } from '../../tables/files/lndt-file.js';
import { parseFiles } from '../../tables/files/parse.js';
import { readInterface } from '../../tables/files/read.js';
import { ROUTER_FILE } from '../../tables/files/router-file.js';
import { CliError, REFUSED } from '../exit.js';

export const KEY_FILE = 'router.key';
/** As whom the service runs. */
const SERVICE_USER = 'vine';

export interface Lan {
  readonly interface: string;
  readonly vnet: string;
}

/** File → what is written there. */
export type FileTexts = readonly (readonly [file: string, text: string])[];

/** Where a router's files go, and what of router.json is this machine's. */
export interface RouterPlaces {
  readonly directory: string;
  readonly stateDir: string;
  /** Where the control API is; undefined: where it usually is. */
  readonly socket?: string | undefined;
  readonly listen: readonly string[];
  readonly lans: readonly Lan[];
}

/** @param vnets those that there are */
export function readLan(text: string, vnets: readonly string[]): Lan {
  const [name = '', vnet = vnets.length === 1 ? vnets[0] : undefined] = text.split('=');
  orRefuse(readInterface(name), '--lan');
  if (vnet === undefined || !vnets.includes(vnet))
    throw new CliError(
      REFUSED,
      `--lan ${text}: expected INTERFACE=VNET with one of the vnets ${vnets.join(', ')}`,
    );
  if (!hasInterface(name))
    throw new CliError(
      REFUSED,
      `--lan ${text}: this machine has no interface "${name}"; "ip link" shows those that it has`,
    );
  return { interface: name, vnet };
}

/** In a container /sys may be that of another network namespace; this is the process's own. */
function hasInterface(name: string): boolean {
  return readFileSync('/proc/self/net/dev', 'utf8')
    .split('\n')
    .some((line) => line.trimStart().startsWith(`${name}:`));
}

export function orRefuse<T>(read: { readonly value: T } | { readonly problem: string }, what: string): T {
  if ('problem' in read) throw new CliError(REFUSED, `${what}: ${read.problem}`);
  return read.value;
}

/** Nothing may be there that would be overwritten. */
export function checkNothingThere(directory: string, stateDir: string): void {
  const there = [ROUTER_FILE, GNDT_FILE, LNDT_FILE]
    .map((file) => join(directory, file))
    .filter((path) => existsSync(path));
  if (there.length > 0)
    throw new CliError(
      REFUSED,
      `${there.join(', ')} ${there.length === 1 ? 'is' : 'are'} there already: this machine is a router, or was one; join writes over nothing. Move the old files away, or name another --config`,
    );
  const state = join(stateDir, MEMBERSHIPS_FILE);
  if (existsSync(state))
    throw new CliError(
      REFUSED,
      `${state} is there already, of a router that was here before; move ${stateDir} away`,
    );
}

/** The router's key: the one of a try before, else a fresh one. Only its public half ever leaves. @returns 32 bytes */
export function ownKey(directory: string): Uint8Array {
  const path = join(directory, KEY_FILE);
  if (!existsSync(path)) {
    try {
      mkdirSync(directory, { recursive: true, mode: 0o750 });
      writeNew(path, `${generatePrivateKey()}\n`, 0o600);
    } catch (error) {
      throw new CliError(REFUSED, `cannot write ${path}: ${messageOf(error)}`);
    }
  }
  giveToService(path);
  const key = readPrivateKey(path);
  if ('problem' in key) throw new CliError(REFUSED, key.problem);
  return key.value;
}

/** @param networkKey base64 */
export function routerText(id: string, networkKey: string, places: RouterPlaces): string {
  const { listen, lans, socket, stateDir } = places;
  return jsonText({
    id,
    privateKeyFile: KEY_FILE,
    listen,
    lans: lans.map(({ interface: name, vnet }) => ({ interface: name, vnet })),
    ...(socket === undefined ? {} : { control: { socket } }),
    stateDir,
    network: { publicKey: networkKey },
  });
}

export function jsonText(content: object): string {
  return `${JSON.stringify(content, null, 2)}\n`;
}

/** Would a router take them? */
export function checkTexts(directory: string, texts: FileTexts): void {
  const all = new Map(texts);
  const text = (file: string) => ({ value: all.get(file) ?? '' });
  const read = parseFiles(
    { router: text(ROUTER_FILE), gndt: text(GNDT_FILE), lndt: text(LNDT_FILE) },
    directory,
  );
  if ('errors' in read)
    throw new CliError(
      REFUSED,
      `the router's files would not be in order:\n${read.errors.map(formatConfigError).join('\n')}`,
    );
}

/** Throws the system's error when one cannot be written; then none is there. @returns their paths */
export function writeTexts(directory: string, texts: FileTexts): readonly string[] {
  const written: string[] = [];
  try {
    for (const [file, content] of texts) {
      writeNew(join(directory, file), content, 0o644);
      written.push(join(directory, file));
    }
    return written;
  } catch (error) {
    for (const path of written) rmSync(path, { force: true });
    throw error;
  }
}

function writeNew(path: string, text: string, mode: number): void {
  const file = openSync(path, 'wx', mode);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Root writes what the service, which runs as somebody else, must read. */
export function giveToService(path: string): void {
  if (process.getuid?.() !== 0) return;
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${SERVICE_USER}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  if (uid !== undefined && gid !== undefined) chownSync(path, Number(uid), Number(gid));
}
