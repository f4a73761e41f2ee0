import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Conduct } from '../../../src/protocol/conduct.js';
import type { PairMessage } from '../../../src/protocol/pair-message.js';
import { SiteRoles } from '../../../src/router/pair/site-roles.js';
import { Sites } from '../../../src/router/pair/sites.js';
import { Gndt } from '../../../src/tables/gndt.js';
import { networkOf, routerOf } from '../../support/packet-worker.js';
import { SimClock } from '../../support/sim-clock.js';

let clock: SimClock;
let sites: Sites;
let roles: SiteRoles;
let followed: [site: string, term: number, active: string][];
const saved: [string, number, string][] = [];
let said: (readonly [to: string, message: PairMessage])[];

/** A router, vr-3, beside a site of two, and a router without a partner, vr-4. */
beforeEach(() => {
  clock = new SimClock();
  said = [];
  const config = {
    vnets: [{ name: 'blue', id: 1, subnet: undefined }],
    routers: ['vr-1', 'vr-2', 'vr-3', 'vr-4'].map((id) => routerOf(id)),
    sites: [{ id: 'one', routers: ['vr-1', 'vr-2'] }],
    networks: [networkOf('10.1.0.0/24', 'one')],
    cipher: 'chacha20-poly1305' as const,
    nodes: [],
  };
  const gndt = new Gndt(config, 'vr-3');
  sites = new Sites(gndt);
  const tunnel = { say: (to: string, message: PairMessage) => void said.push([to, message]) };
  followed = [];
  const terms = {
    others: () => saved.values(),
    follow: (...it: [string, number, string]) => void followed.push(it),
    keepOnly: () => {},
  };
  roles = new SiteRoles({ clock, gndt, sites, tunnel, conduct: new Conduct(clock), terms, desk: undefined });
});

test('the router that says that it is active is followed, in the highest term', () => {
  roles.received('vr-2', { type: 'siteActive', term: 1 });
  assert.equal(sites.activeOf('one'), 'vr-2');
  roles.received('vr-1', { type: 'siteActive', term: 2 });
  assert.equal(sites.activeOf('one'), 'vr-1');
  roles.received('vr-2', { type: 'siteActive', term: 1 });
  assert.equal(sites.activeOf('one'), 'vr-1');
  assert.deepEqual(said, [['vr-2', { type: 'siteActiveRefused', term: 2 }]]);
  assert.deepEqual(followed, [
    ['one', 1, 'vr-2'],
    ['one', 2, 'vr-1'],
  ]);
  assert.deepEqual(roles.counters(), { site_active_changed: 2 });
});

test('asked about its partner, it says when that was heard as active', () => {
  roles.received('vr-1', { type: 'partnerQuery', queryId: 1 });
  roles.received('vr-2', { type: 'siteActive', term: 3 });
  clock.advance(120);
  roles.received('vr-1', { type: 'partnerQuery', queryId: 2 });
  clock.advance(100_000);
  roles.received('vr-1', { type: 'partnerQuery', queryId: 3 });
  assert.deepEqual(said, [
    ['vr-1', { type: 'partnerAnswer', queryId: 1, heardAgoMs: undefined, term: 0 }],
    ['vr-1', { type: 'partnerAnswer', queryId: 2, heardAgoMs: 120, term: 3 }],
    ['vr-1', { type: 'partnerAnswer', queryId: 3, heardAgoMs: 60_000, term: 3 }],
  ]);
});

test('a router without a partner, and words that only a partner may say, are refused and counted', () => {
  roles.received('vr-4', { type: 'siteActive', term: 1 });
  roles.received('vr-4', { type: 'partnerQuery', queryId: 1 });
  for (const from of ['vr-1', 'vr-4']) {
    roles.received(from, { type: 'handOver' });
    roles.received(from, { type: 'siteActiveRefused', term: 1 });
    roles.received(from, { type: 'partnerAnswer', queryId: 1, heardAgoMs: 1, term: 1 });
    const health = { soundLans: 1, lans: 1, peersUp: 1, heardVrids: [], virtualVrids: [] };
    roles.received(from, { type: 'pairHeartbeat', role: 'active', term: 9, ...health });
  }
  assert.deepEqual(said, []);
  assert.equal(sites.activeOf('one'), 'vr-1');
  assert.deepEqual(roles.counters(), {
    pair_refused_handOver_not_partner: 2,
    pair_refused_pairHeartbeat_not_partner: 2,
    pair_refused_partnerAnswer_unasked: 2,
    pair_refused_partnerQuery_no_pair: 1,
    pair_refused_siteActiveRefused_unasked: 2,
    pair_refused_siteActive_no_pair: 1,
  });
});

test('a term that no router would say is counted, and nothing else', () => {
  roles.received('vr-2', { type: 'siteActive', term: 2 ** 40 });
  assert.equal(sites.activeOf('one'), 'vr-1');
  assert.deepEqual(roles.counters(), { pair_term_out_of_range: 1 });
});
