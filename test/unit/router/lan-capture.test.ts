/** What becomes of the frames that the kernel lets through: neighbour frames, DHCP, what is neither, and what is too much. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DhcpFrame } from '../../../src/arp/dhcp/frame.js';
import { encodeNeighbourFrame, type NeighbourFrame } from '../../../src/arp/frame.js';
import { FRAMES_OF_A_MAC } from '../../../src/arp/frame-budget.js';
import type { FramesListener, PcapAddon } from '../../../src/arp/pcap.js';
import { Ip } from '../../../src/net/ip.js';
import { BROADCAST_MAC as BROADCAST, mac, ZERO_MAC } from '../../../src/net/mac.js';
import { LanCapture } from '../../../src/router/lan/lan-capture.js';
import { BROADCAST_MAC, dhcp4, TYPE, udpFrame } from '../../support/dhcp-messages.js';
import { SimClock } from '../../support/sim-clock.js';

const NODE = '52:54:00:00:00:09';

function lanCapture(vrid?: number) {
  let listener: FramesListener = () => {};
  const pcap: PcapAddon = {
    openCapture: (_options, onFrames) => {
      listener = onFrames;
      return { send: () => true, drops: () => 0, close: () => {} };
    },
  };
  const seen: {
    readonly neighbours: NeighbourFrame[];
    readonly dhcp: DhcpFrame[];
    /** When frames from a virtual MAC were captured. */
    readonly virtual: number[];
    /** When frames to all, or to a group, were captured. */
    readonly groups: number[];
  } = { neighbours: [], dhcp: [], virtual: [], groups: [] };
  const capture = new LanCapture(
    {
      ...{ index: 0, interface: 'lan0', vnet: 1, mac: mac('02:00:00:00:00:fe'), addresses: [] },
      ...(vrid === undefined ? {} : { vrid }),
    },
    pcap,
    new SimClock(),
    {
      neighbour: (frame) => seen.neighbours.push(frame),
      dhcp: (frame) => seen.dhcp.push(frame),
      virtualMac: (capturedMs) => seen.virtual.push(capturedMs),
      toGroup: (capturedMs) => seen.groups.push(capturedMs),
    },
    () => false,
  );
  return { seen, capture, take: (frame: Uint8Array) => listener([frame], new Float64Array(1)) };
}

const discover = (from = NODE): Uint8Array => {
  const addresses = { source: '0.0.0.0', destination: '255.255.255.255', ports: [68, 67] as const };
  return udpFrame({
    from,
    to: BROADCAST_MAC,
    ...addresses,
    payload: dhcp4({ mac: from, type: TYPE.discover }),
  });
};

const announcement = (from: string): Uint8Array =>
  encodeNeighbourFrame({
    ...{ kind: 'arp', operation: 1, ethernetSource: mac(from), ethernetDestination: BROADCAST },
    ...{ senderMac: mac(from), senderIp: Ip.of('10.1.0.3') },
    ...{ targetMac: ZERO_MAC, targetIp: Ip.of('10.1.0.3') },
  });

test('DHCP and neighbour frames go each its way; what is neither is counted', () => {
  const { seen, capture, take } = lanCapture();
  take(discover());
  take(
    encodeNeighbourFrame({
      ...{ kind: 'arp', operation: 1, ethernetSource: mac(NODE), ethernetDestination: BROADCAST },
      ...{
        senderMac: mac(NODE),
        senderIp: Ip.of('10.1.0.9'),
        targetMac: ZERO_MAC,
        targetIp: Ip.of('10.1.0.1'),
      },
    }),
  );
  take(discover().subarray(0, 200));
  const noDhcp = { source: '10.1.0.9', destination: '10.1.0.1', ports: [68, 67] as const };
  take(udpFrame({ from: NODE, to: BROADCAST_MAC, ...noDhcp, payload: new Uint8Array(300) }));
  assert.equal(seen.dhcp.length, 1);
  assert.equal(seen.neighbours.length, 1);
  assert.equal(capture.counters().drop_dhcp_udp_ip_length, 1);
  assert.equal(capture.counters().drop_dhcp_hardware, 1);
});

test('DHCP has its place in the budget of all frames: a machine that floods the LAN with it has no more than others', () => {
  const { seen, capture, take } = lanCapture();
  for (let n = 0; n < 1_000; n++) take(discover());
  assert.equal(seen.dhcp.length, FRAMES_OF_A_MAC.burst);
  assert.equal(capture.counters().arp_frames_over_budget_mac, 1_000 - FRAMES_OF_A_MAC.burst);
  take(discover('52:54:00:00:00:0a'));
  assert.equal(seen.dhcp.length, FRAMES_OF_A_MAC.burst + 1);
});

test('what the site’s other router says from a virtual MAC is heard, and no more is done with it', () => {
  const { seen, capture, take } = lanCapture(7);
  const virtual = ['00:00:5e:00:01:07', '00:00:5e:00:02:07'] as const;
  for (const from of virtual) take(announcement(from));
  take(discover(virtual[0]));
  assert.deepEqual([seen.virtual.length, seen.neighbours.length, seen.dhcp.length], [3, 0, 0]);
  for (let n = 0; n < 1_000; n++) take(announcement(virtual[0]));
  assert.equal(seen.virtual.length, FRAMES_OF_A_MAC.burst + 1);
  assert.equal(capture.counters().arp_frames_over_budget_mac, 1_002 - FRAMES_OF_A_MAC.burst);
  take(announcement('00:00:5e:00:01:08'));
  assert.equal(seen.neighbours.length, 1, 'that of other routers than this site’s is a MAC like any other');
});

test('without virtual MACs all are like any other', () => {
  const { seen, take } = lanCapture();
  take(announcement('00:00:5e:00:01:07'));
  assert.deepEqual([seen.virtual.length, seen.neighbours.length], [0, 1]);
});

test('frames to all are told, whatever they are, and those to one are not', () => {
  const { seen, take } = lanCapture(7);
  take(announcement(NODE));
  take(discover());
  take(announcement('00:00:5e:00:01:07'));
  assert.equal(seen.groups.length, 3);
  const toOne = announcement(NODE);
  toOne.set([0x02, 0, 0, 0, 0, 0xfe]);
  take(toOne);
  assert.equal(seen.groups.length, 3);
  assert.equal(seen.neighbours.length, 2);
});
