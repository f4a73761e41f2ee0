/** Two vnets with the same addresses at the same routers: nothing of one is the other's (docs/security.md). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Ip } from '../../../../src/net/ip.js';
import { mac } from '../../../../src/net/mac.js';
import { Prefix } from '../../../../src/net/prefix.js';
import { followOwnAddresses } from '../../../../src/router/lan/own-addresses.js';
import { Directory } from '../../../../src/tables/directory.js';
import { ForwardingCompiler } from '../../../../src/tables/forwarding/forwarding-compiler.js';
import { ForwardingTable } from '../../../../src/tables/forwarding/forwarding-table.js';
import { MacTable } from '../../../../src/tables/forwarding/mac-table.js';
import { Rescue } from '../../../../src/tables/forwarding/rescue.js';
import { Gndt } from '../../../../src/tables/gndt.js';
import { Hwdt } from '../../../../src/tables/hwdt.js';
import { Lndt } from '../../../../src/tables/lndt.js';
import { ipPacket } from '../../../support/ip-packet.js';
import { lansOf } from '../../../support/lans.js';
import { networkOf, PacketWorker, routerOf } from '../../../support/packet-worker.js';
import { SimClock } from '../../../support/sim-clock.js';
import { workerInput } from '../../../support/worker-input.js';

const [BLUE, RED] = [1, 2];
/** LANs of this router, vr-b; its peers' numbers. */
const [BLUE_LAN, RED_LAN] = [0, 1];
const [A, B, C] = [0, 1, 2];
const VR_MAC = mac('02:00:00:00:02:01');
const BLUE_MAC = mac('52:54:00:00:01:11');
const RED_MAC = mac('52:54:00:00:02:11');
const AWAY_MAC = mac('52:54:00:00:01:22');

/** In both vnets: a host here, and a network that is vr-a's in blue and vr-c's in red. Only in blue: another of vr-c's. */
interface Addresses {
  readonly host: string;
  readonly remote: string;
  readonly blueOnly: string;
  /** Native here in both; that of blue is at vr-c. */
  readonly away: string;
  readonly networks: readonly [here: string, both: string, blueOnly: string];
}

const FAMILIES: Readonly<Record<string, Addresses>> = {
  IPv4: {
    host: '10.2.0.11',
    remote: '10.1.0.11',
    blueOnly: '10.3.0.11',
    away: '10.2.0.22',
    networks: ['10.2.0.0/24', '10.1.0.0/24', '10.3.0.0/24'],
  },
  IPv6: {
    host: 'fd00:2::11',
    remote: 'fd00:1::11',
    blueOnly: 'fd00:3::11',
    away: 'fd00:2::22',
    networks: ['fd00:2::/64', 'fd00:1::/64', 'fd00:3::/64'],
  },
};

