/**
 * Packets that are allowed but rare, and packets that lie: each arrives at the other site as it was sent (but for what a
 * router changes: TTL and the header checksum), or is dropped and counted by name. Raw frames in, raw frames out.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Lab } from '../lab/lab.js';
import { TcpStream } from '../lab/traffic/traffic.js';
import { waitFor } from '../lab/wait.js';
import { internetChecksum, ipPacket, udpDatagram } from '../support/ip-packet.js';
import { cannotRun, ping, withLab } from './support.js';

const routerMac = '020000000101';
const hostMac = '02000000010b';
const groupMac = '01005e010101';
const [hostA, hostB] = ['10.1.0.11', '10.2.0.11'];
const [hostA6, hostB6] = ['fd00:1::11', 'fd00:2::11'];

interface Case {
  readonly name: string;
  readonly frame: Buffer;
  /** What must arrive; or the counter that must rise by one; or nothing at all, for what is none of the router's. */
  readonly arrives?: Buffer;
  readonly counter?: string;
}

function frame(packet: Uint8Array, to = routerMac, etherType?: number): Buffer {
  const type = etherType ?? ((packet[0] ?? 0) >>> 4 === 6 ? 0x86dd : 0x0800);
  const header = Buffer.from(`${to}${hostMac}0000`, 'hex');
  header.writeUInt16BE(type, 12);
  return Buffer.concat([header, packet]);
}

/** A copy with some bytes changed, and the IPv4 header checksum made right again unless told otherwise. */
function changed(packet: Buffer, change: (copy: Buffer) => void, fix = true): Buffer {
  const copy = Buffer.from(packet);
  change(copy);
  if (fix && (copy[0] ?? 0) >>> 4 === 4) {
    copy.writeUInt16BE(0, 10);
    copy.writeUInt16BE(internetChecksum(copy.subarray(0, 20)), 10);
  }
  return copy;
}

/** As it leaves the first router: one hop less, the sum over the header with it (RFC 1624, which keeps a wrong one wrong). */
function oneHopLess(packet: Buffer): Buffer {
  const copy = Buffer.from(packet);
  if ((copy[0] ?? 0) >>> 4 === 6) {
    copy[7] = (copy[7] ?? 0) - 1;
    return copy;
  }
  copy[8] = (copy[8] ?? 0) - 1;
  const sum = copy.readUInt16BE(10) + 0x100;
  copy.writeUInt16BE((sum & 0xffff) + (sum >>> 16), 10);
  return copy;
}

let mark = 0;
/** Payloads that differ, so that each packet is known again. */
function udp(source: string, destination: string, length = 32): Buffer {
  mark++;
  const payload = Buffer.alloc(length, mark);
  return udpDatagram({ source, destination, sourcePort: 4000, destinationPort: 4000 + mark, payload });
}

function packet4(
  options: { ttl?: number; destination?: string; source?: string; length?: number } = {},
): Buffer {
  const [source, destination] = [options.source ?? hostA, options.destination ?? hostB];
  const payload = udp(source, destination, options.length);
  return ipPacket({ source, destination, ttl: options.ttl ?? 64, payload });
}

function packet6(options: { ttl?: number; destination?: string; source?: string } = {}): Buffer {
  const [source, destination] = [options.source ?? hostA6, options.destination ?? hostB6];
  return ipPacket({ source, destination, ttl: options.ttl ?? 64, payload: udp(source, destination) });
}

/** IPv4 with options in front of the UDP header: record route, and router alert. */
function withOptions(): Buffer {
  const plain = packet4();
  const options = Buffer.from('07070400000000009404000000000000', 'hex');
  const whole = Buffer.concat([plain.subarray(0, 20), options, plain.subarray(20)]);
  whole[0] = 0x49;
  whole.writeUInt16BE(whole.length, 2);
  whole.writeUInt16BE(0, 10);
  whole.writeUInt16BE(internetChecksum(whole.subarray(0, 36)), 10);
  return whole;
}

/** IPv6 with an extension header: next header, and the header's own bytes without the first. */
function withExtension(kind: number, rest: string): Buffer {
  const plain = packet6();
  const header = Buffer.from(`11${rest}`, 'hex');
  const whole = Buffer.concat([plain.subarray(0, 40), header, plain.subarray(40)]);
  whole[6] = kind;
  whole.writeUInt16BE(whole.length - 40, 4);
  return whole;
}

