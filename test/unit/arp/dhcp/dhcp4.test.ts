import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  acknowledgeAgain,
  askedForBroadcast,
  type Dhcp4Message,
  decodeDhcp4,
} from '../../../../src/arp/dhcp/dhcp4.js';
import { Ip } from '../../../../src/net/ip.js';
import { mac } from '../../../../src/net/mac.js';
import { MAX_DHCP_BYTES } from '../../../../src/tables/limits.js';
import { type Dhcp4Fields, dhcp4, TYPE } from '../../../support/dhcp-messages.js';

const NODE = '52:54:00:00:00:09';

function decoded(fields: Omit<Dhcp4Fields, 'mac'>): Dhcp4Message {
  const message = decodeDhcp4(dhcp4({ mac: NODE, ...fields }));
  assert.ok(typeof message !== 'string', `${JSON.stringify(message)}`);
  return message;
}

function refused(change: (bytes: Uint8Array) => Uint8Array | undefined): unknown {
  const bytes = dhcp4({ mac: NODE, type: TYPE.request, requested: '10.1.0.9', clientId: '01525400000009' });
  return decodeDhcp4(change(bytes) ?? bytes);
}

test('a rebinding request is read', () => {
  const message = decoded({
    type: TYPE.request,
    ciaddr: '10.1.0.9',
    xid: 0xfedcba98,
    clientId: '01525400000009',
  });
  assert.equal(message.from, 'client');
  assert.equal(message.kind, 'request');
  assert.equal(message.xid, 0xfedcba98);
  assert.equal(message.mac, mac(NODE));
  assert.equal(message.ciaddr.key, '10.1.0.9');
  assert.ok(message.giaddr.isUnspecified);
  assert.equal(message.requested, undefined);
  assert.equal(message.server, undefined);
  assert.equal(message.leaseSeconds, undefined);
  assert.equal(message.clientId, '01525400000009');
});

test('an acknowledgement is read', () => {
  const fields = { yiaddr: '10.1.0.9', server: '10.1.0.12', leaseSeconds: 0xffffffff };
  const message = decoded({ type: TYPE.ack, ...fields });
  assert.equal(message.from, 'server');
  assert.equal(message.kind, 'ack');
  assert.equal(message.yiaddr.key, '10.1.0.9');
  assert.equal(message.server?.key, '10.1.0.12');
  assert.equal(message.leaseSeconds, 0xffffffff);
});

test('every kind is known by its number and its direction', () => {
  const kinds = Object.values(TYPE).map((type) => decoded({ type }).kind);
  assert.deepEqual(kinds, ['discover', 'offer', 'request', 'decline', 'ack', 'nak', 'release', 'inform']);
  assert.equal(decoded({ type: 9 }).kind, 'force-renew');
});

test('zeros behind the end mark are not kept, and nothing refers to the input', () => {
  const bytes = dhcp4({ mac: NODE, type: TYPE.discover });
  const message = decodeDhcp4(bytes);
  assert.ok(typeof message !== 'string');
  assert.equal(message.bytes.length, 236 + 4 + 3 + 1);
  bytes.fill(0);
  assert.equal(message.bytes[240], 53);
});

test('what is no DHCP message for Ethernet is refused, each for its reason', () => {
  assert.equal(
    refused((bytes) => bytes.subarray(0, 240)),
    'too-short',
  );
  assert.equal(
    refused((bytes) => void bytes.fill(6, 1, 2)),
    'hardware',
  );
  assert.equal(
    refused((bytes) => void bytes.fill(16, 2, 3)),
    'hardware',
  );
  assert.equal(
    refused((bytes) => void bytes.fill(0xff, 28, 34)),
    'chaddr',
  );
  assert.equal(
    refused((bytes) => void bytes.fill(0, 28, 34)),
    'chaddr',
  );
  assert.equal(
    refused((bytes) => void bytes.fill(0, 236, 240)),
    'cookie',
  );
  assert.equal(
    refused((bytes) => void bytes.fill(3, 0, 1)),
    'operation',
  );
  // An answer's number in a question.
  assert.equal(
    refused((bytes) => void bytes.fill(5, 242, 243)),
    'type',
  );
  // Without its type it is BOOTP.
  assert.equal(
    refused((bytes) => void bytes.fill(0, 240, 243)),
    'type',
  );
});

test('options that run over the end, have another length or come twice are refused', () => {
  const withMore = (...more: number[]): unknown =>
    decodeDhcp4(dhcp4({ mac: NODE, type: TYPE.request, clientId: '0102', more }));
  assert.equal(withMore(12, 200, 1), 'option-length');
  assert.equal(withMore(50, 3, 10, 1, 0), 'option-length');
  assert.equal(withMore(53, 2, 3, 3), 'option-length');
  assert.equal(withMore(53, 1, 3), 'option-repeated');
  assert.equal(withMore(61, 2, 1, 1), 'option-repeated');
  assert.equal(decodeDhcp4(dhcp4({ mac: NODE, type: 3, clientId: '01' })), 'option-length');
});

test('a message longer than what can be carried is refused, one of that length is not', () => {
  const ofLength = (length: number): unknown => {
    const more: number[] = [];
    // Option 43 as often as it takes; 244 bytes are there without.
    for (let left = length - 244; left > 0; ) {
      const value = Math.min(255, left - 2);
      more.push(43, value, ...new Array<number>(value).fill(1));
      left -= value + 2;
    }
    return decodeDhcp4(dhcp4({ mac: NODE, type: TYPE.request, more }));
  };
  assert.notEqual(typeof ofLength(MAX_DHCP_BYTES), 'string');
  assert.equal(ofLength(MAX_DHCP_BYTES + 1), 'too-long');
});

test('a message goes to the server with the broadcast flag, and else as it was', () => {
  const message = decoded({ type: TYPE.discover });
  const bytes = askedForBroadcast(message);
  assert.equal(bytes.length, 300);
  const expected = dhcp4({ mac: NODE, type: TYPE.discover, broadcast: true });
  assert.deepEqual(bytes, expected);
  assert.equal(message.bytes[10], 0);
});

test('an acknowledgement is given again: to the request of now, with what is left', () => {
  const before = decoded({
    type: TYPE.ack,
    xid: 1,
    yiaddr: '10.1.0.9',
    server: '10.1.0.12',
    leaseSeconds: 3_600,
    // Subnet mask, renewal and rebinding time, a relay's option.
    more: [1, 4, 255, 255, 255, 0, 58, 4, 0, 0, 7, 8, 59, 4, 0, 0, 12, 78, 82, 2, 1, 0],
  });
  const request = decoded({ type: TYPE.request, xid: 0xa1b2c3d4, ciaddr: '10.1.0.9', broadcast: true });
  const again = acknowledgeAgain(before, request, 1_001);
  const expected = dhcp4({
    mac: NODE,
    type: TYPE.ack,
    xid: 0xa1b2c3d4,
    broadcast: true,
    ciaddr: '10.1.0.9',
    yiaddr: '10.1.0.9',
    server: '10.1.0.12',
    more: [1, 4, 255, 255, 255, 0, 51, 4, 0, 0, 3, 233, 58, 4, 0, 0, 1, 244, 59, 4, 0, 0, 3, 107],
  });
  assert.deepEqual(again, expected);
  const read = decodeDhcp4(again);
  assert.ok(typeof read !== 'string');
  assert.ok(read.yiaddr.equals(Ip.of('10.1.0.9')));
  assert.equal(read.leaseSeconds, 1_001);
});
