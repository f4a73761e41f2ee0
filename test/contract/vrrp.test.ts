/** VRRP advertisements between two machines on a real link: what is heard, what is refused, and what an interface may do. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { checksumOf, sumOfWords } from '../../src/arp/checksum.js';
import { createFrame, ETHERNET_HEADER_BYTES, EtherType } from '../../src/arp/ethernet.js';
import { groupMac } from '../../src/arp/ipv6.js';
import { loadNative } from '../../src/dataplane/native.js';
import { type Family, Ip } from '../../src/net/ip.js';
import { mac } from '../../src/net/mac.js';
import { systemClock } from '../../src/net/system-clock.js';
import { type Advertisement, advertisementGroup, encodeAdvertisement } from '../../src/pair/advertisement.js';
import {
  type AdvertisementSocket,
  type AdvertisementSocketOptions,
  type Condition,
  openAdvertisementSocket,
} from '../../src/router/machine/vrrp/advertisement-socket.js';
import { advertisementSource } from '../../src/router/machine/vrrp/source.js';
import { waitFor } from '../lab/wait.js';
import { inNamespaceOfOwn, ip } from './namespace.js';
import { FAR, NEAR, Peer, TwoMachines, VIRTUAL } from './vrrp-link.js';

const VRID = 51;
const FAMILIES = [4, 6] as const;

inNamespaceOfOwn('VRRP advertisements', import.meta.url, suite, () =>
  test('VRRP advertisements', { skip: 'namespaces need root' }, () => {}),
);

/** What a router of the far machine would say. */
function advertisement(family: Family, more: Partial<Advertisement> = {}): Advertisement {
  return {
    source: FAR[family],
    vrid: VRID,
    priority: 150,
    maxIntervalCs: 5,
    addresses: VIRTUAL[family],
    ...more,
  };
}

const texts = ({ source: _, addresses, ...rest }: Advertisement) => ({
  ...rest,
  addresses: addresses.map(({ key }) => key),
});

/** A frame of the far machine with a packet that `change` may spoil. */
function frameOf(said: Advertisement, change: (packet: Uint8Array) => void = () => {}): string {
  const { family } = said.source;
  const packet = encodeAdvertisement(said);
  change(packet);
  if (family === 4) {
    packet.fill(0, 10, 12);
    const sum = checksumOf(sumOfWords(packet, 0, 20));
    packet.set([sum >>> 8, sum & 0xff], 10);
  }
  const frame = createFrame(
    {
      destination: family === 4 ? mac('01:00:5e:00:00:12') : groupMac(advertisementGroup(6)),
      source: mac('02:00:00:00:00:03'),
      etherType: family === 4 ? EtherType.ipv4 : EtherType.ipv6,
    },
    packet.length,
  );
  frame.set(packet, ETHERNET_HEADER_BYTES);
  return Buffer.from(frame).toString('hex');
}

/** Says it until it is heard: for a moment after a link has come up the kernel takes packets and throws them away. */
function says(say: () => void, isHeard: () => boolean): Promise<true> {
  return waitFor('all that is said to be heard', () => {
    if (isHeard()) return true;
    say();
    return undefined;
  });
}

