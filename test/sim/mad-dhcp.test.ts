/** What a member can put on another's LAN by way of DHCP: messages of nodes that visit between the two, and nothing else. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type DhcpFrame, decodeDhcpFrame, isUdpFrame } from '../../src/arp/dhcp/frame.js';
import { formatMac, type Mac, mac } from '../../src/net/mac.js';
import type { DhcpCarriedMessage } from '../../src/protocol/table-message.js';
import { dhcp4, dhcp6, TYPE, TYPE_6 } from '../support/dhcp-messages.js';
import { SimDhcpClient } from '../support/sim-dhcp.js';
import type { SimSite } from '../support/sim-lan-site.js';
import { randomOf } from '../support/sim-lan-wan.js';
import { BLUE } from '../support/sim-lan-world.js';
import { Liar } from './mad-lies.js';
import { HONEST, MAD, MadWorld } from './mad-world.js';

interface Injected {
  readonly site: SimSite;
  readonly frame: DhcpFrame;
}

/** Everything that honest routers put on their LANs besides neighbour frames; each is DHCP, or this throws. */
function injectedBy(all: MadWorld): Injected[] {
  const injected: Injected[] = [];
  for (const site of all.honest) {
    site.lan.tap = (from, bytes) => {
      if (from !== site || !isUdpFrame(bytes)) return;
      const frame = decodeDhcpFrame(bytes);
      assert.ok(typeof frame !== 'string', `${site.id} has sent a frame that is no DHCP: ${String(frame)}`);
      assert.equal(frame.ethernetSource, site.options.mac);
      injected.push({ site, frame });
    };
  }
  return injected;
}

const carried = (node: Mac, bytes: Uint8Array, family: 4 | 6 = 4): DhcpCarriedMessage => ({
  ...{ type: 'dhcp', vnet: BLUE, mac: node, family, bytes },
});

function refusals(site: SimSite): Record<string, number> {
  const counters = Object.entries(site.mobility.counters());
  return Object.fromEntries(
    counters.flatMap(([name, count]) =>
      name.startsWith('mobility_refused_dhcp_') ? [[name.slice('mobility_refused_dhcp_'.length), count]] : [],
    ),
  );
}

