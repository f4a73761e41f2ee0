import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeDhcp6 } from '../../../../src/arp/dhcp/dhcp6.js';
import { MAX_DHCP_BYTES } from '../../../../src/tables/limits.js';
import { type Dhcp6Fields, dhcp6, duidOf, TYPE_6 } from '../../../support/dhcp-messages.js';

const NODE = '52:54:00:00:00:09';
const ADDRESS = 'fd00000100000000000000000a010009';

const read = (fields: Dhcp6Fields) => decodeDhcp6(dhcp6(fields));

test('a rebind is read: transaction, DUID, the addresses of its association', () => {
  const bytes = dhcp6({ type: TYPE_6.rebind, xid: 0xabcdef, mac: NODE, addresses: [ADDRESS] });
  const message = decodeDhcp6(bytes);
  assert.ok(typeof message !== 'string');
  assert.equal(message.from, 'client');
  assert.equal(message.kind, 'rebind');
  assert.equal(message.xid, 0xabcdef);
  assert.equal(message.clientId, duidOf(NODE));
  assert.deepEqual(message.addresses.map(String), ['fd00:1::a01:9']);
  assert.deepEqual(message.bytes, bytes);
  bytes.fill(0);
  assert.equal(message.bytes[0], TYPE_6.rebind);
});

test('every kind is known by its number; relays have none here', () => {
  const kindOf = (type: number): string => {
    const message = read({ type, mac: NODE });
    return typeof message === 'string' ? message : `${message.from} ${message.kind}`;
  };
  const client = ['solicit', 'request', 'confirm', 'renew', 'rebind', 'release', 'decline'];
  assert.deepEqual(
    [1, 3, 4, 5, 6, 8, 9].map(kindOf),
    client.map((kind) => `client ${kind}`),
  );
  assert.equal(kindOf(11), 'client information-request');
  assert.deepEqual([2, 7, 10].map(kindOf), ['server advertise', 'server reply', 'server reconfigure']);
  for (const type of [0, 12, 13, 14, 255]) assert.equal(kindOf(type), 'type');
});

test('only an information-request and its reply need no client', () => {
  for (const type of [TYPE_6.informationRequest, TYPE_6.reply])
    assert.notEqual(typeof read({ type }), 'string');
  for (const type of [TYPE_6.solicit, TYPE_6.rebind, TYPE_6.advertise, TYPE_6.reconfigure])
    assert.equal(read({ type }), 'type');
});

test('options that do not fit are refused', () => {
  const withMore = (...more: number[]): unknown => read({ type: TYPE_6.solicit, mac: NODE, more });
  assert.equal(decodeDhcp6(Uint8Array.of(1, 0, 0)), 'too-short');
  assert.equal(withMore(0, 8, 0), 'option-length');
  assert.equal(withMore(0, 8, 0, 3, 1, 1), 'option-length');
  // An association that ends before its lifetimes, an option in it that is longer than it, an address cut short.
  assert.equal(withMore(0, 3, 0, 2, 0, 1), 'option-length');
  assert.equal(withMore(0, 4, 0, 8, 0, 0, 0, 1, 0, 5, 0, 24), 'option-length');
  assert.equal(withMore(0, 4, 0, 9, 0, 0, 0, 1, 0, 5, 0, 1, 0), 'option-length');
  assert.equal(withMore(0, 1, 0, 3, 0, 1, 2), 'option-repeated');
  assert.equal(read({ type: 1, duid: '0003' }), 'option-length');
  assert.equal(read({ type: 1, duid: '00'.repeat(131) }), 'option-length');
});

test('more addresses than a machine has, and more bytes than can be carried, are refused', () => {
  const many = (count: number): unknown =>
    read({ type: TYPE_6.renew, mac: NODE, addresses: new Array<string>(count).fill(ADDRESS) });
  assert.notEqual(typeof many(30), 'string');
  assert.equal(many(33), 'too-long');
  const padding = MAX_DHCP_BYTES - dhcp6({ type: TYPE_6.solicit, mac: NODE }).length - 4;
  const filled = (length: number): unknown =>
    read({
      type: TYPE_6.solicit,
      mac: NODE,
      more: [0, 16, length >> 8, length & 0xff, ...new Array<number>(length).fill(1)],
    });
  assert.notEqual(typeof filled(padding), 'string');
  assert.equal(filled(padding + 1), 'too-long');
});
