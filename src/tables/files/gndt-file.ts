/** gndt.json: the whole virtual network, the same file on every router. */
import { z } from 'zod';
import type { GndtConfig, VnetId } from '../model.js';
import { siteResolver } from '../sites.js';
import {
  endpointUrl,
  networkPrefix,
  nodeIp,
  publicKey,
  routerId,
  schemaReference,
  vnetName,
} from './fields.js';
import { oneOf, strict, text, wholeNumber } from './schema.js';
import { quoted } from './suggest.js';

export const GNDT_FILE = 'gndt.json';
/** The network key's signature over the exact bytes of the other: one line of base64. */
export const SIGNATURE_FILE = 'gndt.json.sig';

/** Of a signed description; it rises with each. */
export const MAX_VERSION = 2 ** 52;

/** A token needs no place here once its expiry and its router's membership are both over. */
const MOST_REVOKED = 4096;

const vnet = strict(
  {
    name: vnetName('name of the vnet, for people and for the other files'),
    id: wholeNumber(1, 65_535, "the vnet's number in every packet, from 1 to 65535"),
    subnet: networkPrefix(
      'turns on the single-large-subnet mode: the wide prefix that nodes are configured with',
    ).optional(),
  },
  'an isolated virtual network',
);

const router = strict(
  {
    id: routerId("the router's id, as in its own router.json"),
    publicKey: publicKey('its public key, as "vinectl pubkey" prints it'),
    endpoints: z
      .array(
        endpointUrl(
          'where other routers reach it: an address, or a host name that is resolved again and again',
        ),
      )
      .default([])
      .meta({ description: 'tried in this order; without any, the router can only dial out' }),
    relay: z.boolean().default(false).meta({ description: "lets it carry others' sealed messages" }),
  },
  'a ViNe router',
);

const site = strict(
  {
    id: routerId(
      "the site's id: one that no router has, or that of one of its own (a site that gets a second router keeps its name)",
    ),
    routers: z
      .array(routerId('id of a router'))
      .min(1)
      .meta({ description: 'its router, or its two: of two that would be active at once the first is' }),
  },
  'routers that serve the same LANs',
);

const network = strict(
  {
    vnet: vnetName("name of the network's vnet"),
    prefix: networkPrefix("the network's addresses"),
    router: routerId('id of its home router, or of its site'),
    gateway: nodeIp("the network's way to the outside world").optional(),
    mobility: strict(
      {
        allow: z
          .array(routerId('id of a router or site'))
          .optional()
          .meta({ description: "routers or sites that may claim this network's nodes; all, when left out" }),
      },
      "where this network's nodes may move",
    ).optional(),
  },
  'a prefix that is native to one site',
);

const client = strict(
  {
    vnet: vnetName("name of the client's vnet"),
    ip: nodeIp("the client's address in the vnet"),
    publicKey: publicKey("the client's WireGuard public key"),
    via: routerId('id of the router that it connects to'),
  },
  'an ordinary WireGuard client that is a node',
);

const grantId = text(
  (written) =>
    /^[0-9a-f]{64}$/.test(written)
      ? { value: written }
      : {
          problem: `${quoted(written)} is no token's id; expected the 64 hexadecimal digits of "vinectl network list"`,
        },
  { description: 'a token\'s id, as "vinectl network list" shows it', pattern: '^[0-9a-f]{64}$' },
);

export const gndtSchema = strict(
  {
    $schema: schemaReference,
    version: wholeNumber(
      1,
      MAX_VERSION,
      'number of the signed description, which rises with each ("vinectl network sign" does it)',
    ).optional(),
    removes: z.array(routerId('id of a router')).default([]).meta({
      description:
        'routers that this version takes away on purpose: that they are lost does not undo it ("vinectl network sign --remove")',
    }),
    vnets: z.array(vnet).min(1).meta({ description: 'the virtual networks' }),
    routers: z.array(router).min(1).meta({ description: 'the routers of all sites' }),
    sites: z
      .array(site)
      .default([])
      .meta({ description: 'sites by name; a router that is in none is a site by itself' }),
    networks: z.array(network).meta({ description: 'which prefix is at home at which router' }),
    cipher: oneOf(
      ['auto', 'chacha20-poly1305', 'aes-256-gcm'],
      'cipher of the sessions between routers; auto: AES-256-GCM between two that are both clearly faster with it',
    ).default('auto'),
    nodes: z.array(client).default([]).meta({ description: 'ordinary WireGuard clients that are nodes' }),
    revoked: z
      .array(grantId)
      .max(MOST_REVOKED)
      .optional()
      .meta({ description: 'tokens that admit nobody any more; a router that has joined with one is out' }),
  },
  'gndt.json: the Global Network Description Table, the same on every router',
);

/** gndt.json as it is written, its texts read into values; vnets still by name. */
export type GndtFile = z.output<typeof gndtSchema>;

/** Vnet ids by name. */
export function vnetIds(file: Pick<GndtFile, 'vnets'>): ReadonlyMap<string, VnetId> {
  return new Map(file.vnets.map(({ name, id }) => [name, id]));
}

/** For a file that has passed `checkGndt`; positions in the lists stay the same. */
export function toGndtConfig(file: GndtFile): GndtConfig {
  const ids = vnetIds(file);
  const siteOf = siteResolver(file.sites);
  const idOf = (name: string): VnetId => known(ids.get(name), name);
  return {
    ...(file.version === undefined ? {} : { version: file.version }),
    ...(file.removes.length === 0 ? {} : { removes: file.removes }),
    vnets: file.vnets.map(({ name, id, subnet }) => ({ name, id, subnet })),
    routers: file.routers,
    ...(file.sites.length === 0 ? {} : { sites: file.sites }),
    networks: file.networks.map(({ vnet, prefix, router, gateway, mobility }) => ({
      vnet: idOf(vnet),
      prefix,
      router: siteOf(router),
      gateway,
      allow: mobility?.allow && [...new Set(mobility.allow.map(siteOf))],
    })),
    cipher: file.cipher,
    nodes: file.nodes.map(({ vnet, ip, publicKey, via }) => ({ vnet: idOf(vnet), ip, publicKey, via })),
  };
}

/** @throws when the caller has skipped the checks */
export function known(id: VnetId | undefined, name: string): VnetId {
  if (id === undefined) throw new Error(`unknown vnet ${name} in a file that was not checked`);
  return id;
}
