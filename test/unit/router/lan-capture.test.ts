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

function lanCapture() {
  let listener: FramesListener = () => {};
  const pcap: PcapAddon = {
    openCapture: (_options, onFrames) => {
      listener = onFrames;
      return { send: () => true, drops: () => 0, close: () => {} };
    },
  };
  const seen: { readonly neighbours: NeighbourFrame[]; readonly dhcp: DhcpFrame[] } = {
    neighbours: [],
    dhcp: [],
  };
  const capture = new LanCapture(
    { index: 0, interface: 'lan0', vnet: 1, mac: mac('02:00:00:00:00:fe'), addresses: [] },
    pcap,
    new SimClock(),
    { neighbour: (frame) => seen.neighbours.push(frame), dhcp: (frame) => seen.dhcp.push(frame) },
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
