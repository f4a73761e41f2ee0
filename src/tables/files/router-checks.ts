/** What a schema cannot say of router.json, alone and beside gndt.json. */
import type { Ip } from '../../net/ip.js';
import type { Endpoint, PortConfig } from '../model.js';
import { ErrorList, machineAddressProblem, repeats } from './check-support.js';
import { formatEndpoint } from './endpoint-text.js';
import type { ConfigError } from './error.js';
import { checkNetworkSection } from './etcd-fields.js';
import { GNDT_FILE, type GndtFile } from './gndt-file.js';
import { LNDT_FILE, type LndtFile } from './lndt-file.js';
import { ROUTER_FILE, type RouterFile } from './router-file.js';
import { listed } from './suggest.js';

/** The checks that need router.json alone. */
export function checkRouter(file: RouterFile): ConfigError[] {
  const list = new ErrorList(ROUTER_FILE);
  checkListen(file.listen, list);
  const ports = [...placed('lans', file.lans), ...placed('tun', file.tun)];
  for (const { item, first } of repeats(ports, ({ port }) => port.interface)) {
    list.add(
      `${item.path}.interface`,
      `"${item.port.interface}" is ${ports[first]?.path} already; one interface carries one vnet (for more, use VLANs)`,
    );
  }
  for (const { item, first } of repeats(placed('tun', file.tun), ({ port }) => port.vnet)) {
    list.add(`${item.path}.vnet`, `vnet "${item.port.vnet}" has a TUN port already, tun[${first}]`);
  }
  checkVirtualMacs(file, list);
  checkRepeatedGateways(file, list);
  if (file.network !== undefined) checkNetworkSection(file.network, list);
  if (ports.length === 0) list.add('lans', 'the list is empty; a router without a LAN has nothing to carry');
  return list.errors;
}

/** The names in router.json that gndt.json must know. */
export function checkRouterAgainstGndt(file: RouterFile, gndt: GndtFile): ConfigError[] {
  const list = new ErrorList(ROUTER_FILE);
  const vnetNames = gndt.vnets.map(({ name }) => name);
  const routerIds = gndt.routers.map(({ id }) => id);
  list.reference('id', file.id, 'router', routerIds, GNDT_FILE);
  for (const id of Object.keys(file.presharedKeys)) {
    const path = `presharedKeys.${id}`;
    if (id === file.id) list.add(path, 'this is the router itself; expected the id of another one');
    else list.reference(path, id, 'router', routerIds, GNDT_FILE);
  }
  for (const { path, port } of [...placed('lans', file.lans), ...placed('tun', file.tun)]) {
    list.reference(`${path}.vnet`, port.vnet, 'vnet', vnetNames, GNDT_FILE);
  }
  for (const { path, vnet, ip } of gatewayAddresses(file)) {
    const problem = vnetNames.includes(vnet) ? placeProblem(vnet, ip, gndt) : undefined;
    if (problem !== undefined) list.add(path, problem);
  }
  return list.errors;
}

/** Gateway addresses are no node's. */
export function checkRouterAgainstLndt(file: RouterFile, lndt: LndtFile): ConfigError[] {
  const list = new ErrorList(ROUTER_FILE);
  for (const { path, vnet, ip } of gatewayAddresses(file)) {
    const node = lndt.nodes.findIndex(
      (entry) => entry.vnet === vnet && entry.ip.isHost && entry.ip.address.equals(ip),
    );
    if (node >= 0)
      list.add(
        path,
        `${ip} is a node's, nodes[${node}] of ${LNDT_FILE}; expected an address that no machine has`,
      );
  }
  return list.errors;
}

interface GatewayAddress {
  readonly path: string;
  readonly vnet: string;
  readonly ip: Ip;
}

function gatewayAddresses({ lans }: RouterFile): readonly GatewayAddress[] {
  return lans.flatMap(({ vnet, gateway = [] }, lan) =>
    gateway.map((ip, i) => ({ path: `lans[${lan}].gateway[${i}]`, vnet, ip })),
  );
}

function checkVirtualMacs({ lans }: RouterFile, list: ErrorList): void {
  for (const [index, { gateway = [], mac, vrid }] of lans.entries()) {
    if (vrid === undefined || mac === 'virtual' || (mac === undefined && gateway.length > 0)) continue;
    const why = mac === 'own' ? 'with "mac": "own" there is none' : 'without gateway addresses there is none';
    list.add(`lans[${index}].vrid`, `this is the number of a virtual MAC address, and ${why}; leave it out`);
  }
}

/** Also on two LANs of one vnet: an address leads to one place. */
function checkRepeatedGateways(file: RouterFile, list: ErrorList): void {
  const all = gatewayAddresses(file);
  for (const { item, first } of repeats(all, ({ vnet, ip }) => `${vnet} ${ip}`)) {
    list.add(item.path, `${item.ip} of vnet "${item.vnet}" is ${all[first]?.path} already`);
  }
}

/** Why the address cannot be a gateway address of that vnet. */
function placeProblem(vnet: string, ip: Ip, { networks, nodes }: GndtFile): string | undefined {
  const own = networks.filter((network) => network.vnet === vnet);
  const network = own.find(({ prefix }) => prefix.contains(ip));
  if (network === undefined) {
    const there =
      own.length === 0 ? 'it has none' : `they are ${listed(own.map(({ prefix }) => prefix.key))}`;
    return `${ip} is in no network of vnet "${vnet}" in ${GNDT_FILE}; ${there}`;
  }
  if (network.gateway?.equals(ip))
    return `${ip} is the gateway of ${network.prefix} in ${GNDT_FILE}, a machine that leads to the outside world; the router answers for this one itself: expected an address that no machine has`;
  const client = nodes.findIndex((node) => node.vnet === vnet && node.ip.equals(ip));
  if (client >= 0) return `${ip} is the address of nodes[${client}] in ${GNDT_FILE}, a WireGuard client`;
  return machineAddressProblem(ip, network.prefix);
}

function placed(key: 'lans' | 'tun', ports: readonly PortConfig[]) {
  return ports.map((port, index) => ({ path: `${key}[${index}]`, port }));
}

/** Two sockets for one port would fail with EADDRINUSE: the same address twice, or one beside "every address". */
function checkListen(listen: readonly Endpoint[], list: ErrorList): void {
  for (const [index, endpoint] of listen.entries()) {
    const first = listen.findIndex((other) => collides(other, endpoint));
    if (first >= index) continue;
    const other = listen[first];
    if (other === undefined) continue;
    const text = formatEndpoint(endpoint);
    list.add(
      `listen[${index}]`,
      other.address.equals(endpoint.address)
        ? `${text} is listen[${first}] already`
        : `${text} collides with listen[${first}], ${formatEndpoint(other)}, which takes the port on every address`,
    );
  }
}

function collides(a: Endpoint, b: Endpoint): boolean {
  if (a.transport !== b.transport || a.port !== b.port || a.port === 0) return false;
  if (a.address.family !== b.address.family) return false;
  return a.address.equals(b.address) || a.address.isUnspecified || b.address.isUnspecified;
}