function suite(): void {
  const pcap = loadNative();
  let machines: TwoMachines;
  let heard: Advertisement[];
  let conditions: Condition[];
  const open: { close(): Promise<unknown> }[] = [];

  before(async () => {
    machines = await TwoMachines.open();
  });
  after(() => machines.close());
  beforeEach(async () => {
    heard = [];
    conditions = [];
    await machines.connect();
  });
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
    machines.disconnect();
  });

  function near(family: Family, more: Partial<AdvertisementSocketOptions> = {}): AdvertisementSocket {
    const socket = openAdvertisementSocket({
      interface: 'near',
      source: NEAR[family],
      vrid: VRID,
      pcap,
      clock: systemClock,
      onAdvertisement: (said) => heard.push(said),
      onCondition: (condition) => conditions.push(condition),
      ...more,
    });
    open.push(socket);
    return socket;
  }

  async function far(family: Family): Promise<Peer> {
    const peer = await Peer.open(machines, FAR[family], VRID);
    open.push(peer);
    return peer;
  }

  const isNow = (is: Condition['is']) => (): boolean => conditions.at(-1)?.is === is;

  for (const family of FAMILIES) {
    test(`IPv${family}: two routers hear each other, and neither itself`, async () => {
      const [socket, peer] = [near(family), await far(family)];
      socket.send(advertisement(family, { priority: 200 }));
      peer.tell({ send: texts(advertisement(family)) });
      await waitFor('both to hear', () => heard.length > 0 && peer.heard.length > 0);
      assert.deepEqual(heard, [advertisement(family)]);
      const said = texts(advertisement(family, { priority: 200 }));
      assert.deepEqual(peer.heard, [{ ...said, source: NEAR[family].key }]);
      open.pop();
      const expected = { advertisements_received: 1, advertisements_sent: 1 };
      assert.deepEqual(await peer.close(), expected);
      assert.deepEqual(socket.counters(), expected);
      assert.deepEqual(conditions, []);
    });

    test(`IPv${family}: a last word is sent although the socket is closed at once`, async () => {
      const [socket, peer] = [near(family), await far(family)];
      socket.send(advertisement(family, { priority: 0 }));
      await socket.close();
      await waitFor('the last word', () => peer.heard.length > 0);
      assert.equal(peer.heard[0]?.priority, 0);
      assert.deepEqual(socket.counters(), { advertisements_sent: 1, priority_zero_sent: 1 });
      peer.tell({ send: texts(advertisement(family)) });
      socket.send(advertisement(family));
      await waitFor('the peer to have sent', async () => {
        open.pop();
        return peer.close();
      });
      assert.deepEqual([heard.length, peer.heard.length], [0, 1]);
    });

    test(`IPv${family}: what is forged, broken or somebody else's is told apart`, async () => {
      const start = family === 4 ? 20 : 40;
      const [socket, peer] = [near(family), await far(family)];
      const forged: readonly (readonly [string, string])[] = [
        [
          'ip_ttl_errors',
          frameOf(advertisement(family), (p) => p.fill(254, ...(family === 4 ? [8, 9] : [7, 8]))),
        ],
        ['checksum_errors', frameOf(advertisement(family), (p) => p.fill(1, start + 6))],
        ['vrid_errors', frameOf(advertisement(family, { vrid: VRID + 1 }))],
        ['version_errors', frameOf(advertisement(family), (p) => p.fill(0x21, start, start + 1))],
        ['invalid_type_packets', frameOf(advertisement(family), (p) => p.fill(0x32, start, start + 1))],
        ['packet_length_errors', frameOf(advertisement(family), (p) => p.fill(9, start + 3, start + 4))],
      ];
      for (const [, frames] of forged) peer.tell({ frames, times: 1 });
      peer.tell({ frames: frameOf(advertisement(family, { priority: 0 })), times: 1 });
      await waitFor('the good one', () => heard.length > 0);
      const counts = { ...socket.counters() };
      assert.deepEqual(counts, {
        ...Object.fromEntries(forged.map(([name]) => [name, 1])),
        advertisements_received: 1,
        priority_zero_received: 1,
      });
    });

    test(`IPv${family}: one hears on its own LAN only`, async () => {
      ip('link', 'add', 'other', 'type', 'veth', 'peer', 'name', 'beyond');
      try {
        for (const name of ['other', 'beyond']) ip('link', 'set', name, 'up');
        ip('address', 'add', '10.2.0.2/24', 'dev', 'other');
        ip('address', 'add', 'fe80::2:2/64', 'dev', 'other', 'nodad');
        const source = Ip.of(family === 4 ? '10.2.0.2' : 'fe80::2:2');
        near(family, { interface: 'other', source });
        const peer = await far(family);
        const here: Advertisement[] = [];
        near(family, { onAdvertisement: (said) => here.push(said) });
        peer.tell({ send: texts(advertisement(family)) });
        await waitFor('the one on this LAN to hear', () => here.length > 0);
        assert.deepEqual(heard, []);
      } finally {
        for (const one of open.splice(0)) await one.close();
        ip('link', 'delete', 'other');
      }
    });

    test(`IPv${family}: an interface that is down is told, and serves again when it is up`, async () => {
      const socket = near(family);
      const peer = await far(family);
      ip('link', 'set', 'near', 'down');
      await waitFor('down', isNow('down'));
      socket.send(advertisement(family));
      await waitFor('an error to be counted', () => socket.counters().send_errors === 1);
      ip('link', 'set', 'near', 'up');
      // The kernel keeps the addresses of IPv4 only.
      if (family === 6) ip('address', 'add', `${NEAR[6]}/64`, 'dev', 'near', 'nodad');
      await waitFor('up', isNow('up'));
      await says(
        () => {
          peer.tell({ send: texts(advertisement(family)) });
          socket.send(advertisement(family));
        },
        () => heard.length > 0 && peer.heard.length > 0,
      );
      assert.deepEqual(
        conditions.map(({ is }) => is),
        ['down', 'up'],
      );
    });

    test(`IPv${family}: an interface that is down at the beginning is waited for`, async () => {
      ip('link', 'set', 'near', 'down');
      const socket = near(family);
      assert.equal(socket.condition().is, 'down');
      ip('link', 'set', 'near', 'up');
      if (family === 6) {
        await waitFor('another condition', isNow('failing'));
        assert.match(JSON.stringify(conditions), /near does not have fe80::2, .*add it there/);
        ip('address', 'add', `${NEAR[6]}/64`, 'dev', 'near', 'nodad');
      }
      await waitFor('up', isNow('up'));
      const peer = await far(family);
      await says(
        () => peer.tell({ send: texts(advertisement(family)) }),
        () => heard.length > 0,
      );
    });

    test(`IPv${family}: an interface without a carrier is no reason not to begin`, async () => {
      machines.far('ip', 'link', 'set', 'far', 'down');
      const socket = near(family);
      assert.equal(socket.condition().is, 'up');
      socket.send(advertisement(family));
      machines.far('ip', 'link', 'set', 'far', 'up');
      if (family === 6) machines.far('ip', 'address', 'add', `${FAR[6]}/64`, 'dev', 'far', 'nodad');
      const peer = await far(family);
      await says(
        () => peer.tell({ send: texts(advertisement(family)) }),
        () => heard.length > 0,
      );
      assert.deepEqual(conditions, []);
    });

    test(`IPv${family}: an interface that is gone is told, and one made anew is used`, async () => {
      const socket = near(family);
      ip('link', 'delete', 'near');
      await waitFor('gone', isNow('gone'));
      assert.deepEqual(conditions.at(-1), { is: 'gone', why: 'interface near does not exist' });
      socket.send(advertisement(family));
      await machines.connect();
      await waitFor('up', isNow('up'));
      const peer = await far(family);
      await says(
        () => {
          peer.tell({ send: texts(advertisement(family)) });
          socket.send(advertisement(family));
        },
        () => heard.length > 0 && peer.heard.length > 0,
      );
      assert.deepEqual([socket.counters().reopened, socket.counters().send_errors], [1, 1]);
    });

    test(`IPv${family}: a firewall that keeps them in is told, and when it does not any more`, async () => {
      const socket = near(family);
      const nft = (rules: string): void => {
        execFileSync('nft', ['-f', '-'], { input: rules });
      };
      nft(
        'table inet keep {\n chain out {\n type filter hook output priority 0\n meta l4proto 112 drop\n }\n}',
      );
      try {
        socket.send(advertisement(family));
        await waitFor('failing', isNow('failing'));
        const [condition] = conditions;
        assert.ok(
          condition?.is === 'failing' && /not permitted/.test(condition.why),
          JSON.stringify(condition),
        );
      } finally {
        nft('delete table inet keep');
      }
      socket.send(advertisement(family));
      await waitFor('up', isNow('up'));
      assert.deepEqual(socket.counters(), { advertisements_sent: 1, send_errors: 1 });
    });

    test(`IPv${family}: a flood of what is refused keeps nobody from sending`, async () => {
      const [socket, peer] = [near(family), await far(family)];
      peer.tell({ frames: frameOf(advertisement(family, { vrid: 1 })), times: 20_000 });
      await waitFor('the flood', () => (socket.counters().vrid_errors ?? 0) > 0);
      for (let sent = 0; sent < 20; sent++) {
        const before = socket.counters().advertisements_sent ?? 0;
        socket.send(advertisement(family));
        await waitFor('it to be sent', () => socket.counters().advertisements_sent === before + 1);
      }
      await waitFor('them to be heard', () => peer.heard.length === 20);
      assert.equal(socket.counters().send_errors, undefined);
    });

    test(`IPv${family}: what cannot be opened says why, and what to do`, async () => {
      const another = Ip.of(family === 4 ? '10.1.0.9' : 'fe80::9');
      assert.throws(() => near(family, { interface: 'none' }), /^Error: interface none does not exist/);
      assert.throws(
        () => near(family, { source: advertisementSource('near', family, []) }),
        family === 4
          ? /it has no IPv4 address: give it one/
          : /it has no IPv6 link-local address: let it make one/,
      );
      assert.throws(
        () => near(family, { source: another }),
        new RegExp(`near does not have ${another}, .*\\(it has ${NEAR[family]}\\): add it there`),
      );
      assert.deepEqual(open, []);
    });
  }

  test('what a listener throws is not taken for the socket’s failure', async () => {
    const peer = await far(4);
    const socket = near(4, {
      onAdvertisement: () => {
        throw new Error('thrown by a listener');
      },
    });
    const uncaught = new Promise<unknown>((resolve) => process.setUncaughtExceptionCaptureCallback(resolve));
    try {
      peer.tell({ send: texts(advertisement(4)) });
      assert.match(String(await uncaught), /thrown by a listener/);
    } finally {
      process.setUncaughtExceptionCaptureCallback(null);
    }
    assert.deepEqual(socket.counters(), { advertisements_received: 1 });
  });
}
