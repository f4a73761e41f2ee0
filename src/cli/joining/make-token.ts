/** Makes a token on the administrator's machine, and keeps a list of those that were given. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { MOST_ENDPOINTS } from '../../membership/binding.js';
import { createGrant, decodeGrant, MOST_BOOTSTRAPS, NONCE_BYTES } from '../../membership/grant.js';
import { generateNetworkKey, publicKeyOf } from '../../membership/signature.js';
import { encodeToken } from '../../membership/token.js';
import { Prefix } from '../../net/prefix.js';
import type { GndtFile } from '../../tables/files/gndt-file.js';
import { readName, readPrefix } from '../../tables/files/read.js';
import { CliError, REFUSED } from '../exit.js';
import { readSeed, write } from '../network-files.js';

export interface TokenRequest {
  readonly file: GndtFile;
  readonly site: string;
  /** `blue=10.3.0.0/24` each. */
  readonly networks: readonly string[];
  readonly ttlS: number;
  /** Ids of routers; none: the first that have endpoints. */
  readonly bootstraps: readonly string[];
  readonly keyFile: string;
  /** Unix seconds. */
  readonly nowS: number;
}

export interface MadeToken {
  readonly token: string;
  readonly id: string;
  readonly site: string;
  readonly networks: readonly string[];
  readonly expires: string;
  readonly bootstraps: readonly string[];
}

/** Beside the key: what was given, without anything that lets somebody join. */
export const TOKENS_FILE = 'tokens.json';

const givenSchema = z.array(
  z.strictObject({
    id: z.string().regex(/^[0-9a-f]{64}$/),
    site: z.string(),
    networks: z.array(z.string()),
    expires: z.iso.datetime(),
  }),
);
export type GivenToken = z.output<typeof givenSchema>[number];

/** Signs a token and writes it into the list; what contradicts the description, or a token that may still be used, is refused. */
export function makeToken(request: TokenRequest): MadeToken {
  const { file, site, keyFile, nowS } = request;
  const name = readName(site);
  if ('problem' in name) throw new CliError(REFUSED, `--site: ${name.problem}`);
  const taken = [...file.routers, ...file.sites].some(({ id }) => id === site);
  if (taken)
    throw new CliError(
      REFUSED,
      `there is a site or router "${site}" in gndt.json already; a token is for a new one`,
    );
  const networks = request.networks.map((text) => readNetwork(text, file));
  const listPath = join(dirname(keyFile), TOKENS_FILE);
  const given = readGivenTokens(listPath);
  checkAgainstGiven(given, file, { site, networks, nowS });
  const bootstraps = bootstrapsOf(file, request.bootstraps);
  const vnets = [...new Map(networks.map(({ vnet }) => [vnet.id, vnet])).values()];
  const oneTime = generateNetworkKey();
  const seed = readSeed(keyFile);
  const grantBytes = createGrant(
    {
      expiresS: nowS + request.ttlS,
      nonce: new Uint8Array(randomBytes(NONCE_BYTES)),
      oneTimeKey: oneTime.publicKey,
      site,
      vnets,
      networks: networks.map(({ vnet, prefix }) => ({ vnet: vnets.indexOf(vnet), prefix })),
      bootstraps: bootstraps.map(({ publicKey }) => publicKey),
    },
    seed,
  );
  const networkKey = publicKeyOf(seed);
  seed.fill(0);
  if (typeof grantBytes === 'string') throw new CliError(REFUSED, grantBytes);
  const grant = decodeGrant(grantBytes);
  if (typeof grant === 'string') throw new CliError(REFUSED, grant);
  const made = {
    id: grant.id,
    site,
    networks: networks.map(({ vnet, prefix }) => `${vnet.name}=${prefix}`),
    expires: new Date(grant.expiresS * 1000).toISOString(),
  };
  write(listPath, `${JSON.stringify([...given, made], null, 2)}\n`);
  const token = encodeToken({
    grantBytes,
    oneTimeSeed: oneTime.seed,
    networkKey,
    cipher: file.cipher,
    bootstraps,
  });
  oneTime.seed.fill(0);
  return { token, ...made, bootstraps: bootstraps.map(({ router }) => router) };
}

