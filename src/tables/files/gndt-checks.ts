/** What a schema cannot say of gndt.json: names that must exist, things that must not stand twice. */
import type { Ip } from '../../net/ip.js';
import type { Prefix } from '../../net/prefix.js';
import { siteResolver } from '../sites.js';
import { ErrorList, machineAddressProblem, repeats } from './check-support.js';
import { formatEndpoint } from './endpoint-text.js';
import type { ConfigError } from './error.js';
import { GNDT_FILE, type GndtFile } from './gndt-file.js';
import { overlaps } from './overlap.js';

export function checkGndt(file: GndtFile): ConfigError[] {
  const list = new ErrorList(GNDT_FILE);
  checkVnets(file, list);
  checkRouters(file, list);
  checkSites(file, list);
  checkNetworks(file, list);
  checkOverlaps(file, list);
  checkSubnets(file, list);
  checkClients(file, list);
  checkRemoved(file, list);
  return list.errors;
}

function checkVnets({ vnets }: GndtFile, list: ErrorList): void {
  for (const { item, index, first } of repeats(vnets, ({ name }) => name)) {
    list.add(
      `vnets[${index}].name`,
      `"${item.name}" is the name of vnets[${first}] already; give each vnet its own`,
    );
  }
  for (const { item, index, first } of repeats(vnets, ({ id }) => id)) {
    list.add(`vnets[${index}].id`, `${item.id} is the id of vnets[${first}] already; give each vnet its own`);
  }
}

function checkRouters({ routers }: GndtFile, list: ErrorList): void {
  for (const { item, index, first } of repeats(routers, ({ id }) => id)) {
    list.add(
      `routers[${index}].id`,
      `"${item.id}" is the id of routers[${first}] already; give each router its own`,
    );
  }
  for (const { index, first } of repeats(routers, ({ publicKey }) => publicKey.join())) {
    const other = `routers[${first}] ("${routers[first]?.id}")`;
    list.add(
      `routers[${index}].publicKey`,
      `this is the key of ${other} already; make a key for each router ("vinectl genkey")`,
    );
  }
  const endpoints = routers.flatMap(({ id, endpoints }, router) =>
    endpoints.map((endpoint, i) => ({
      id,
      path: `routers[${router}].endpoints[${i}]`,
      text: formatEndpoint(endpoint),
    })),
  );
  for (const { item, first } of repeats(endpoints, ({ text }) => text)) {
    list.add(item.path, `${item.text} is ${endpoints[first]?.path} ("${endpoints[first]?.id}") already`);
  }
}

function checkRemoved({ routers, removes }: GndtFile, list: ErrorList): void {
  const positions = new Map(routers.map(({ id }, index) => [id, index]));
  for (const [index, id] of removes.entries()) {
    const position = positions.get(id);
    if (position !== undefined)
      list.add(`removes[${index}]`, `"${id}" is routers[${position}]; take it out of one of the two lists`);
  }
}

function checkSites({ routers, sites }: GndtFile, list: ErrorList): void {
  const routerIds = routers.map(({ id }) => id);
  for (const { item, index, first } of repeats(sites, ({ id }) => id)) {
    list.add(
      `sites[${index}].id`,
      `"${item.id}" is the id of sites[${first}] already; give each site its own`,
    );
  }
  for (const [index, { id, routers: members }] of sites.entries()) {
    const router = routerIds.indexOf(id);
    // A router that stood alone keeps its site's id when it gets a partner: nothing that was said of its nodes changes.
    if (router >= 0 && !members.includes(id))
      list.add(
        `sites[${index}].id`,
        `"${id}" is the id of routers[${router}]; give the site one of its own, or that of one of its routers`,
      );
    if (members.length > 2) {
      list.add(`sites[${index}].routers`, `${members.length} routers; a site has one or two`);
      continue;
    }
    for (const [i, member] of members.entries())
      list.reference(`sites[${index}].routers[${i}]`, member, 'router', routerIds, '"routers"');
  }
  const members = sites.flatMap(({ id, routers: of }, site) =>
    (of.length > 2 ? [] : of).map((router, i) => ({ id, router, path: `sites[${site}].routers[${i}]` })),
  );
  for (const { item, first } of repeats(members, ({ router }) => router)) {
    list.add(
      item.path,
      `"${item.router}" is ${members[first]?.path} ("${members[first]?.id}") already; a router serves one site`,
    );
  }
}

function checkNetworks({ vnets, routers, sites, networks }: GndtFile, list: ErrorList): void {
  const vnetNames = vnets.map(({ name }) => name);
  const homes = [...routers, ...sites].map(({ id }) => id);
  const [what, where] =
    sites.length === 0 ? ['router', '"routers"'] : ['router or site', '"routers" or "sites"'];
  for (const [index, { vnet, prefix, router, gateway, mobility }] of networks.entries()) {
    const path = `networks[${index}]`;
    list.reference(`${path}.vnet`, vnet, 'vnet', vnetNames, '"vnets"');
    list.reference(`${path}.router`, router, what, homes, where);
    for (const [i, id] of (mobility?.allow ?? []).entries()) {
      list.reference(`${path}.mobility.allow[${i}]`, id, what, homes, where);
    }
    if (gateway === undefined) continue;
    const problem = gatewayProblem(gateway, prefix);
    if (problem !== undefined) list.add(`${path}.gateway`, problem);
  }
}

