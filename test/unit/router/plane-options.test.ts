/**
 * What the packet workers' decisions depend on, and who changes it: after each change the generation is another one that remembered
 * decisions are good for.
 */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { DataPlane } from '../../../src/dataplane/plane.js';
import { Ip } from '../../../src/net/ip.js';
import { mac } from '../../../src/net/mac.js';
import { Prefix } from '../../../src/net/prefix.js';
import { LanRescue } from '../../../src/router/lan/lan-rescue.js';
import { Sites } from '../../../src/router/pair/sites.js';
import { planeOptions } from '../../../src/router/plane-options.js';
import { Relays } from '../../../src/router/relays.js';
import { Directory } from '../../../src/tables/directory.js';
import { ForwardingTable, type Route, RouteKind } from '../../../src/tables/forwarding/forwarding-table.js';
import { NodeActivity } from '../../../src/tables/forwarding/node-activity.js';
import { Gndt } from '../../../src/tables/gndt.js';
import { Lans } from '../../../src/tables/lan.js';
import { createFakeAddon } from '../../support/fake-addon.js';
import { type FrameOf, generationOf } from '../../support/generation-of.js';
import { networkOf, routerOf } from '../../support/packet-worker.js';
import { SimClock } from '../../support/sim-clock.js';

const NODE = mac('52:54:00:00:00:09');
const [BLUE, PEER, CLIENT] = [1, 3, 7];

function bench() {
  const clock = new SimClock();
  const native = createFakeAddon();
  const gndt = new Gndt(
    {
      vnets: [{ name: 'blue', id: BLUE, subnet: undefined }],
      routers: ['vr-1', 'vr-2', 'vr-3'].map((id) => routerOf(id)),
      sites: [{ id: 'two', routers: ['vr-2', 'vr-3'] }],
      networks: [networkOf('10.1.0.0/24', 'vr-1'), networkOf('10.2.0.0/24', 'two')],
      cipher: 'chacha20-poly1305',
      nodes: [],
    },
    'vr-1',
  );
  const lans = new Lans([
    { index: 0, interface: 'lan0', vnet: BLUE, mac: mac('02:00:00:00:00:01'), addresses: [] },
  ]);
  const directory = new Directory('vr-1', clock);
  const forwarding = ForwardingTable.create({ slots: 64 });
  const sites = new Sites(gndt);
  const activity = new NodeActivity('vr-1', directory);
  const lanSockets = [{ fd: 3, index: 0, macHigh: 0x0200, macLow: 1, mtuBytes: 1_500, vnetHeader: true }];
  const rescue = new LanRescue({
    native,
    clock,
    gndt,
    directory,
    lans,
    lanSockets,
    hub: { emit: () => undefined },
  });
  const sockets = { udp: [], tcp: [], lanSockets, lans, tuns: [], warnings: [], close: () => {} };
  const relays = new Relays(native, gndt);
  const plane = new DataPlane(
    planeOptions({ clock, native, workers: 1, gndt, sockets, forwarding, relays, rescue, activity, sites }),
  );
  const record = (router: string, seq: number): void =>
    void directory.apply({
      vnet: BLUE,
      ip: Ip.of('10.1.0.9'),
      mac: NODE,
      router,
      seq,
      state: 'here',
      stamp: seq,
    });
  return { gndt, lans, forwarding, sites, plane, record, rescue, activity };
}

type Bench = ReturnType<typeof bench>;

const route: Route = {
  kind: RouteKind.peer,
  peer: PEER,
  lan: -1,
  mac: NODE,
  network: 1,
  homePeer: -1,
  previousPeer: -1,
  flags: 0,
  pinnedMac: undefined,
};

const CHANGES: Readonly<Record<string, (on: Bench) => void>> = {
  'a route': ({ forwarding }) => forwarding.set(BLUE, Prefix.of('10.2.0.0/24'), route),
  "a network's gateway": ({ forwarding }) => forwarding.setGateway(0, BLUE, Ip.of('10.1.0.1')),
  'the role on a LAN': ({ lans }) => lans.setRole(0, 'standby'),
  'the active router of a site': ({ sites }) => sites.setActive('vr-3'),
  'which site a router is of': ({ sites, gndt }) => sites.peers.setSite(gndt.peerIndex('vr-3'), 9),
  'the MTU of a peer': ({ plane }) => plane.setPeerMtu(PEER, 1_400),
  'which peers are clients': ({ plane }) => plane.setClients([{ peer: CLIENT, vnet: BLUE }]),
  'a number given to another router': ({ plane }) => plane.forgetPeer(PEER),
  'the vnets': ({ plane }) => plane.setVnets([BLUE, 2]),
  'a machine that is elsewhere now': ({ record, rescue }) => {
    record('two', 1);
    assert.equal(rescue.macs.size, 1);
  },
  'a machine that is watched now': ({ record, activity }) => {
    record('vr-1', 1);
    assert.equal(activity.macs.size, 1);
  },
};

/** The node's to another site, and one that has nothing to do with it. */
const FRAME: FrameOf = {
  source: Ip.of('10.1.0.9'),
  destination: Ip.of('10.2.0.9'),
  sourceMac: NODE,
  destinationMac: mac('02:00:00:00:00:01'),
};
const OTHER: FrameOf = {
  ...FRAME,
  source: Ip.of('10.1.0.7'),
  destination: Ip.of('10.2.0.7'),
  sourceMac: mac('52:54:00:00:00:07'),
};

describe('what decisions are good for', () => {
  let on: Bench;
  beforeEach(() => {
    on = bench();
  });

  for (const [name, change] of Object.entries(CHANGES))
    it(`is another one after a change of ${name}`, () => {
      const before = generationOf(on.forwarding, FRAME);
      change(on);
      assert.notEqual(generationOf(on.forwarding, FRAME), before);
      assert.equal(generationOf(on.forwarding, FRAME) & 1, 0);
    });

  it('is another one for packets of one node alone when its place is', () => {
    const before = generationOf(on.forwarding, OTHER);
    on.record('two', 1);
    on.forwarding.set(BLUE, Prefix.of('10.1.0.9/32'), route);
    assert.equal(generationOf(on.forwarding, OTHER), before);
  });

  it('stays while what is said changes nothing', () => {
    on.plane.setPeerMtu(PEER, 1_400);
    on.sites.setActive('vr-3');
    const before = generationOf(on.forwarding, FRAME);
    on.plane.setPeerMtu(PEER, 1_400);
    on.sites.setActive('vr-3');
    on.lans.setRole(0, 'active');
    on.plane.setControlShare(PEER, 0.5);
    assert.equal(generationOf(on.forwarding, FRAME), before);
  });
});
