/** A router that hosts of its LAN have as their gateway: frames to its virtual MACs, echo, the way out, standing by. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { Ip } from '../../../../src/net/ip.js';
import { type Mac, mac } from '../../../../src/net/mac.js';
import { virtualMac } from '../../../../src/tables/gateway.js';
import { faultsOf, internetChecksum, ipPacket, pseudoHeader } from '../../../support/ip-packet.js';
import {
  A,
  AWAY_MAC,
  C,
  GATEWAY_MAC,
  HOST_MAC,
  SITES,
  type Site,
  SiteWorker,
  VM_MAC,
  VR_MAC,
} from './site-worker.js';

const VRID = 42;
const GATEWAYS = { IPv4: '10.2.0.3', IPv6: 'fd00:2::3' } as const;
const STRANGER_MAC = mac('02:00:00:00:00:99');

const isV6 = (address: string): boolean => address.includes(':');

/** An echo request, its checksum right. */
function echo(source: string, destination: string, change: (icmp: Buffer) => void = () => {}): Buffer {
  const icmp = Buffer.from([
    isV6(source) ? 128 : 8,
    0,
    0,
    0,
    0x12,
    0x34,
    0,
    1,
    ...Buffer.from('are you there?'),
  ]);
  change(icmp);
  const packet = ipPacket({ source, destination, protocol: isV6(source) ? 58 : 1, payload: icmp, ttl: 7 });
  const at = packet.length - icmp.length;
  const pseudo = isV6(source) ? pseudoHeader(packet, 58, icmp.length) : new Uint8Array(0);
  packet.writeUInt16BE(internetChecksum(pseudo, packet.subarray(at)), at + 2);
  assert.deepEqual(faultsOf(packet), []);
  return packet;
}

/** What the answer to it is: all that RFC 792 and RFC 4443 let differ does. */
function answerTo(request: Buffer): Buffer {
  const v6 = (request[0] ?? 0) >>> 4 === 6;
  const [source, destination] = v6
    ? [Ip.read(6, request, 24), Ip.read(6, request, 8)]
    : [Ip.read(4, request, 16), Ip.read(4, request, 12)];
  return echoReply(source.key, destination.key, request.subarray(v6 ? 40 : 20));
}

function echoReply(source: string, destination: string, requested: Buffer): Buffer {
  const icmp = Buffer.from(requested);
  icmp[0] = isV6(source) ? 129 : 0;
  icmp.writeUInt16BE(0, 2);
  const packet = ipPacket({ source, destination, protocol: isV6(source) ? 58 : 1, payload: icmp, ttl: 64 });
  const at = packet.length - icmp.length;
  const pseudo = isV6(source) ? pseudoHeader(packet, 58, icmp.length) : new Uint8Array(0);
  packet.writeUInt16BE(internetChecksum(pseudo, packet.subarray(at)), at + 2);
  return packet;
}

