/** DHCP of nodes that are visiting: carried to their home site and back, through two and three routers. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { linkLocalOf } from '../../src/arp/ipv6.js';
import { formatMac, mac } from '../../src/net/mac.js';
import {
  BROADCAST_MAC,
  dhcp4,
  dhcp6,
  duidOf,
  option6,
  TYPE,
  TYPE_6,
  udpFrame,
} from '../support/dhcp-messages.js';
import { type Asking, type Asking6, SimDhcpClient, SimDhcpServer } from '../support/sim-dhcp.js';
import type { SimHost } from '../support/sim-lan-host.js';
import { SimWorld, type WorldOptions } from '../support/sim-lan-world.js';

const HOME_SERVER = '10.1.0.12';
const ADDRESS = '10.1.0.11';
/** In the home network, and not the server's to give. */
const REFUSED = '10.1.0.13';
const ADDRESS_6 = 'fd00000100000000000000000a01000b';
const DELAY_MS = 10;
const LEASE_SECONDS = 3_600;

/** Node h1-1 has moved from site 1 to site 2; both have a server. */
class Visit {
  readonly world: SimWorld;
  readonly node: SimHost;
  readonly client: SimDhcpClient;
  readonly home: SimDhcpServer;
  readonly foreign: SimDhcpServer;

  constructor(options: Partial<WorldOptions> = {}, isForeignSilent = true) {
    this.world = new SimWorld({
      sites: 3,
      hostsPerSite: 1,
      families: () => '46',
      hasLinkLocal: true,
      links: true,
      wan: { delayMs: DELAY_MS },
      ...options,
    });
    const [lan1, lan2] = [this.world.site(1).lan, this.world.site(2).lan];
    this.node = this.world.host('h1-1');
    this.client = new SimDhcpClient('client', this.node.mac, lan1);
    const leaseSeconds = LEASE_SECONDS;
    this.home = new SimDhcpServer('home', mac('52:54:00:00:01:12'), lan1, {
      ...{ address: HOME_SERVER, network: '10.1.0.', leaseSeconds, refused: [REFUSED] },
    });
    this.foreign = new SimDhcpServer('foreign', mac('52:54:00:00:02:12'), lan2, {
      ...{ address: '10.2.0.12', network: '10.2.0.', isSilent: isForeignSilent },
    });
    this.moveTo(2);
    this.world.checkDirectories();
  }

  moveTo(site: number): void {
    this.client.move(this.world.site(site).lan);
    this.world.move(this.node, this.world.site(site), 'both');
    this.world.settle(4_000);
  }

  /** Lets the packets of the data plane take effect: a renewal of the node to its server alone, and the answer. */
  renewAlone(xid: number): void {
    const [here, home] = [this.world.site(2), this.world.site(1)];
    this.client.ask4At(here.options.mac, HOME_SERVER, { ciaddr: ADDRESS, xid });
    this.world.settle(DELAY_MS);
    // What router 1 forwards comes from its own MAC.
    const frame = renewalFrom(formatMac(home.options.mac), formatMac(this.home.mac), this.node, xid);
    home.lan.send(home, frame);
    this.world.settle(4 * DELAY_MS);
  }

  counter(site: number, name: string): number {
    return this.world.site(site).mobility.counters()[`mobility_${name}`] ?? 0;
  }
}

function renewalFrom(from: string, to: string, node: SimHost, xid: number): Uint8Array {
  const payload = dhcp4({ type: TYPE.request, mac: formatMac(node.mac), ciaddr: ADDRESS, xid });
  return udpFrame({ from, to, source: ADDRESS, destination: HOME_SERVER, ports: [68, 67], payload });
}

