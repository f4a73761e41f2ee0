/** What the control thread tells the data plane of peers, whoever said it. */
import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { MAX_PEERS } from '../../../src/dataplane/engine.js';
import { LanAddressTable } from '../../../src/dataplane/lan-addresses.js';
import { LanRoles } from '../../../src/dataplane/lan-roles.js';
import { DataPlane } from '../../../src/dataplane/plane.js';
import { ForwardingTable } from '../../../src/tables/forwarding/forwarding-table.js';
import { SitePeers } from '../../../src/tables/forwarding/site-peers.js';
import { createFakeAddon } from '../../support/fake-addon.js';
import { SimClock } from '../../support/sim-clock.js';

const [ROUTER, CLIENT] = [3, 7];
/** Of the IPv6 minimum, less all headers that there can be. */
const LEAST = 1_152;

describe('the MTU of a peer', () => {
  let plane: DataPlane;
  beforeEach(() => {
    const memory = new SharedArrayBuffer(8);
    plane = new DataPlane({
      clock: new SimClock(),
      native: createFakeAddon(),
      workers: 1,
      lans: [],
      tuns: [],
      udp: [],
      lanVnets: [],
      lanAddresses: LanAddressTable.create(0).memory,
      gatewayLans: [],
      lanRoles: LanRoles.create(0).memory,
      vnets: [],
      table: ForwardingTable.create({ slots: 4 }).memory,
      macs: memory,
      activity: memory,
      activityMacs: memory,
      selfPeer: 0,
      selfSite: 0,
      sitePeers: SitePeers.create().memory,
      relays: memory,
      clients: [{ peer: CLIENT, vnet: 1 }],
    });
  });

  it('is the IPv6 minimum until it is known, and none for a client without a session', () => {
    assert.deepEqual([plane.peerMtu(ROUTER), plane.peerMtu(CLIENT)], [1_280, 0]);
  });

  it('is what was said, within what there can be', () => {
    for (const [said, taken] of [
      [1_436, 1_436],
      [LEAST, LEAST],
      [65_535, 65_535],
      [65_536, 65_535],
      [2 ** 32 + 39, 65_535],
      [Number.POSITIVE_INFINITY, 65_535],
      [LEAST - 1, LEAST],
      [39, LEAST],
      [0, LEAST],
      [-1, LEAST],
      [Number.NaN, LEAST],
    ] as const) {
      plane.setPeerMtu(ROUTER, said);
      assert.equal(plane.peerMtu(ROUTER), taken, `${said}`);
    }
  });

  it('of a client is also none', () => {
    plane.setPeerMtu(CLIENT, 1_420);
    assert.equal(plane.peerMtu(CLIENT), 1_420);
    plane.setPeerMtu(CLIENT, 20);
    assert.equal(plane.peerMtu(CLIENT), LEAST);
    plane.setPeerMtu(CLIENT, 0);
    assert.equal(plane.peerMtu(CLIENT), 0);
  });

  it('of a number that is no peer’s is nothing', () => {
    for (const peer of [-1, MAX_PEERS, 1.5, Number.NaN]) {
      plane.setPeerMtu(peer, 1_436);
      assert.equal(plane.peerMtu(peer), 0);
    }
  });
});