/** None when there is no such file. */
export function readGivenTokens(path: string): readonly GivenToken[] {
  if (!existsSync(path)) return [];
  try {
    return givenSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (error) {
    const why = error instanceof z.ZodError ? 'not of its form' : String(error);
    throw new CliError(
      REFUSED,
      `${path} cannot be read (${why}); repair it, or move it away if its tokens are of no interest`,
    );
  }
}

interface NamedNetwork {
  readonly vnet: GndtFile['vnets'][number];
  readonly prefix: Prefix;
}

function readNetwork(text: string, file: GndtFile): NamedNetwork {
  const [, vnetName = '', prefixText = ''] = /^([^=]*)=(.*)$/.exec(text) ?? [];
  const vnet = file.vnets.find(({ name }) => name === vnetName);
  if (vnet === undefined) {
    const names = file.vnets.map(({ name }) => name).join(', ');
    throw new CliError(REFUSED, `--network ${text}: expected VNET=PREFIX with one of the vnets ${names}`);
  }
  const prefix = readPrefix(prefixText);
  if ('problem' in prefix) throw new CliError(REFUSED, `--network ${text}: ${prefix.problem}`);
  const other = file.networks.find(
    (network) => network.vnet === vnetName && network.prefix.overlaps(prefix.value),
  );
  if (other !== undefined)
    throw new CliError(
      REFUSED,
      `--network ${text}: it overlaps ${other.prefix} of "${other.router}" in gndt.json`,
    );
  return { vnet, prefix: prefix.value };
}

function checkAgainstGiven(
  given: readonly GivenToken[],
  file: GndtFile,
  {
    site,
    networks,
    nowS,
  }: { readonly site: string; readonly networks: readonly NamedNetwork[]; readonly nowS: number },
): void {
  const revoked = new Set(file.revoked);
  const open = given.filter(({ id, expires }) => !revoked.has(id) && Date.parse(expires) / 1000 > nowS);
  for (const one of open) {
    const until = `which may be used until ${one.expires}; revoke it first ("vinectl network revoke ${one.id.slice(0, 12)}")`;
    if (one.site === site) throw new CliError(REFUSED, `there is a token for "${site}" already, ${until}`);
    for (const { vnet, prefix } of networks) {
      const overlap = one.networks.some((text) => {
        const [name, other = ''] = text.split('=');
        return name === vnet.name && Prefix.parse(other)?.overlaps(prefix) === true;
      });
      if (overlap)
        throw new CliError(REFUSED, `${prefix} overlaps a network of a token for "${one.site}", ${until}`);
    }
  }
}

function bootstrapsOf(file: GndtFile, wanted: readonly string[]) {
  if (wanted.length > MOST_BOOTSTRAPS)
    throw new CliError(REFUSED, `--bootstrap: at most ${MOST_BOOTSTRAPS} routers fit into a token`);
  const reachable = file.routers.filter(({ endpoints }) => endpoints.length > 0);
  const chosen =
    wanted.length === 0 ? reachable.slice(0, MOST_BOOTSTRAPS) : wanted.map((id) => reachableRouter(file, id));
  if (chosen.length === 0)
    throw new CliError(
      REFUSED,
      'no router of gndt.json has an endpoint: nobody could be asked with the token',
    );
  return chosen.map(({ id, publicKey, endpoints }) => ({
    router: id,
    publicKey,
    endpoints: endpoints.slice(0, MOST_ENDPOINTS),
  }));
}

function reachableRouter(file: GndtFile, id: string): GndtFile['routers'][number] {
  const router = file.routers.find((entry) => entry.id === id);
  if (router === undefined)
    throw new CliError(REFUSED, `--bootstrap ${id}: there is no such router in gndt.json`);
  if (router.endpoints.length === 0)
    throw new CliError(REFUSED, `--bootstrap ${id}: it has no endpoint in gndt.json; name another`);
  return router;
}
