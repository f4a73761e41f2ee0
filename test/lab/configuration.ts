/** Configuration directories of a lab's routers: `LAB/TAG/{router,gndt,lndt}.json`, `router.key`. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { IgnoreFormat } from '../../src/config/ignore-list.js';
import {
  isBehindNat,
  type Plan,
  type RouterPlan,
  type Site,
  type SiteLetter,
  sharedHost,
  siteAddress,
  siteAddress6,
  siteName,
  subnetOf,
} from './plan.js';

export const vnet = 'blue';
export const gatewayAddresses = (site: Site): readonly [string, string] => [
  siteAddress(site, sharedHost),
  siteAddress6(site, sharedHost),
];
export const tunnelPort = 7700;

/** What may be set beyond the topology. */
export interface ConfigurationOptions {
  /** Sites whose router has a key of which the others do not know. */
  readonly wrongKey?: readonly SiteLetter[];
  /** The routers listen on TCP too, and say so. */
  readonly tcp?: boolean;
  readonly logLevel?: string;
  readonly cipher?: 'chacha20-poly1305' | 'aes-256-gcm';
  /** Sites whose gateway machine itself takes part, through TUN port `vine0`. */
  readonly tun?: readonly SiteLetter[];
  /** Sites whose router has no LAN, only the TUN port: the machine is node .1 of its network. */
  readonly withoutLan?: readonly SiteLetter[];
  readonly verify?: 'optimistic' | 'strict' | 'off';
  /** Moves of one node in 180 s before it is frozen. */
  readonly maxMoves?: number;
  /**
   * Sites whose router has gateway addresses, .3 of its networks; with which MAC, when that is not the default. Two routers
   * of one site always have them.
   */
  readonly gateway?: readonly SiteLetter[];
  readonly gatewayMac?: 'virtual' | 'own';
  /** Packet workers of each direction at every router; VINE_LAB_WORKERS when left out. */
  readonly workers?: number;
  /** Every router lists its visitors for this kind of DHCP server, in `ignoreFile`. */
  readonly ignoreFormat?: IgnoreFormat;
}

interface KeyPair {
  readonly privateKey: string;
  readonly publicKey: string;
}

const toBase64 = (base64url: string | undefined): string => {
  if (base64url === undefined) throw new Error('an X25519 key without x or d');
  return Buffer.from(base64url, 'base64url').toString('base64');
};

function generateKeys(): KeyPair {
  const jwk = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' });
  return { privateKey: toBase64(jwk.d), publicKey: toBase64(jwk.x) };
}

/** @param tag the router's: the site's letter where that has one router */
export const routerDirectory = (labDirectory: string, tag: string): string => join(labDirectory, tag);
export const controlSocket = (labDirectory: string, tag: string): string =>
  join(routerDirectory(labDirectory, tag), 'control.sock');
/** Alone in its directory, for servers that read whole directories. */
const IGNORE_FILE = 'visitors/vine';
export const ignoreFile = (labDirectory: string, tag: string): string =>
  join(routerDirectory(labDirectory, tag), IGNORE_FILE);
export const logFile = (labDirectory: string, tag: string): string =>
  join(routerDirectory(labDirectory, tag), 'vined.log');

function routerJson(
  labDirectory: string,
  plan: Plan,
  router: RouterPlan,
  options: ConfigurationOptions,
): object {
  const { id, tag, site } = router;
  const hasGateway = options.gateway?.includes(site.letter) === true || isOfPair(plan, router);
  return {
    id,
    privateKeyFile: 'router.key',
    listen: [`udp://0.0.0.0:${tunnelPort}`, ...(options.tcp === true ? [`tcp://0.0.0.0:${tunnelPort}`] : [])],
    lans: options.withoutLan?.includes(site.letter)
      ? []
      : [{ interface: 'lan0', vnet, ...(hasGateway ? gatewayOf(site, options) : {}) }],
    ...(hasTun(site, options) ? { tun: [{ interface: 'vine0', vnet }] } : {}),
    control: { socket: controlSocket(labDirectory, tag), group: 'root' },
    stateDir: join(routerDirectory(labDirectory, tag), 'state'),
    ...workersOf(options),
    log: { level: options.logLevel ?? process.env.VINE_LAB_LOG ?? 'info' },
    ...mobilityOf(options),
  };
}

function workersOf({ workers = Number(process.env.VINE_LAB_WORKERS ?? 1) }: ConfigurationOptions): object {
  return workers === 1 ? {} : { workers };
}

const isOfPair = ({ routers }: Plan, { id, site }: RouterPlan): boolean =>
  routers.some((other) => other.site === site && other.id !== id);

function gatewayOf(site: Site, { gatewayMac }: ConfigurationOptions): object {
  return { gateway: gatewayAddresses(site), ...(gatewayMac === undefined ? {} : { mac: gatewayMac }) };
}