/** A TCP header with nothing behind it, whose checksum is hardly ever right. */
function segment(checksum = 0, dataOffset = 0x50): Buffer {
  mark++;
  const header = Buffer.alloc(20);
  header.writeUInt16BE(4000, 0);
  header.writeUInt16BE(4000 + mark, 2);
  header.writeUInt8(dataOffset, 12);
  header.writeUInt8(0x10, 13);
  header.writeUInt16BE(checksum, 16);
  return header;
}

const passes = (name: string, packet: Buffer): Case => ({
  name,
  frame: frame(packet),
  arrives: oneHopLess(packet),
});
const drops = (name: string, packet: Buffer, counter: string): Case => ({
  name,
  frame: frame(packet),
  counter,
});

const rareButAllowed: readonly Case[] = [
  passes('IPv4 options', withOptions()),
  passes(
    'a first fragment',
    changed(packet4(), (p) => p.writeUInt16BE(0x2000, 6)),
  ),
  passes(
    'a later fragment',
    changed(packet4(), (p) => p.writeUInt16BE(0x2003, 6)),
  ),
  passes(
    'a last fragment',
    changed(packet4(), (p) => p.writeUInt16BE(0x0006, 6)),
  ),
  passes('UDP without a byte', packet4({ length: 0 })),
  passes(
    'UDP without a checksum',
    changed(packet4(), (p) => p.writeUInt16BE(0, 26)),
  ),
  passes(
    'an unknown protocol',
    ipPacket({ source: hostA, destination: hostB, protocol: 253, payload: Buffer.alloc(9, 0x5a) }),
  ),
  passes(
    'IPv4 without payload',
    ipPacket({ source: hostA, destination: hostB, protocol: 254, payload: Buffer.alloc(0) }),
  ),
  passes('a TTL of 2', packet4({ ttl: 2 })),
  passes('IPv6 hop-by-hop options', withExtension(0, '00010400000000')),
  passes('IPv6 destination options', withExtension(60, '00010400000000')),
  passes('IPv6 fragment', withExtension(44, '00000100000007')),
  passes(
    'IPv6 without next header',
    changed(packet6(), (p) => p.writeUInt8(59, 6)),
  ),
  passes(
    'a wrong UDP checksum, IPv4',
    changed(packet4(), (p) => p.writeUInt8((p[26] ?? 0) ^ 0xff, 26)),
  ),
  passes(
    'a wrong UDP checksum, IPv6',
    changed(packet6(), (p) => p.writeUInt8((p[46] ?? 0) ^ 0xff, 46)),
  ),
  passes('a TCP segment', ipPacket({ source: hostA, destination: hostB, protocol: 6, payload: segment() })),
  passes(
    'a wrong TCP checksum stays wrong',
    ipPacket({ source: hostA, destination: hostB, protocol: 6, payload: segment(0x0bad) }),
  ),
  passes(
    'a TCP header that lies about its length',
    ipPacket({ source: hostA, destination: hostB, protocol: 6, payload: segment(0x0bad, 0xf0) }),
  ),
  passes(
    'a wrong IPv4 header checksum stays wrong',
    changed(packet4(), (p) => p.writeUInt8((p[10] ?? 0) ^ 0x0f, 10), false),
  ),
  passes(
    'a UDP length that lies',
    changed(packet4(), (p) => p.writeUInt16BE(9000, 24)),
  ),
];

const trailing = packet4();
const empty = packet4({ length: 0 });
const priority = packet4();
const padding = Buffer.alloc(60 - 14 - 28 - 4); // shorter than the smallest Ethernet frame, so padded by the sender
const tagged = (vlan: number, packet = packet4()): Buffer => {
  return frame(Buffer.concat([Buffer.from([0, vlan, 0x08, 0x00]), packet]), routerMac, 0x8100);
};

const cutToSize: readonly Case[] = [
  {
    name: 'bytes behind the stated length are left out',
    frame: Buffer.concat([frame(trailing), Buffer.alloc(50, 0xee)]),
    arrives: oneHopLess(trailing),
  },
  {
    name: 'Ethernet padding',
    frame: Buffer.concat([frame(empty), padding]),
    arrives: oneHopLess(empty),
  },
  { name: 'a priority tag (VLAN 0)', frame: tagged(0, priority), arrives: oneHopLess(priority) },
];

