/**
 * Which of a site's two routers is active (design/pairs.md). Pure: an event and the time in, the next state and what is to
 * be done out. Actions are in the order in which they must be done: a term is on disk before anybody hears of it.
 *
 * Silence is counted in ticks that came in time: a router that was itself stopped begins its wait anew, for what was said
 * meanwhile may be in its sockets. Who hears a higher term stands down at once; of two with the same term the later in the
 * site's list does. What a LAN or another site says alone never makes a router stand down: only the partner's word in the
 * session does, and that of the operator; but for one that hears nothing of its partner (`advertisement`, `refused`).
 */
import {
  type Heartbeat,
  hasSoundLan,
  hasWorseLans,
  LEARNT_STEP,
  MAX_TERM,
  priorityOf,
  type Role,
  TERM_STEP,
} from './heartbeat.js';
import {
  type Cause,
  type Inquiry,
  NO_HEALTH,
  type PairAction,
  type PairEvent,
  type PairState,
  type Step,
} from './state.js';

/** How often `tick` comes. */
export const TICK_MS = 25;
/** A tick that comes later was held up: by the scheduler, the hypervisor, a collection. */
export const STALL_MS = 75;
export const HEARTBEAT_EVERY_MS = 50;
/** The later in the list waits longer where the two would otherwise do the same at once. */
const SECOND_WAITS_MS = 100;
/** Other sites' answers are waited for so long, or for two round trips to the nearest. */
const ANSWER_MS = 150;
/** A heartbeat may be lost just after a stall: however soon the others answer, it is waited for once more. */
const CONFIRM_MS = 100;
/** They are asked again while the silence lasts. */
const ASK_AGAIN_MS = 100;
/**
 * Silent in the session for so long, but advertised on the LAN: the others are asked all the same, for anybody on the LAN can
 * advertise.
 */
const LAN_ALONE_MS = 1_000;
/** A difference in health must last. */
const BETTER_FOR_MS = 1_000;
const ISOLATED_AFTER_MS = 500;
/** Other sites follow a higher term than that of the active router, and the partner has not said that it is active. */
const REFUSED_FOR_MS = 500;

export function step(before: PairState, event: PairEvent, nowMs: number): Step {
  const { state, actions } = react(before, event, nowMs);
  const stored = actions.find((action) => action.do === 'store');
  return { state: stored === undefined ? state : { ...state, storedTerm: stored.term }, actions };
}

function react(state: PairState, event: PairEvent, nowMs: number): Step {
  switch (event.type) {
    case 'tick':
      return tick(state, event, nowMs);
    case 'heartbeat':
      return heartbeat(state, event.heartbeat, sinceTick(state, nowMs));
    case 'advertisement':
      return advertisement(state, event.priority, sinceTick(state, nowMs));
    case 'answer':
      return answer(state, event);
    case 'refused':
      return refused(state, event.term);
    case 'hand-over':
      return state.role === 'active' ? { state, actions: [] } : takeOver(state, 'hand-over');
    case 'order':
      return order(state, event.role);
  }
}

/** What the next tick adds although it has passed before now; negative. */
function sinceTick({ tickedMs }: PairState, nowMs: number): number {
  return (tickedMs ?? nowMs) - nowMs;
}

function tick(state: PairState, event: Extract<PairEvent, { type: 'tick' }>, nowMs: number): Step {
  const passedMs = state.tickedMs === undefined ? 0 : nowMs - state.tickedMs;
  // Sessions take seconds to be given up; who hears nobody has no WAN now.
  const isDeaf = state.deafMs >= ISOLATED_AFTER_MS && !event.heardOther;
  const health = isDeaf ? { ...event.health, peersUp: 0 } : event.health;
  const ticked = { ...state, health, tickedMs: nowMs };
  if (passedMs > STALL_MS) return beat(begunAnew(ticked), passedMs);
  const counted = {
    ...ticked,
    unheardMs: state.unheardMs + passedMs,
    inactiveMs: state.inactiveMs + passedMs,
    unadvertisedMs: state.unadvertisedMs + passedMs,
    deafMs: event.heardOther ? 0 : state.deafMs + passedMs,
    sinceAskedMs: state.sinceAskedMs + passedMs,
    refusedMs: state.refusedMs === undefined ? undefined : state.refusedMs + passedMs,
    inquiry: state.inquiry && { ...state.inquiry, waitedMs: state.inquiry.waitedMs + passedMs },
  };
  const decided = decide(counted, event, passedMs);
  const beaten = beat(decided.state, passedMs);
  return { state: beaten.state, actions: [...decided.actions, ...beaten.actions] };
}

