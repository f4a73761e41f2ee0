import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PairAuthority, type PairFacts } from '../../../src/pair/authority.js';
import { Conduct } from '../../../src/protocol/conduct.js';
import type { PairMessage } from '../../../src/protocol/pair-message.js';
import { SimClock } from '../../support/sim-clock.js';

const STRANGER: PairFacts = { isPartner: false, isOfOtherPair: false, isAnswer: false };
const PARTNER = { ...STRANGER, isPartner: true };
const OF_PAIR = { ...STRANGER, isOfOtherPair: true };
const ASKED = { ...STRANGER, isAnswer: true };

const MESSAGES: { readonly [Type in PairMessage['type']]: Extract<PairMessage, { type: Type }> } = {
  pairHeartbeat: {
    type: 'pairHeartbeat',
    role: 'active',
    term: 1,
    soundLans: 1,
    lans: 1,
    peersUp: 1,
    heardVrids: [],
    virtualVrids: [],
  },
  siteActive: { type: 'siteActive', term: 1 },
  siteActiveRefused: { type: 'siteActiveRefused', term: 1 },
  partnerQuery: { type: 'partnerQuery', queryId: 1 },
  partnerAnswer: { type: 'partnerAnswer', queryId: 1, heardAgoMs: 5, term: 1 },
  handOver: { type: 'handOver' },
};

/** Who may say each. */
const MAY: Readonly<Record<PairMessage['type'], readonly PairFacts[]>> = {
  pairHeartbeat: [PARTNER],
  siteActive: [PARTNER, OF_PAIR],
  siteActiveRefused: [ASKED],
  partnerQuery: [OF_PAIR],
  partnerAnswer: [ASKED],
  handOver: [PARTNER],
};

function gate(): { authority: PairAuthority; clock: SimClock; conduct: Conduct; counted: string[] } {
  const clock = new SimClock();
  const conduct = new Conduct(clock);
  const counted: string[] = [];
  const authority = new PairAuthority({ clock, conduct, count: (name) => void counted.push(name) });
  return { authority, clock, conduct, counted };
}

for (const [type, message] of Object.entries(MESSAGES) as [PairMessage['type'], PairMessage][]) {
  test(`${type}: from whom it may come`, () => {
    for (const facts of [STRANGER, PARTNER, OF_PAIR, ASKED]) {
      const { authority, counted } = gate();
      const may = MAY[type].includes(facts);
      assert.equal(authority.allows('vr-x', message, facts), may, JSON.stringify(facts));
      assert.equal(counted.length, may ? 0 : 1);
      if (!may) assert.match(counted[0] ?? '', new RegExp(`^${type}_(not-partner|no-pair|unasked)$`));
    }
  });

  test(`${type}: a flood is refused, and costs its sender alone`, () => {
    const { authority, clock, conduct, counted } = gate();
    const [facts = STRANGER] = MAY[type];
    let taken = 0;
    for (let i = 0; i < 1_000; i++) if (authority.allows('vr-x', message, facts)) taken++;
    assert.ok(taken >= 5 && taken <= 80, `${taken}`);
    assert.equal(counted.length, 1_000 - taken);
    assert.equal(counted.at(-1), `${type}_too-soon`);
    assert.ok(authority.allows('vr-y', message, facts));
    assert.ok(conduct.price('vr-x') > 1);
    clock.advance(600_000);
    assert.ok(authority.allows('vr-x', message, facts));
  });
}
