import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Following } from '../../../src/pair/following.js';
import { type Health, LEARNT_STEP, MAX_TERM, priorityOf, TERM_STEP } from '../../../src/pair/heartbeat.js';
import { step, TICK_MS } from '../../../src/pair/role.js';
import { initialState, type PairAction, type PairEvent, type PairState } from '../../../src/pair/state.js';

const SOUND: Health = { soundLans: 1, lans: 1, peersUp: 2 };

/** One router, told what happens; writes down what it does, without what it says every 50 ms. */
class Transcript {
  readonly lines: string[] = [];
  state: PairState;
  #nowMs = 0;
  health = SOUND;
  heardOther = true;

  constructor(place: 0 | 1, term = 0) {
    this.state = initialState(place, term);
  }

  tell(event: PairEvent): void {
    const { state, actions } = step(this.state, event, this.#nowMs);
    this.state = state;
    for (const action of actions) this.#write(action);
  }

  /** @param partner is heard every 50 ms while that passes */
  pass(forMs: number, partner?: { role: 'active' | 'standby'; term: number; health?: Health }): void {
    for (const untilMs = this.#nowMs + forMs; this.#nowMs < untilMs; ) {
      this.#nowMs += TICK_MS;
      if (partner !== undefined && this.#nowMs % 50 === 0) this.hear(partner);
      const { health, heardOther } = this;
      this.tell({ type: 'tick', health, heardOther, witnesses: 2, nearestRttMs: 20 });
    }
  }

  hear(partner: { role: 'active' | 'standby'; term: number; health?: Health }): void {
    this.tell({ type: 'heartbeat', heartbeat: { health: SOUND, ...partner } });
  }

  stall(forMs: number): void {
    this.#nowMs += forMs;
  }

  #write(action: PairAction): void {
    if (action.do === 'heartbeat' || action.do === 'advertise') return;
    const { do: what, ...rest } = action;
    this.lines.push([this.#nowMs, what, ...Object.values(rest)].join(' '));
  }
}

const ACTIVE = { role: 'active', term: 1 } as const;

test('silence, a question, a takeover', () => {
  const router = new Transcript(1);
  router.pass(100, ACTIVE);
  router.pass(275);
  router.tell({ type: 'answer', id: 1, heardAgoMs: 300, term: 1 });
  router.tell({ type: 'answer', id: 1, heardAgoMs: 210, term: 1 });
  router.pass(100);
  assert.deepEqual(router.lines, [
    '50 store 1',
    '350 ask 1',
    '450 store 2',
    '450 become active 2 silence',
    '450 tell-role 2',
    '450 announce',
  ]);
});

test('others still hear it: no takeover, and the question again', () => {
  const router = new Transcript(1);
  router.pass(100, ACTIVE);
  router.pass(275);
  for (const heardAgoMs of [40, 90]) router.tell({ type: 'answer', id: 1, heardAgoMs, term: 1 });
  router.pass(100);
  assert.deepEqual(router.lines, ['50 store 1', '350 ask 1', '475 ask 2']);
});

test('others still hear it, but its LANs are worse: takeover', () => {
  const router = new Transcript(1);
  router.pass(100, { ...ACTIVE, health: { ...SOUND, soundLans: 0 } });
  router.pass(275);
  for (const heardAgoMs of [40, 90]) router.tell({ type: 'answer', id: 1, heardAgoMs, term: 1 });
  router.pass(100);
  assert.match(router.lines.join('\n'), /become active 2 silence/);
});

test('its own stall is nobody’s silence', () => {
  const router = new Transcript(1);
  router.pass(100, ACTIVE);
  for (let i = 0; i < 20; i++) {
    router.pass(200);
    router.stall(100);
  }
  assert.deepEqual(router.lines, ['50 store 1']);
});

test('an answer to another question, or one too many, counts for nothing', () => {
  const router = new Transcript(1);
  router.pass(100, ACTIVE);
  router.pass(250);
  for (let i = 0; i < 5; i++) router.tell({ type: 'answer', id: 9, heardAgoMs: 10, term: 1 });
  for (const heardAgoMs of [300, 300, 10, 10, 10])
    router.tell({ type: 'answer', id: 1, heardAgoMs, term: 1 });
  router.pass(125);
  assert.match(router.lines.join('\n'), /become active 2 silence/);
});

test('an active router stands down for a higher term, for the same one only if it is the later in the list', () => {
  for (const [place, term, stands] of [
    [0, 1, false],
    [1, 1, true],
    [0, 2, true],
    [1, 2, true],
    [0, 0, false],
  ] as const) {
    const router = new Transcript(place);
    router.tell({ type: 'order', role: 'active' });
    router.lines.length = 0;
    router.hear({ role: 'active', term });
    assert.equal(router.state.role, stands ? 'standby' : 'active', `${place} ${term}`);
    if (stands) continue;
    router.hear({ role: 'standby', term });
    // It says again who is active, when the other has understood.
    assert.deepEqual(router.lines, ['0 tell-role 1', '0 announce']);
  }
});

test('a term that is too high in one message, or out of range, is not taken', () => {
  const router = new Transcript(0, 5);
  router.hear({ role: 'active', term: 5 + TERM_STEP + 1 });
  router.hear({ role: 'active', term: MAX_TERM + 1 });
  assert.equal(router.state.term, 5);
  router.tell({ type: 'answer', id: 1, heardAgoMs: 1, term: 2 ** 53 });
  assert.equal(router.state.term, 5 + LEARNT_STEP);
  // However often it is said: what the pair says itself next is what other sites take.
  for (let i = 0; i < (2 * TERM_STEP) / LEARNT_STEP; i++)
    router.tell({ type: 'answer', id: 1, heardAgoMs: 1, term: 2 ** 53 });
  assert.equal(router.state.term, 5 + LEARNT_STEP);
});

test('a site that follows a term far above: what is said then is not out of range for the others', () => {
  const router = new Transcript(0, 3);
  router.tell({ type: 'order', role: 'active' });
  const others = new Following([['pair', router.state.term, 'vr-1']]);
  for (let i = 0; i < 2_000; i++) {
    router.pass(600);
    router.tell({ type: 'refused', term: MAX_TERM });
    router.tell({ type: 'answer', id: 0, heardAgoMs: undefined, term: MAX_TERM });
    assert.equal(others.told('pair', ['vr-1', 'vr-2'], 'vr-1', router.state.term, 0), 'known');
  }
});

test('the highest term that there is stays in range', () => {
  const router = new Transcript(0, MAX_TERM);
  router.tell({ type: 'order', role: 'active' });
  assert.equal(router.state.term, MAX_TERM);
});

test('hand-over: only to a partner that is heard and has a LAN', () => {
  const router = new Transcript(0);
  router.tell({ type: 'order', role: 'active' });
  router.lines.length = 0;
  router.tell({ type: 'order', role: 'standby' });
  router.hear({ role: 'standby', term: 1, health: { ...SOUND, soundLans: 0 } });
  router.tell({ type: 'order', role: 'standby' });
  router.hear({ role: 'standby', term: 1 });
  router.tell({ type: 'order', role: 'standby' });
  assert.deepEqual(router.lines, ['0 refuse no-partner', '0 refuse partner-unfit', '0 hand-over']);
  assert.equal(router.state.role, 'active');
});

test('better health must last a second', () => {
  const worse = { ...ACTIVE, health: { ...SOUND, peersUp: 0 } };
  const router = new Transcript(1);
  router.pass(900, worse);
  router.pass(100, ACTIVE);
  router.pass(900, worse);
  assert.deepEqual(router.lines, ['50 store 1']);
  router.pass(300, worse);
  assert.match(router.lines.join('\n'), /become active 2 better-health/);
});

test('without LAN and without anybody: isolated, until either is back', () => {
  const router = new Transcript(0);
  router.tell({ type: 'order', role: 'active' });
  router.heardOther = false;
  router.pass(1_000);
  assert.equal(router.state.role, 'active');
  router.health = { ...SOUND, soundLans: 0 };
  router.pass(100);
  assert.equal(router.state.role, 'isolated');
  router.health = SOUND;
  router.pass(100);
  assert.equal(router.state.role, 'standby');
});

test('other sites that follow a higher term: this one is raised above it, not given up', () => {
  const router = new Transcript(0, 3);
  router.tell({ type: 'order', role: 'active' });
  router.lines.length = 0;
  router.tell({ type: 'refused', term: 7 });
  router.pass(600);
  router.tell({ type: 'refused', term: 7 });
  assert.deepEqual(router.lines, ['600 store 8', '600 tell-role 8']);
});

test('health as a priority: 10 to 250, LANs and the WAN alike', () => {
  assert.equal(priorityOf({ soundLans: 0, lans: 2, peersUp: 0 }), 10);
  assert.equal(priorityOf({ soundLans: 1, lans: 2, peersUp: 0 }), 70);
  assert.equal(priorityOf({ soundLans: 0, lans: 2, peersUp: 9 }), 130);
  assert.equal(priorityOf({ soundLans: 2, lans: 2, peersUp: 1 }), 250);
  assert.equal(priorityOf({ soundLans: 0, lans: 0, peersUp: 1 }), 250);
});

test('an active router says no term that it has from an answer: it is not on disk', () => {
  const router = new Transcript(0);
  router.tell({ type: 'order', role: 'active' });
  const { term } = router.state;
  router.tell({ type: 'answer', id: 0, heardAgoMs: undefined, term: term + 7 });
  assert.equal(router.state.term, term);
});
