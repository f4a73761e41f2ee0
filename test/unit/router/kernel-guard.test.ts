/** Which packets the nftables rules keep the kernel off, on a LAN with gateway addresses and on one without. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ip } from '../../../src/net/ip.js';
import { mac } from '../../../src/net/mac.js';
import { Prefix } from '../../../src/net/prefix.js';
import { guardRules } from '../../../src/router/machine/kernel-guard.js';
import type { Lan } from '../../../src/tables/lan.js';

const LAN: Lan = { index: 0, interface: 'lan0', vnet: 1, mac: mac('02:00:00:00:00:01'), addresses: [] };
const networks = ['vr-a', 'vr-b'].map((router, i) => ({
  vnet: 1,
  prefix: Prefix.of(`10.${i + 1}.0.0/24`),
  router,
  gateway: undefined,
  allow: undefined,
}));

function rulesOf(lan: Partial<Lan>): string[] {
  return guardRules([{ ...LAN, ...lan }], { self: 'vr-a', networks }, 'x').filter((line) =>
    line.includes('saddr'),
  );
}

const VISITORS = 'add rule netdev x lan_0 ip saddr { 10.2.0.0/24 } drop';

test('what native hosts send to the interface’s own MAC stays the kernel’s', () => {
  assert.deepEqual(rulesOf({}), [VISITORS]);
  assert.deepEqual(rulesOf({ gateway: [Ip.of('10.1.0.3')], vrid: 7 }), [VISITORS]);
  assert.deepEqual(rulesOf({ vrid: 7 }), [VISITORS]);
});

test('but where the router is their gateway by that very MAC', () => {
  assert.deepEqual(rulesOf({ gateway: [Ip.of('10.1.0.3')] }), [
    'add rule netdev x lan_0 ip saddr { 10.1.0.0/24, 10.2.0.0/24 } drop',
  ]);
});
