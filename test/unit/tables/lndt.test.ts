import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ip } from '../../../src/net/ip.js';
import { type Mac, mac } from '../../../src/net/mac.js';
import { Prefix } from '../../../src/net/prefix.js';
import { Directory } from '../../../src/tables/directory.js';
import { Gndt } from '../../../src/tables/gndt.js';
import { Lndt } from '../../../src/tables/lndt.js';
import type { LndtEntry } from '../../../src/tables/model.js';
import { SimClock } from '../../support/sim-clock.js';
import { BLUE, gndtConfig, network, RED, record } from './fixtures.js';

const M9 = mac('52:54:00:00:00:09');
const M8 = mac('52:54:00:00:00:08');

function setUp(entries: [prefix: string, mac?: Mac][]) {
  const gndt = new Gndt(
    gndtConfig([
      network(BLUE, '10.1.0.0/24', 'vr-a', { gateway: '10.1.0.254' }),
      network(BLUE, '10.2.0.0/24', 'vr-b', { gateway: '10.2.0.254' }),
      network(BLUE, 'fd00:1::/64', 'vr-a'),
      network(RED, '10.1.0.0/24', 'vr-c'),
    ]),
    'vr-a',
  );
  const directory = new Directory('vr-a', new SimClock());
  const list: LndtEntry[] = entries.map(([prefix, pin]) => ({
    vnet: BLUE,
    prefix: Prefix.of(prefix),
    mac: pin,
  }));
  const lndt = new Lndt(list, gndt, directory);
  const may = (ip: string, m?: Mac, vnet = BLUE): boolean => lndt.authorises(vnet, Ip.of(ip), m);
  return { directory, lndt, may };
}

test('an address is authorised when an entry covers it, in its vnet', () => {
  const { may } = setUp([['10.1.0.0/28'], ['fd00:1::/64']]);
  assert.equal(may('10.1.0.15', M9), true);
  assert.equal(may('10.1.0.16', M9), false);
  assert.equal(may('fd00:1::9'), true);
  assert.equal(may('fd00:1:0:1::9'), false);
  assert.equal(may('10.1.0.1', M9, RED), false);
});

test('the most specific entry decides, with its pin', () => {
  const { may, lndt } = setUp([['10.1.0.0/24'], ['10.1.0.9', M9], ['10.1.0.16/28', M8], ['10.1.0.17']]);
  assert.equal(may('10.1.0.9', M9), true);
  assert.equal(may('10.1.0.9', M8), false);
  assert.equal(may('10.1.0.9', undefined), true, 'the pin left out of account');
  assert.equal(may('10.1.0.16', M9), false);
  assert.equal(may('10.1.0.17', M9), true);
  assert.equal(lndt.entryFor(BLUE, Prefix.of('10.1.0.0/27'))?.prefix.key, '10.1.0.0/24');
});

test('entries count in home networks only; an address native nowhere is not authorised', () => {
  const { may } = setUp([['0.0.0.0/0']]);
  assert.equal(may('10.1.0.9'), true);
  assert.equal(may('10.2.0.9'), false);
  assert.equal(may('192.0.2.9'), false);
});

test('departed nodes are not authorised, visiting ones are', () => {
  const { directory, lndt, may } = setUp([['10.1.0.0/24']]);
  directory.apply(record('10.1.0.9', 'vr-b', 2, 1));
  directory.apply(record('10.2.0.9', 'vr-a', 2, 1));
  directory.apply(record('10.2.0.8', 'vr-b', 1, 1));
  directory.apply(record('10.1.0.1', 'vr-a', 1, 1));
  assert.deepEqual(
    [may('10.1.0.9'), may('10.2.0.9'), may('10.2.0.8'), may('10.1.0.1')],
    [false, true, false, true],
  );
  assert.deepEqual(
    lndt.departed().map((each) => each.ip.key),
    ['10.1.0.9'],
  );
  assert.deepEqual(
    lndt.visiting().map((each) => each.ip.key),
    ['10.2.0.9'],
  );
  directory.apply(record('10.1.0.9', 'vr-b', 2, 2, { state: 'withdrawn' }));
  directory.withdraw(BLUE, Ip.of('10.2.0.9'));
  assert.deepEqual([may('10.1.0.9'), may('10.2.0.9')], [true, false], 'tombstones place nobody');
  assert.deepEqual([lndt.departed(), lndt.visiting()], [[], []]);
});

test('a network’s gateway is always authorised at its home, and only there', () => {
  const { directory, may } = setUp([['10.1.0.0/24', M9]]);
  assert.equal(may('10.1.0.254', M8), true, 'a wider pin does not concern it');
  assert.equal(may('10.2.0.254', M8), false);
  directory.apply(record('10.1.0.254', 'vr-b', 2, 1));
  assert.equal(may('10.1.0.254', M8), true, 'whatever the directory says');
  assert.equal(setUp([]).may('10.1.0.254', M8), true);
  assert.equal(setUp([['10.1.0.254', M9]]).may('10.1.0.254', M8), false, 'unless it is pinned itself');
});