describe('DHCP of a visiting node', () => {
  test('INIT-REBOOT: the home server hears it from the router and its answer comes to the node', () => {
    const visit = new Visit();
    visit.client.ask4({ requested: ADDRESS, xid: 0x1111 });
    visit.world.settle(1_000);
    const [question] = visit.home.heard;
    assert.ok(question?.message.family === 4);
    assert.equal(visit.home.heard.length, 1);
    assert.equal(question.ethernetSource, visit.world.site(1).options.mac);
    assert.equal(question.message.mac, visit.node.mac);
    assert.equal(question.message.requested?.key, ADDRESS);
    assert.deepEqual(visit.client.answers(), ['ack']);
    const [answer] = visit.client.heard;
    assert.equal(answer?.ethernetSource, visit.world.site(2).options.mac);
    assert.equal(answer?.ethernetDestination, visit.node.mac, 'nobody else hears it');
    assert.equal(answer?.source.key, HOME_SERVER);
  });

  test('DISCOVER, and the REQUEST for what was offered', () => {
    const visit = new Visit();
    visit.client.ask4({ type: TYPE.discover, xid: 0x2222 });
    visit.world.settle(1_000);
    visit.client.ask4({ requested: '10.1.0.99', server: HOME_SERVER, xid: 0x2222 });
    visit.world.settle(1_000);
    assert.deepEqual(visit.client.answers(), ['offer', 'ack']);
  });

  test('a server that refuses is heard too, and operators are told', () => {
    const visit = new Visit();
    visit.client.ask4({ requested: REFUSED, xid: 0x3333 });
    visit.world.settle(1_000);
    assert.deepEqual(visit.client.answers(), ['nak']);
    assert.ok(visit.world.site(2).events.some(({ event }) => event === 'dhcp_refused'));
  });

  test('DHCPv6: every message of a client is carried, and what is answered comes back', () => {
    const visit = new Visit();
    const kinds = [TYPE_6.solicit, TYPE_6.request, TYPE_6.confirm, TYPE_6.renew, TYPE_6.rebind];
    const types = [...kinds, TYPE_6.release, TYPE_6.decline, TYPE_6.informationRequest];
    for (const [i, type] of types.entries()) {
      visit.client.ask6(type, { xid: 100 + i, addresses: [ADDRESS_6] });
      visit.world.settle(1_000);
    }
    assert.deepEqual(
      visit.home.heard.map(({ message }) => message.kind),
      ['solicit', 'request', 'confirm', 'renew', 'rebind', 'release', 'decline', 'information-request'],
    );
    // To CONFIRM and REBIND two each: what is known of the lease is told at once.
    assert.deepEqual(visit.client.answers(), ['advertise', ...new Array<string>(9).fill('reply')]);
    assert.equal(visit.counter(2, 'dhcp_answered'), 2);
    const [answer] = visit.client.heard;
    assert.equal(answer?.ethernetDestination, visit.node.mac);
    assert.ok(answer?.source.isLinkLocal);
  });

  for (const family of [4, 6] as const) {
    test(`an answer that comes when another router of the site serves the LAN is not delivered, IPv${family}`, () => {
      const visit = new Visit();
      if (family === 4) visit.client.ask4({ type: TYPE.discover, xid: 0x2222 });
      else visit.client.ask6(TYPE_6.solicit, { xid: 7 });
      visit.world.settle(DELAY_MS / 2);
      visit.world.site(2).lans.setRole(0, 'draining');
      visit.world.settle(1_000);
      assert.equal(visit.home.heard.length, 1);
      assert.deepEqual(visit.client.answers(), []);
      assert.equal(visit.counter(2, 'dhcp_drop_no_lan'), 1);
    });
  }

  test('what a server says to another client than asked goes nowhere', () => {
    const visit = new Visit();
    visit.client.ask6(TYPE_6.solicit, { xid: 7 });
    visit.world.settle(1_000);
    const before = visit.client.heard.length;
    const own = formatMac(visit.world.site(1).options.mac);
    const home = formatMac(visit.home.mac);
    const payload = dhcp6({ type: TYPE_6.reply, xid: 8, mac: formatMac(visit.node.mac), serverDuid: '0003' });
    const ports = [547, 546] as const;
    const source = 'fe800000000000000000000000000012';
    const destination = Buffer.from(linkLocalOf(visit.world.site(1).options.mac).toBytes()).toString('hex');
    visit.home.lan.send(visit.home, udpFrame({ from: home, to: own, source, destination, ports, payload }));
    visit.world.settle(1_000);
    assert.equal(visit.client.heard.length, before);
    assert.equal(visit.counter(1, 'dhcp_carried_back'), 1);
  });

  test('a node at a third site, and one whose home is reached by lossy links', () => {
    const visit = new Visit({ wan: { delayMs: DELAY_MS, loss: 0.3 } });
    visit.moveTo(3);
    visit.client.ask4({ requested: ADDRESS, xid: 0x4444 });
    visit.world.settle(4_000);
    assert.ok(visit.client.answers().length >= 1);
    assert.deepEqual([...new Set(visit.client.answers())], ['ack']);
    assert.equal(visit.counter(2, 'dhcp_carried_home'), 0);
    assert.equal(visit.counter(3, 'dhcp_carried_home'), 1);
  });

  test('a home router that cannot be reached is counted, and nothing is kept for later', () => {
    const visit = new Visit({ links: false });
    visit.world.wan.cut('vr-a', 'vr-b');
    visit.client.ask4({ requested: ADDRESS });
    visit.world.settle(1_000);
    assert.equal(visit.counter(2, 'dhcp_drop_peer_down'), 1);
    visit.world.wan.heal('vr-a', 'vr-b');
    visit.world.settle(10_000);
    assert.equal(visit.home.heard.length, 0);
  });
});

