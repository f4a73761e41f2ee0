/** What a schema cannot say of router.json, alone and beside gndt.json. */
import type { Endpoint } from '../model.js';
import { ErrorList, repeats } from './check-support.js';
import { formatEndpoint } from './endpoint-text.js';
import type { ConfigError } from './error.js';
import { GNDT_FILE, type GndtFile } from './gndt-file.js';
import { ROUTER_FILE, type RouterFile } from './router-file.js';

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
  return list.errors;
}

function placed(key: 'lans' | 'tun', ports: RouterFile['lans']) {
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
