/** What every packet engine does at a TUN device. */
import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import { Action, Kind, VIRTIO_NEEDS_CSUM } from '../../src/dataplane/engine.js';
import {
  faultsOf,
  layer4Of,
  pattern,
  udpPacket,
  udpPayload,
  withPartialChecksum,
} from '../support/ip-packet.js';
import { Rig } from './rig.js';
import type { TunLink, World } from './world.js';

const PARTNER_PORT = 40000;

export function tunSuite(world: World): void {
  const tun = (name: string, body: (link: TunLink, rig: Rig) => Promise<void> | void) =>
    it(name, async (context: TestContext) => {
      if (world.withoutLan !== undefined) return context.skip(world.withoutLan);
      const link = await world.openTun();
      const rig = new Rig(world.addon, { role: 'lan', tuns: [link.tun] });
      try {
        await body(link, rig);
      } finally {
        rig.close();
        link.close();
      }
    });

  for (const family of [4, 6] as const) {
    tun(`takes what the machine sends, from the IP header on, IPv${family}`, async (link, rig) => {
      for (const length of [0, 1, 900]) {
        await link.say(family, pattern(length));
        const [d] = receiveUdp(rig);
        assert.ok(d);
        assert.deepEqual([d.kind, d.from, d.action, d.gsoType], [Kind.frame, link.tun.index, Action.drop, 0]);
        assert.deepEqual([d.srcMacHigh, d.srcMacLow], [0, 0]);
        assert.equal(d.etherType, family === 4 ? 0x0800 : 0x86dd);
        assert.deepEqual(udpPayload(d.bytes), pattern(length));
        // Left to us: the sum is at the place that is named.
        const { offset } = layer4Of(d.bytes);
        if ((d.flags & VIRTIO_NEEDS_CSUM) !== 0)
          assert.deepEqual([d.checksumStart, d.checksumOffset], [offset, 6]);
        else assert.deepEqual(faultsOf(d.bytes), []);
      }
    });

    tun(`hands packets to the machine, IPv${family}`, async (link, rig) => {
      const to = { action: Action.lan, to: link.tun.index };
      rig.send(udpPacket({ family, payload: pattern(1000) }), to);
      assert.deepEqual(await link.hear(), pattern(1000));
      const open = withPartialChecksum(udpPacket({ family, payload: pattern(77) }));
      const { checksumStart, checksumOffset } = open;
      rig.send(open.packet, { ...to, flags: VIRTIO_NEEDS_CSUM, checksumStart, checksumOffset });
      assert.deepEqual(await link.hear(), pattern(77));
      assert.equal(rig.counter('lanFramesSent'), 2);
      assert.equal(rig.counter('lanSendErrors'), 0);
    });
  }

  tun('counts what makes no sense', (link, rig) => {
    const to = { action: Action.lan, to: link.tun.index };
    rig.send(pattern(100), to);
    rig.send(udpPacket({ family: 4, payload: pattern(5) }).subarray(0, 10), to);
    assert.equal(rig.counter('lanSendErrors'), 2);
    assert.equal(rig.counter('lanFramesSent'), 0);
  });

  tun('refuses a name that is taken', (link) => {
    assert.throws(() => world.addon.openTun(link.name, 8), { code: 'EBUSY' });
  });

  tun('throws when the device has been deleted', (link, rig) => {
    link.remove();
    assert.throws(() => {
      for (let tries = 0; tries < 100; tries++) rig.engine.receive(100);
    }, /gone/);
  });
}

/** The next packets from the program's partner port; the kernel may add packets of its own (multicast reports). */
function receiveUdp(rig: Rig): ReturnType<Rig['receiveOnce']> {
  for (let tries = 0; tries < 100; tries++) {
    const wanted = rig.receiveOnce(100).filter(({ bytes }) => isToPartner(bytes));
    if (wanted.length > 0) return wanted;
  }
  return [];
}

function isToPartner(packet: Uint8Array): boolean {
  const { protocol, offset } = layer4Of(packet);
  return protocol === 17 && (((packet[offset + 2] ?? 0) << 8) | (packet[offset + 3] ?? 0)) === PARTNER_PORT;
}
