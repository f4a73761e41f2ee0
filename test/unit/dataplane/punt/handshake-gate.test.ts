import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Budgets } from '../../../../src/dataplane/budget/budgets.js';
import { type GateVerdict, HandshakeGate } from '../../../../src/dataplane/punt/handshake-gate.js';
import type { AddressWords } from '../../../../src/dataplane/punt/punt.js';
import { SimClock } from '../../../support/sim-clock.js';

const [INITIATION, RESPONSE, COOKIE] = [1, 2, 3];
const v4 = (n: number): AddressWords => ({ family: 4, words: [0, 0, 0, n] });
const v6 = (subnet: number, host: number): AddressWords => ({
  family: 6,
  words: [0x20010db8, subnet, 0, host],
});

function setUp() {
  const clock = new SimClock();
  const gate = new HandshakeGate(new Budgets(clock, undefined));
  const judge = (type: number, isProven: boolean, source: AddressWords): GateVerdict =>
    gate.judge(type, isProven, source);
  /** Verdicts of a flood, one every 20 µs, from an address each. */
  const flood = (seconds: number, type = INITIATION, isProven = false): Record<GateVerdict, number> => {
    const counts = { pass: 0, cookie: 0, limited: 0 };
    for (let i = 0; i < seconds * 1_000; i++) {
      for (let j = 0; j < 50; j++) counts[judge(type, isProven, v4(i * 50 + j))]++;
      clock.advance(1);
    }
    return counts;
  };
  return { clock, gate, judge, flood };
}

describe('handshake gate', () => {
  it('lets everything pass when there is little', () => {
    const { clock, judge } = setUp();
    for (let i = 0; i < 1_000; i++) {
      assert.equal(judge(i % 2 === 0 ? INITIATION : RESPONSE, false, v4(1)), 'pass');
      clock.advance(21);
    }
  });

  for (const [name, type] of [
    ['initiations', INITIATION],
    ['responses', RESPONSE],
  ] as const) {
    it(`passes 50 of 50,000 ${name} a second, and answers 10,000 with a cookie`, () => {
      const { flood } = setUp();
      flood(1, type);
      const { pass, cookie, limited } = flood(4, type);
      assert.ok(Math.abs(pass - 200) <= 2, `${pass}`);
      assert.ok(Math.abs(cookie - 40_000) <= 25, `${cookie}`);
      assert.equal(pass + cookie + limited, 200_000);
    });
  }

  it('lets a proven address in during a flood, 20 a second', () => {
    const { clock, judge, flood } = setUp();
    flood(1);
    assert.equal(judge(INITIATION, true, v4(0x0a000001)), 'pass');
    let passed = 0;
    for (let ms = 0; ms < 5_000; ms++) {
      for (let i = 0; i < 50; i++) judge(INITIATION, false, v4(ms * 50 + i));
      if (judge(INITIATION, true, v4(0x0a000001)) === 'pass') passed++;
      clock.advance(1);
    }
    assert.ok(passed >= 100 && passed <= 5 + 101, `${passed}`);
  });

  it('takes one IPv6 /64 for one address', () => {
    const { judge, flood } = setUp();
    flood(1);
    const verdicts = Array.from({ length: 8 }, (_, host) => judge(INITIATION, true, v6(7, host)));
    // One may pass unasked, whoever it is of, and five are the address's.
    assert.deepEqual(verdicts.slice(6), ['limited', 'limited']);
    assert.equal(judge(INITIATION, true, v6(8, 1)), 'pass');
  });

  it('bounds what many proven addresses can do together', () => {
    const { flood } = setUp();
    flood(2, INITIATION, true);
    const { pass } = flood(2, INITIATION, true);
    assert.ok(pass <= 2 * 1_050 + 5, `${pass}`);
  });

  it('bounds cookie replies, and never answers one', () => {
    const { flood } = setUp();
    flood(1, COOKIE);
    const { pass, cookie } = flood(2, COOKIE);
    assert.ok(Math.abs(pass - 400) <= 2, `${pass}`);
    assert.equal(cookie, 0);
  });

  it('takes what a relay passes on at a rate for each router behind it, and one for the relay', () => {
    const { clock, gate } = setUp();
    const [relay, other, sender] = [0, 1, 2];
    const passed = (relay: number, senders: number, each: number): number => {
      let count = 0;
      for (let i = 0; i < senders * each; i++)
        count += Number(gate.mayPassRelayed(relay, sender + (i % senders)));
      return count;
    };
    assert.equal(passed(relay, 1, 1_000), 5, 'as a proven address');
    assert.equal(passed(other, 1, 1), 1, 'by way of another relay the same router has its own');
    clock.advance(60_000);
    assert.equal(passed(relay, 1_000, 100), 1_000, 'a relay that floods in the name of all others');
    clock.advance(1_000);
    assert.equal(passed(relay, 1_000, 100), 200);
    assert.equal(passed(other, 1, 1), 1);
  });
});
