/** What every packet engine does at a LAN. */
import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import { Action, Kind, VIRTIO_NEEDS_CSUM } from '../../src/dataplane/engine.js';
import {
  formatMac,
  type Mac,
  macFromHalves,
  macHigh,
  macLow,
  mac as parse,
  writeMac,
} from '../../src/net/mac.js';
import { virtualMac } from '../../src/tables/gateway.js';
import {
  faultsOf,
  pattern,
  TcpFlag,
  tcpPacket,
  udpPacket,
  withPartialChecksum,
} from '../support/ip-packet.js';
import { Rig } from './rig.js';
import type { LanLink, World } from './world.js';

const IPV4 = 0x0800;
const IPV6 = 0x86dd;
const ARP = 0x0806;
const VRID = 42;
const STRANGER = parse('02:00:00:00:00:77');

export function lanSuite(world: World): void {
  const lan = (name: string, body: (link: LanLink, rig: Rig) => Promise<void> | void, vrid?: number) =>
    it(name, async (context: TestContext) => {
      if (world.withoutLan !== undefined) return context.skip(world.withoutLan);
      const link = world.openLink(vrid);
      const rig = new Rig(world.addon, { role: 'lan', lans: [link.near] });
      try {
        await body(link, rig);
      } finally {
        rig.close();
        link.close();
      }
    });

  lan('describes frames from the IP header on', ({ near, nearMac, farMac, station }, rig) => {
    assert.equal(formatMac(macFromHalves(near.macHigh, near.macLow)), formatMac(nearMac));
    assert.equal(near.mtuBytes, 1500);
    const packets = [
      udpPacket({ family: 4, payload: pattern(900) }),
      udpPacket({ family: 6, payload: pattern(1) }),
    ];
    for (const packet of packets) station.send(frame(nearMac, farMac, etherTypeOf(packet), packet));
    const described = rig.receive(2);
    described.forEach((d, i) => {
      assert.deepEqual([d.kind, d.from, d.action], [Kind.frame, near.index, Action.drop]);
      assert.equal(d.etherType, i === 0 ? IPV4 : IPV6);
      assert.equal(macFromHalves(d.srcMacHigh, d.srcMacLow), farMac);
      assert.equal(macFromHalves(d.dstMacHigh, d.dstMacLow), nearMac);
      assert.equal(d.gsoType, 0);
    });
    assert.deepEqual(
      described.map((d) => d.bytes),
      packets,
    );
    assert.equal(rig.counter('lanFramesReceived'), 2);
  });

  lan('trims Ethernet padding', ({ nearMac, farMac, station }, rig) => {
    const packet = udpPacket({ family: 4, payload: pattern(3) });
    const padded = new Uint8Array(46);
    padded.set(packet);
    station.send(frame(nearMac, farMac, IPV4, padded));
    assert.deepEqual(rig.receive(1)[0]?.bytes, packet);
  });

  lan(
    'counts frames that are shorter than they say, or no IP at all',
    ({ nearMac, farMac, station }, rig) => {
      const packet = udpPacket({ family: 4, payload: pattern(100) });
      const six = udpPacket({ family: 6, payload: pattern(100) });
      const badHeaderLength = packet.slice();
      badHeaderLength[0] = 0x44;
      station.send(frame(nearMac, farMac, IPV4, packet.subarray(0, 80)));
      station.send(frame(nearMac, farMac, IPV6, six.subarray(0, 80)));
      station.send(frame(nearMac, farMac, IPV6, packet));
      station.send(frame(nearMac, farMac, IPV4, badHeaderLength));
      station.send(frame(nearMac, farMac, IPV4, packet.subarray(0, 10)));
      assert.deepEqual(rig.receiveUntil('lanFramesMalformed', 5), []);
      assert.equal(rig.counter('lanFramesMalformed'), 5);
    },
  );

  lan('leaves other frames alone: other MACs, groups, ARP, VLANs', ({ nearMac, farMac, station }, rig) => {
    const packet = udpPacket({ family: 4, payload: pattern(100) });
    const tagged = new Uint8Array(4 + packet.length);
    tagged.set([0, 7, IPV4 >>> 8, IPV4 & 0xff]);
    tagged.set(packet, 4);
    station.send(frame(STRANGER, farMac, IPV4, packet));
    station.send(frame(parse('ff:ff:ff:ff:ff:ff'), farMac, IPV4, packet));
    station.send(frame(nearMac, farMac, ARP, new Uint8Array(46)));
    station.send(frame(nearMac, farMac, 0x8100, tagged));
    station.send(frame(nearMac, farMac, IPV4, packet));
    assert.deepEqual(rig.receive(1)[0]?.bytes, packet);
    assert.equal(rig.receiveOnce(50).length, 0);
    assert.equal(rig.counter('lanFramesReceived'), 1);
  });

  lan(
    'takes frames to other machines while it rescues, and no longer',
    ({ near, nearMac, farMac, station }, rig) => {
      const packet = udpPacket({ family: 4, payload: pattern(100) });
      const tagged = new Uint8Array(4 + packet.length);
      tagged.set([0, 7, IPV4 >>> 8, IPV4 & 0xff]);
      tagged.set(packet, 4);
      const sendAll = (): void => {
        station.send(frame(STRANGER, farMac, IPV4, packet));
        station.send(frame(parse('ff:ff:ff:ff:ff:ff'), farMac, IPV4, packet));
        station.send(frame(STRANGER, farMac, ARP, new Uint8Array(46)));
        station.send(frame(STRANGER, farMac, 0x8100, tagged));
        station.send(frame(nearMac, farMac, IPV4, packet));
      };
      for (const on of [true, true]) world.addon.setRescue(near.fd, on);
      sendAll();
      const taken = rig.receive(2).map((d) => macFromHalves(d.dstMacHigh, d.dstMacLow));
      assert.deepEqual(taken, [STRANGER, nearMac]);
      world.addon.setRescue(near.fd, false);
      sendAll();
      assert.equal(rig.receive(1).length, 1);
      assert.equal(rig.receiveOnce(50).length, 0);
      assert.equal(rig.counter('lanFramesReceived'), 3);
      assert.throws(() => world.addon.setRescue(rig.wakeupFd, true), /EBADF/);
    },
  );

  lan('writes frames from its own MAC, in order, and does not hear itself', async (link, rig) => {
    const { near, nearMac, station } = link;
    // Growing, so that they stay frames of their own where an engine puts equal ones together.
    const packets = [500, 1, 1000].map((length, i) =>
      udpPacket({ family: i === 1 ? 6 : 4, payload: pattern(length) }),
    );
    packets.forEach((packet, i) => {
      rig.place(i, packet, toStranger(near.index));
    });
    rig.engine.send(rig.engine.capacity, packets.length);
    for (const packet of packets) {
      assert.deepEqual(await station.next(), frame(STRANGER, nearMac, etherTypeOf(packet), packet));
    }
    assert.equal(rig.counter('lanFramesSent'), 3);
    assert.equal(rig.receiveOnce(50).length, 0);
  });

  lan(
    'takes frames to its virtual MACs besides its own, whether it rescues or not',
    ({ near, nearMac, farMac, station }, rig) => {
      assert.equal(near.vrid, VRID);
      const macs = [nearMac, virtualMac(VRID, 4), virtualMac(VRID, 6)];
      const others = [virtualMac(VRID + 1, 4), virtualMac(VRID + 1, 6), parse('00:00:5e:00:03:2a')];
      const toAll = (): void => {
        for (const mac of [...others, ...macs]) {
          for (const family of [4, 6] as const) {
            const packet = udpPacket({ family, payload: pattern(100) });
            station.send(frame(mac, farMac, family === 4 ? IPV4 : IPV6, packet));
          }
          station.send(frame(mac, farMac, ARP, new Uint8Array(46)));
        }
      };
      const takes = (wanted: readonly Mac[]): void => {
        toAll();
        const taken = rig.receive(2 * wanted.length).map((d) => macFromHalves(d.dstMacHigh, d.dstMacLow));
        assert.deepEqual(
          taken,
          wanted.flatMap((mac) => [mac, mac]),
        );
        assert.equal(rig.receiveOnce(50).length, 0);
      };
      takes(macs);
      world.addon.setRescue(near.fd, true, VRID);
      takes([...others, ...macs]);
      world.addon.setRescue(near.fd, false, VRID);
      takes(macs);
    },
    VRID,
  );

  lan(
    "writes frames from the virtual MAC of the packet's family",
    async ({ near, station }, rig) => {
      for (const family of [4, 6, 4] as const) {
        const packet = udpPacket({ family, payload: pattern(200) });
        rig.send(packet, toStranger(near.index));
        const wanted = frame(STRANGER, virtualMac(VRID, family), etherTypeOf(packet), packet);
        assert.deepEqual(await station.next(), wanted);
      }
      assert.equal(rig.receiveOnce(50).length, 0);
    },
    VRID,
  );

  lan(
    'writes frames from its own MAC from the moment that it is not active, and from the virtual one again',
    async ({ near, nearMac, station }, rig) => {
      for (const role of ['active', 'draining', 'standby', 'draining', 'active'] as const) {
        rig.lanRoles.set(near.index, role);
        for (const family of [4, 6] as const) {
          const packet = udpPacket({ family, payload: pattern(200) });
          rig.send(packet, toStranger(near.index));
          const from = role === 'active' ? virtualMac(VRID, family) : nearMac;
          assert.deepEqual(await station.next(), frame(STRANGER, from, etherTypeOf(packet), packet));
        }
      }
    },
    VRID,
  );

  lan(
    'writes frames from its own MAC in every role where there is no virtual one',
    async ({ near, nearMac, station }, rig) => {
      for (const role of ['standby', 'draining', 'active'] as const) {
        rig.lanRoles.set(near.index, role);
        const packet = udpPacket({ family: 4, payload: pattern(200) });
        rig.send(packet, toStranger(near.index));
        assert.deepEqual(await station.next(), frame(STRANGER, nearMac, IPV4, packet));
      }
    },
  );

  lan('counts what a LAN cannot take', ({ near }, rig) => {
    const packet = udpPacket({ family: 4, payload: pattern(100) });
    rig.send(udpPacket({ family: 4, payload: pattern(1473) }), toStranger(near.index));
    rig.send(packet, toStranger(near.index + 1));
    rig.send(packet, toStranger(-1));
    rig.send(packet.subarray(0, 10), toStranger(near.index));
    rig.send(pattern(100), toStranger(near.index));
    assert.equal(rig.counter('lanSendErrors'), 5);
    assert.equal(rig.counter('lanFramesSent'), 0);
  });

  lan('passes super-packets and open checksums on as they are', ({ near, far, farMac }, rig) => {
    const farRig = new Rig(world.addon, { role: 'lan', lans: [far] });
    const tcp = tcpPacket({ family: 4, payload: pattern(20_000), sequence: 1, flags: TcpFlag.ack });
    const open = withPartialChecksum(tcp);
    const offload = {
      flags: VIRTIO_NEEDS_CSUM,
      checksumStart: open.checksumStart,
      checksumOffset: open.checksumOffset,
      gsoType: 1,
      gsoSize: 1400,
    };
    const to = { ...toStranger(near.index), outMacHigh: macHigh(farMac), outMacLow: macLow(farMac) };
    rig.send(open.packet, { ...to, ...offload });
    if (near.vnetHeader) {
      const [d] = farRig.receive(1);
      assert.deepEqual(d?.bytes, open.packet);
      assert.deepEqual([d.gsoType, d.gsoSize, d.flags & 1], [1, 1400, 1]);
      assert.deepEqual([d.checksumStart, d.checksumOffset], [20, 16]);
    } else {
      const segments = farRig.receive(15);
      assert.equal(segments.length, 15);
      assert.deepEqual(
        segments.flatMap(({ bytes }) => faultsOf(bytes)),
        [],
      );
    }
    const small = withPartialChecksum(udpPacket({ family: 6, payload: pattern(40) }));
    rig.send(small.packet, {
      ...to,
      flags: VIRTIO_NEEDS_CSUM,
      checksumStart: small.checksumStart,
      checksumOffset: small.checksumOffset,
    });
    const [d] = farRig.receive(1);
    if (near.vnetHeader) {
      assert.deepEqual([d?.bytes, d?.flags, d?.checksumStart], [small.packet, VIRTIO_NEEDS_CSUM, 40]);
    } else {
      assert.deepEqual(faultsOf(d?.bytes ?? new Uint8Array(0)), []);
    }
    farRig.close();
  });
}

function toStranger(lanIndex: number) {
  return { action: Action.lan, to: lanIndex, outMacHigh: macHigh(STRANGER), outMacLow: macLow(STRANGER) };
}

function etherTypeOf(packet: Uint8Array): number {
  return (packet[0] ?? 0) >>> 4 === 4 ? IPV4 : IPV6;
}

function frame(destination: Mac, source: Mac, etherType: number, content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(14 + content.length);
  writeMac(destination, bytes, 0);
  writeMac(source, bytes, 6);
  bytes.set([etherType >>> 8, etherType & 0xff], 12);
  bytes.set(content, 14);
  return bytes;
}
