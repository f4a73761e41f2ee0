import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PcapAddon } from '../../../src/arp/pcap.js';
import { Ip } from '../../../src/net/ip.js';
import { mac } from '../../../src/net/mac.js';
import { PairLans } from '../../../src/router/pair/pair-lans.js';
import { lansOf } from '../../support/lans.js';
import { SimClock } from '../../support/sim-clock.js';

test('a LAN from which nothing can be advertised is a warning, until it has an address', () => {
  const clock = new SimClock();
  const lans = lansOf([
    { index: 0, vnet: 1, interface: 'lan0', mac: mac('02:00:00:00:00:01'), addresses: [], vrid: 7 },
  ]);
  const pair = new PairLans({
    clock,
    lans,
    pcap: {} as PcapAddon,
    site: 'one',
    configured: [{ interface: 'lan0', vnet: 'blue' }],
    virtualMacs: { heardAgoMs: () => undefined },
    sendFrame: () => {},
    onAdvertisement: () => {},
    onCondition: () => {},
    openSocket: () => ({
      send: () => {},
      close: async () => {},
      condition: () => ({ is: 'up' }),
      counters: () => ({}),
    }),
  });
  pair.start();
  assert.match(pair.warnings().join(), /^lan0 has no address to advertise from/);
  lans.readdress(0, [Ip.of('10.1.0.3')]);
  assert.deepEqual(pair.warnings(), []);
});
