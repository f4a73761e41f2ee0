/** What the workers decide about packets of ordinary WireGuard clients, and for them. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { ControlWord } from '../../../../src/dataplane/worker-input.js';
import { Ip } from '../../../../src/net/ip.js';
import { mac } from '../../../../src/net/mac.js';
import { Prefix } from '../../../../src/net/prefix.js';
import { followOwnAddresses } from '../../../../src/router/lan/own-addresses.js';
import { clientMac } from '../../../../src/tables/clients.js';
import { Directory } from '../../../../src/tables/directory.js';
import { ForwardingCompiler } from '../../../../src/tables/forwarding/forwarding-compiler.js';
import { ForwardingTable } from '../../../../src/tables/forwarding/forwarding-table.js';
import { Gndt } from '../../../../src/tables/gndt.js';
import { Hwdt } from '../../../../src/tables/hwdt.js';
import { Lndt } from '../../../../src/tables/lndt.js';
import type { GndtConfig } from '../../../../src/tables/model.js';
import { faultsOf, ipPacket } from '../../../support/ip-packet.js';
import { lansOf } from '../../../support/lans.js';
import { networkOf, PacketWorker, routerOf } from '../../../support/packet-worker.js';
import { SimClock } from '../../../support/sim-clock.js';

/** This router is vr-a. `native` has an address of its network, `visiting` one of vr-b's; `distant` is vr-b's client. */
const [, B] = [0, 1];
const [NATIVE, VISITING] = [2, 3];
const VR_MAC = mac('02:00:00:00:01:01');
const HOST_MAC = mac('52:54:00:00:01:11');
const GATEWAY_MAC = mac('52:54:00:00:01:fe');
const MTU = 1420;
const SITES = {
  IPv4: {
    host: '10.1.0.11',
    remote: '10.2.0.11',
    native: '10.1.0.201',
    visiting: '10.2.0.202',
    distant: '10.1.0.203',
    outside: '198.51.100.10',
    unlisted: '10.1.0.130',
    own: '10.1.0.1',
    gateway: '10.1.0.254',
  },
  IPv6: {
    host: 'fd00:1::11',
    remote: 'fd00:2::11',
    native: 'fd00:1::201',
    visiting: 'fd00:2::202',
    distant: 'fd00:1::203',
    outside: '2001:db8::10',
    unlisted: 'fd00:1:0:0:ffff::1',
    own: 'fd00:1::1',
    gateway: 'fd00:1::fe',
  },
} as const;
type Site = (typeof SITES)[keyof typeof SITES];

function gndtConfig(site: Site): GndtConfig {
  const client = (ip: string, key: number, via: string) => ({
    vnet: 1,
    ip: Ip.of(ip),
    publicKey: new Uint8Array(32).fill(key),
    via,
  });
  return {
    vnets: [{ name: 'blue', id: 1, subnet: undefined }],
    routers: ['vr-a', 'vr-b'].map(routerOf),
    networks: [
      networkOf('10.1.0.0/24', 'vr-a', '10.1.0.254'),
      networkOf('10.2.0.0/24', 'vr-b'),
      networkOf('fd00:1::/64', 'vr-a', 'fd00:1::fe'),
      networkOf('fd00:2::/64', 'vr-b'),
    ],
    cipher: 'chacha20-poly1305',
    nodes: [
      client(site.native, 1, 'vr-a'),
      client(site.distant, 2, 'vr-b'),
      client(site.visiting, 3, 'vr-a'),
    ],
  };
}

class Bench extends PacketWorker {
  constructor(site: Site) {
    const clock = new SimClock();
    const gndt = new Gndt(gndtConfig(site), 'vr-a');
    const directory = new Directory('vr-a', clock);
    const hwdt = new Hwdt(clock);
    // The whole network is listed: a client's address is nobody's on the LAN all the same.
    const listed = [Prefix.of('10.1.0.0/25'), Prefix.of('10.1.0.192/26'), Prefix.of('fd00:1::/80')];
    const lndt = new Lndt(
      listed.map((prefix) => ({ vnet: 1, prefix, mac: undefined })),
      gndt,
      directory,
    );
    const table = ForwardingTable.create();
    const lans = lansOf([{ index: 0, vnet: 1, addresses: [Ip.of(site.own)] }]);
    new ForwardingCompiler({ clock, gndt, lndt, hwdt, directory, table, lans }).rebuild();
    hwdt.learn(0, 1, HOST_MAC, Ip.of(site.host), 'arp-request');
    directory.originate(1, Ip.of(site.host), HOST_MAC, 1);
    hwdt.learn(0, 1, GATEWAY_MAC, Ip.of(site.gateway), 'arp-reply');
    for (const { vnet, ip, publicKey } of gndt.ownClients)
      directory.originate(vnet, ip, clientMac(publicKey), 1);
    const distant = gndt.clientAt(1, Ip.of(site.distant))?.publicKey ?? assert.fail();
    const [ip, from] = [Ip.of(site.distant), clientMac(distant)];
    directory.apply({ vnet: 1, ip, mac: from, router: 'vr-b', seq: 1, state: 'here', stamp: 1 });
    const clientVnets = new Int32Array(new SharedArrayBuffer(64));
    for (const { peer, vnet } of gndt.ownClients) clientVnets[peer] = vnet;
    super({
      clock,
      self: 0,
      mac: VR_MAC,
      mtuBytes: MTU,
      given: {
        table: table.memory,
        clientVnets: clientVnets.buffer as SharedArrayBuffer,
        lanAddresses: followOwnAddresses(lans).memory,
      },
    });
  }
}

