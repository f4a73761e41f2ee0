/**
 * A site with two routers, routers of other sites, the LAN between the two and the WAN: links that lose, delay and
 * reorder, cuts, routers that stall, die and come back, with their disk or without. One clock, one seed.
 */
import { type Health, type Place, priorityOf } from '../../src/pair/heartbeat.js';
import { step, TICK_MS } from '../../src/pair/role.js';
import { initialState, type PairAction, type PairEvent, type PairState } from '../../src/pair/state.js';
import { SimClock } from '../support/sim-clock.js';
import { randomOf } from '../support/sim-lan-wan.js';

/** How often the active router is heard by those that the other may ask. */
const WITNESS_EVERY_MS = 100;
/** Routers of other sites are known to be up for so long after a message. */
const PEER_DEAD_MS = 3_000;
const ROLE_AGAIN_MS = 1_000;
const KEEPALIVE_MS = 1_000;
export interface WorldOptions {
  readonly seed: number;
  readonly others?: number;
  /** 0 to 1, of each message on the WAN and on the LAN. */
  readonly loss?: number;
  readonly wanDelayMs?: number;
  readonly jitterMs?: number;
}

/** One of the two routers. */
class Member {
  state: PairState;
  isAlive = true;
  /** Its process does nothing until then; what comes waits in its sockets. */
  stalledUntilMs = 0;
  /** What the site's machines see: does it answer and forward? */
  answers = false;
  term = 0;
  lanCarrier = true;
  lanCut = false;
  wanCut = false;
  heardOther = false;
  readonly otherHeardMs: number[];
  incarnation = 0;
  lastTickMs = 0;

  constructor(
    readonly place: Place,
    others: number,
  ) {
    this.state = initialState(place, 0);
    this.otherHeardMs = Array.from({ length: others }, () => -Infinity);
  }
}

/** A router of another site: follows the highest term, and knows when it has heard whom as active. */
class Other {
  active: Place | undefined;
  term = 0;
  readonly heardMs = [-Infinity, -Infinity];
}

export interface Change {
  readonly atMs: number;
  readonly place: Place;
  readonly action: Extract<PairAction, { do: 'become' }>;
}

export class PairWorld {
  readonly random: () => number;
  readonly members: readonly [Member, Member];
  readonly others: readonly Other[];
  readonly changes: Change[] = [];
  /** Milliseconds in which both answered, since the last `forget`. */
  bothMs = 0;
  /** Milliseconds in which nobody did. */
  nobodyMs = 0;
  /** Gratuitous announcements on the LAN: the last one's sender. */
  lanPoints: Place | undefined;
  lanIsSplit = false;
  /** Nothing passes between the two over the WAN; each has the others. */
  sessionIsCut = false;
  readonly #options: Required<WorldOptions>;
  readonly #clock = new SimClock();
  #countedMs = 0;

  constructor(options: WorldOptions) {
    this.#options = { others: 3, loss: 0, wanDelayMs: 10, jitterMs: 2, ...options };
    this.random = randomOf(options.seed);
    const { others } = this.#options;
    this.members = [new Member(0, others), new Member(1, others)];
    this.others = Array.from({ length: others }, () => new Other());
    for (const member of this.members) this.#begin(member, this.random() * TICK_MS);
    for (let i = 0; i < others; i++) this.#keepalive(i);
  }

  get active(): readonly Place[] {
    return this.members.filter(({ answers, isAlive }) => answers && isAlive).map(({ place }) => place);
  }

  get nowMs(): number {
    return this.#clock.nowMs();
  }

  run(forMs: number): void {
    this.#clock.advance(forMs);
    this.#count();
  }