const lies: readonly Case[] = [
  drops(
    'IPv4 longer than its frame',
    changed(packet4(), (p) => p.writeUInt16BE(1400, 2)),
    'lan_frames_malformed',
  ),
  drops(
    'IPv4 shorter than its header',
    changed(packet4(), (p) => p.writeUInt16BE(19, 2)),
    'lan_frames_malformed',
  ),
  drops(
    'IPv4 header shorter than 20',
    changed(packet4(), (p) => p.writeUInt8(0x44, 0)),
    'lan_frames_malformed',
  ),
  drops(
    'IPv4 header longer than the packet',
    changed(packet4({ length: 0 }), (p) => p.writeUInt8(0x4f, 0)),
    'lan_frames_malformed',
  ),
  drops(
    'IPv6 longer than its frame',
    changed(packet6(), (p) => p.writeUInt16BE(1400, 4)),
    'lan_frames_malformed',
  ),
  drops(
    'a version of 5',
    changed(packet4(), (p) => p.writeUInt8(0x55, 0)),
    'lan_frames_malformed',
  ),
  {
    name: 'IPv6 in a frame for IPv4',
    frame: frame(packet6(), routerMac, 0x0800),
    counter: 'lan_frames_malformed',
  },
  {
    name: 'nothing but an Ethernet header',
    frame: frame(Buffer.alloc(1, 0x45)),
    counter: 'lan_frames_malformed',
  },
  drops('a TTL of 1', packet4({ ttl: 1 }), 'drop_ttl_expired'),
  drops('a TTL of 0', packet4({ ttl: 0 }), 'drop_ttl_expired'),
  drops('a hop limit of 1', packet6({ ttl: 1 }), 'drop_ttl_expired'),
  drops('a hop limit of 0', packet6({ ttl: 0 }), 'drop_ttl_expired'),
  drops('multicast to the router’s MAC', packet4({ destination: '224.1.1.1' }), 'drop_group_destination'),
  drops('multicast to the router’s MAC, IPv6', packet6({ destination: 'ff05::2' }), 'drop_group_destination'),
  drops(
    'broadcast to the router’s MAC',
    packet4({ destination: '255.255.255.255' }),
    'drop_group_destination',
  ),
  drops('from a multicast address', packet4({ source: '224.1.1.1' }), 'drop_source_unauthorised'),
  drops('from nowhere', packet4({ source: '0.0.0.0' }), 'drop_source_unauthorised'),
  drops('from the loopback', packet4({ source: '127.0.0.1' }), 'drop_source_unauthorised'),
  drops('from the other site', packet4({ source: '10.2.0.12' }), 'drop_source_elsewhere'),
  drops('to a link-local address', packet4({ destination: '169.254.7.7' }), 'drop_link_local'),
  drops('to no network', packet4({ destination: '203.0.113.9' }), 'drop_no_route'),
];

const notOurs: readonly Case[] = [
  { name: 'multicast to its own MAC', frame: frame(packet4({ destination: '224.1.1.1' }), groupMac) },
  { name: 'broadcast', frame: frame(packet4({ destination: '10.1.0.255' }), 'ffffffffffff') },
  { name: 'another VLAN', frame: tagged(7) },
  {
    name: 'a VLAN within a VLAN',
    frame: frame(Buffer.concat([Buffer.from('00088100', 'hex'), tagged(7).subarray(14)]), routerMac, 0x88a8),
  },
  { name: 'another protocol’s frame', frame: frame(packet4(), routerMac, 0x88cc) },
];

/** Carried to the other site, whose router does not put it on its LAN. */
const remoteBroadcast = frame(packet4({ destination: '10.2.0.255' }));

const all = [...rareButAllowed, ...cutToSize, ...lies, ...notOurs];

const sender = `
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(('eth0', 0))
for line in sys.argv[1:]:
    s.send(bytes.fromhex(line))
`;

/** IP packets in a capture file (pcap, link type Ethernet), as far as it has been written. */
function captured(file: string): Buffer[] {
  if (!existsSync(file)) return [];
  const bytes = readFileSync(file);
  const packets: Buffer[] = [];
  for (let at = 24; at + 16 <= bytes.length; ) {
    const length = bytes.readUInt32LE(at + 8);
    if (at + 16 + length > bytes.length) break;
    packets.push(bytes.subarray(at + 16 + 14, at + 16 + length));
    at += 16 + length;
  }
  return packets;
}

async function startCapture(lab: Lab): Promise<string> {
  const file = join(lab.directory, 'odd.pcap');
  const filter = 'ether src 02:00:00:00:02:01 and (ip or ip6) and not icmp6 and not (icmp and icmp[0] < 9)';
  const command = [
    'tcpdump',
    '-n',
    '-U',
    '-s',
    '0',
    '-Z',
    'root',
    '-i',
    'eth0',
    '-w',
    file,
    ...filter.split(' '),
  ];
  lab.start('tcpdump', 'b1', command, join(lab.directory, 'tcpdump.log'));
  await waitFor('tcpdump at work', () => existsSync(file) && readFileSync(file).length >= 24);
  return file;
}