/** What was heard before says nothing any more. */
function begunAnew(state: PairState): PairState {
  return {
    ...state,
    unheardMs: 0,
    inactiveMs: 0,
    unadvertisedMs: 0,
    deafMs: 0,
    betterMs: 0,
    refusedMs: undefined,
    inquiry: undefined,
  };
}

function decide(state: PairState, event: Extract<PairEvent, { type: 'tick' }>, passedMs: number): Step {
  switch (state.role) {
    case 'active':
      return state.deafMs >= ISOLATED_AFTER_MS && !hasSoundLan(state.health)
        ? become(state, 'isolated', 'isolation')
        : { state, actions: [] };
    case 'isolated':
      // It waits like any other, whatever has become of the site meanwhile.
      return state.deafMs < ISOLATED_AFTER_MS || hasSoundLan(state.health)
        ? become(begunAnew(state), 'standby', 'isolation-over')
        : { state, actions: [] };
    case 'standby':
      return stand(state, event, passedMs);
  }
}

function stand(state: PairState, event: Extract<PairEvent, { type: 'tick' }>, passedMs: number): Step {
  if (state.inactiveMs < state.deadMs) {
    const compared = compare(state, passedMs);
    const isAdvertisedOnly = state.unheardMs >= LAN_ALONE_MS && event.witnesses > 0;
    if (compared.actions.length > 0 || !isAdvertisedOnly) return compared;
    return suspect(compared.state, event);
  }
  if (state.unheardMs < state.deadMs && state.partner !== undefined) return nobodyActive(state);
  const lateMs = state.place === 1 && state.partner === undefined ? SECOND_WAITS_MS : 0;
  return state.inactiveMs < state.deadMs + lateMs ? { state, actions: [] } : suspect(state, event);
}

/** Nothing is heard of the active router: do others hear it? */
function suspect(state: PairState, event: Extract<PairEvent, { type: 'tick' }>): Step {
  const { inquiry } = state;
  if (inquiry === undefined) return inquire(state, event);
  const answered = inquiry.hears + inquiry.deaf;
  const isWaiting = answered < inquiry.asked && inquiry.waitedMs < inquiry.waitMs;
  if (isWaiting || inquiry.waitedMs < CONFIRM_MS) return { state, actions: [] };
  return conclude({ ...state, inquiry: undefined }, inquiry);
}

/** The partner is there, and says that it is not active either. */
function nobodyActive(state: PairState): Step {
  const { partner, health, place } = state;
  const difference = priorityOf(health) - priorityOf(partner?.health ?? NO_HEALTH);
  const isFirst = difference > 0 || (difference === 0 && place === 0);
  const waitMs = isFirst ? state.deadMs : 2 * state.deadMs;
  return state.inactiveMs >= waitMs ? takeOver(state, 'nobody-active') : { state, actions: [] };
}

function inquire(state: PairState, event: Extract<PairEvent, { type: 'tick' }>): Step {
  if (state.asked > 0 && state.sinceAskedMs < ASK_AGAIN_MS) return { state, actions: [] };
  const id = state.asked + 1;
  const waitMs = Math.max(ANSWER_MS, 2 * event.nearestRttMs);
  const inquiry = { id, asked: event.witnesses, hears: 0, deaf: 0, waitedMs: 0, waitMs };
  const asking = { ...state, asked: id, sinceAskedMs: 0 };
  return { state: { ...asking, inquiry }, actions: event.witnesses === 0 ? [] : [{ do: 'ask', id }] };
}

/** The others have said what they hear, or have not: then the LAN alone counts. */
function conclude(state: PairState, { hears, deaf }: Inquiry): Step {
  const isAlone = hears + deaf === 0;
  const cannotServe = isAlone && (!hasSoundLan(state.health) || state.inactiveMs < state.deadMs);
  const isHeardThere = hears > deaf;
  const isWorse = state.partner !== undefined && hasWorseLans(state.partner.health, state.health);
  if (cannotServe || (isHeardThere && !isWorse)) return { state, actions: [] };
  return takeOver(state, 'silence');
}