describe('DHCP of everybody else', () => {
  test('stays on its LAN: of a native node, of an unknown machine, of a node that is home again', () => {
    const visit = new Visit();
    const native = new SimDhcpClient('native', visit.world.host('h2-1').mac, visit.world.site(2).lan);
    const unknown = new SimDhcpClient('unknown', mac('52:54:00:99:99:99'), visit.world.site(2).lan);
    visit.moveTo(1);
    for (const client of [native, unknown, visit.client]) {
      client.ask4({ requested: ADDRESS });
      client.ask6(TYPE_6.solicit);
    }
    visit.world.settle(2_000);
    for (const site of [1, 2, 3])
      for (const name of ['dhcp_carried_home', 'dhcp_carried_back', 'dhcp_asked', 'dhcp_delivered'])
        assert.equal(visit.counter(site, name), 0, `${name} at site ${site}`);
    assert.ok(visit.counter(2, 'dhcp_of_others') >= 4);
    assert.equal(visit.home.heard.length, 2, 'the node itself, at home');
  });

  test('stays on its LAN when a machine speaks for a visiting node, or a relay does', () => {
    const visit = new Visit();
    const other = new SimDhcpClient('other', mac('52:54:00:99:99:99'), visit.world.site(2).lan);
    const node = formatMac(visit.node.mac);
    const addresses = { source: '0.0.0.0', destination: '255.255.255.255', ports: [68, 67] as const };
    const inItsName = dhcp4({ type: TYPE.release, mac: node, ciaddr: ADDRESS });
    const relayed = dhcp4({ type: TYPE.request, mac: node, ciaddr: ADDRESS, giaddr: '10.2.0.1' });
    other.lan.send(
      other,
      udpFrame({ from: formatMac(other.mac), to: BROADCAST_MAC, ...addresses, payload: inItsName }),
    );
    visit.client.lan.send(
      visit.client,
      udpFrame({ from: node, to: BROADCAST_MAC, ...addresses, payload: relayed }),
    );
    visit.world.settle(1_000);
    assert.equal(visit.counter(2, 'dhcp_carried_home'), 0);
  });

  test('of a visiting node that asks for the address of another one: it is not carried', () => {
    const visit = new Visit();
    for (const asking of [{ ciaddr: '10.1.0.254' }, { requested: '10.1.0.254' }]) visit.client.ask4(asking);
    visit.client.ask6(TYPE_6.release, { addresses: ['fd00000100000000000000000a0100fe'] });
    visit.world.settle(1_000);
    assert.equal(visit.counter(2, 'dhcp_drop_not_its_address'), 3);
    assert.equal(visit.home.heard.length, 0);
  });

  test('of a visiting node that has taken an address where it is: its home server is not asked, which would refuse that', () => {
    const visit = new Visit();
    for (const asking of [
      { ciaddr: '10.2.0.77' },
      { requested: '10.2.0.77' },
      { requested: '10.2.0.77', server: '10.2.0.12' },
      { type: TYPE.release, ciaddr: '10.2.0.77' },
    ])
      visit.client.ask4(asking);
    for (const type of [TYPE_6.renew, TYPE_6.rebind])
      visit.client.ask6(type, { addresses: ['fd000002000000000000000000000077'] });
    visit.world.settle(1_000);
    assert.equal(visit.home.heard.length, 0);
    assert.equal(visit.counter(2, 'dhcp_of_others'), 6);
    // What it would like to have is no address that it has.
    visit.client.ask4({ type: TYPE.discover, requested: '10.2.0.77' });
    visit.world.settle(1_000);
    assert.equal(visit.home.heard.length, 1);
  });

  test('a node that asks without end is carried a few times a second', () => {
    const visit = new Visit();
    for (let n = 0; n < 500; n++) {
      visit.client.ask4({ requested: ADDRESS, xid: n });
      visit.world.settle(20);
    }
    const carried = visit.counter(2, 'dhcp_carried_home');
    assert.ok(carried >= 16 && carried <= 16 + 4 * 10 + 1, `${carried} in 10 s`);
    assert.equal(visit.counter(2, 'dhcp_drop_too_soon'), 500 - carried);
    assert.ok(visit.home.heard.length <= carried);
  });
});

