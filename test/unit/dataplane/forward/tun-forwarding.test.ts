/** What becomes of packets that the gateway machine itself sends or that are for it, with a TUN port and without. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Ip } from '../../../../src/net/ip.js';
import { mac } from '../../../../src/net/mac.js';
import { Prefix } from '../../../../src/net/prefix.js';
import { Directory } from '../../../../src/tables/directory.js';
import { ForwardingCompiler } from '../../../../src/tables/forwarding/forwarding-compiler.js';
import { ForwardingTable } from '../../../../src/tables/forwarding/forwarding-table.js';
import { Gndt } from '../../../../src/tables/gndt.js';
import { Hwdt } from '../../../../src/tables/hwdt.js';
import { Lndt } from '../../../../src/tables/lndt.js';
import { ipPacket } from '../../../support/ip-packet.js';
import { lansOf } from '../../../support/lans.js';
import { networkOf, PacketWorker, routerOf } from '../../../support/packet-worker.js';
import { SimClock } from '../../../support/sim-clock.js';

const LAN = 0;
const TUN = 1;
const [VR_A, VR_B] = [0, 1];
const VR_MAC = mac('02:00:00:00:02:01');
const VM_MAC = mac('52:54:00:00:00:09');

/** Router vr-b: LAN 10.2.0.0/24 with own address .1, which is also the network's gateway; 10.2.0.9 is at vr-a. */
class Bench extends PacketWorker {
  constructor(hasTun: boolean) {
    const clock = new SimClock();
    const config = {
      vnets: [{ name: 'blue', id: 1, subnet: undefined }],
      routers: [routerOf('vr-a'), routerOf('vr-b')],
      networks: [networkOf('10.1.0.0/24', 'vr-a'), networkOf('10.2.0.0/24', 'vr-b', '10.2.0.1')],
      cipher: 'chacha20-poly1305' as const,
      nodes: [],
    };
    const gndt = new Gndt(config, 'vr-b');
    const directory = new Directory('vr-b', clock);
    const hwdt = new Hwdt(clock);
    const lndt = new Lndt([{ vnet: 1, prefix: Prefix.of('10.2.0.0/24'), mac: undefined }], gndt, directory);
    const table = ForwardingTable.create();
    const lans = lansOf([{ index: LAN, vnet: 1, addresses: [Ip.of('10.2.0.1')] }]);
    const tuns = hasTun ? [{ index: TUN, vnet: 1, addresses: [] }] : [];
    const away = { vnet: 1, ip: Ip.of('10.2.0.9'), mac: VM_MAC, router: 'vr-a', seq: 2, stamp: 1 };
    directory.apply({ ...away, state: 'here' });
    hwdt.learn(LAN, 1, VM_MAC, Ip.of('10.2.0.11'), 'arp-request');
    new ForwardingCompiler({ clock, gndt, lndt, hwdt, directory, table, lans, tuns }).rebuild();
    super({ clock, self: VR_B, mac: VR_MAC, mtuBytes: 1420, given: { table: table.memory, tunsFrom: TUN } });
  }

  /** The machine itself sends. */
  own(source: string, destination: string, ttl = 64): void {
    this.frameFromTun(TUN, ipPacket({ source, destination, ttl }));
  }

  fromPeer(source: string, destination: string): void {
    this.overlay(VR_A, ipPacket({ source, destination }));
  }
}

describe('TUN port', () => {
  test('what the machine sends to another site goes there, and loses no TTL: this router is the machine', () => {
    const bench = new Bench(true);
    bench.own('10.2.0.1', '10.1.0.5', 1);
    const [sent] = bench.engine.sent;
    assert.ok(sent?.kind === 'tunnel');
    assert.equal(sent.peer, VR_A);
    assert.equal(sent.packet[8], 1);
  });

  test('to a native node that is away, and to one that is here', () => {
    const bench = new Bench(true);
    bench.own('10.2.0.1', '10.2.0.9');
    const [away] = bench.engine.sent;
    bench.own('10.2.0.1', '10.2.0.11');
    const [here] = bench.engine.sent;
    assert.ok(away?.kind === 'tunnel' && away.peer === VR_A);
    assert.ok(here?.kind === 'lan' && here.lan === LAN && here.to === VM_MAC);
  });

  test('only from its own addresses', () => {
    const bench = new Bench(true);
    for (const source of ['10.2.0.11', '10.1.0.5', '203.0.113.7']) {
      bench.own(source, '10.1.0.6');
      assert.deepEqual(bench.engine.sent, [], source);
    }
    assert.equal(bench.counted('drop_source_unauthorised'), 3);
  });

  test('what comes for its own address is handed to it', () => {
    const bench = new Bench(true);
    bench.fromPeer('10.1.0.5', '10.2.0.1');
    const [sent] = bench.engine.sent;
    assert.ok(sent?.kind === 'lan' && sent.lan === TUN);
    assert.equal(bench.counted('to_gateway'), 1);
  });

  test('a departed node and the outside world, where the machine itself is the gateway: through it, both ways', () => {
    const bench = new Bench(true);
    bench.fromPeer('10.2.0.9', '203.0.113.7');
    const [out] = bench.engine.sent;
    bench.own('203.0.113.7', '10.2.0.9');
    const [back] = bench.engine.sent;
    assert.ok(out?.kind === 'lan' && out.lan === TUN);
    assert.ok(back?.kind === 'tunnel' && back.peer === VR_A);
  });

  test('without one: dropped, and counted by name', () => {
    const bench = new Bench(false);
    bench.fromPeer('10.1.0.5', '10.2.0.1');
    assert.deepEqual(bench.engine.sent, []);
    assert.equal(bench.counted('drop_own_address_without_tun'), 1);
  });
});