test('every odd packet arrives as it was, or is counted by name', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'two-site' }, async (lab) => {
    await ping(lab, 'a1', hostB);
    await ping(lab, 'a1', hostB6);
    const file = await startCapture(lab);
    const before = await lab.daemon('a').counters();
    await lab.exec('a1', ['python3', '-c', sender, ...all.map((each) => each.frame.toString('hex'))]);
    const expected = all.flatMap(({ name, arrives }) => (arrives === undefined ? [] : [{ name, arrives }]));
    const missing = (): string[] => {
      const seen = new Set(captured(file).map((packet) => packet.toString('hex')));
      return expected.filter(({ arrives }) => !seen.has(arrives.toString('hex'))).map(({ name }) => name);
    };
    await waitFor('all that must arrive', () => missing().length === 0).catch(() => undefined);
    assert.deepEqual(missing(), []);
    const wanted = new Map<string, number>();
    for (const { counter } of all)
      if (counter !== undefined) wanted.set(counter, (wanted.get(counter) ?? 0) + 1);
    const risen = async (): Promise<Record<string, number>> => {
      const now = await lab.daemon('a').counters();
      return Object.fromEntries(
        [...wanted.keys()].map((name) => [name, (now[name] ?? 0) - (before[name] ?? 0)]),
      );
    };
    const goal = Object.fromEntries(wanted);
    await waitFor('all that must be counted', async () =>
      Object.entries(await risen()).every(([name, count]) => count >= (goal[name] ?? 0)),
    ).catch(() => undefined);
    // The hosts' own chatter (neighbour discovery, router solicitations) is link-local or multicast too.
    const { drop_link_local: linkLocal = 0, drop_group_destination: group = 0, ...exact } = await risen();
    const { drop_link_local: linkLocalGoal = 0, drop_group_destination: groupGoal = 0, ...exactGoal } = goal;
    assert.deepEqual(exact, exactGoal);
    assert.ok(linkLocal >= linkLocalGoal && group >= groupGoal);
    const dropsAtB = async (): Promise<number> =>
      (await lab.daemon('b').counters()).drop_destination_unauthorised ?? 0;
    const beforeAtB = await dropsAtB();
    await lab.exec('a1', ['python3', '-c', sender, remoteBroadcast.toString('hex')]);
    await waitFor('a broadcast to the other site dropped there', async () => (await dropsAtB()) > beforeAtB);
    // Nothing else has arrived.
    assert.equal(captured(file).length, expected.length);
    await ping(lab, 'a1', hostB);
  }),
);

test(
  'a LAN with jumbo frames: TCP is cut, what cannot be cut is dropped and counted',
  { skip: cannotRun },
  (t) =>
    withLab(t, { topology: 'two-site', daemons: false }, async (lab) => {
      for (const [node, device] of [
        ['a1', 'eth0'],
        ['sw-a', 'a1'],
        ['sw-a', 'vr-a'],
        ['vr-a', 'lan0'],
      ] as const)
        await lab.exec(node, ['ip', 'link', 'set', device, 'mtu', '9000']);
      for (const site of ['a', 'b'] as const) lab.daemon(site).start();
      await lab.waitConnected();
      await ping(lab, 'a1', hostB);
      // Without segmentation offload the frames themselves are that large.
      await lab.exec('a1', ['ethtool', '-K', 'eth0', 'tso', 'off', 'gso', 'off']);
      const stream = await TcpStream.open(lab, 'a1', 'b1', hostB, 4_000_000);
      await stream.progress(2_000_000, 30_000);
      await stream.finish();
      const dropped = async (): Promise<number> => {
        const [a, b] = [await lab.daemon('a').counters(), await lab.daemon('b').counters()];
        const tooBig = Object.entries(a).filter(([name]) => name.includes('too_big'));
        return (b.lan_send_errors ?? 0) + tooBig.reduce((sum, [, count]) => sum + count, 0);
      };
      const before = await dropped();
      // The first is dropped, and its sender told; then the sender's kernel fragments.
      const { stdout } = await lab.attempt('a1', 'ping -n -c 3 -i 0.2 -W 1 -s 4000'.split(' ').concat(hostB));
      assert.match(stdout, /[Ff]rag needed.*mtu = 14\d\d[\s\S]* 2 received/);
      assert.ok((await dropped()) > before);
      await ping(lab, 'a1', hostB);
    }),
);
