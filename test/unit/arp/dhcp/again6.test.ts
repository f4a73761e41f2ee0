import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asksForTheSame, isGrant, replyAgain, shortestLifetime } from '../../../../src/arp/dhcp/again6.js';
import { type Dhcp6Message, decodeDhcp6 } from '../../../../src/arp/dhcp/dhcp6.js';
import { type Dhcp6Fields, dhcp6, option6, TYPE_6 } from '../../../support/dhcp-messages.js';

const ADDRESSES = ['fd00000100000000000000000a010009', 'fd00000100000000000000000a01000a'];
const zeros = (count: number): number[] => new Array<number>(count).fill(0);

function read(fields: Omit<Dhcp6Fields, 'type'> & { readonly type?: number }): Dhcp6Message {
  const message = decodeDhcp6(dhcp6({ type: TYPE_6.reply, mac: '52:54:00:00:00:09', ...fields }));
  assert.ok(typeof message !== 'string', `${JSON.stringify(message)}`);
  return message;
}
const reply = (more: Omit<Dhcp6Fields, 'type'> = {}): Dhcp6Message =>
  read({ serverDuid: '0003000152540000', addresses: ADDRESSES, ...more });

test('a reply that grants addresses is a grant; one that fails, is signed, or grants more is none', () => {
  assert.ok(isGrant(reply()));
  assert.ok(isGrant(reply({ more: option6(13, [0, 0, 111, 107]) })), 'success');
  assert.ok(isGrant(reply({ more: option6(23, zeros(16)) })), 'a DNS server');
  assert.ok(!isGrant(reply({ more: option6(13, [0, 2]) })), 'a failure');
  assert.ok(!isGrant(reply({ more: option6(13, [0]) })), 'half a status');
  assert.ok(!isGrant(reply({ more: option6(3, [...zeros(12), ...option6(13, [0, 3])]) })), 'no binding');
  assert.ok(!isGrant(reply({ more: option6(3, zeros(12)) })), 'an association without an address');
  assert.ok(!isGrant(reply({ more: option6(11, zeros(11)) })), 'a signature');
  assert.ok(!isGrant(reply({ more: option6(25, zeros(12)) })), 'a prefix');
  assert.ok(!isGrant(reply({ more: option6(4, zeros(4)) })), 'temporary addresses');
  assert.ok(!isGrant(read({ addresses: ADDRESSES })), 'no server');
  assert.ok(!isGrant(read({ serverDuid: '0003000152540000' })), 'nothing');
});

test('lifetimes become shorter, but those without an end; renewal and rebinding follow', () => {
  const rebind = read({ type: TYPE_6.rebind, xid: 0xabcdef, addresses: ADDRESSES });
  const again = replyAgain(reply({ lifetimes: [1_000, 2_000] }), rebind, 400);
  const expected = { lifetimes: [600, 1_600], times: [300, 480], xid: 0xabcdef } as const;
  assert.deepEqual(again, reply(expected).bytes);
  const endless = reply({ lifetimes: [0xffffffff, 0xffffffff], times: [1, 2] });
  assert.equal(shortestLifetime(endless), Number.POSITIVE_INFINITY);
  const stays = { lifetimes: [0xffffffff, 0xffffffff], times: [0xffffffff, 0xffffffff] } as const;
  assert.deepEqual(replyAgain(endless, rebind, 400), reply({ ...stays, xid: 0xabcdef }).bytes);
  // Not preferred any more, valid still.
  const late = replyAgain(reply({ lifetimes: [300, 2_000] }), rebind, 400);
  assert.deepEqual(late, reply({ lifetimes: [0, 1_600], times: [0, 0], xid: 0xabcdef }).bytes);
  assert.equal(shortestLifetime(reply({ lifetimes: [300, 2_000] })), 2_000);
});

test('a question is for the same when it has the same associations, of any kind', () => {
  const rebind = (more: Omit<Dhcp6Fields, 'type'> = {}): Dhcp6Message =>
    read({ type: TYPE_6.rebind, addresses: ADDRESSES, ...more });
  assert.ok(asksForTheSame(rebind(), reply()));
  assert.ok(!asksForTheSame(rebind({ more: option6(25, zeros(12)) }), reply()));
  assert.ok(!asksForTheSame(rebind({ more: option6(3, [0, 0, 0, 2, ...zeros(8)]) }), reply()));
  assert.ok(!asksForTheSame(read({ type: TYPE_6.rebind }), reply()));
});