for (const family of ['IPv4', 'IPv6'] as const) {
  const site: Site = SITES[family];
  const gateway = GATEWAYS[family];
  const virtual = virtualMac(VRID, family === 'IPv4' ? 4 : 6);
  const ttlAt = family === 'IPv4' ? 8 : 7;

  describe(`a gateway, ${family}`, () => {
    let bench: SiteWorker;
    beforeEach(() => {
      bench = new SiteWorker(site, false, { gateway: [Ip.of(gateway)], vrid: VRID });
    });
    const frame = (packet: Buffer, to: Mac = virtual, from = HOST_MAC): void => bench.frame(from, packet, to);

    test('a frame to a virtual MAC of either family is for it, as one to its own is', () => {
      for (const to of [VR_MAC, virtualMac(VRID, 4), virtualMac(VRID, 6)]) {
        frame(ipPacket({ source: site.host, destination: site.remote }), to);
        const [sent] = bench.engine.sent;
        assert.deepEqual([sent?.kind, sent?.kind === 'tunnel' && sent.peer], ['tunnel', A]);
      }
      for (const to of [virtualMac(VRID + 1, 4), virtualMac(VRID - 1, 6), STRANGER_MAC]) {
        frame(ipPacket({ source: site.host, destination: site.remote }), to);
        assert.deepEqual(bench.engine.sent, []);
      }
      assert.equal(bench.counted('frames_to_others'), 3);
    });

    test('a frame from its own virtual MAC, of the site’s other router, is not rescued', () => {
      frame(ipPacket({ source: site.host, destination: site.away }), AWAY_MAC, virtual);
      assert.deepEqual(bench.engine.sent, []);
      assert.equal(bench.counted('rescued'), 0);
    });

    test('an echo request is answered, to the MAC that it came from', () => {
      const request = echo(site.host, gateway);
      frame(request);
      const [sent] = bench.engine.sent;
      assert.ok(sent?.kind === 'lan');
      assert.deepEqual([sent.lan, sent.to], [0, HOST_MAC]);
      assert.deepEqual(sent.packet, answerTo(request));
      assert.equal(bench.counted('gateway_echo_answered'), 1);
    });

    test('also one of a machine that is in no table, as a kernel would', () => {
      frame(echo(site.unlisted, gateway), virtual, STRANGER_MAC);
      const [sent] = bench.engine.sent;
      assert.deepEqual([sent?.kind, sent?.kind === 'lan' && sent.to], ['lan', STRANGER_MAC]);
    });

    test('from another site, it is answered there', () => {
      const request = echo(site.remote, gateway);
      bench.overlay(A, request);
      const [sent] = bench.engine.sent;
      assert.ok(sent?.kind === 'tunnel');
      assert.deepEqual([sent.peer, sent.vnet, sent.hops], [A, 1, 4]);
      assert.deepEqual(sent.packet, answerTo(request));
      bench.overlay(C, echo(site.remote, gateway));
      assert.deepEqual(bench.engine.sent, []);
      assert.equal(bench.counted('drop_source_not_peers'), 1);
    });

    test('an answer is no flow: who sends with its addresses is refused, and so is the request’s next', () => {
      const request = echo(site.remote, gateway);
      bench.overlay(A, request);
      bench.overlay(A, answerTo(request));
      assert.deepEqual(bench.engine.sent, []);
      assert.equal(bench.counted('drop_source_not_peers'), 1);
      assert.equal(bench.known, 0);
    });

    test('of a site with two routers, to the one that is active', () => {
      bench.sitePeers.setSite(C, A);
      bench.sitePeers.setActive(A, C);
      for (const from of [A, C]) {
        bench.overlay(from, echo(site.remote, gateway));
        const [sent] = bench.engine.sent;
        assert.deepEqual([sent?.kind, sent?.kind === 'tunnel' && sent.peer], ['tunnel', C]);
      }
    });

    test('nothing else is answered', () => {
      const others = [
        ipPacket({ source: site.host, destination: gateway }),
        echo(site.host, gateway, (icmp) => icmp.writeUInt8(isV6(gateway) ? 129 : 0, 0)),
        echo(site.host, gateway, (icmp) => icmp.writeUInt8(1, 1)),
        ipPacket({
          source: site.host,
          destination: gateway,
          protocol: isV6(gateway) ? 58 : 1,
          payload: Uint8Array.of(isV6(gateway) ? 128 : 8, 0, 0, 0),
        }),
      ];
      if (!isV6(gateway)) {
        for (const fragmentation of [0x2000, 0x0010]) {
          const fragment = echo(site.host, gateway);
          fragment.writeUInt16BE(fragmentation, 6);
          others.push(fragment);
        }
        const withOptions = Buffer.concat([echo(site.host, gateway), Buffer.alloc(4)]);
        withOptions[0] = 0x46;
        others.push(withOptions);
      }
      for (const packet of others) {
        frame(packet);
        assert.deepEqual(bench.engine.sent, []);
      }
      assert.equal(bench.counted('drop_gateway_address'), others.length);
    });

    test('nobody sends in its name', () => {
      frame(ipPacket({ source: gateway, destination: site.remote }));
      bench.overlay(A, ipPacket({ source: gateway, destination: site.host }));
      assert.deepEqual(bench.engine.sent, []);
      assert.equal(bench.counted('drop_source_unauthorised'), 1);
      assert.equal(bench.counted('drop_source_not_peers'), 1);
    });

    test('a thousand answers a second, and no more', () => {
      for (let n = 0; n < 1_500; n++) frame(echo(site.host, gateway));
      assert.equal(bench.counted('gateway_echo_answered'), 1_000);
      assert.equal(bench.counted('drop_gateway_echo_rate'), 500);
      bench.clock.advance(100);
      for (let n = 0; n < 200; n++) frame(echo(site.host, gateway));
      assert.equal(bench.counted('gateway_echo_answered'), 1_100);
    });

    test('what its hosts send to the outside world goes to their network’s gateway, TTL one less', () => {
      frame(ipPacket({ source: site.host, destination: site.outside }));
      const [sent] = bench.engine.sent;
      assert.ok(sent?.kind === 'lan');
      assert.deepEqual([sent.lan, sent.to, sent.packet[ttlAt]], [0, GATEWAY_MAC, 63]);
    });

    test('but not what that gateway sends itself, nor what a machine that is not listed sends', () => {
      frame(ipPacket({ source: site.host, destination: site.outside }), virtual, GATEWAY_MAC);
      frame(ipPacket({ source: site.unlisted, destination: site.outside }));
      assert.deepEqual(bench.engine.sent, []);
      assert.equal(bench.counted('drop_no_route'), 1);
      assert.equal(bench.counted('drop_source_unauthorised'), 1);
    });

    test('nor what is sent to the interface’s own MAC: its kernel may be a router too', () => {
      frame(ipPacket({ source: site.host, destination: site.outside }), VR_MAC);
      assert.deepEqual(bench.engine.sent, []);
      assert.equal(bench.counted('drop_no_route'), 1);
    });

    test('a visitor’s goes home, as ever', () => {
      frame(ipPacket({ source: site.visitor, destination: site.outside }), virtual, VM_MAC);
      const [sent] = bench.engine.sent;
      assert.deepEqual([sent?.kind, sent?.kind === 'tunnel' && sent.peer], ['tunnel', A]);
    });

    test('ICMP errors come from the gateway address, for that is whom the host has sent to', () => {
      frame(ipPacket({ source: site.host, destination: site.remote, ttl: 1 }));
      const [sent] = bench.engine.sent;
      assert.ok(sent?.kind === 'lan');
      const from = isV6(gateway) ? Ip.read(6, sent.packet, 8) : Ip.read(4, sent.packet, 12);
      assert.equal(from.key, gateway);
      assert.deepEqual(faultsOf(sent.packet), []);
    });

    test('draining it forwards what comes, and answers nothing for itself', () => {
      bench.lans.setRole(0, 'draining');
      for (const to of [virtual, VR_MAC]) {
        frame(ipPacket({ source: site.host, destination: site.remote }), to);
        const [sent] = bench.engine.sent;
        assert.deepEqual([sent?.kind, sent?.kind === 'tunnel' && sent.peer], ['tunnel', A]);
      }
      frame(ipPacket({ source: site.host, destination: site.outside }));
      assert.deepEqual(
        bench.engine.sent.map(({ kind }) => kind),
        ['lan'],
      );
      bench.overlay(A, ipPacket({ source: site.remote, destination: site.host }));
      const [sent] = bench.engine.sent;
      assert.deepEqual([sent?.kind, sent?.kind === 'lan' && sent.to], ['lan', HOST_MAC]);
      assert.equal(bench.counted('drop_standby'), 0);

      for (const ask of [
        () => frame(echo(site.host, gateway)),
        () => bench.overlay(A, echo(site.remote, gateway)),
      ]) {
        ask();
        assert.deepEqual(bench.engine.sent, []);
      }
      assert.equal(bench.counted('drop_standby'), 2);
      assert.equal(bench.counted('gateway_echo_answered'), 0);
      // The other router of the site sees the same frame, and rescues it.
      frame(ipPacket({ source: site.host, destination: site.away }), AWAY_MAC);
      assert.deepEqual(bench.engine.sent, []);
      assert.equal(bench.counted('rescued'), 0);
    });

    test('what waits for a MAC when it begins to drain is delivered; when it stands by, dropped', () => {
      const waiting = isV6(gateway) ? 'fd00:2::44' : '10.2.0.44';
      for (const [role, delivered] of [
        ['draining', 1],
        ['standby', 0],
      ] as const) {
        bench.lans.setRole(0, 'active');
        bench.hwdt.forget(1, Ip.of(waiting));
        bench.overlay(A, ipPacket({ source: site.remote, destination: waiting }));
        assert.equal(bench.delivery.held, 1);
        bench.lans.setRole(0, role);
        bench.hwdt.learn(0, 1, STRANGER_MAC, Ip.of(waiting), 'arp-reply');
        bench.engine.sent.length = 0;
        bench.delivery.releaseHeld();
        assert.equal(bench.engine.sent.length, delivered);
      }
      assert.equal(bench.counted('drop_standby'), 1);
    });

    test('standing by it forwards nothing and answers nothing, and counts what it drops', () => {
      bench.lans.setRole(0, 'standby');
      for (const to of [virtual, VR_MAC]) {
        frame(ipPacket({ source: site.host, destination: site.remote }), to);
        frame(echo(site.host, gateway), to);
        frame(ipPacket({ source: site.host, destination: site.outside }), to);
      }
      bench.overlay(A, ipPacket({ source: site.remote, destination: site.host }));
      bench.overlay(A, echo(site.remote, gateway));
      assert.deepEqual(bench.engine.sent, []);
      assert.equal(bench.counted('drop_standby'), 8);
      frame(ipPacket({ source: site.host, destination: site.away }), AWAY_MAC);
      assert.equal(bench.counted('rescued'), 0);
      frame(ipPacket({ source: site.host, destination: site.own }), VR_MAC);
      assert.equal(bench.counted('kernel_own_address'), 1);
      assert.equal(bench.counted('drop_standby'), 8);

      bench.lans.setRole(0, 'active');
      frame(ipPacket({ source: site.host, destination: site.remote }));
      assert.equal(bench.engine.sent.length, 1);
      bench.overlay(A, ipPacket({ source: site.remote, destination: site.host }));
      assert.equal(bench.engine.sent.length, 1);
    });
  });

  test(`with its own MAC, ${family}: the same, and a virtual MAC is another’s`, () => {
    const bench = new SiteWorker(site, false, { gateway: [Ip.of(gateway)] });
    bench.frame(HOST_MAC, echo(site.host, gateway));
    assert.equal(bench.engine.sent.length, 1);
    bench.frame(HOST_MAC, echo(site.host, gateway), virtual);
    assert.equal(bench.engine.sent.length, 0);
    bench.frame(HOST_MAC, ipPacket({ source: site.host, destination: site.outside }));
    assert.equal(bench.engine.sent.length, 1);
  });
}

test('without a way out the host is told at once', () => {
  const site = { ...SITES.IPv4, host: '10.2.0.11' };
  const bench = new SiteWorker(
    site,
    false,
    { gateway: [Ip.of('10.2.0.3')], vrid: VRID },
    { withoutGateways: true },
  );
  bench.frame(HOST_MAC, ipPacket({ source: site.host, destination: site.outside }), virtualMac(VRID, 4));
  const [sent] = bench.engine.sent;
  assert.ok(sent?.kind === 'lan');
  assert.deepEqual([...sent.packet.subarray(20, 22)], [3, 0]);
  assert.deepEqual(faultsOf(sent.packet), []);
  assert.equal(bench.counted('drop_no_gateway'), 1);
  assert.equal(bench.counted('icmp_unreachable_sent'), 1);
});
