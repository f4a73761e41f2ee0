import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ip } from '../../../src/net/ip.js';
import { lansOf } from '../../support/lans.js';

const ips = (...texts: string[]): Ip[] => texts.map(Ip.of);

function setUp() {
  const lans = lansOf([
    { index: 0, vnet: 1, addresses: ips('10.1.0.1', 'fe80::1') },
    { index: 1, vnet: 2, addresses: [] },
    { index: 2, vnet: 1, addresses: [] },
  ]);
  const told: string[] = [];
  const stop = lans.subscribe((after, before) =>
    told.push(`${after.index}: ${before.addresses.join()} → ${after.addresses.join()}`),
  );
  return { lans, told, stop };
}

test('a LAN by its index, the LANs of a vnet, and all in their order', () => {
  const { lans } = setUp();
  assert.equal(lans.get(1)?.interface, 'lan1');
  assert.equal(lans.get(3), undefined);
  assert.deepEqual(
    lans.of(1).map(({ index }) => index),
    [0, 2],
  );
  assert.deepEqual(
    lans.current().map(({ index }) => index),
    [0, 1, 2],
  );
});

test('other addresses: everybody who asks gets the new value, and whoever listens hears of it once', () => {
  const { lans, told, stop } = setUp();
  const before = lans.get(0);
  assert.equal(lans.readdress(0, ips('10.1.0.1', 'fe80::1', 'fd00::1')), true);
  assert.deepEqual(lans.get(0)?.addresses.join(), '10.1.0.1,fe80::1,fd00::1');
  assert.equal(lans.of(1)[0], lans.get(0));
  assert.equal(lans.current()[0], lans.get(0));
  assert.equal(before?.addresses.length, 2, 'a value that somebody holds does not change under him');
  assert.deepEqual(told, ['0: 10.1.0.1,fe80::1 → 10.1.0.1,fe80::1,fd00::1']);
  stop();
  lans.readdress(0, []);
  assert.equal(told.length, 1);
});

test('the same addresses in another order are no change, nor is a LAN that there is not', () => {
  const { lans, told } = setUp();
  assert.equal(lans.readdress(0, ips('fe80::1', '10.1.0.1')), false);
  assert.equal(lans.readdress(7, ips('10.1.0.1')), false);
  assert.deepEqual(told, []);
});

test('the router is active on a LAN until it is told otherwise; listeners hear of each change once, when it is done', () => {
  const { lans } = setUp();
  const heard: string[] = [];
  const stop = lans.followRoles((lan, role) =>
    heard.push(`${lan} ${role} ${lans.role(lan)} ${lans.isActive(lan)}`),
  );
  assert.deepEqual([lans.role(0), lans.isActive(0)], ['active', true]);
  assert.equal(lans.setRole(0, 'active'), false);
  assert.equal(lans.setRole(0, 'draining'), true);
  assert.equal(lans.setRole(0, 'draining'), false);
  assert.equal(lans.setRole(0, 'standby'), true);
  assert.equal(lans.setRole(7, 'standby'), false, 'there is no such LAN');
  assert.equal(lans.setRole(0, 'active'), true);
  assert.deepEqual(heard, ['0 draining draining false', '0 standby standby false', '0 active active true']);
  lans.setRole(1, 'standby');
  assert.deepEqual([lans.isActive(0), lans.isActive(1)], [true, false]);
  stop();
  lans.setRole(1, 'active');
  assert.equal(heard.length, 4);
});
