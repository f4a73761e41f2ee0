/** A packet worker that cannot go on ends, and says which one it was and why: the daemon then ends too. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RelayTable } from '../../src/dataplane/forward/relay-table.js';
import { LanAddressTable } from '../../src/dataplane/lan-addresses.js';
import { LanRoles } from '../../src/dataplane/lan-roles.js';
import { loadNative } from '../../src/dataplane/native.js';
import { DataPlane } from '../../src/dataplane/plane.js';
import { systemClock } from '../../src/net/system-clock.js';
import { ForwardingTable } from '../../src/tables/forwarding/forwarding-table.js';
import { MacTable } from '../../src/tables/forwarding/mac-table.js';
import { SitePeers } from '../../src/tables/forwarding/site-peers.js';
import { waitFor } from '../lab/wait.js';

test('the tunnel’s worker ends with its socket, by name and with the reason', async () => {
  const native = loadNative();
  const udp = native.openUdp(new Uint8Array([127, 0, 0, 1]), 0);
  const failures: { worker: string; message: string }[] = [];
  const plane = new DataPlane({
    clock: systemClock,
    native,
    lans: [],
    tuns: [],
    udp: [udp],
    lanVnets: [],
    lanAddresses: LanAddressTable.create(0).memory,
    gatewayLans: [],
    lanRoles: LanRoles.create(0).memory,
    vnets: [],
    table: ForwardingTable.create({ slots: 64 }).memory,
    macs: MacTable.create(64).memory,
    activity: new SharedArrayBuffer(8),
    activityMacs: MacTable.create(4).memory,
    selfPeer: 0,
    selfSite: 0,
    sitePeers: SitePeers.create().memory,
    relays: RelayTable.create(1).memory,
    clients: [],
  });
  try {
    await plane.startTunnel({
      punt: () => {},
      failed: (worker, { message }) => void failures.push({ worker, message }),
    });
    assert.deepEqual(
      plane.workers().map(({ name, state }) => `${name} ${state}`),
      ['tunnel-to-lan running'],
    );
    native.closeSocket(udp.fd);
    await waitFor('the worker’s end', () => failures.length > 0, 10_000);
    assert.equal(failures[0]?.worker, 'tunnel-to-lan');
    assert.match(failures[0]?.message ?? '', /a socket of the engine is gone/);
    assert.deepEqual(
      plane.workers().map(({ state }) => state),
      ['stopped'],
    );
  } finally {
    await plane.stop();
  }
});
