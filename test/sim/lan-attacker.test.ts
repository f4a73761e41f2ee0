/** What a machine of a site's LAN cannot do, whatever it announces (docs/security.md). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Ip } from '../../src/net/ip.js';
import type { Mac } from '../../src/net/mac.js';
import { clientMac } from '../../src/tables/clients.js';
import { RouteKind } from '../../src/tables/forwarding/route.js';
import { SimHost } from '../support/sim-lan-host.js';
import { BLUE } from '../support/sim-lan-world.js';
import { Watch } from './mad-watch.js';
import { CLIENT, MadWorld } from './mad-world.js';

const OWN_MAC = 0x5254_00aa_0001 as Mac;
const VERIFY = ['optimistic', 'strict', 'off'] as const;

/** Says that it has the addresses, in every way that a machine can, and goes on for ten seconds. */
function claim(all: MadWorld, site: number, mac: Mac, ips: readonly Ip[]): void {
  const machine = new SimHost(all.world.clock, 'attacker', mac, ips);
  machine.attach(all.world.site(site).lan);
  for (let second = 0; second < 10; second++) {
    machine.announceGratuitous();
    machine.announceRarp();
    for (const ip of ips) machine.ask(all.world.host(`gw${site}`).addressFor(ip.family), ip);
    all.world.settle(1_000);
  }
  machine.detach();
}

for (const verify of VERIFY) {
  describe(`${verify}: a machine of a LAN`, () => {
    for (const [whose, site] of [
      ['its own router’s', 1],
      ['another site’s', 2],
    ] as const) {
      for (const [what, mac] of [
        ['its own MAC', OWN_MAC],
        ['the MAC of its record', clientMac(CLIENT.publicKey)],
      ] as const) {
        test(`cannot take the address of a WireGuard client: on ${whose} LAN, with ${what}`, () => {
          const all = new MadWorld({ verify });
          const before = all.record(CLIENT.ip);
          claim(all, site, mac, [CLIENT.ip]);
          all.world.settle(40_000);
          assert.equal(all.places(CLIENT.ip), 'vr-a vr-a vr-a');
          assert.deepEqual(all.record(CLIENT.ip), before);
          const route = all.world.site(1).table.matched(BLUE, CLIENT.ip)?.route;
          assert.equal(route?.kind, RouteKind.client);
        });
      }
    }

    test('cannot take a node whose network does not allow its site, nor be heard as it', () => {
      const all = new MadWorld({ verify });
      const node = all.world.host('h1-1');
      const watch = new Watch(all, [node]);
      claim(all, 4, node.mac, node.ips);
      claim(all, 4, OWN_MAC, node.ips);
      all.world.settle(40_000);
      watch.check();
    });

    test('cannot take the address of a router', () => {
      const all = new MadWorld({ verify });
      const { addresses } = all.world.site(2).options;
      const before = addresses.map((ip) => all.record(ip));
      claim(all, 2, OWN_MAC, addresses);
      claim(all, 3, OWN_MAC, addresses);
      all.world.settle(40_000);
      for (const ip of addresses) assert.equal(all.places(ip), 'vr-b vr-b vr-b', ip.key);
      assert.deepEqual(
        addresses.map((ip) => all.record(ip).mac),
        before.map(({ mac }) => mac),
      );
    });
  });
}
