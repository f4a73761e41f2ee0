/** The table of who may say what on the link, row by row. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Conduct } from '../../../src/protocol/conduct.js';
import type { LinkMessage } from '../../../src/protocol/control-message.js';
import { Counters } from '../../../src/tunnel/counters.js';
import { LinkAuthority, type RouterStanding } from '../../../src/tunnel/link/authority.js';
import { SimClock } from '../../support/sim-clock.js';

const NO_FACTS = { beginsAnew: false, answersPing: false };
const HELLO: LinkMessage = {
  type: 'hello',
  routerId: 'vr-b',
  version: '1',
  protocolMajor: 1,
  protocolMinor: 0,
  capabilities: [],
  gndtDigest: new Uint8Array(32),
  innerMtuBytes: 1_500,
};
const PING: LinkMessage = { type: 'ping', token: 1 };
const PONG: LinkMessage = { type: 'pong', token: 1, wallUs: 0, coordinate: undefined };
const BYE: LinkMessage = { type: 'bye', reason: '', refusal: false };
const seek = (router: string): LinkMessage => ({ type: 'seek', router });
const seen = (router: string): LinkMessage => ({ type: 'seen', router, ip: undefined, port: 0 });

/** The gate for vr-b; vr-c is reached, vr-d is not, vr-x is unknown. */
class Bench {
  readonly clock = new SimClock();
  readonly counters = new Counters();
  readonly conduct = new Conduct(this.clock);
  readonly authority = new LinkAuthority('vr-b', {
    ports: this,
    routers: {
      standingOf: (router): RouterStanding => {
        if (router === 'vr-x') return 'unknown';
        return router === 'vr-c' ? 'reached' : 'unreached';
      },
    },
    conduct: this.conduct,
    counters: this.counters,
  });

  /** How many of so many are allowed, all at once. */
  allowed(times: number, message: LinkMessage, facts: Partial<typeof NO_FACTS> = {}): number {
    let count = 0;
    for (let i = 0; i < times; i++) if (this.authority.allows(message, { ...NO_FACTS, ...facts })) count++;
    return count;
  }

  get refusals(): number {
    return this.conduct.view('vr-b').refusals;
  }
}

describe('the gate for messages of the link', () => {
  for (const [name, message, facts, burst, perSecond] of [
    ['a Hello', HELLO, {}, 20, 1],
    ['a Hello that begins anew', HELLO, { beginsAnew: true }, 10, 0.5],
    ['a Ping', PING, {}, 400, 200],
    ['a Bye', BYE, {}, 10, 1],
    ['a Seek', seek('vr-d'), {}, 2_000, 500],
    ['a Seen that nobody asked for', seen('vr-d'), {}, 1_000, 100],
  ] as const)
    it(`lets ${name} through ${burst} times at once, then ${perSecond} a second`, () => {
      const bench = new Bench();
      assert.equal(bench.allowed(burst, message, facts), burst);
      assert.equal(bench.allowed(1, message, facts), 0);
      assert.equal(bench.counters.get(`control_refused_${message.type}_too_soon`), 1);
      assert.equal(bench.refusals, 1);
      bench.clock.advance(2_000);
      assert.equal(bench.allowed(3_000, message, facts), 2 * perSecond);
    });

  it('takes an eighth from who misbehaves, and everything again from who has stopped', () => {
    const bench = new Bench();
    assert.equal(bench.allowed(500, PING), 400);
    assert.equal(bench.conduct.isMisbehaving('vr-b'), true);
    bench.clock.advance(1_000);
    assert.equal(bench.allowed(500, PING), 25);
    bench.clock.advance(300_000);
    assert.equal(bench.allowed(500, PING), 400);
  });

  it('lets one that begins anew through even when it misbehaves, once it has waited', () => {
    const bench = new Bench();
    bench.allowed(500, PING);
    assert.equal(bench.allowed(2, HELLO, { beginsAnew: true }), 1);
    bench.clock.advance(12_000);
    assert.equal(bench.allowed(2, HELLO, { beginsAnew: true }), 1);
  });

  it('takes a Pong only when a Ping waits for it', () => {
    const bench = new Bench();
    assert.equal(bench.allowed(5_000, PONG, { answersPing: true }), 5_000);
    assert.equal(bench.allowed(1, PONG), 0);
    assert.equal(bench.counters.get('control_refused_pong_unasked'), 1);
    assert.equal(bench.refusals, 1);
  });

  it('takes what is asked and told about other routers of the file only', () => {
    const bench = new Bench();
    for (const router of ['vr-x', 'vr-b']) {
      assert.equal(bench.allowed(1, seek(router)), 0);
      assert.equal(bench.allowed(1, seen(router)), 0);
    }
    assert.equal(bench.counters.get('control_refused_seek_unknown_router'), 2);
    assert.equal(bench.counters.get('control_refused_seen_unknown_router'), 2);
    assert.equal(bench.refusals, 4);
    assert.equal(bench.allowed(1, seek('vr-c')), 1);
  });

  it('takes a Seen about a router that is reached only in answer to a Seek; it is no fault to say it all the same', () => {
    const bench = new Bench();
    assert.equal(bench.allowed(1, seen('vr-c')), 0);
    bench.authority.sought('vr-c');
    assert.equal(bench.allowed(2, seen('vr-c')), 1);
    bench.authority.sought('vr-c');
    bench.clock.advance(10_000);
    assert.equal(bench.allowed(1, seen('vr-c')), 0);
    assert.equal(bench.counters.get('control_refused_seen_not_sought'), 3);
    assert.equal(bench.refusals, 0);
  });

  it('takes answers to Seeks whatever was said unasked', () => {
    const bench = new Bench();
    bench.allowed(1_100, seen('vr-d'));
    for (let i = 0; i < 50; i++) {
      bench.authority.sought('vr-d');
      assert.equal(bench.allowed(2, seen('vr-d')), 1);
    }
  });

  it('remembers a bounded number of questions', () => {
    const bench = new Bench();
    bench.authority.sought('vr-c');
    for (let i = 0; i < 1_024; i++) bench.authority.sought(`vr-${i}`);
    assert.equal(bench.allowed(1, seen('vr-c')), 0);
  });
});
