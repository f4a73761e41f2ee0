import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ignoreList } from '../../../src/config/ignore-list.js';
import { mac } from '../../../src/net/mac.js';
import { startFixture } from '../control/fixture.js';
import { vinectl } from './harness.js';

const VISITOR = '52:54:00:00:00:17';

test('vinectl dhcp ignore: the visiting machines in each form', async (t) => {
  const { socket } = await startFixture(t);
  const plain = await vinectl(['dhcp', 'ignore'], { socket });
  assert.deepEqual(plain, { status: 0, out: ignoreList([mac(VISITOR)], 'dnsmasq'), err: '' });
  for (const format of ['dnsmasq', 'kea', 'dhcpd'] as const) {
    const { status, out } = await vinectl(['dhcp', 'ignore', '--format', format], { socket });
    assert.equal(status, 0);
    assert.equal(out, ignoreList([mac(VISITOR)], format));
  }
});

test('vinectl dhcp ignore --json: a machine with its addresses and its home', async (t) => {
  const { socket } = await startFixture(t);
  const { out } = await vinectl(['dhcp', 'ignore', '--json'], { socket });
  assert.deepEqual(JSON.parse(out), [{ vnet: 'blue', mac: VISITOR, ips: ['10.2.0.7'], home: 'vr-b' }]);
});

test('vinectl dhcp ignore: another vnet has none, another form is wrong usage, no router is said', async (t) => {
  const { socket } = await startFixture(t);
  const other = await vinectl(['dhcp', 'ignore', '--vnet', 'red', '--json'], { socket });
  assert.equal(other.out, '[]\n');
  const { status, err } = await vinectl(['dhcp', 'ignore', '--format', 'bind'], { socket });
  assert.equal(status, 2);
  assert.match(err, /dnsmasq, kea, dhcpd/);
  assert.equal((await vinectl(['dhcp', 'ignore'], { socket: '/nonexistent' })).status, 3);
});