describe('a mad router', () => {
  test('puts nothing on any LAN while no node of anybody is with it, and none of its own with others', () => {
    const all = new MadWorld({ hasLinkLocal: true });
    const injected = injectedBy(all);
    const liar = new Liar(all, randomOf(7));
    for (let n = 0; n < 3_000; n++) {
      for (const to of HONEST) all.mad.tell(to, liar.dhcp(liar.subject()));
      all.world.settle(30);
    }
    assert.equal(injected.length, 0);
    for (const site of all.honest) {
      const { not_yours: notYours = 0, malformed = 0, too_soon: tooSoon = 0 } = refusals(site);
      assert.ok(notYours > 100 && malformed > 10 && tooSoon > 100, JSON.stringify(refusals(site)));
    }
  });

  test('with a node of another: what a client says, for that node and to its home alone, a few times a second', () => {
    const all = new MadWorld({ hasLinkLocal: true });
    const node = all.world.host('h2-1');
    const other = all.world.host('h2-2');
    all.world.move(node, all.madSite, 'both');
    all.world.settle(4_000);
    const injected = injectedBy(all);
    const [ip4] = node.ips;
    const text = formatMac(node.mac);
    const own = { mac: text, ciaddr: ip4?.key ?? '' };
    const tellHonest = (message: DhcpCarriedMessage): void => {
      for (const to of HONEST) all.mad.tell(to, message);
    };
    // What a server says; another's hardware address, addresses and DUID; a relay's; what is no DHCP at all.
    const ack = { type: TYPE.ack, mac: text, yiaddr: own.ciaddr, server: '10.2.0.1', leaseSeconds: 60 };
    tellHonest(carried(node.mac, dhcp4(ack)));
    tellHonest(carried(node.mac, dhcp4({ type: TYPE.request, mac: formatMac(other.mac) })));
    tellHonest(carried(other.mac, dhcp4({ type: TYPE.request, mac: formatMac(other.mac) })));
    tellHonest(carried(node.mac, dhcp4({ type: TYPE.release, mac: text, ciaddr: other.ip.key })));
    tellHonest(carried(node.mac, dhcp4({ type: TYPE.decline, mac: text, requested: other.ip.key })));
    tellHonest(carried(node.mac, dhcp4({ type: TYPE.request, ...own, giaddr: '10.2.0.9' })));
    tellHonest(
      carried(node.mac, dhcp6({ type: TYPE_6.release, mac: text, addresses: [hexOf(other.ips[1])] }), 6),
    );
    tellHonest(carried(node.mac, dhcp6({ type: TYPE_6.reply, mac: text }), 6));
    tellHonest(carried(node.mac, dhcp6({ type: TYPE_6.relayForward, mac: text }), 6));
    tellHonest(carried(node.mac, new Uint8Array(300).fill(0x45)));
    // Addresses that would be the source of a packet, and are no node's, or not of that site.
    for (const ciaddr of ['127.0.0.1', '224.0.0.1', '255.255.255.255', '198.51.100.1', '10.1.0.77'])
      tellHonest(carried(node.mac, dhcp4({ type: TYPE.request, mac: text, ciaddr })));
    tellHonest({ ...carried(node.mac, dhcp4({ type: TYPE.request, ...own })), routed: true });
    all.world.settle(1_000);
    assert.equal(injected.length, 0);
    for (let n = 0; n < 1_000; n++) {
      tellHonest(carried(node.mac, dhcp4({ type: TYPE.request, ...own, xid: n })));
      all.world.settle(10);
    }
    assert.ok(injected.length >= 16 && injected.length <= 16 + 4 * 10 + 1, `${injected.length} in 10 s`);
    for (const { site, frame } of injected) {
      assert.equal(site.id, 'vr-b');
      assert.ok(frame.message.family === 4 && frame.message.from === 'client');
      assert.equal(frame.message.mac, node.mac);
    }
  });

  test('with a node of its own at another site: what a server says, to that node alone, and no lease is believed unasked', () => {
    const all = new MadWorld({ hasLinkLocal: true });
    const node = all.world.host('h4-1');
    const at = all.world.site(2);
    all.world.move(node, at, 'both');
    all.world.settle(4_000);
    const injected = injectedBy(all);
    const text = formatMac(node.mac);
    const ack = { type: TYPE.ack, yiaddr: node.ip.key, server: '10.4.0.1', leaseSeconds: 0xffffffff };
    all.mad.tell(
      'vr-b',
      carried(all.world.host('h2-1').mac, dhcp4({ ...ack, mac: formatMac(all.world.host('h2-1').mac) })),
    );
    all.mad.tell('vr-b', carried(node.mac, dhcp4({ type: TYPE.discover, mac: text })));
    all.mad.tell('vr-c', carried(node.mac, dhcp4({ ...ack, mac: text })));
    all.world.settle(1_000);
    assert.equal(injected.length, 0);
    for (let n = 0; n < 5; n++) all.mad.tell('vr-b', carried(node.mac, dhcp4({ ...ack, mac: text, xid: n })));
    all.world.settle(1_000);
    assert.equal(injected.length, 5);
    for (const { site, frame } of injected) {
      assert.equal(site.id, 'vr-b');
      assert.equal(frame.ethernetDestination, node.mac);
      assert.equal(frame.message.from, 'server');
    }
    // In whose name, and to which address, a packet cannot be.
    all.world.settle(5_000);
    for (const server of ['224.0.0.1', '127.0.0.1', '0.0.0.0', '255.255.255.255'])
      all.mad.tell('vr-b', carried(node.mac, dhcp4({ ...ack, mac: text, server })));
    all.world.settle(1_000);
    assert.equal(injected.length, 5);
    for (const ciaddr of ['224.0.0.1', '127.0.0.1', '255.255.255.255'])
      all.mad.tell('vr-b', carried(node.mac, dhcp4({ ...ack, mac: text, ciaddr })));
    all.world.settle(1_000);
    assert.deepEqual(
      injected.slice(5).map(({ frame }) => frame.destination.key),
      new Array<string>(3).fill('255.255.255.255'),
    );
    // The node has asked for nothing of that: its next question is not answered from memory.
    const client = new SimDhcpClient('client', node.mac, at.lan);
    client.ask4({ ciaddr: node.ip.key, xid: 0x7777 });
    all.world.settle(1);
    assert.deepEqual(client.answers(), []);
  });

  test('a message about a MAC that nobody has is refused, and others are heard as before', () => {
    const all = new MadWorld();
    const stranger = mac('52:54:00:66:66:66');
    all.mad.tell('vr-a', carried(stranger, dhcp4({ type: TYPE.discover, mac: formatMac(stranger) })));
    all.world.settle(1_000);
    assert.deepEqual(refusals(all.world.site(1)), { not_yours: 1 });
    assert.equal(all.world.site(1).gndt.peerIndex(MAD) >= 0, true);
  });
});

function hexOf(ip: { toBytes(): Uint8Array } | undefined): string {
  return Buffer.from(ip?.toBytes() ?? []).toString('hex');
}
