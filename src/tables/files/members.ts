/**
 * Routers that have joined with a token, beside those of gndt.json. What the file says wins: a member that contradicts it, or one
 * before it, is left out, with the reason.
 */
import type { Prefix } from '../../net/prefix.js';
import type { RouterEndpoint, RouterId, SiteId, VnetId } from '../model.js';
import { formatEndpoint } from './endpoint-text.js';
import type { GndtFile } from './gndt-file.js';
import { encodeKey } from './read.js';

/** A router with its site and the networks that are native there, as its membership says. */
export interface Member {
  /** Id of its grant, 64 hexadecimal digits: what a description revokes it by. */
  readonly grant: string;
  readonly router: RouterId;
  readonly publicKey: Uint8Array;
  readonly endpoints: readonly RouterEndpoint[];
  readonly site: SiteId;
  readonly networks: readonly {
    readonly vnet: { readonly id: VnetId; readonly name: string };
    readonly prefix: Prefix;
  }[];
}

export interface RefusedMember {
  readonly member: Member;
  readonly why: MemberProblem;
  readonly reason: string;
}

/** `absorbed`: the file names it itself, with the same key; nothing is wrong. */
export type MemberProblem =
  | 'absorbed'
  | 'revoked'
  | 'name-taken'
  | 'key-taken'
  | 'site-exists'
  | 'endpoint-taken'
  | 'unknown-vnet'
  | 'networks-overlap';

export interface WithMembers {
  readonly file: GndtFile;
  readonly members: readonly Member[];
  readonly refused: readonly RefusedMember[];
}

/**
 * The whole network as a router sees it: the file with the members that fit. In the order of their grants, which nobody who
 * joins can choose: every router with the same file and the same members makes the same of them.
 */
export function withMembers(file: GndtFile, members: readonly Member[]): WithMembers {
  const taken = new Taken(file);
  const fitting: Member[] = [];
  const refused: RefusedMember[] = [];
  for (const member of [...members].sort((a, b) => (a.grant < b.grant ? -1 : 1))) {
    const problem = taken.problemOf(member);
    if (problem === undefined) {
      taken.add(member);
      fitting.push(member);
    } else refused.push({ member, ...problem });
  }
  return { file: fitting.length === 0 ? file : extended(file, fitting), members: fitting, refused };
}

function extended(file: GndtFile, members: readonly Member[]): GndtFile {
  return {
    ...file,
    routers: [
      ...file.routers,
      ...members.map(({ router, publicKey, endpoints }) => ({
        id: router,
        publicKey,
        endpoints: [...endpoints],
        relay: false,
      })),
    ],
    sites: [
      ...file.sites,
      ...members
        .filter(({ router, site }) => router !== site)
        .map(({ router, site }) => ({ id: site, routers: [router] })),
    ],
    networks: [
      ...file.networks,
      ...members.flatMap(({ networks, site }) =>
        networks.map(({ vnet, prefix }) => ({ vnet: vnet.name, prefix, router: site })),
      ),
    ],
  };
}

type Problem = Omit<RefusedMember, 'member'>;

/** What may not stand twice. */
class Taken {
  readonly #revoked: ReadonlySet<string>;
  readonly #vnets: ReadonlyMap<string, VnetId>;
  /** Ids of routers and sites. */
  readonly #ids: Set<string>;
  /** Keys of routers and clients, with whose each is. */
  readonly #keys: Map<string, string>;
  readonly #endpoints: Set<string>;
  readonly #prefixes = new Map<string, Prefix[]>();

  constructor(file: GndtFile) {
    this.#revoked = new Set(file.revoked);
    this.#vnets = new Map(file.vnets.map(({ name, id }) => [name, id]));
    this.#ids = new Set([...file.routers, ...file.sites].map(({ id }) => id));
    this.#keys = new Map([
      ...file.routers.map(({ id, publicKey }) => [encodeKey(publicKey), id] as const),
      ...file.nodes.map(({ ip, publicKey }) => [encodeKey(publicKey), `client ${ip}`] as const),
    ]);
    this.#endpoints = new Set(file.routers.flatMap(({ endpoints }) => endpoints.map(formatEndpoint)));
    for (const { vnet, prefix } of file.networks) this.#addPrefix(vnet, prefix);
  }

  problemOf(member: Member): Problem | undefined {
    const { grant, router, site, publicKey, endpoints } = member;
    if (this.#revoked.has(grant)) return { why: 'revoked', reason: `the token of "${router}" is revoked` };
    const owner = this.#keys.get(encodeKey(publicKey));
    if (owner === router) return { why: 'absorbed', reason: `gndt.json has "${router}" itself` };
    if (owner !== undefined) return { why: 'key-taken', reason: `its key is that of "${owner}" already` };
    if (this.#ids.has(router))
      return {
        why: 'name-taken',
        reason: `there is a router or site "${router}" already; choose another --name`,
      };
    if (site !== router && this.#ids.has(site))
      return { why: 'site-exists', reason: `there is a site or router "${site}" already` };
    const endpoint = endpoints.map(formatEndpoint).find((text) => this.#endpoints.has(text));
    if (endpoint !== undefined)
      return { why: 'endpoint-taken', reason: `${endpoint} is the endpoint of another router` };
    return this.#networkProblem(member);
  }

  add({ router, site, publicKey, endpoints, networks }: Member): void {
    this.#ids.add(router).add(site);
    this.#keys.set(encodeKey(publicKey), router);
    for (const endpoint of endpoints) this.#endpoints.add(formatEndpoint(endpoint));
    for (const { vnet, prefix } of networks) this.#addPrefix(vnet.name, prefix);
  }

  #networkProblem({ networks }: Member): Problem | undefined {
    for (const { vnet, prefix } of networks) {
      if (this.#vnets.get(vnet.name) !== vnet.id)
        return { why: 'unknown-vnet', reason: `there is no vnet "${vnet.name}" with the id ${vnet.id}` };
      const other = (this.#prefixes.get(vnet.name) ?? []).find((one) => one.overlaps(prefix));
      if (other !== undefined)
        return {
          why: 'networks-overlap',
          reason: `${prefix} overlaps ${other} in vnet "${vnet.name}"`,
        };
    }
    return undefined;
  }

  #addPrefix(vnet: string, prefix: Prefix): void {
    const all = this.#prefixes.get(vnet);
    if (all === undefined) this.#prefixes.set(vnet, [prefix]);
    else all.push(prefix);
  }
}