describe('a node that rebinds where a foreign server refuses it', () => {
  test('is refused first when nothing is known of its lease', () => {
    const visit = new Visit({}, false);
    visit.client.ask4({ ciaddr: ADDRESS });
    visit.world.settle(1_000);
    assert.equal(visit.client.answers()[0], 'nak');
  });

  test('is answered within a millisecond once its home server has been seen to acknowledge it', () => {
    const visit = new Visit({}, false);
    visit.renewAlone(0x5555);
    assert.equal(visit.counter(2, 'dhcp_routed'), 1);
    visit.world.settle(600_000);
    const before = visit.client.heard.length;
    visit.client.ask4({ ciaddr: ADDRESS, xid: 0x6666 });
    visit.world.settle(1);
    const answer = visit.client.heard.slice(before).find(({ message }) => message.kind === 'ack')?.message;
    assert.ok(answer?.family === 4);
    assert.equal(answer.xid, 0x6666);
    assert.equal(answer.yiaddr.key, ADDRESS);
    assert.equal(answer.server?.key, HOME_SERVER);
    const left = LEASE_SECONDS - 600;
    assert.ok(answer.leaseSeconds !== undefined && answer.leaseSeconds <= left);
    assert.ok(answer.leaseSeconds > left - 5, `${answer.leaseSeconds} s of ${left}`);
    assert.ok(visit.world.site(2).events.some(({ event }) => event === 'dhcp_answered'));
    visit.world.settle(1_000);
    // The true answer came too, as the packet that it is.
    assert.equal(visit.counter(2, 'dhcp_routed'), 2);
  });

  /** A question to keep the address, and the kinds of what comes within a millisecond. */
  const askedAtOnce = (visit: Visit, xid: number, more: Asking = { ciaddr: ADDRESS }): string[] => {
    const before = visit.client.answers().length;
    visit.client.ask4({ xid, ...more });
    visit.world.settle(1);
    return visit.client.answers().slice(before);
  };

  test('what has run out is not answered; up to then the time that is left is told, never more', () => {
    const visit = new Visit();
    const askedMs = visit.world.clock.nowMs();
    visit.renewAlone(0x5555);
    visit.world.wan.cut('vr-a', 'vr-b');
    const untilEnd = (): number => askedMs + LEASE_SECONDS * 1_000 - visit.world.clock.nowMs();
    for (let xid = 1; untilEnd() > 2_000; xid++) {
      visit.world.settle(Math.min(untilEnd() - 1_500, 600_000));
      assert.deepEqual(askedAtOnce(visit, xid), ['ack'], `${untilEnd()} ms before the end`);
      const message = visit.client.heard.at(-1)?.message;
      assert.ok(message?.family === 4 && message.leaseSeconds !== undefined);
      assert.ok(message.leaseSeconds * 1_000 <= untilEnd() + 1, `${message.leaseSeconds} s`);
    }
    visit.world.settle(untilEnd() - 900);
    assert.deepEqual(askedAtOnce(visit, 100), []);
    visit.world.settle(60_000);
    assert.deepEqual(askedAtOnce(visit, 101), []);
  });

  test('another address, another client on the machine, or a choice among servers is not answered', () => {
    const visit = new Visit();
    visit.renewAlone(0x5555);
    assert.deepEqual(askedAtOnce(visit, 1, { ciaddr: '10.1.0.77' }), []);
    assert.deepEqual(askedAtOnce(visit, 2, { ciaddr: ADDRESS, clientId: '01525400000009' }), []);
    assert.deepEqual(askedAtOnce(visit, 3, { requested: ADDRESS, server: HOME_SERVER }), []);
    assert.deepEqual(askedAtOnce(visit, 4, { ciaddr: ADDRESS, requested: ADDRESS }), []);
    assert.deepEqual(askedAtOnce(visit, 5, { type: TYPE.discover, requested: ADDRESS }), []);
    assert.deepEqual(askedAtOnce(visit, 6), ['ack']);
  });

  test('an address that was given back, or refused by its server, is not answered any more', () => {
    for (const end of [{ type: TYPE.release, ciaddr: ADDRESS }, { requested: REFUSED }]) {
      const visit = new Visit();
      visit.renewAlone(0x5555);
      assert.deepEqual(askedAtOnce(visit, 1), ['ack']);
      visit.client.ask4({ ...end, xid: 2 });
      visit.world.settle(1_000);
      assert.deepEqual(askedAtOnce(visit, 3), [], JSON.stringify(end));
    }
  });

  test('a node that was home in between is not answered by what was acknowledged before', () => {
    const visit = new Visit();
    visit.renewAlone(0x5555);
    visit.moveTo(1);
    visit.moveTo(2);
    assert.deepEqual(askedAtOnce(visit, 1), []);
  });

  test('an acknowledgement of what the node has not asked is not remembered', () => {
    const visit = new Visit();
    const [here, home] = [visit.world.site(2), visit.world.site(1)];
    visit.client.ask4At(here.options.mac, HOME_SERVER, { ciaddr: ADDRESS, xid: 0x5555 });
    const node = formatMac(visit.node.mac);
    const granted = { ciaddr: ADDRESS, yiaddr: ADDRESS, server: HOME_SERVER, leaseSeconds: 86_400 };
    const payload = dhcp4({ type: TYPE.ack, mac: node, xid: 0x5556, ...granted });
    const to = formatMac(home.options.mac);
    const addresses = { source: HOME_SERVER, destination: ADDRESS, ports: [67, 68] as const };
    visit.home.lan.send(visit.home, udpFrame({ from: formatMac(visit.home.mac), to, ...addresses, payload }));
    visit.world.settle(1_000);
    assert.equal(visit.counter(2, 'dhcp_routed'), 1);
    assert.deepEqual(askedAtOnce(visit, 1), []);
  });

  test('INIT-REBOOT is answered in the same way', () => {
    const visit = new Visit();
    visit.renewAlone(0x5555);
    visit.client.ask4({ requested: ADDRESS, xid: 0x6666 });
    visit.world.settle(1);
    assert.deepEqual(visit.client.answers(), ['ack']);
  });
});

