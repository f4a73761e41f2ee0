/** `vinectl network init` with a LAN: the network's key, its first description, and this machine as its first router. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { derivePublicKey } from '../../config/keys.js';
import type { Prefix } from '../../net/prefix.js';
import { messageOf } from '../../net/system-error.js';
import { formatEndpoint } from '../../tables/files/endpoint-text.js';
import { GNDT_FILE, SIGNATURE_FILE } from '../../tables/files/gndt-file.js';
import { LNDT_FILE } from '../../tables/files/lndt-file.js';
import { encodeKey, readEndpoint, readListen, readName, readPrefix } from '../../tables/files/read.js';
import { ROUTER_FILE } from '../../tables/files/router-file.js';
import { CliError, REFUSED } from '../exit.js';
import { KEY_FILE, makeNetworkKey, signGndt } from '../network-files.js';
import {
  checkNothingThere,
  checkTexts,
  type FileTexts,
  jsonText,
  orRefuse,
  ownKey,
  type RouterPlaces,
  readLan,
  routerText,
  writeTexts,
} from './router-files.js';

export interface FirstRequest {
  /** Where the network is administered from now on. */
  readonly office: string;
  readonly directory: string;
  readonly stateDir: string;
  readonly socket?: string | undefined;
  readonly name: string;
  /** `blue=10.1.0.0/24` each. */
  readonly networks: readonly string[];
  readonly endpoints: readonly string[];
  readonly listen: readonly string[];
  /** `eth1`, or `eth1=blue`. */
  readonly lans: readonly string[];
}

export interface FirstRouter {
  readonly router: string;
  readonly networks: readonly string[];
  readonly keyFile: string;
  readonly publicKey: string;
  readonly files: readonly string[];
}

interface Network {
  readonly vnet: string;
  readonly prefix: Prefix;
}

/** Any key: the network's own is made when all else has been checked. */
const SOME_KEY = encodeKey(new Uint8Array(32).fill(9));

export function makeFirstRouter(request: FirstRequest): FirstRouter {
  const office = resolve(request.office);
  const name = orRefuse(readName(request.name), '--name');
  const networks = request.networks.map(readNetwork);
  const vnets = [...new Set(networks.map(({ vnet }) => vnet))];
  for (const text of request.listen) orRefuse(readListen(text), '--listen');
  const places: RouterPlaces = {
    directory: resolve(request.directory),
    stateDir: resolve(request.stateDir),
    socket: request.socket === undefined ? undefined : resolve(request.socket),
    listen: request.listen,
    lans: request.lans.map((text) => readLan(text, vnets)),
  };
  checkOffice(office, places.directory);
  checkNothingThere(places.directory, places.stateDir);
  const endpoints = request.endpoints.map((text) =>
    formatEndpoint(orRefuse(readEndpoint(text), '--endpoint')),
  );
  const gndt = (publicKey: string): string =>
    jsonText({
      vnets: vnets.map((vnet, index) => ({ name: vnet, id: index + 1 })),
      routers: [{ id: name, publicKey, endpoints }],
      networks: networks.map(({ vnet, prefix }) => ({ vnet, prefix: prefix.key, router: name })),
    });
  const lndt = jsonText({ nodes: networks.map(({ vnet, prefix }) => ({ vnet, ip: prefix.key })) });
  const own: FileTexts = [[LNDT_FILE, lndt]];
  checkTexts(places.directory, [
    ...own,
    [ROUTER_FILE, routerText(name, SOME_KEY, places)],
    [GNDT_FILE, gndt(SOME_KEY)],
  ]);
  const privateKey = ownKey(places.directory);
  const publicText = gndt(encodeKey(derivePublicKey(privateKey)));
  privateKey.fill(0);
  const made = makeNetworkKey(office);
  const files = layAll(office, publicText, places, [
    ...own,
    [ROUTER_FILE, routerText(name, made.publicKey, places)],
  ]);
  return {
    router: name,
    networks: networks.map(({ vnet, prefix }) => `${vnet}=${prefix}`),
    keyFile: made.path,
    publicKey: made.publicKey,
    files,
  };
}

/** The description, signed, where the network is administered; then the router's files with a copy of it. */
function layAll(
  office: string,
  gndt: string,
  { directory }: RouterPlaces,
  own: FileTexts,
): readonly string[] {
  try {
    writeTexts(office, [[GNDT_FILE, gndt]]);
    signGndt(join(office, GNDT_FILE), join(office, KEY_FILE), undefined);
    const copies = [GNDT_FILE, SIGNATURE_FILE].map(
      (file) => [file, readFileSync(join(office, file), 'utf8')] as const,
    );
    return writeTexts(directory, [...own, ...copies]);
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError(
      REFUSED,
      `the router's files cannot be written: ${messageOf(error)}; remove ${office}, which nothing needs yet, and try again`,
    );
  }
}

function checkOffice(office: string, directory: string): void {
  if (office === directory)
    throw new CliError(
      REFUSED,
      `${directory} is the router's: name another directory for the network's key, which no router needs`,
    );
  const there = [KEY_FILE, GNDT_FILE].map((file) => join(office, file)).find(existsSync);
  if (there !== undefined)
    throw new CliError(REFUSED, `${there} is there already: this may be a network's key and description`);
}

function readNetwork(text: string): Network {
  const [, vnet = '', prefix = ''] = /^([^=]*)=(.*)$/.exec(text) ?? [];
  if (vnet === '')
    throw new CliError(REFUSED, `--network ${text}: expected VNET=PREFIX, such as blue=10.1.0.0/24`);
  return {
    vnet: orRefuse(readName(vnet), `--network ${text}`),
    prefix: orRefuse(readPrefix(prefix), `--network ${text}`),
  };
}