function hasTun({ letter }: Site, options: ConfigurationOptions): boolean {
  return [...(options.tun ?? []), ...(options.withoutLan ?? [])].includes(letter);
}

function mobilityOf({ verify, maxMoves, ignoreFormat }: ConfigurationOptions): object {
  const dhcp = ignoreFormat && { ignoreFile: IGNORE_FILE, ignoreFormat };
  const mobility = { ...(verify && { verify }), ...(maxMoves && { maxMoves }), ...(dhcp && { dhcp }) };
  return Object.keys(mobility).length === 0 ? {} : { mobility };
}

function networksOf(plan: Plan, site: Site): object[] {
  const router = siteName(plan.topology, site.letter);
  const hasGateway = site.letter === 'a';
  // Names sites too.
  const names = plan.sites.map(({ letter }) => siteName(plan.topology, letter));
  const allow = plan.topology === 'pair' ? { mobility: { allow: names } } : {};
  return [
    {
      vnet,
      prefix: `${siteAddress(site, 0)}/24`,
      router,
      ...allow,
      ...(hasGateway ? { gateway: siteAddress(site, 254) } : {}),
    },
    {
      vnet,
      prefix: `fd00:${site.number}::/64`,
      router,
      ...allow,
      ...(hasGateway ? { gateway: siteAddress6(site, 254) } : {}),
    },
  ];
}

function endpointsOf({ wanHost }: RouterPlan, options: ConfigurationOptions): string[] {
  const transports = options.tcp === true ? ['udp', 'tcp'] : ['udp'];
  return transports.map((transport) => `${transport}://192.0.2.${wanHost}:${tunnelPort}`);
}

/** Those of two routers. */
function sitesOf(plan: Plan): object[] {
  return plan.sites.flatMap((site) => {
    const routers = plan.routers.filter((router) => router.site === site).map(({ id }) => id);
    return routers.length === 1 ? [] : [{ id: siteName(plan.topology, site.letter), routers }];
  });
}

function gndtJson(
  plan: Plan,
  publicKeys: ReadonlyMap<string, string>,
  options: ConfigurationOptions,
): object {
  const subnet = subnetOf(plan.topology);
  const sites = sitesOf(plan);
  return {
    vnets: [{ name: vnet, id: 1, ...(subnet === undefined ? {} : { subnet }) }],
    routers: plan.routers.map((router) => ({
      id: router.id,
      publicKey: publicKeys.get(router.tag),
      endpoints: isBehindNat(plan.topology, router.site) ? [] : endpointsOf(router, options),
      ...(plan.topology === 'nat' && router.site.letter === 'c' ? { relay: true } : {}),
    })),
    ...(sites.length === 0 ? {} : { sites }),
    networks: plan.sites.flatMap((site) => networksOf(plan, site)),
    ...(options.cipher === undefined ? {} : { cipher: options.cipher }),
  };
}

function lndtJson(plan: Plan, site: Site, options: ConfigurationOptions): object {
  if (options.withoutLan?.includes(site.letter))
    return { nodes: [siteAddress(site, 1), siteAddress6(site, 1)].map((ip) => ({ vnet, ip })) };
  const addresses = plan.listed.filter((node) => node.site === site.letter).map((node) => node.address);
  return { nodes: addresses.map((ip) => ({ vnet, ip })) };
}

const writeJson = (file: string, value: object): void =>
  writeFileSync(file, `${JSON.stringify(value, undefined, 2)}\n`);

/** Writes every router's directory anew. */
export function writeConfigurations(labDirectory: string, plan: Plan, options: ConfigurationOptions): void {
  const keys = new Map(plan.routers.map(({ tag }) => [tag, generateKeys()]));
  const known = new Map([...keys].map(([tag, { publicKey }]) => [tag, publicKey]));
  for (const letter of options.wrongKey ?? []) known.set(letter, generateKeys().publicKey);
  for (const router of plan.routers) {
    const { tag, site } = router;
    const directory = routerDirectory(labDirectory, tag);
    const own = keys.get(tag);
    if (own === undefined) continue;
    mkdirSync(join(directory, 'state'), { recursive: true, mode: 0o700 });
    if (options.ignoreFormat !== undefined)
      mkdirSync(dirname(join(directory, IGNORE_FILE)), { recursive: true });
    writeFileSync(join(directory, 'router.key'), `${own.privateKey}\n`, { mode: 0o600 });
    writeJson(join(directory, 'router.json'), routerJson(labDirectory, plan, router, options));
    // A router must find its own key in the file, also one whose key the others do not know.
    const seenFromHere = new Map(known).set(tag, own.publicKey);
    writeJson(join(directory, 'gndt.json'), gndtJson(plan, seenFromHere, options));
    writeJson(join(directory, 'lndt.json'), lndtJson(plan, site, options));
  }
}
