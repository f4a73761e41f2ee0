/** Whom a site's router asks about its partner, and which answers count. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import type { PairMessage } from '../../../src/protocol/pair-message.js';
import { Witnesses } from '../../../src/router/pair/witnesses.js';
import { SimClock } from '../../support/sim-clock.js';

const SITES = new Map<string, readonly string[]>([
  ['vr-9', ['vr-9']],
  ['here', ['vr-1', 'vr-2']],
  ['there', ['vr-3', 'vr-4']],
  ...['a', 'b', 'c', 'd'].map((id): [string, string[]] => [id, [id]]),
]);
let clock: SimClock;
let up: string[];
let said: [string, PairMessage][];
let witnesses: Witnesses;

beforeEach(() => {
  clock = new SimClock();
  up = ['vr-2', 'vr-3', 'vr-4', 'vr-9', 'a', 'b', 'c', 'd'];
  said = [];
  witnesses = new Witnesses({
    clock,
    gndt: { sites: SITES, self: 'here' },
    tunnel: {
      upPeers: () => up,
      rttMs: (id) => (id === 'b' ? 4 : id === 'c' ? 9 : undefined),
      say: (to, message) => said.push([to, message]),
    },
  });
});

test('one router of each of the next sites, the first five of them; never the partner', () => {
  witnesses.choose();
  assert.deepEqual(witnesses.chosen, ['vr-3', 'a', 'b', 'c', 'd']);
  assert.equal(witnesses.peersUp, 7);
  assert.equal(witnesses.nearestRttMs, 4);
  up = ['vr-2', 'vr-4', 'vr-9'];
  witnesses.choose();
  assert.deepEqual(witnesses.chosen, ['vr-4', 'vr-9']);
  assert.equal(witnesses.nearestRttMs, 0);
});

test('an answer counts for who was asked, once, and for a while', () => {
  witnesses.choose();
  witnesses.ask(3);
  const [, query] = said[0] ?? [];
  assert.ok(query?.type === 'partnerQuery');
  assert.equal(said.length, 5);
  assert.equal(witnesses.isAsked('a', query.queryId), true);
  assert.equal(witnesses.isAsked('vr-4', query.queryId), false);
  assert.equal(witnesses.isAsked('a', query.queryId + 1), false);
  assert.equal(witnesses.answered('a', query.queryId), 3);
  assert.equal(witnesses.isAsked('a', query.queryId), false);
  assert.equal(witnesses.isAsked('b', query.queryId), true);
  clock.advance(6_000);
  witnesses.ask();
  assert.equal(witnesses.isAsked('b', query.queryId), false);
});

test('with nobody up nobody is asked', () => {
  up = ['vr-2'];
  witnesses.choose();
  witnesses.ask(1);
  assert.deepEqual(said, []);
});
