/** From which address a router's advertisements are sent, and what an operator is told when there is none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ip } from '../../../src/net/ip.js';
import { linkOf } from '../../../src/router/machine/vrrp/link.js';
import { advertisementSource, checkSource } from '../../../src/router/machine/vrrp/source.js';

const ADDRESSES = ['fd00:1::2', '10.1.0.2', '10.1.0.3', 'fe80::2', 'fe80::3'].map(Ip.of);

test('the first address that serves is chosen: of IPv6 a link-local one', () => {
  assert.equal(advertisementSource('eth1', 4, ADDRESSES).key, '10.1.0.2');
  assert.equal(advertisementSource('eth1', 6, ADDRESSES).key, 'fe80::2');
});

test('without an address an operator is told which kind is missing, and how to get one', () => {
  assert.throws(
    () => advertisementSource('eth1', 4, [Ip.of('fe80::2')]),
    /eth1 .* no IPv4 address: give it one \("ip address add ADDRESS\/LENGTH dev eth1"\)/,
  );
  assert.throws(
    () => advertisementSource('eth1', 6, [Ip.of('10.1.0.2'), Ip.of('fd00:1::2')]),
    /eth1 .* no IPv6 link-local address: .*net\.ipv6\.conf\.eth1\.disable_ipv6=0/,
  );
});

test('a named address must be the interface’s, and serve', () => {
  checkSource('eth1', Ip.of('10.1.0.3'), ADDRESSES);
  checkSource('eth1', Ip.of('fe80::3'), ADDRESSES);
  assert.throws(
    () => checkSource('eth1', Ip.of('10.1.0.9'), ADDRESSES),
    /\(it has 10\.1\.0\.2, 10\.1\.0\.3\)/,
  );
  assert.throws(() => checkSource('eth1', Ip.of('10.1.0.9'), []), /\(it has none\)/);
  assert.throws(() => checkSource('eth1', Ip.of('fd00:1::2'), ADDRESSES), /must be a link-local address/);
  assert.throws(
    () => checkSource('eth1', Ip.of('224.0.0.18'), ADDRESSES),
    /must be an address of the machine/,
  );
});

const LISTS: Readonly<Record<string, string>> = {
  // As Linux 6 writes them; eth2 has IPv4 alone, eth3 is down with a membership of a packet socket left, eth10 is no eth1.
  dev_mcast: `2    eth1            1     0     333300000012
2    eth1            1     0     333300000001
2    eth1            1     0     01005e000001
7    eth2            1     0     01005e000001
8    eth3            1     0     0180c200000e
`,
  dev: `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
  eth1:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
  eth2:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
  eth3:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
 eth10:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
`,
};

test('an interface serves a family while the kernel takes frames for all its hosts', () => {
  const read = (file: string): string => LISTS[file] ?? '';
  assert.deepEqual(linkOf('eth1', 4, read), { is: 'up', index: 2 });
  assert.deepEqual(linkOf('eth1', 6, read), { is: 'up', index: 2 });
  assert.deepEqual(linkOf('eth2', 4, read), { is: 'up', index: 7 });
  assert.equal(linkOf('eth2', 6, read).is, 'down');
  assert.equal(linkOf('eth3', 4, read).is, 'down');
  assert.equal(linkOf('eth', 4, read).is, 'gone');
});