/** An active partner is heard: is it as fit as this router? */
function compare(state: PairState, passedMs: number): Step {
  const betterMs = priorityOf(state.health) > priorityOfActive(state) ? state.betterMs + passedMs : 0;
  if (betterMs < BETTER_FOR_MS) return { state: { ...state, betterMs }, actions: [] };
  return takeOver(state, 'better-health');
}

/** What it says in the session counts; only while it says nothing there what anybody on the LAN can say. */
function priorityOfActive({ partner, priority, unheardMs, unadvertisedMs, deadMs }: PairState): number {
  if (partner !== undefined && unheardMs < deadMs) return priorityOf(partner.health);
  return unadvertisedMs < deadMs ? (priority ?? Infinity) : Infinity;
}

function heartbeat(state: PairState, heartbeat: Heartbeat, heardMs: number): Step {
  if (heartbeat.term > MAX_TERM || heartbeat.term > state.term + TERM_STEP) return { state, actions: [] };
  const isActive = heartbeat.role === 'active';
  const heard: PairState = {
    ...state,
    partner: heartbeat,
    unheardMs: heardMs,
    deafMs: heardMs,
    inactiveMs: isActive ? heardMs : state.inactiveMs,
  };
  const isHigher = heartbeat.term > state.term;
  const known = isHigher ? { ...heard, term: heartbeat.term } : heard;
  const stored: PairAction[] = isHigher ? [{ do: 'store', term: known.term }] : [];
  if (state.role !== 'active') return { state: known, actions: stored };
  if (!isActive) return settle(known, stored, isHigher);
  if (isHigher || (heartbeat.term === state.term && state.place === 1)) {
    const down = become(known, 'standby', isHigher ? 'higher-term' : 'same-term');
    return { state: down.state, actions: [...stored, ...down.actions] };
  }
  return { state: { ...known, contested: true }, actions: stored };
}

/** The partner is not active. If it was, or knows a higher term, this router says again that it is. */
function settle(state: PairState, stored: readonly PairAction[], isHigher: boolean): Step {
  if (isHigher) return takeOver(state, 'higher-term');
  if (!state.contested) return { state, actions: stored };
  return {
    state: { ...state, contested: false },
    actions: [...stored, { do: 'tell-role', term: state.term }, { do: 'announce' }],
  };
}

/**
 * Anybody on the LAN can send one. A standby router doubts later for it, or sooner. An active one gives way only when the
 * LAN is all that it has: it cannot hear of a term then.
 */
function advertisement(state: PairState, priority: number, heardMs: number): Step {
  if (state.role === 'active') {
    const givesWay = state.deafMs >= ISOLATED_AFTER_MS && priority > priorityOf(state.health);
    if (givesWay) return become(state, 'standby', 'better-health');
    return { state: priority === 0 ? state : { ...state, unadvertisedMs: heardMs }, actions: [] };
  }
  // Zero: it stops being active. In the session it has said so itself if that is true.
  if (priority === 0) {
    const isSilent = state.unheardMs >= HEARTBEAT_EVERY_MS * 2 || state.partner?.role !== 'active';
    return {
      state: isSilent ? { ...state, inactiveMs: Math.max(state.inactiveMs, state.deadMs) } : state,
      actions: [],
    };
  }
  return { state: { ...state, priority, unadvertisedMs: heardMs, inactiveMs: heardMs }, actions: [] };
}

function answer(state: PairState, { id, heardAgoMs, term }: Extract<PairEvent, { type: 'answer' }>): Step {
  // A router whose disk was lost learns from the others how far terms have come. An active one has said its own, which is on
  // disk: that others follow a higher one it hears when they refuse it.
  const reached = Math.max(state.term, Math.min(term, state.storedTerm + LEARNT_STEP, MAX_TERM));
  const known = state.role === 'active' ? state : { ...state, term: reached };
  const { inquiry } = known;
  if (inquiry?.id !== id || inquiry.hears + inquiry.deaf >= inquiry.asked)
    return { state: known, actions: [] };
  return {
    state: { ...known, inquiry: { ...inquiry, ...counted(inquiry, heardAgoMs, silenceMs(state)) } },
    actions: [],
  };
}