function gatewayProblem(gateway: Ip, prefix: Prefix): string | undefined {
  if (!prefix.contains(gateway)) {
    return `${gateway} is outside the network's prefix ${prefix}; expected one of its addresses`;
  }
  return machineAddressProblem(gateway, prefix);
}

/** Only within a vnet: vnets may use the same addresses. */
function checkOverlaps({ networks }: GndtFile, list: ErrorList): void {
  for (const vnet of new Set(networks.map((network) => network.vnet))) {
    const own = [...networks.entries()].filter(([, network]) => network.vnet === vnet);
    for (const { earlier, later } of overlaps(own.map(([, { prefix }]) => prefix))) {
      const first = own[earlier];
      const second = own[later];
      if (first !== undefined && second !== undefined) reportOverlap(first, second, list);
    }
  }
}

type Placed = readonly [index: number, network: GndtFile['networks'][number]];

function reportOverlap(
  [firstIndex, first]: Placed,
  [index, { prefix, vnet }]: Placed,
  list: ErrorList,
): void {
  const relation = prefix.key === first.prefix.key ? 'is' : `overlaps ${first.prefix} of`;
  list.add(
    `networks[${index}].prefix`,
    `${prefix} ${relation} networks[${firstIndex}] ("${first.router}") already; in vnet "${vnet}" an address can be at home at one router only`,
  );
}

function checkSubnets({ vnets, networks }: GndtFile, list: ErrorList): void {
  for (const [index, { name, subnet }] of vnets.entries()) {
    if (subnet === undefined) continue;
    const wider = networks.findIndex(
      ({ vnet, prefix }) => vnet === name && prefix.length < subnet.length && prefix.covers(subnet),
    );
    if (wider < 0) continue;
    list.add(
      `vnets[${index}].subnet`,
      `${subnet} is narrower than ${networks[wider]?.prefix} of networks[${wider}]; a subnet must be at least as wide as the networks in it`,
    );
  }
}

function checkClients(file: GndtFile, list: ErrorList): void {
  const { vnets, routers, nodes } = file;
  const vnetNames = vnets.map(({ name }) => name);
  const routerIds = routers.map(({ id }) => id);
  const routerKeys = new Map(routers.map(({ publicKey }, i) => [publicKey.join(), i]));
  for (const [index, { vnet, via, publicKey }] of nodes.entries()) {
    list.reference(`nodes[${index}].vnet`, vnet, 'vnet', vnetNames, '"vnets"');
    list.reference(`nodes[${index}].via`, via, 'router', routerIds, '"routers"');
    if (vnetNames.includes(vnet) && routerIds.includes(via)) checkClientAddress(file, index, list);
    const router = routerKeys.get(publicKey.join());
    if (router !== undefined)
      list.add(`nodes[${index}].publicKey`, `this is the key of routers[${router}] already`);
  }
  for (const { index, first } of repeats(nodes, ({ publicKey }) => publicKey.join())) {
    list.add(
      `nodes[${index}].publicKey`,
      `this is the key of nodes[${first}] already; make a key for each client`,
    );
  }
  for (const { item, index, first } of repeats(nodes, ({ vnet, ip }) => `${vnet} ${ip}`)) {
    list.add(
      `nodes[${index}].ip`,
      `${item.ip} is the address of nodes[${first}] in vnet "${item.vnet}" already`,
    );
  }
}

/** The other sites must know where to send what is for it: its address lies in a network, as a node's. */
function checkClientAddress({ nodes, networks, sites }: GndtFile, index: number, list: ErrorList): void {
  const siteOf = siteResolver(sites);
  const node = nodes[index];
  if (node === undefined) return;
  const { vnet, ip, via } = node;
  const own = networks.filter((network) => network.vnet === vnet && network.prefix.contains(ip));
  const [network] = own.sort((a, b) => b.prefix.length - a.prefix.length);
  if (network === undefined) {
    list.add(`nodes[${index}].ip`, `${ip} is in no network of vnet "${vnet}"; add one to "networks"`);
  } else if (network.gateway?.equals(ip)) {
    list.add(
      `nodes[${index}].ip`,
      `${ip} is the gateway of ${network.prefix}; expected an address of its own`,
    );
  } else if (
    siteOf(network.router) !== siteOf(via) &&
    network.mobility?.allow?.map(siteOf).includes(siteOf(via)) === false
  ) {
    list.add(
      `nodes[${index}].via`,
      `"${via}" is not in mobility.allow of ${network.prefix}, the network of ${ip}; add it there, or let the client connect to "${network.router}"`,
    );
  }
}