  /** Calls it in so many milliseconds. */
  in(delayMs: number, action: () => void): void {
    this.#clock.after('pair world', delayMs, () => {
      this.#count();
      action();
    });
  }

  forget(): void {
    this.bothMs = 0;
    this.nobodyMs = 0;
    this.changes.length = 0;
  }

  stall(place: Place, forMs: number): void {
    const member = this.members[place];
    member.stalledUntilMs = Math.max(member.stalledUntilMs, this.nowMs + forMs);
  }

  kill(place: Place): void {
    const member = this.members[place];
    member.isAlive = false;
    member.answers = false;
    member.incarnation++;
  }

  /** @param keepsDisk its term */
  start(place: Place, keepsDisk = true): void {
    const member = this.members[place];
    if (member.isAlive) return;
    member.isAlive = true;
    member.stalledUntilMs = 0;
    member.state = initialState(place, keepsDisk ? member.term : 0);
    if (!keepsDisk) member.term = 0;
    member.heardOther = false;
    member.otherHeardMs.fill(-Infinity);
    this.#begin(member, 0);
  }

  tell(place: Place, event: PairEvent): void {
    this.#deliver(this.members[place], () => event);
  }

  healthOf(member: Member): Health {
    const peersUp = member.otherHeardMs.filter((atMs) => this.nowMs - atMs < PEER_DEAD_MS).length;
    return { soundLans: member.lanCarrier && !member.lanCut ? 1 : 0, lans: 1, peersUp };
  }

  /** What has passed since the last event, in which nothing has changed. */
  #count(): void {
    const passedMs = this.nowMs - this.#countedMs;
    this.#countedMs = this.nowMs;
    const answering = this.members.filter(
      ({ answers, lanCut, stalledUntilMs }) => answers && !lanCut && stalledUntilMs <= this.nowMs - passedMs,
    ).length;
    if (answering === 2) this.bothMs += passedMs;
    if (answering === 0) this.nobodyMs += passedMs;
  }

  #begin(member: Member, delayMs: number): void {
    const { incarnation } = member;
    const tick = (): void => {
      if (!member.isAlive || member.incarnation !== incarnation) return;
      if (member.stalledUntilMs > this.nowMs) {
        this.in(member.stalledUntilMs - this.nowMs, tick);
        return;
      }
      const { heardOther } = member;
      member.heardOther = false;
      const health = this.healthOf(member);
      const nearestRttMs = 2 * this.#options.wanDelayMs;
      this.#step(member, { type: 'tick', health, heardOther, witnesses: health.peersUp, nearestRttMs });
      this.in(TICK_MS, tick);
    };
    this.in(delayMs, tick);
    const repeat = (everyMs: number, action: () => void): void => {
      const again = (): void => {
        if (!member.isAlive || member.incarnation !== incarnation) return;
        if (member.stalledUntilMs > this.nowMs) {
          this.in(member.stalledUntilMs - this.nowMs, again);
          return;
        }
        if (member.state.role === 'active') action();
        this.in(everyMs, again);
      };
      this.in(everyMs, again);
    };
    repeat(WITNESS_EVERY_MS, () => this.#tellOthers(member, (other) => this.#heard(other, member)));
    repeat(ROLE_AGAIN_MS, () => this.#tellRole(member, member.state.term));
  }

  #heard(other: Other, { place }: Member): void {
    other.heardMs[place] = this.nowMs;
  }

  #tellOthers(member: Member, action: (other: Other, index: number) => void): void {
    for (const [index, other] of this.others.entries()) this.#wan(member, () => action(other, index));
  }

  #tellRole(member: Member, term: number): void {
    this.#tellOthers(member, (other) => {
      const { place } = member;
      if (other.active !== place && (term < other.term || (term === other.term && other.active === 0))) {
        const event = { type: 'refused', term: other.term } as const;
        this.#wan(member, () => this.#deliver(member, () => event));
      } else if (term >= other.term) {
        other.term = term;
        other.active = place;
      }
    });
  }

  #keepalive(index: number): void {
    for (const member of this.members) {
      this.#wan(member, () =>
        this.#deliver(member, () => {
          member.otherHeardMs[index] = this.nowMs;
          member.heardOther = true;
          return undefined;
        }),
      );
    }
    this.in(KEEPALIVE_MS / 5, () => this.#keepalive(index));
  }

  /** To or from a member, over its WAN link. */
  #wan(member: Member, arrive: () => void): void {
    const { loss, wanDelayMs, jitterMs } = this.#options;
    if (this.random() < loss) return;
    this.in(wanDelayMs + this.random() * jitterMs, () => {
      if (!member.wanCut) arrive();
    });
  }

  #partnerOf(member: Member): Member {
    return this.members[member.place === 0 ? 1 : 0];
  }

  #step(member: Member, event: PairEvent): void {
    const { state, actions } = step(member.state, event, this.nowMs);
    member.state = state;
    for (const action of actions) this.#act(member, action);
  }

  /** When its process runs. */
  #deliver(member: Member, event: () => PairEvent | undefined): void {
    const { incarnation } = member;
    if (!member.isAlive) return;
    if (member.stalledUntilMs > this.nowMs) {
      // Behind the tick that is due: timers run before sockets are read.
      this.in(member.stalledUntilMs - this.nowMs + 0.001, () => {
        if (member.incarnation === incarnation) this.#deliver(member, event);
      });
      return;
    }
    const what = event();
    if (what !== undefined) this.#step(member, what);
  }

  #act(member: Member, action: PairAction): void {
    switch (action.do) {
      case 'store':
        member.term = action.term;
        break;
      case 'become':
        member.answers = action.role === 'active';
        this.changes.push({ atMs: this.nowMs, place: member.place, action });
        break;
      case 'tell-role':
        this.#tellRole(member, action.term);
        break;
      case 'announce':
        if (!member.lanCut) this.lanPoints = member.place;
        break;
      case 'heartbeat':
        this.#toPartner(member, { type: 'heartbeat', heartbeat: action.heartbeat });
        break;
      case 'hand-over':
        this.#toPartner(member, { type: 'hand-over' });
        break;
      case 'advertise':
        this.#advertise(member, action.priority);
        break;
      case 'ask':
        this.#ask(member, action.id);
        break;
      case 'refuse':
        break;
    }
  }

  #toPartner(member: Member, event: PairEvent): void {
    const partner = this.#partnerOf(member);
    this.#wan(member, () => {
      if (!partner.wanCut && !this.sessionIsCut) this.#deliver(partner, () => event);
    });
  }

  #advertise(member: Member, priority: number): void {
    const partner = this.#partnerOf(member);
    if (this.random() < this.#options.loss) return;
    this.in(0.2, () => {
      if (member.lanCut || partner.lanCut || this.lanIsSplit) return;
      this.#deliver(partner, () => ({ type: 'advertisement', priority }));
    });
  }

  #ask(member: Member, id: number): void {
    const { place } = this.#partnerOf(member);
    this.#tellOthers(member, (other) => {
      const heardMs = other.heardMs[place] ?? -Infinity;
      const heardAgoMs = heardMs === -Infinity ? undefined : this.nowMs - heardMs;
      const { term } = other;
      this.#wan(member, () => this.#deliver(member, () => ({ type: 'answer', id, heardAgoMs, term })));
    });
  }
}

/** For messages of failing tests. */
export function describe(world: PairWorld): string {
  const members = world.members.map(
    ({ place, isAlive, state, answers, lanCut, wanCut }: Member) =>
      `${place}: ${isAlive ? state.role : 'dead'}${answers ? ' answers' : ''} term ${state.term} ` +
      `priority ${priorityOf(state.health)}${lanCut ? ' LAN cut' : ''}${wanCut ? ' WAN cut' : ''}`,
  );
  const others = world.others.map(({ active, term }) => `${active}@${term}`);
  const changes = world.changes.map(
    ({ atMs, place, action }) =>
      `${atMs.toFixed(0)} ms: ${place} ${action.role} (${action.cause}) ${action.term}`,
  );
  return [`at ${world.nowMs.toFixed(0)} ms`, ...members, `others: ${others.join(', ')}`, ...changes].join(
    '\n',
  );
}
