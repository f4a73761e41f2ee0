import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeDhcpFrame,
  encodeDhcpFrame,
  isForAnyServer,
  isUdpFrame,
} from '../../../../src/arp/dhcp/frame.js';
import { Ip } from '../../../../src/net/ip.js';
import { mac } from '../../../../src/net/mac.js';
import {
  BROADCAST_MAC,
  dhcp4,
  dhcp6,
  SERVERS_6,
  SERVERS_MAC_6,
  TYPE,
  TYPE_6,
  type UdpFields,
  udpFrame,
} from '../../../support/dhcp-messages.js';

const NODE = '52:54:00:00:00:09';
const SERVER = '52:54:00:00:00:12';
const LINK_LOCAL = 'fe8000000000000050540000000009ff';

const discover: UdpFields = {
  from: NODE,
  to: BROADCAST_MAC,
  source: '0.0.0.0',
  destination: '255.255.255.255',
  ports: [68, 67],
  payload: dhcp4({ mac: NODE, type: TYPE.discover }),
};
const solicit: UdpFields = {
  from: NODE,
  to: SERVERS_MAC_6,
  source: LINK_LOCAL,
  destination: SERVERS_6,
  ports: [546, 547],
  payload: dhcp6({ mac: NODE, type: TYPE_6.solicit }),
};

test('broadcasts of clients of both families are read', () => {
  for (const fields of [discover, solicit]) {
    const bytes = udpFrame(fields);
    assert.ok(isUdpFrame(bytes));
    const frame = decodeDhcpFrame(bytes);
    assert.ok(typeof frame !== 'string', `${JSON.stringify(frame)}`);
    assert.equal(frame.ethernetSource, mac(NODE));
    assert.equal(frame.message.from, 'client');
    assert.ok(isForAnyServer(frame));
  }
});

test('an answer to the client alone is for no server', () => {
  const payload = dhcp4({ mac: NODE, type: TYPE.ack, yiaddr: '10.1.0.9', server: '10.1.0.12' });
  const addresses = { source: '10.1.0.12', destination: '10.1.0.9', ports: [67, 68] as const };
  const frame = decodeDhcpFrame(udpFrame({ from: SERVER, to: NODE, ...addresses, payload }));
  assert.ok(typeof frame !== 'string');
  assert.equal(frame.source.key, '10.1.0.12');
  assert.ok(!isForAnyServer(frame));
});

test('a checksum that hardware was to fill in is taken, a wrong one is not, none only in IPv4', () => {
  const reasonOf = (fields: UdpFields, checksum: UdpFields['checksum']): string => {
    const frame = decodeDhcpFrame(udpFrame({ ...fields, ...(checksum && { checksum }) }));
    return typeof frame === 'string' ? frame : 'read';
  };
  for (const fields of [discover, solicit]) {
    assert.equal(reasonOf(fields, undefined), 'read');
    assert.equal(reasonOf(fields, 'partial'), 'read');
    assert.equal(reasonOf(fields, 'wrong'), 'udp-checksum');
  }
  assert.equal(reasonOf(discover, 'none'), 'read');
  assert.equal(reasonOf(solicit, 'none'), 'udp-checksum');
});

test('what is no whole datagram between a client and a server is refused, each for its reason', () => {
  const changed = (fields: UdpFields, offset: number, ...values: number[]): unknown => {
    const bytes = udpFrame(fields);
    bytes.set(values, offset);
    return decodeDhcpFrame(bytes);
  };
  /** The header's own checksum set right again after a change of one word by `by`. */
  const changed4 = (offset: number, by: number): unknown => {
    const bytes = udpFrame(discover);
    const view = new DataView(bytes.buffer);
    view.setUint16(offset, view.getUint16(offset) + by);
    const check = view.getUint16(24) - by;
    view.setUint16(24, check < 0 ? check - 1 : check);
    return decodeDhcpFrame(bytes);
  };
  assert.equal(decodeDhcpFrame(new Uint8Array(30)), 'udp-too-short');
  assert.equal(decodeDhcpFrame(udpFrame(solicit).subarray(0, 50)), 'udp-too-short');
  assert.equal(changed(discover, 14, 0x65), 'udp-ip-version');
  assert.equal(changed(discover, 14, 0x44), 'udp-ip-version');
  assert.equal(changed(solicit, 14, 0x40), 'udp-ip-version');
  assert.equal(changed(discover, 22, 63), 'udp-ip-checksum');
  assert.equal(changed4(20, 0x2000), 'udp-fragment');
  assert.equal(changed4(20, 1), 'udp-fragment');
  assert.equal(changed4(22, 1), 'udp-other-protocol');
  assert.equal(changed(solicit, 20, 58), 'udp-other-protocol');
  assert.equal(changed4(16, 1_000), 'udp-ip-length');
  assert.equal(changed(solicit, 18, 255, 255), 'udp-ip-length');
  assert.equal(changed(discover, 38, 255, 255), 'udp-length');
  assert.equal(changed(solicit, 58, 0, 7), 'udp-length');
  assert.equal(decodeDhcpFrame(udpFrame({ ...solicit, source: '0'.repeat(32) })), 'udp-source');
  assert.equal(decodeDhcpFrame(udpFrame({ ...discover, source: '255.255.255.255' })), 'udp-source');
  // A question at a client's port, an answer at a server's: only relays do that.
  assert.equal(decodeDhcpFrame(udpFrame({ ...discover, ports: [67, 68] })), 'ports');
  assert.equal(
    decodeDhcpFrame(udpFrame({ ...discover, payload: dhcp4({ mac: NODE, type: TYPE.ack }) })),
    'ports',
  );
});

test('an IPv4 header with options is read', () => {
  const plain = udpFrame(discover);
  const bytes = new Uint8Array(plain.length + 4);
  bytes.set(plain.subarray(0, 34));
  bytes.set([1, 1, 1, 0], 34);
  bytes.set(plain.subarray(34), 38);
  const view = new DataView(bytes.buffer);
  bytes[14] = 0x46;
  view.setUint16(16, view.getUint16(16) + 4);
  view.setUint16(24, 0);
  let sum = 0;
  for (let i = 14; i < 38; i += 2) sum += view.getUint16(i);
  view.setUint16(24, ~((sum & 0xffff) + (sum >>> 16)) & 0xffff);
  assert.notEqual(typeof decodeDhcpFrame(bytes), 'string', `${JSON.stringify(decodeDhcpFrame(bytes))}`);
});

test('a frame is written as a host would: byte for byte', () => {
  const written4 = encodeDhcpFrame(
    {
      ethernetSource: mac(NODE),
      ethernetDestination: mac(BROADCAST_MAC),
      source: Ip.of('10.1.0.9'),
      destination: Ip.of('255.255.255.255'),
    },
    'client',
    discover.payload,
  );
  assert.deepEqual(written4, udpFrame({ ...discover, source: '10.1.0.9' }));
  const written6 = encodeDhcpFrame(
    {
      ethernetSource: mac(NODE),
      ethernetDestination: mac(SERVERS_MAC_6),
      source: Ip.read(6, Buffer.from(LINK_LOCAL, 'hex'), 0),
      destination: Ip.of('ff02::1:2'),
    },
    'client',
    solicit.payload,
  );
  assert.deepEqual(written6, udpFrame(solicit));
});
