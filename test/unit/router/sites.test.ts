import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TableMessage } from '../../../src/protocol/table-message.js';
import { SiteMessenger } from '../../../src/router/pair/site-messenger.js';
import { Sites } from '../../../src/router/pair/sites.js';
import { Gndt } from '../../../src/tables/gndt.js';
import type { GndtConfig, SiteConfig } from '../../../src/tables/model.js';
import { networkOf, routerOf } from '../../support/packet-worker.js';

const IDS = ['vr-1', 'vr-2', 'vr-3', 'vr-4'];

function config(sites: readonly SiteConfig[], ids: readonly string[] = IDS): GndtConfig {
  return {
    vnets: [{ name: 'blue', id: 1, subnet: undefined }],
    routers: ids.map((id) => routerOf(id)),
    sites,
    networks: [networkOf('10.1.0.0/24', 'one')],
    cipher: 'chacha20-poly1305',
    nodes: [],
  };
}

const PAIR: SiteConfig = { id: 'one', routers: ['vr-2', 'vr-1'] };

test('a site is its routers, a router in none is one by itself', () => {
  const gndt = new Gndt(config([PAIR]), 'vr-1');
  assert.equal(gndt.self, 'one');
  assert.equal(gndt.router, 'vr-1');
  assert.equal(gndt.partner, 'vr-2');
  assert.deepEqual([...gndt.siteIds].sort(), ['one', 'vr-3', 'vr-4']);
  assert.deepEqual(
    [...IDS, 'unknown'].map((id) => gndt.siteOf(id)),
    ['one', 'one', 'vr-3', 'vr-4', 'unknown'],
  );
  const third = new Gndt(config([PAIR]), 'vr-3');
  assert.equal(third.self, 'vr-3');
  assert.equal(third.partner, undefined);
});

test('numbers: routes name the site, packets go to its active router and come from either', () => {
  const gndt = new Gndt(config([PAIR]), 'vr-3');
  const sites = new Sites(gndt);
  const [site, first, second] = ['one', 'vr-2', 'vr-1'].map((id) => gndt.peerIndex(id)) as [
    number,
    number,
    number,
  ];
  assert.equal(new Set([site, first, second]).size, 3);
  assert.equal(sites.activeOf('one'), 'vr-2');
  assert.equal(sites.peers.activeOf(site), first);
  sites.setActive('vr-1');
  assert.equal(sites.activeOf('one'), 'vr-1');
  assert.equal(sites.peers.activeOf(site), second);
  assert.deepEqual(
    [sites.isActive('vr-1'), sites.isActive('vr-2'), sites.isActive('vr-4')],
    [true, false, true],
  );
  for (const peer of [first, second]) assert.equal(sites.peers.siteOf(peer), site);
  const alone = gndt.peerIndex('vr-4');
  assert.deepEqual([sites.peers.activeOf(alone), sites.peers.siteOf(alone)], [alone, alone]);
});

test('a reload: the active router is kept, or is the first; numbers that are free mean themselves again', () => {
  const gndt = new Gndt(config([PAIR]), 'vr-3');
  const sites = new Sites(gndt);
  sites.setActive('vr-1');
  const numbers = ['one', 'vr-1', 'vr-2'].map((id) => gndt.peerIndex(id));
  const reload = (after: GndtConfig): void => {
    const plan = gndt.plan(after, 0);
    if (typeof plan === 'string') throw new Error(plan);
    gndt.adopt(plan, 0);
    sites.renumber();
  };
  reload(config([PAIR]));
  assert.equal(sites.activeOf('one'), 'vr-1');
  reload(config([{ id: 'one', routers: ['vr-2'] }]));
  assert.equal(sites.activeOf('one'), 'vr-2');
  reload(config([], ['vr-3', 'vr-4']));
  assert.equal(sites.activeOf('one'), undefined);
  for (const number of numbers) {
    assert.equal(sites.peers.activeOf(number), number);
    assert.equal(sites.peers.siteOf(number), number);
  }
});

test('a router that gets a partner keeps its site’s id and number: nothing that was said of its nodes changes', () => {
  const gndt = new Gndt(config([], ['vr-1', 'vr-3']), 'vr-3');
  const sites = new Sites(gndt);
  const number = gndt.peerIndex('vr-1');
  const plan = gndt.plan(config([{ id: 'vr-1', routers: ['vr-1', 'vr-2'] }]), 0);
  if (typeof plan === 'string') throw new Error(plan);
  gndt.adopt(plan, 0);
  sites.renumber();
  assert.equal(gndt.siteOf('vr-1'), 'vr-1');
  assert.equal(gndt.siteOf('vr-2'), 'vr-1');
  assert.equal(gndt.peerIndex('vr-1'), number);
  const second = gndt.peerIndex('vr-2');
  assert.equal(sites.peers.activeOf(number), number);
  sites.setActive('vr-2');
  assert.equal(sites.peers.activeOf(number), second);
  assert.deepEqual([sites.peers.siteOf(number), sites.peers.siteOf(second)], [number, number]);
  const own = new Gndt(config([{ id: 'vr-1', routers: ['vr-1', 'vr-2'] }]), 'vr-2');
  assert.deepEqual([own.self, own.partner], ['vr-1', 'vr-1']);
});

test('a router’s own site does not change while it runs', () => {
  const gndt = new Gndt(config([PAIR]), 'vr-1');
  assert.match(String(gndt.plan(config([]), 0)), /of site "one", and would be of "vr-1"/);
});

test('messages for a site go to its active router; sites whose active router is away are not up', () => {
  const gndt = new Gndt(config([PAIR]), 'vr-3');
  const sites = new Sites(gndt);
  const sent: string[] = [];
  let up = ['vr-1', 'vr-2', 'vr-4'];
  const tunnel = { send: (to: string) => void sent.push(to), upPeers: () => up };
  const messenger = new SiteMessenger(tunnel, gndt, sites);
  const message = {} as TableMessage;
  for (const site of ['one', 'vr-4', 'nowhere']) messenger.send(site, message);
  assert.deepEqual(sent, ['vr-2', 'vr-4']);
  assert.deepEqual(messenger.upPeers(), ['one', 'vr-4']);
  up = ['vr-1', 'vr-4'];
  assert.deepEqual(messenger.upPeers(), ['vr-4']);
  sites.setActive('vr-1');
  assert.deepEqual(messenger.upPeers(), ['one', 'vr-4']);
  // The partner is of the own site, which is nobody to be asked.
  const own = new Gndt(config([PAIR]), 'vr-1');
  const partnerUp = { send: () => {}, upPeers: () => ['vr-2', 'vr-3'] };
  assert.deepEqual(new SiteMessenger(partnerUp, own, new Sites(own)).upPeers(), ['vr-3']);
});