function workerOf({ host, away, networks: [here, both, blueOnly] }: Addresses): PacketWorker {
  const clock = new SimClock();
  const config = {
    vnets: [
      { name: 'blue', id: BLUE, subnet: undefined },
      { name: 'red', id: RED, subnet: undefined },
    ],
    routers: ['vr-a', 'vr-b', 'vr-c'].map(routerOf),
    networks: [
      networkOf(here, 'vr-b', undefined, BLUE),
      networkOf(both, 'vr-a', undefined, BLUE),
      networkOf(blueOnly, 'vr-c', undefined, BLUE),
      networkOf(here, 'vr-b', undefined, RED),
      networkOf(both, 'vr-c', undefined, RED),
    ],
    cipher: 'chacha20-poly1305' as const,
    nodes: [],
  };
  const gndt = new Gndt(config, 'vr-b');
  const directory = new Directory('vr-b', clock);
  const hwdt = new Hwdt(clock);
  const entries = [BLUE, RED].map((vnet) => ({ vnet, prefix: Prefix.of(here), mac: undefined }));
  const lndt = new Lndt(entries, gndt, directory);
  const table = ForwardingTable.create();
  const lans = lansOf([
    { index: BLUE_LAN, vnet: BLUE, addresses: [] },
    { index: RED_LAN, vnet: RED, addresses: [] },
  ]);
  new ForwardingCompiler({ gndt, lndt, hwdt, directory, table, clock, lans }).rebuild();
  const macs = MacTable.create(16);
  new Rescue(gndt, directory, macs, () => {});
  for (const [lan, vnet, owner] of [
    [BLUE_LAN, BLUE, BLUE_MAC],
    [RED_LAN, RED, RED_MAC],
  ] as const) {
    hwdt.learn(lan, vnet, owner, Ip.of(host), 'arp-request');
    directory.originate(vnet, Ip.of(host), owner, 1);
  }
  const record = { vnet: BLUE, ip: Ip.of(away), mac: AWAY_MAC, seq: 2, state: 'here', stamp: 2 } as const;
  directory.originate(BLUE, Ip.of(away), AWAY_MAC, 1);
  directory.apply({ ...record, router: 'vr-c' });
  const { engine } = workerInput(VR_MAC);
  const [lan] = engine.lans;
  assert(lan);
  const vnets = new Uint8Array(new SharedArrayBuffer(65_536)).fill(1, BLUE, RED + 1);
  const shared = {
    table: table.memory,
    macs: macs.memory,
    lanAddresses: followOwnAddresses(lans).memory,
    lanVnets: [BLUE, RED],
    tunsFrom: 2,
    vnets: vnets.buffer,
    engine: { ...engine, lans: [lan, { ...lan, fd: 4, index: 1 }] },
  };
  return new PacketWorker({ clock, self: B, mac: VR_MAC, mtuBytes: 1_436, given: shared });
}

for (const [family, addresses] of Object.entries(FAMILIES)) {
  describe(`two vnets with the same addresses, ${family}`, () => {
    const { host, remote, blueOnly, away } = addresses;
    const sent = (worker: PacketWorker): unknown[] =>
      worker.engine.sent.map((one) =>
        one.kind === 'tunnel'
          ? [one.kind, one.peer, one.vnet]
          : one.kind === 'lan'
            ? [one.kind, one.lan, one.to]
            : one.kind,
      );

    test('what a LAN sends goes to its own vnet’s site, and says which it is', () => {
      const worker = workerOf(addresses);
      const packet = ipPacket({ source: host, destination: remote });
      worker.frame(BLUE_MAC, packet, VR_MAC, BLUE_LAN);
      assert.deepEqual(sent(worker), [['tunnel', A, BLUE]]);
      worker.frame(RED_MAC, packet, VR_MAC, RED_LAN);
      assert.deepEqual(sent(worker), [['tunnel', C, RED]]);
    });

    test('an address that only the other vnet has is reached by no LAN, nor is its node’s MAC', () => {
      const worker = workerOf(addresses);
      worker.frame(RED_MAC, ipPacket({ source: host, destination: blueOnly }), VR_MAC, RED_LAN);
      assert.deepEqual(sent(worker), []);
      worker.frame(BLUE_MAC, ipPacket({ source: host, destination: blueOnly }), VR_MAC, BLUE_LAN);
      assert.deepEqual(sent(worker), [['tunnel', C, BLUE]]);
      worker.frame(RED_MAC, ipPacket({ source: host, destination: away }), AWAY_MAC, RED_LAN);
      assert.ok(
        !worker.engine.sent.some(({ kind }) => kind === 'tunnel'),
        'a node of blue that is away: rescued for blue only',
      );
    });

    test('what a peer sends reaches the LAN of the vnet that it says, and only as that vnet’s site', () => {
      const worker = workerOf(addresses);
      const packet = ipPacket({ source: remote, destination: host });
      worker.overlay(A, packet, { vnet: BLUE });
      assert.deepEqual(sent(worker), [['lan', BLUE_LAN, BLUE_MAC]]);
      worker.overlay(C, packet, { vnet: RED });
      assert.deepEqual(sent(worker), [['lan', RED_LAN, RED_MAC]]);
      worker.overlay(A, packet, { vnet: RED });
      worker.overlay(C, packet, { vnet: BLUE });
      assert.equal(worker.counted('drop_source_not_peers'), 2);
      assert.deepEqual(sent(worker), []);
    });
  });
}
