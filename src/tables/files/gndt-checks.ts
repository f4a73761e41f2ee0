/** What a schema cannot say of gndt.json: names that must exist, things that must not stand twice. */
import type { Ip } from '../../net/ip.js';
import type { Prefix } from '../../net/prefix.js';
import { ErrorList, repeats } from './check-support.js';
import { formatEndpoint } from './endpoint-text.js';
import type { ConfigError } from './error.js';
import { GNDT_FILE, type GndtFile } from './gndt-file.js';
import { overlaps } from './overlap.js';

export function checkGndt(file: GndtFile): ConfigError[] {
  const list = new ErrorList(GNDT_FILE);
  checkVnets(file, list);
  checkRouters(file, list);
  checkNetworks(file, list);
  checkOverlaps(file, list);
  checkSubnets(file, list);
  checkClients(file, list);
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

function checkNetworks({ vnets, routers, networks }: GndtFile, list: ErrorList): void {
  const vnetNames = vnets.map(({ name }) => name);
  const routerIds = routers.map(({ id }) => id);
  for (const [index, { vnet, prefix, router, gateway, mobility }] of networks.entries()) {
    const path = `networks[${index}]`;
    list.reference(`${path}.vnet`, vnet, 'vnet', vnetNames, '"vnets"');
    list.reference(`${path}.router`, router, 'router', routerIds, '"routers"');
    for (const [i, id] of (mobility?.allow ?? []).entries()) {
      list.reference(`${path}.mobility.allow[${i}]`, id, 'router', routerIds, '"routers"');
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
  if (prefix.family === 6 || prefix.length >= 31) return undefined; // RFC 3021: a /31 has no broadcast address
  const offset = gateway.words[3] - prefix.address.words[3];
  if (offset === 0) return `${gateway} is the address of the network ${prefix} itself; expected a machine's`;
  if (offset === prefix.size - 1)
    return `${gateway} is the broadcast address of ${prefix}; expected a machine's`;
  return undefined;
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
function checkClientAddress({ nodes, networks }: GndtFile, index: number, list: ErrorList): void {
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
  } else if (network.router !== via && network.mobility?.allow?.includes(via) === false) {
    list.add(
      `nodes[${index}].via`,
      `"${via}" is not in mobility.allow of ${network.prefix}, the network of ${ip}; add it there, or let the client connect to "${network.router}"`,
    );
  }
}