/**
 * Another site follows a higher term: this router's disk was lost, or the partner's was after this one had not heard it.
 * That the partner is active only the partner says; so the answer is a higher term, not to stand down. Only when the partner
 * says nothing, and an active router is heard on this one's LAN, are the two taken together for its word: they would serve one
 * LAN for good.
 */
function refused(state: PairState, term: number): Step {
  if (state.role !== 'active' || term < state.term) return { state, actions: [] };
  const isOtherOnLan = state.unheardMs >= state.deadMs && state.unadvertisedMs < state.deadMs;
  if (state.contested && !isOtherOnLan) return { state, actions: [] };
  if ((state.refusedMs ?? 0) < REFUSED_FOR_MS)
    return { state: { ...state, refusedMs: state.refusedMs ?? 0 }, actions: [] };
  if (isOtherOnLan) return become({ ...state, refusedMs: undefined }, 'standby', 'higher-term');
  const raised = Math.min(term, state.term + LEARNT_STEP, MAX_TERM - 1) + 1;
  return {
    state: { ...state, term: raised, refusedMs: undefined },
    actions: [
      { do: 'store', term: raised },
      { do: 'tell-role', term: raised },
    ],
  };
}

/** Of the active router: on any way, or in the session only while somebody advertises on the LAN. */
function silenceMs({ inactiveMs, unheardMs, deadMs }: PairState): number {
  return inactiveMs < deadMs ? unheardMs : inactiveMs;
}

/**
 * A router hears the others' last words about as late as this one did, and this one asks a quarter of a second after, or
 * later: who has heard more since then hears more than this one does.
 */
function counted(
  { asked, hears, deaf }: Inquiry,
  heardAgoMs: number | undefined,
  silentMs: number,
): Partial<Inquiry> {
  if (heardAgoMs === undefined) return { asked: asked - 1 };
  return heardAgoMs < silentMs / 2 ? { hears: hears + 1 } : { deaf: deaf + 1 };
}

function order(state: PairState, role: 'active' | 'standby'): Step {
  if (role === 'active') return state.role === 'active' ? { state, actions: [] } : takeOver(state, 'order');
  if (state.role !== 'active') return { state, actions: [] };
  if (state.partner === undefined || state.unheardMs >= state.deadMs)
    return { state, actions: [{ do: 'refuse', why: 'no-partner' }] };
  if (!hasSoundLan(state.partner.health)) return { state, actions: [{ do: 'refuse', why: 'partner-unfit' }] };
  return { state, actions: [{ do: 'hand-over' }] };
}

function takeOver(state: PairState, cause: Cause): Step {
  const term = Math.min(state.term + 1, MAX_TERM);
  const contested = state.partner?.role === 'active' && state.unheardMs < state.deadMs;
  const next = { ...begunAnew(state), role: 'active' as const, term, contested };
  return {
    state: next,
    actions: [
      { do: 'store', term },
      { do: 'become', role: 'active', term, cause },
      { do: 'heartbeat', heartbeat: spoken(next) },
      { do: 'tell-role', term },
      { do: 'announce' },
    ],
  };
}

function become(state: PairState, role: Exclude<Role, 'active'>, cause: Cause): Step {
  const next = { ...state, role, contested: false, betterMs: 0, inactiveMs: 0 };
  return {
    state: next,
    actions: [
      { do: 'become', role, term: state.term, cause },
      { do: 'heartbeat', heartbeat: spoken(next) },
    ],
  };
}

function spoken({ role, term, health }: PairState): Heartbeat {
  return { role, term, health };
}

function beat(state: PairState, passedMs: number): Step {
  const beatMs = state.beatMs + passedMs;
  if (beatMs < HEARTBEAT_EVERY_MS) return { state: { ...state, beatMs }, actions: [] };
  const actions: PairAction[] = [{ do: 'heartbeat', heartbeat: spoken(state) }];
  if (state.role === 'active') actions.push({ do: 'advertise', priority: priorityOf(state.health) });
  return { state: { ...state, beatMs: 0 }, actions };
}
