/** What becomes of frames from a LAN. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { Ip } from '../../../../src/net/ip.js';
import { type Mac, mac } from '../../../../src/net/mac.js';
import { faultsOf, ipPacket, tcpPacket } from '../../../support/ip-packet.js';
import {
  A,
  AWAY_MAC,
  C,
  GATEWAY_MAC,
  HOST_MAC,
  MTU,
  SITES,
  SiteWorker,
  VM_MAC,
  VR_MAC,
} from './site-worker.js';

for (const [family, site] of Object.entries(SITES)) {
  describe(`from a LAN, ${family}`, () => {
    let bench: SiteWorker;
    beforeEach(() => {
      bench = new SiteWorker(site);
    });
    const send = (source: string, destination: string, from = HOST_MAC, ttl = 64): Buffer => {
      const packet = ipPacket({ source, destination, ttl });
      bench.frame(from, packet);
      return packet;
    };

    test('to another site: into the peer’s tunnel, TTL one less', () => {
      const packet = send(site.host, site.remote);
      const [sent] = bench.engine.sent;
      assert.ok(sent?.kind === 'tunnel');
      assert.deepEqual([sent.peer, sent.vnet, sent.hops, sent.mtu], [A, 1, 4, MTU]);
      assert.equal(sent.packet[family === 'IPv4' ? 8 : 7], 63);
      assert.equal(sent.packet.length, packet.length);
    });

    test('to another site: to the router that is active there, at the MTU of its path', () => {
      const second = 9;
      bench.peerMtu[second] = 1_300;
      bench.sitePeers.setActive(A, second);
      send(site.host, site.remote);
      const [sent] = bench.engine.sent;
      assert.ok(sent?.kind === 'tunnel');
      assert.deepEqual([sent.peer, sent.mtu], [second, 1_300]);
    });

    test('a node that is not in the LNDT gets nothing, sending or receiving', () => {
      send(site.unlisted, site.remote);
      assert.equal(bench.counted('drop_source_unauthorised'), 1);
      bench.overlay(A, ipPacket({ source: site.remote, destination: site.unlisted }));
      assert.equal(bench.counted('drop_destination_unauthorised'), 1);
      assert.equal(bench.engine.sent.length, 0);
    });

    test('to a node that is away: to where it is, TTL unchanged, for they believe to be on one link', () => {
      send(site.host, site.away);
      const [sent] = bench.engine.sent;
      assert.ok(sent?.kind === 'tunnel');
      assert.equal(sent.peer, C);
      assert.equal(sent.packet[family === 'IPv4' ? 8 : 7], 64);
    });

    test('a visiting node and a host of its new LAN: from MAC to MAC on the LAN, both ways', () => {
      send(site.visitor, site.host, VM_MAC);
      const [there] = bench.engine.sent;
      assert.ok(there?.kind === 'lan');
      assert.deepEqual([there.lan, there.to], [0, HOST_MAC]);
      send(site.host, site.visitor);
      const [back] = bench.engine.sent;
      assert.ok(back?.kind === 'lan');
      assert.equal(back.to, VM_MAC);
    });

    test('a visiting node and its old LAN: through the tunnel, TTL unchanged', () => {
      send(site.visitor, site.remote, VM_MAC);
      const [sent] = bench.engine.sent;
      assert.ok(sent?.kind === 'tunnel');
      assert.equal(sent.peer, A);
      assert.equal(sent.packet[family === 'IPv4' ? 8 : 7], 64);
    });

    const macOf = (bench: SiteWorker, address: string): Mac => {
      const known = bench.directory.here(1, Ip.of(address));
      assert(known);
      return known.mac;
    };
    const rescued = (source: string, destination: string, from: Mac, to: Mac): void =>
      bench.frame(from, ipPacket({ source, destination }), to);

    test('rescued: an old neighbour sends to the MAC of a departed node', () => {
      rescued(site.host, site.away, HOST_MAC, AWAY_MAC);
      const [sent] = bench.engine.sent;
      assert.deepEqual([sent?.kind, sent?.kind === 'tunnel' && sent.peer], ['tunnel', C]);
      assert.equal(bench.counted('rescued'), 1);
    });

    test('rescued: a visiting node sends to its old neighbours’ MACs, and through its old gateway’s', () => {
      const oldMac = mac('52:54:00:00:00:07');
      bench.directory.apply({
        vnet: 1,
        ip: Ip.of(site.remote),
        mac: oldMac,
        router: 'vr-a',
        seq: 1,
        state: 'here',
        stamp: 9,
      });
      for (const to of [site.remote, site.outside]) {
        rescued(site.visitor, to, VM_MAC, oldMac);
        const [sent] = bench.engine.sent;
        assert.deepEqual([sent?.kind, sent?.kind === 'tunnel' && sent.peer], ['tunnel', A], to);
      }
      rescued(site.visitor, site.host, VM_MAC, oldMac);
      const [local] = bench.engine.sent;
      assert.deepEqual([local?.kind, local?.kind === 'lan' && local.to], ['lan', HOST_MAC]);
      assert.equal(bench.counted('rescued'), 3);
    });

    test('left alone: frames to MACs of this LAN and to strangers’', () => {
      rescued(site.visitor, site.host, VM_MAC, HOST_MAC);
      rescued(site.host, site.visitor, HOST_MAC, VM_MAC);
      rescued(site.host, site.remote, HOST_MAC, mac('02:00:00:00:00:99'));
      assert.deepEqual(bench.engine.sent, []);
      assert.equal(bench.counted('frames_to_others'), 3);
      assert.equal(bench.counted('rescued'), 0);
    });

    test('never rescued: what another VR or this one has sent', () => {
      const otherVr = mac('02:00:00:00:01:01');
      const record = { vnet: 1, mac: otherVr, seq: 1, state: 'here', stamp: 10 } as const;
      const own = site.own.includes(':') ? 'fd00:1::1' : '10.1.0.1';
      bench.directory.apply({ ...record, ip: Ip.of(own), router: 'vr-a' });
      for (const from of [otherVr, VR_MAC]) rescued(site.host, site.away, from, AWAY_MAC);
      assert.deepEqual(bench.engine.sent, []);
      assert.equal(macOf(bench, own), otherVr);
    });

    test('a visiting node and the outside world: through its home VR', () => {
      send(site.visitor, site.outside, VM_MAC);
      const [sent] = bench.engine.sent;
      assert.ok(sent?.kind === 'tunnel');
      assert.equal(sent.peer, A);
    });

    test('the outside world to a departed node: only through the home gateway’s MAC', () => {
      send(site.outside, site.away, GATEWAY_MAC);
      const [sent] = bench.engine.sent;
      assert.ok(sent?.kind === 'tunnel');
      assert.equal(sent.peer, C);
      send(site.outside, site.away, HOST_MAC);
      assert.equal(bench.engine.sent.length, 0);
      send(site.outside, site.remote, GATEWAY_MAC);
      assert.equal(bench.engine.sent.length, 0);
      assert.equal(bench.counted('drop_source_unauthorised'), 2);
    });

    test('a host’s own outside traffic is not the overlay’s', () => {
      send(site.host, site.outside);
      assert.equal(bench.counted('drop_no_route'), 1);
    });

    test('the gateway machine’s own address is left to its kernel', () => {
      send(site.host, site.own);
      assert.equal(bench.counted('kernel_own_address'), 1);
      assert.equal(bench.engine.sent.length, 0);
    });

    test('a source that the directory has elsewhere is dropped and reported once a second', () => {
      send(site.away, site.remote, AWAY_MAC);
      send(site.away, site.remote, AWAY_MAC);
      assert.equal(bench.counted('drop_source_elsewhere'), 2);
      assert.equal(bench.posted.filter(({ type }) => type === 'sourceElsewhere').length, 1);
      bench.clock.advance(1001);
      send(site.away, site.remote, AWAY_MAC);
      assert.equal(bench.posted.filter(({ type }) => type === 'sourceElsewhere').length, 2);
    });

    describe('who is wanted and who is there', () => {
      const unanswered = (): Mac[] => {
        bench.activity.look(bench.clock.nowMs());
        bench.clock.advance(1_000);
        return bench.activity.look(bench.clock.nowMs()).unanswered.map(({ mac }) => mac);
      };
      const between = (from: Mac, to: Mac): void =>
        bench.frame(from, ipPacket({ source: site.host, destination: site.unlisted }), to);
      beforeEach(() => {
        unanswered();
      });

      test('packets that go to a machine, and none from it', () => {
        bench.overlay(A, ipPacket({ source: site.remote, destination: site.host }));
        assert.deepEqual(unanswered(), [HOST_MAC]);
      });

      test('and one from it, whatever for', () => {
        bench.overlay(A, ipPacket({ source: site.remote, destination: site.host }));
        send(site.host, site.outside);
        assert.deepEqual(unanswered(), []);
      });

      test('the gateway sends for others', () => {
        bench.directory.originate(1, Ip.of(gatewayOf(family)), GATEWAY_MAC, 1);
        const wanted = (): void =>
          bench.overlay(A, ipPacket({ source: site.remote, destination: gatewayOf(family) }));
        wanted();
        assert.deepEqual(unanswered(), [GATEWAY_MAC]);
        wanted();
        bench.frame(GATEWAY_MAC, ipPacket({ source: site.outside, destination: site.away }));
        assert.deepEqual(unanswered(), []);
      });

      test('a packet in the name of a machine, from another’s MAC, is not from it', () => {
        bench.overlay(A, ipPacket({ source: site.remote, destination: site.host }));
        send(site.host, site.remote, mac('52:54:00:00:02:99'));
        assert.deepEqual(unanswered(), [HOST_MAC]);
      });

      test('frames between others, which a switch shows when it does not know where they go', () => {
        between(mac('52:54:00:00:02:99'), HOST_MAC);
        assert.deepEqual(unanswered(), [HOST_MAC]);
        between(HOST_MAC, mac('52:54:00:00:02:99'));
        between(mac('52:54:00:00:02:99'), HOST_MAC);
        assert.equal(bench.counted('frames_to_others'), 3);
        bench.overlay(A, ipPacket({ source: site.remote, destination: site.host }));
        between(HOST_MAC, mac('52:54:00:00:02:99'));
        assert.deepEqual(unanswered(), []);
      });

      test('a machine that is elsewhere sends frames to others here: it is asked, once a second', () => {
        for (let i = 0; i < 3; i++) between(AWAY_MAC, mac('52:54:00:00:02:99'));
        const reports = bench.posted.filter(({ type }) => type === 'macElsewhere');
        assert.deepEqual(reports, [{ type: 'macElsewhere', lan: 0, vnet: 1, mac: AWAY_MAC }]);
      });

      test('a packet for the MAC of a machine that is elsewhere, and for an address nobody knows', () => {
        const unknown = family === 'IPv4' ? '10.2.0.77' : 'fd00:2::77';
        bench.frame(HOST_MAC, ipPacket({ source: site.host, destination: unknown }), AWAY_MAC);
        const reports = bench.posted.filter(({ type }) => type === 'unheardOf');
        assert.equal(reports.length, 1);
        assert.deepEqual(
          reports.map((report) => report.type === 'unheardOf' && report.mac),
          [AWAY_MAC],
        );
      });
    });

    test('a flood of sources that are elsewhere is reported in part, and keeps nothing else from being reported', () => {
      const prefix = site.remote.slice(0, family === 'IPv4' ? 7 : 8);
      for (let i = 2; i < 2_000; i++) {
        const host = family === 'IPv4' ? `${(i % 250) + 2}` : i.toString(16);
        send(`${prefix}${host}`, site.away, AWAY_MAC);
      }
      const reports = bench.posted.filter(({ type }) => type === 'sourceElsewhere').length;
      // Of 250 IPv4 addresses one is the visitor's, who is here.
      assert.equal(reports, family === 'IPv4' ? 249 : 1_024);
      bench.posted.length = 0;
      send(site.host, family === 'IPv4' ? '10.2.0.77' : 'fd00:2::77');
      assert.deepEqual(
        bench.posted.map(({ type }) => type),
        ['want'],
      );
    });

    test('an unknown local MAC: the packet waits, the MAC is asked for, then it goes', () => {
      const unknown = family === 'IPv4' ? '10.2.0.77' : 'fd00:2::77';
      bench.overlay(A, ipPacket({ source: site.remote, destination: unknown }));
      assert.equal(bench.engine.sent.length, 0);
      assert.deepEqual(
        bench.posted.map(({ type }) => type),
        ['want'],
      );
      bench.hwdt.learn(0, 1, mac('52:54:00:00:02:77'), Ip.of(unknown), 'arp-reply');
      bench.delivery.releaseHeld();
      const [sent] = bench.engine.sent;
      assert.ok(sent?.kind === 'lan');
      assert.equal(sent.to, mac('52:54:00:00:02:77'));
    });

    test('a packet that waits in vain is dropped after 3 s and counted', () => {
      bench.overlay(
        A,
        ipPacket({ source: site.remote, destination: family === 'IPv4' ? '10.2.0.77' : 'fd00:2::77' }),
      );
      bench.clock.advance(2999);
      bench.delivery.releaseHeld();
      assert.equal(bench.counted('drop_unresolved'), 0);
      bench.clock.advance(2);
      bench.delivery.releaseHeld();
      assert.equal(bench.counted('drop_unresolved'), 1);
    });

    test('a TTL that runs out is answered with "time exceeded" from the LAN’s own address', () => {
      const packet = send(site.host, site.remote, HOST_MAC, 1);
      assert.equal(bench.counted('drop_ttl_expired'), 1);
      const [sent] = bench.engine.sent;
      assert.ok(sent?.kind === 'lan');
      assert.equal(sent.to, HOST_MAC);
      assert.deepEqual(faultsOf(sent.packet), []);
      const v6 = family === 'IPv6';
      assert.equal(Ip.read(v6 ? 6 : 4, sent.packet, v6 ? 8 : 12).key, site.own);
      assert.equal(Ip.read(v6 ? 6 : 4, sent.packet, v6 ? 24 : 16).key, site.host);
      assert.equal(sent.packet[v6 ? 40 : 20], v6 ? 3 : 11);
      assert.deepEqual(sent.packet.subarray(v6 ? 48 : 28), packet);
    });

    test('no more than 100 ICMP errors a second, and none about an ICMP error', () => {
      for (let i = 0; i < 150; i++) send(site.host, site.remote, HOST_MAC, 1);
      assert.equal(bench.counted('icmp_time_exceeded_sent'), 100);
      bench.clock.advance(1000);
      const v6 = family === 'IPv6';
      const error = ipPacket({
        source: site.host,
        destination: site.remote,
        ttl: 1,
        protocol: v6 ? 58 : 1,
        payload: Buffer.from([v6 ? 1 : 3, 0, 0, 0, 0, 0, 0, 0]),
      });
      bench.frame(HOST_MAC, error);
      assert.equal(bench.counted('icmp_time_exceeded_sent'), 100);
    });

    test('nor about ICMP that is cut before its type, whatever lay behind it before', () => {
      const v6 = family === 'IPv6';
      const echo = { source: site.host, destination: site.remote, ttl: 1, protocol: v6 ? 58 : 1 };
      bench.frame(HOST_MAC, ipPacket({ ...echo, payload: Buffer.from([v6 ? 128 : 8, 0, 0, 0, 0, 0, 0, 0]) }));
      bench.frame(HOST_MAC, ipPacket({ ...echo, payload: Buffer.alloc(0) }));
      assert.equal(bench.counted('drop_ttl_expired'), 2);
      assert.equal(bench.counted('icmp_time_exceeded_sent'), 1);
    });

    if (family === 'IPv4')
      test('nor about a fragment that is not the first, which has no ports to tell whom it concerns', () => {
        const fragment = ipPacket({ source: site.host, destination: site.remote, ttl: 1 });
        fragment[7] = 100;
        bench.frame(HOST_MAC, fragment);
        assert.equal(bench.counted('drop_ttl_expired'), 1);
        assert.deepEqual(bench.engine.sent, []);
      });

    test('what is too big and must not be cut is answered with the size that fits', () => {
      const v6 = family === 'IPv6';
      const packet = ipPacket({
        source: site.host,
        destination: site.remote,
        payload: new Uint8Array(MTU + 1 - (v6 ? 40 : 20)),
      });
      if (!v6) packet[6] = 0x40;
      bench.frame(HOST_MAC, packet);
      assert.equal(bench.counted('drop_too_big'), 1);
      const [sent] = bench.engine.sent;
      assert.ok(sent?.kind === 'lan' && bench.engine.sent.length === 1);
      assert.equal(sent.to, HOST_MAC);
      assert.deepEqual(faultsOf(sent.packet), []);
      assert.deepEqual([...sent.packet.subarray(v6 ? 40 : 20, v6 ? 42 : 22)], v6 ? [2, 0] : [3, 4]);
      assert.equal(sent.packet.readUInt32BE(v6 ? 44 : 24), MTU);
      const fits = packet.subarray(0, MTU);
      bench.frame(HOST_MAC, fits);
      assert.equal(bench.engine.sent[0]?.kind, 'tunnel');
    });

    test('what may be cut goes into the tunnel, however large: TCP, and IPv4 without DF', () => {
      const segment = new Uint8Array(2900);
      segment[12] = 0x50;
      const tcp = ipPacket({ source: site.host, destination: site.remote, protocol: 6, payload: segment });
      if (family === 'IPv4') tcp[6] = 0x40;
      bench.frame(HOST_MAC, tcp);
      assert.equal(bench.engine.sent[0]?.kind, 'tunnel');
      if (family === 'IPv6') return;
      const udp = ipPacket({ source: site.host, destination: site.remote, payload: new Uint8Array(2900) });
      udp[6] = 0;
      bench.frame(HOST_MAC, udp);
      assert.equal(bench.engine.sent[0]?.kind, 'tunnel');
      assert.equal(bench.counted('drop_too_big'), 0);
    });

    test('IPv6 of 1,280 bytes passes, whatever the path carries', () => {
      bench.peerMtu.fill(1216);
      const v6 = family === 'IPv6';
      const packet = ipPacket({
        source: site.host,
        destination: site.remote,
        payload: new Uint8Array(1280 - (v6 ? 40 : 20)),
      });
      if (!v6) packet[6] = 0x40;
      bench.frame(HOST_MAC, packet);
      assert.equal(bench.engine.sent[0]?.kind, v6 ? 'tunnel' : 'lan');
      if (!v6) assert.equal(bench.engine.sent[0]?.packet.readUInt32BE(24), 1216);
    });

    test('a SYN’s MSS is clamped on its way into the tunnel', () => {
      const packet = tcpPacket({
        source: site.host,
        destination: site.remote,
        flags: 2,
        options: Buffer.from([2, 4, 5, 180]),
      });
      bench.frame(HOST_MAC, packet);
      const [sent] = bench.engine.sent;
      assert.equal(sent?.packet.readUInt16BE(packet.length - 2), MTU - (family === 'IPv4' ? 40 : 60));
      assert.deepEqual(sent && faultsOf(sent.packet), []);
    });
  });
}

test('single large subnet: hosts of two networks are on one link, TTL unchanged', () => {
  const bench = new SiteWorker(SITES.IPv4, true);
  bench.frame(HOST_MAC, ipPacket({ source: SITES.IPv4.host, destination: SITES.IPv4.remote }));
  assert.equal(bench.engine.sent[0]?.packet[8], 64);
});

function gatewayOf(family: string): string {
  return family === 'IPv4' ? '10.2.0.254' : 'fd00:2::fe';
}
