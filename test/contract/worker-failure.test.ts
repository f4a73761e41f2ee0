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

for (const workers of [1, 2])
  test(`the tunnel’s last worker of ${workers} ends with its socket, by name and with the reason`, () =>
    endsWithItsSocket(workers));

async function endsWithItsSocket(workers: number): Promise<void> {
  const native = loadNative();
  const first = native.openUdp(new Uint8Array([127, 0, 0, 1]), 0);
  const receivers = workers === 1 ? [first.fd] : [first.fd, native.shareUdp(first.fd)];
  const udp = { ...first, receivers };
  const names = workers === 1 ? ['tunnel-to-lan'] : ['tunnel-to-lan-1', 'tunnel-to-lan-2'];
  const failures: { worker: string; message: string }[] = [];
  const plane = new DataPlane({
    clock: systemClock,
    native,
    workers,
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
      names.map((name) => `${name} running`),
    );
    native.closeSocket(receivers.at(-1) ?? -1);
    await waitFor('the worker’s end', () => failures.length > 0, 10_000);
    assert.equal(failures[0]?.worker, names.at(-1));
    assert.match(failures[0]?.message ?? '', /a socket of the engine is gone/);
    assert.equal(plane.workers().at(-1)?.state, 'stopped');
  } finally {
    await plane.stop();
    for (const fd of receivers) native.closeSocket(fd);
  }
}
