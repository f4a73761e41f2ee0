/** Addresses that a gateway machine's own TUN routes take into the overlay: the tunnel's datagrams must not go there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ip } from '../../../src/net/ip.js';
import { TunRoutes } from '../../../src/router/machine/tun-ports.js';
import { Directory } from '../../../src/tables/directory.js';
import { Gndt } from '../../../src/tables/gndt.js';
import { Lans } from '../../../src/tables/lan.js';
import { SimClock } from '../../support/sim-clock.js';
import { BLUE, gndtConfig, network, RED } from '../tables/fixtures.js';

const NETWORKS = [
  network(BLUE, '10.1.0.0/24', 'vr-a'),
  network(BLUE, '10.2.0.0/24', 'vr-b'),
  network(BLUE, 'fd00:2::/64', 'vr-b'),
  network(RED, '10.3.0.0/24', 'vr-c'),
];

function routeTo(text: string, endpoint?: string, ports = 1): string | undefined {
  const base = gndtConfig(NETWORKS);
  const endpoints =
    endpoint === undefined ? [] : [{ transport: 'udp' as const, address: Ip.of(endpoint), port: 7700 }];
  const gndt = new Gndt(
    { ...base, routers: base.routers.map((router) => ({ ...router, endpoints })) },
    'vr-a',
  );
  const socket = { fd: 3, index: 0 };
  const port = { interface: 'vine0', vnet: BLUE, index: 0, addresses: [], socket };
  const routes = new TunRoutes({
    ports: Array.from({ length: ports }, () => port),
    lans: new Lans(),
    gndt,
    directory: new Directory('vr-a', new SimClock()),
    hub: { emit: () => {} },
  });
  return routes.routeTo(Ip.of(text))?.key;
}

test('what lies in another site’s network of the port’s vnet; before the routes are set too', () => {
  assert.equal(routeTo('10.2.0.9'), '10.2.0.0/24');
  assert.equal(routeTo('fd00:2::9'), 'fd00:2::/64');
  assert.equal(routeTo('10.1.0.9'), undefined, 'the own network is on the LAN');
  assert.equal(routeTo('10.3.0.9'), undefined, 'another vnet has no port here');
  assert.equal(routeTo('192.0.2.2'), undefined);
});

test('not without a port, and not where an endpoint of the file keeps the route away', () => {
  assert.equal(routeTo('10.2.0.9', undefined, 0), undefined);
  assert.equal(routeTo('10.2.0.9', '10.2.0.1'), undefined);
  assert.equal(routeTo('10.2.0.9', '10.9.0.1'), '10.2.0.0/24');
});