for (const [family, site] of Object.entries(SITES)) {
  const ttlAt = family === 'IPv4' ? 8 : 7;
  describe(`WireGuard clients, ${family}`, () => {
    let bench: Bench;
    beforeEach(() => {
      bench = new Bench(site);
    });
    const header = family === 'IPv4' ? 20 : 40;
    /** A packet of `bytes` in all that nobody may fragment. */
    const sized = (source: string, destination: string, bytes: number, ttl = 64): Buffer =>
      ipPacket({ source, destination, ttl, payload: new Uint8Array(bytes - header) });
    const from = (peer: number, source: string, destination: string, ttl = 64, bytes = header + 8): void =>
      bench.message(peer, Buffer.concat([sized(source, destination, bytes, ttl), Buffer.alloc(12)]));
    /** The ICMP message that is the only thing sent: to client `peer`, from the router. */
    const onlyError = (peer: number): Buffer => {
      const [error] = bench.engine.sent;
      assert.equal(bench.engine.sent.length, 1);
      assert.ok(error?.kind === 'bare');
      assert.equal(error.peer, peer);
      const v6 = family === 'IPv6';
      assert.equal(Ip.read(v6 ? 6 : 4, error.packet, v6 ? 8 : 12).key, site.own);
      assert.deepEqual(faultsOf(error.packet), []);
      return error.packet.subarray(header);
    };

    test('from one to a node of the LAN, of another site, and to another client', () => {
      from(VISITING, site.visiting, site.host);
      const [lan] = bench.engine.sent;
      assert.ok(lan?.kind === 'lan');
      assert.equal(lan.to, HOST_MAC);
      assert.equal(lan.packet[ttlAt], 63, 'routed');
      assert.equal(
        lan.packet.length,
        ipPacket({ source: site.host, destination: site.host }).length,
        'unpadded',
      );
      from(NATIVE, site.native, site.host);
      const [near] = bench.engine.sent;
      assert.equal(near?.kind === 'lan' && near.packet[ttlAt], 64, 'believed to be on the same link');
      from(NATIVE, site.native, site.remote);
      const [far] = bench.engine.sent;
      assert.ok(far?.kind === 'tunnel');
      assert.deepEqual([far.peer, far.vnet, far.hops, far.packet[ttlAt]], [B, 1, 4, 63]);
      from(NATIVE, site.native, site.visiting);
      const [client] = bench.engine.sent;
      assert.ok(client?.kind === 'bare');
      assert.deepEqual([client.peer, client.mtu], [VISITING, MTU]);
      from(NATIVE, site.native, site.distant);
      const [distant] = bench.engine.sent;
      assert.equal(distant?.kind === 'tunnel' && distant.peer, B);
    });

    test('to one from a node of the LAN, of another site, and from outside by the gateway', () => {
      bench.frame(HOST_MAC, ipPacket({ source: site.host, destination: site.native }));
      const [near] = bench.engine.sent;
      assert.ok(near?.kind === 'bare');
      assert.deepEqual([near.peer, near.mtu, near.packet[ttlAt]], [NATIVE, MTU, 64]);
      const header = Buffer.from([0x10, 4, 0, 1]);
      bench.message(B, Buffer.concat([header, ipPacket({ source: site.remote, destination: site.native })]));
      const [far] = bench.engine.sent;
      assert.equal(far?.kind === 'bare' && far.peer, NATIVE);
      bench.frame(GATEWAY_MAC, ipPacket({ source: site.outside, destination: site.native }));
      assert.equal(bench.engine.sent[0]?.kind, 'bare');
      bench.frame(HOST_MAC, ipPacket({ source: site.outside, destination: site.native }));
      assert.equal(bench.engine.sent.length, 0, 'not by anyone else');
    });

    test('from one to the outside world: by its home network’s gateway', () => {
      from(NATIVE, site.native, site.outside);
      const [own] = bench.engine.sent;
      assert.equal(own?.kind === 'lan' && own.to, GATEWAY_MAC);
      from(VISITING, site.visiting, site.outside);
      const [home] = bench.engine.sent;
      assert.equal(home?.kind === 'tunnel' && home.peer, B);
    });

    test('one that uses another’s address gets nothing, whoever it is', () => {
      const sources = [
        site.host,
        site.remote,
        site.visiting,
        site.distant,
        site.outside,
        site.own,
        site.gateway,
      ];
      for (const source of sources) {
        from(NATIVE, source, site.host);
        assert.equal(bench.engine.sent.length, 0, source);
      }
      assert.equal(bench.counted('drop_source_not_peers'), sources.length);
    });

    test('its address is of no use to a LAN host or to a router that it does not connect to', () => {
      bench.frame(HOST_MAC, ipPacket({ source: site.native, destination: site.remote }));
      assert.equal(bench.counted('drop_source_unauthorised'), 1);
      const header = Buffer.from([0x10, 4, 0, 1]);
      bench.message(B, Buffer.concat([header, ipPacket({ source: site.native, destination: site.host })]));
      assert.equal(bench.counted('drop_source_not_peers'), 1);
      assert.equal(bench.engine.sent.length, 0);
    });

    test('one cannot speak as a router: overlay packets and control messages are dropped', () => {
      const packet = ipPacket({ source: site.native, destination: site.host });
      bench.message(NATIVE, Buffer.concat([Buffer.from([0x10, 4, 0, 1]), packet]));
      bench.message(NATIVE, Buffer.from([0x20, 1, 2, 3]));
      bench.message(NATIVE, packet.subarray(0, 19));
      assert.equal(bench.counted('drop_malformed'), 3);
      assert.deepEqual([bench.engine.sent, bench.posted], [[], []]);
    });

    test('nor can a router speak as a client: bare packets are dropped', () => {
      bench.message(B, ipPacket({ source: site.remote, destination: site.host }));
      assert.equal(bench.counted('drop_payload_unknown'), 1);
      assert.equal(bench.engine.sent.length, 0);
    });

    test('hosts that are not listed, groups, its own router’s address, an old TTL', () => {
      from(NATIVE, site.native, site.unlisted);
      assert.equal(bench.counted('drop_destination_unauthorised'), 1);
      from(NATIVE, site.native, family === 'IPv4' ? '224.0.0.5' : 'ff02::5');
      assert.equal(bench.counted('drop_group_destination'), 1);
      from(NATIVE, site.native, site.own);
      assert.equal(bench.counted('drop_own_address_without_tun'), 1);
      assert.equal(bench.engine.sent.length, 0);
    });

    test('one whose TTL has run out is told so by the router’s own address', () => {
      from(NATIVE, site.native, site.remote, 1);
      assert.equal(bench.counted('drop_ttl_expired'), 1);
      const error = onlyError(NATIVE);
      assert.deepEqual([error[0], error[1]], family === 'IPv4' ? [11, 0] : [3, 0]);
    });

    test('one whose packet no path carries whole is told what it carries', () => {
      bench.peerMtu[B] = 1300;
      from(NATIVE, site.native, site.remote, 64, 1301);
      assert.equal(bench.counted('drop_too_big'), 1);
      const error = onlyError(NATIVE);
      assert.deepEqual([error[0], error[1]], family === 'IPv4' ? [3, 4] : [2, 0]);
      assert.equal(error.readUInt32BE(4), 1300);
      from(NATIVE, site.native, site.remote, 64, 1300);
      assert.equal(bench.engine.sent[0]?.kind, 'tunnel');
    });

    test('a host of the LAN is told what a client takes', () => {
      bench.frame(HOST_MAC, sized(site.host, site.native, MTU + 1));
      assert.equal(bench.counted('drop_too_big'), 1);
      const [error] = bench.engine.sent;
      assert.equal(error?.kind === 'lan' && error.to, HOST_MAC);
      bench.frame(HOST_MAC, sized(site.host, site.native, MTU));
      assert.equal(bench.engine.sent[0]?.kind, 'bare');
    });

    test('one without a session: dropped, counted, and called once a second', () => {
      bench.peerMtu[NATIVE] = 0;
      for (let i = 0; i < 3; i++)
        bench.frame(HOST_MAC, ipPacket({ source: site.host, destination: site.native }));
      assert.equal(bench.counted('drop_client_away'), 3);
      assert.deepEqual(bench.posted, [{ type: 'clientWanted', peer: NATIVE }]);
      bench.clock.advance(1_001);
      bench.frame(HOST_MAC, ipPacket({ source: site.host, destination: site.native }));
      assert.equal(bench.posted.length, 2);
    });

    test('nothing passes before the tables are complete', () => {
      Atomics.store(bench.control, ControlWord.serving, 0);
      from(NATIVE, site.native, site.host);
      assert.equal(bench.counted('drop_not_serving'), 1);
      assert.equal(bench.engine.sent.length, 0);
    });
  });
}
