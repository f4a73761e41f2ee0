/** The files of a router that has joined: written only where there are none, all of them or none. */
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
import { MEMBERSHIPS_FILE, writeMemberships } from '../../config/membership-file.js';
import { messageOf } from '../../config/system-error.js';
import type { Membership } from '../../membership/membership.js';
import type { TokenContent } from '../../membership/token.js';
import { formatEndpoint } from '../../tables/files/endpoint-text.js';
import { formatConfigError } from '../../tables/files/error.js';
import { GNDT_FILE } from '../../tables/files/gndt-file.js';
import { LNDT_FILE } from '../../tables/files/lndt-file.js';
import { parseFiles } from '../../tables/files/parse.js';
import { encodeKey } from '../../tables/files/read.js';
import { ROUTER_FILE } from '../../tables/files/router-file.js';
import { CliError, REFUSED } from '../exit.js';

export const KEY_FILE = 'router.key';
/** As whom the service runs. */
const SERVICE_USER = 'vine';

export interface Lan {
  readonly interface: string;
  readonly vnet: string;
}

export interface JoinedRouter {
  readonly directory: string;
  readonly stateDir: string;
  /** Where the control API is; undefined: where it usually is. */
  readonly socket?: string | undefined;
  readonly listen: readonly string[];
  readonly lans: readonly Lan[];
  readonly token: TokenContent;
  readonly membership: Membership;
  /** Position in the grant of the router that has admitted this one. */
  readonly rank: number;
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

/** Throws when one cannot be written; then none is there. */
export function writeJoined(router: JoinedRouter): readonly string[] {
  const { directory, stateDir, membership, rank } = router;
  const texts = textsOf(router);
  const written: string[] = [];
  try {
    const path = join(stateDir, MEMBERSHIPS_FILE);
    writeMemberships(stateDir, [{ membership, rank }]);
    written.push(path);
    giveToService(stateDir);
    giveToService(path);
    for (const [file, content] of texts) {
      writeNew(join(directory, file), content, 0o644);
      written.push(join(directory, file));
    }
    return written;
  } catch (error) {
    for (const path of written) rmSync(path, { force: true });
    throw new CliError(
      REFUSED,
      `the router was admitted, but its files cannot be written: ${messageOf(error)}; join again with the same token`,
    );
  }
}

/** Would the router take its files? Asked before anybody is asked to admit it. */
export function checkFiles(router: Omit<JoinedRouter, 'rank'>): void {
  const texts = new Map(textsOf(router));
  const text = (file: string) => ({ value: texts.get(file) ?? '' });
  const read = parseFiles(
    { router: text(ROUTER_FILE), gndt: text(GNDT_FILE), lndt: text(LNDT_FILE) },
    router.directory,
  );
  if ('errors' in read)
    throw new CliError(
      REFUSED,
      `the router's files would not be in order:\n${read.errors.map(formatConfigError).join('\n')}`,
    );
}

function textsOf(router: Omit<JoinedRouter, 'rank'>): readonly (readonly [file: string, text: string])[] {
  const contents: readonly (readonly [string, object])[] = [
    [ROUTER_FILE, routerJson(router)],
    [LNDT_FILE, lndtJson(router)],
    [GNDT_FILE, gndtJson(router)],
  ];
  return contents.map(([file, content]) => [file, `${JSON.stringify(content, null, 2)}\n`]);
}

function routerJson({
  membership,
  stateDir,
  socket,
  listen,
  lans,
  token,
}: Omit<JoinedRouter, 'rank'>): object {
  return {
    id: membership.binding.router,
    privateKeyFile: KEY_FILE,
    listen,
    lans: lans.map(({ interface: name, vnet }) => ({ interface: name, vnet })),
    ...(socket === undefined ? {} : { control: { socket } }),
    stateDir,
    network: { publicKey: encodeKey(token.networkKey) },
  };
}

function lndtJson({ token }: Omit<JoinedRouter, 'rank'>): object {
  const { vnets, networks } = token.grant;
  return { nodes: networks.map(({ vnet, prefix }) => ({ vnet: vnets[vnet]?.name, ip: prefix.key })) };
}

/** What is enough to reach the bootstrap routers, from whom the signed description is heard. */
function gndtJson({ token, membership }: Omit<JoinedRouter, 'rank'>): object {
  const { grant, bootstraps, cipher } = token;
  const { router, publicKey, endpoints } = membership.binding;
  return {
    vnets: grant.vnets.map(({ name, id }) => ({ name, id })),
    routers: [
      ...bootstraps.map((one) => ({
        id: one.router,
        publicKey: encodeKey(one.publicKey),
        endpoints: one.endpoints.map(formatEndpoint),
      })),
      { id: router, publicKey: encodeKey(publicKey), endpoints: endpoints.map(formatEndpoint) },
    ],
    ...(router === grant.site ? {} : { sites: [{ id: grant.site, routers: [router] }] }),
    networks: grant.networks.map(({ vnet, prefix }) => ({
      vnet: grant.vnets[vnet]?.name,
      prefix: prefix.key,
      router: grant.site,
    })),
    cipher,
  };
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
function giveToService(path: string): void {
  if (process.getuid?.() !== 0) return;
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${SERVICE_USER}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  if (uid !== undefined && gid !== undefined) chownSync(path, Number(uid), Number(gid));
}