describe('a node that rebinds by DHCPv6', () => {
  const granted = { addresses: [ADDRESS_6] };
  /** A question, and what comes within a millisecond. */
  const askedAtOnce = (visit: Visit, type: number, xid: number, more: Asking6 = granted): Uint8Array[] => {
    const before = visit.client.heard.length;
    visit.client.ask6(type, { xid, ...more });
    visit.world.settle(1);
    return visit.client.heard.slice(before).map(({ message }) => message.bytes);
  };
  const renewed = (): Visit => {
    const visit = new Visit();
    visit.client.ask6(TYPE_6.renew, { xid: 1, ...granted });
    visit.world.settle(1_000);
    assert.deepEqual(visit.client.answers(), ['reply']);
    return visit;
  };
  const reply = (visit: Visit, xid: number, more: object = granted): Uint8Array =>
    dhcp6({
      ...{ type: TYPE_6.reply, xid, mac: formatMac(visit.node.mac) },
      serverDuid: duidOf(formatMac(visit.home.mac)),
      ...more,
    });

  test('is answered with what is left of its lifetimes, until they have run out', () => {
    const visit = renewed();
    visit.world.settle(99_000);
    const [answer] = askedAtOnce(visit, TYPE_6.rebind, 2);
    assert.ok(answer);
    const expected = reply(visit, 2, { ...granted, lifetimes: [200, 500], times: [100, 160] });
    assert.deepEqual(answer, expected);
    visit.world.wan.cut('vr-a', 'vr-b');
    visit.world.settle(400_000);
    assert.equal(askedAtOnce(visit, TYPE_6.rebind, 3).length, 1);
    visit.world.settle(100_000);
    assert.equal(askedAtOnce(visit, TYPE_6.rebind, 4).length, 0);
    assert.equal(askedAtOnce(visit, TYPE_6.confirm, 5).length, 0);
  });

  test('and one that asks whether its addresses are right here, that they are', () => {
    const visit = renewed();
    const success = { more: [0, 13, 0, 2, 0, 0] };
    assert.deepEqual(askedAtOnce(visit, TYPE_6.confirm, 2), [reply(visit, 2, success)]);
    visit.world.settle(1_000);
    assert.equal(visit.home.heard.length, 2, 'its server hears it all the same');
  });

  test('other questions, other addresses, other associations and other clients are not answered at once', () => {
    const visit = renewed();
    const kinds = [TYPE_6.solicit, TYPE_6.request, TYPE_6.renew, TYPE_6.informationRequest];
    for (const [n, type] of kinds.entries()) assert.deepEqual(askedAtOnce(visit, type, 10 + n), []);
    visit.world.settle(10_000);
    const other = { addresses: [ADDRESS_6, 'fd00000100000000000000000a010077'] };
    assert.deepEqual(askedAtOnce(visit, TYPE_6.rebind, 20, other), []);
    assert.deepEqual(askedAtOnce(visit, TYPE_6.confirm, 21, other), []);
    const prefixToo = { ...granted, more: option6(25, new Array<number>(12).fill(0)) };
    assert.deepEqual(askedAtOnce(visit, TYPE_6.rebind, 22, prefixToo), []);
    visit.world.settle(10_000);
    assert.equal(askedAtOnce(visit, TYPE_6.confirm, 23).length, 1);
    assert.deepEqual(askedAtOnce(visit, TYPE_6.rebind, 24, { ...granted, duid: '000300010203' }), []);
  });

  test('what was given back, and what was acknowledged before the node was home in between, is not answered', () => {
    const released = renewed();
    released.client.ask6(TYPE_6.release, { xid: 2, ...granted });
    released.world.settle(1_000);
    assert.deepEqual(askedAtOnce(released, TYPE_6.rebind, 3), []);
    const wasHome = renewed();
    wasHome.moveTo(1);
    wasHome.moveTo(2);
    assert.deepEqual(askedAtOnce(wasHome, TYPE_6.rebind, 3), []);
  });
});
