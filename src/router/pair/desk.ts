/**
 * Which of a site's two routers is active: hands the state machine (`pair/role.ts`) what happens, and does what it says. The
 * order of its actions is kept: a term is on disk before anybody hears of it, and the LANs are served before others are told.
 */
import type { RoleLanView, RoleView } from '../../control/role-view.js';
import type { Timer } from '../../net/clock.js';
import { DeclaredCounters } from '../../net/counters.js';
import { type Health, type Heartbeat, priorityOf, type Role } from '../../pair/heartbeat.js';
import { STALL_MS, step, TICK_MS } from '../../pair/role.js';
import {
  type Cause,
  initialState,
  type PairAction,
  type PairEvent,
  type PairState,
} from '../../pair/state.js';
import type { PairHeartbeatMessage, PairMessage } from '../../protocol/pair-message.js';
import type { FailoverConfig, RouterId } from '../../tables/model.js';
import { DESK_COUNTERS, type DeskOptions } from './desk-options.js';
import { PartnerEar } from './partner-ear.js';
import type { RoleSource } from './role-source.js';
import { tellOfLans } from './tell-of-lans.js';

/** The LANs, the witnesses and the WAN are looked at every so many ticks. */
const LOOK_TICKS = 4;
/** The active router's word goes to the witnesses with each look, to all others so often. */
const TELL_ALL_MS = 1_000;
const TELL_OF_LANS_MS = 1_000;
/** Switches forget MACs from which nothing comes. */
const ANNOUNCE_MS = 30_000;
/** An answer to "I am active" comes within this time. */
const ANSWERED_MS = 2_000;
/** How long an operator's order may take. */
const ORDER_MS = 2_000;
/** At a stop: for the partner to take over, and then for what is on its way here. */
const HAND_OVER_MS = 400;
const LAST_PACKETS_MS = 250;

export class PairDesk implements RoleSource {
  readonly #options: DeskOptions;
  readonly #partner: RouterId;
  readonly #counters = new DeclaredCounters(DESK_COUNTERS);
  #state: PairState;
  #timer: Timer | undefined;
  #tickedMs: number | undefined;
  #lookedMs: number | undefined;
  #untilLook = 0;
  #heardOther = false;
  #toldAllMs = Number.NEGATIVE_INFINITY;
  #announcedMs = Number.NEGATIVE_INFINITY;
  #toldOfLansMs = Number.NEGATIVE_INFINITY;
  #cause: Cause | 'start' = 'start';
  #sinceMs: number;
  #sinceWallMs: number;
  readonly #ear = new PartnerEar();
  #isPartnerHeard = false;
  #refusal: string | undefined;
  #isStopping = false;
  #isServing = false;
  #handOverCause: 'order' | 'stop' = 'order';

  /** @throws RangeError when the site has one router */
  constructor(options: DeskOptions) {
    const { gndt, terms, clock, deadMs } = options;
    const { partner } = gndt;
    if (partner === undefined) throw new RangeError(`${gndt.self} has one router`);
    this.#options = options;
    this.#partner = partner;
    const place = gndt.routersOf(gndt.self).indexOf(gndt.router) === 1 ? 1 : 0;
    this.#state = initialState(place, terms.own, deadMs);
    this.#sinceMs = clock.nowMs();
    this.#sinceWallMs = clock.wallMs();
  }

  get role(): Role {
    return this.#state.role;
  }

  /** The router can serve from now on. */
  start(): void {
    this.#options.lans.start();
    this.#tick();
  }

  /** Hands over, if there is somebody to hand over to. Settles within a second. */
  async stop(): Promise<void> {
    const { clock, lans } = this.#options;
    this.#isStopping = true;
    if (this.#timer !== undefined && this.#state.role === 'active') {
      this.#handOverCause = 'stop';
      this.#step({ type: 'order', role: 'standby' });
      const isHandedOver = await this.#becomes('standby', HAND_OVER_MS);
      if (isHandedOver) await new Promise<void>((done) => clock.after('last packets', LAST_PACKETS_MS, done));
      else lans.advertise(0);
    }
    this.#timer?.cancel();
    this.#timer = undefined;
    await lans.stop();
  }

  /** `failover.deadMs` is another. */
  reconfigure({ deadMs }: FailoverConfig): void {
    this.#state = { ...this.#state, deadMs };
  }

  counters(): Readonly<Record<string, number>> {
    return this.#counters.counters();
  }

  /** Was what the message answers asked of that router? */
  isAnswer(from: RouterId, message: PairMessage): boolean {
    if (message.type === 'partnerAnswer') return this.#options.witnesses.isAsked(from, message.queryId);
    const isTold = this.#options.clock.nowMs() - this.#toldAllMs < ANSWERED_MS;
    return message.type === 'siteActiveRefused' && isTold;
  }

  /** The gate has let it pass. */
  received(from: RouterId, message: PairMessage): void {
    if (from !== this.#partner) this.#heardOther = true;
    switch (message.type) {
      case 'pairHeartbeat':
        this.#heartbeat(message);
        return;
      case 'partnerAnswer': {
        const { queryId, heardAgoMs, term } = message;
        const id = this.#options.witnesses.answered(from, queryId);
        // A number of no inquiry: it says which terms are known all the same.
        this.#step({ type: 'answer', id: id ?? 0, heardAgoMs, term });
        return;
      }
      case 'siteActiveRefused':
        this.#step({ type: 'refused', term: message.term });
        return;
      case 'handOver':
        if (!this.#isStopping) this.#step({ type: 'hand-over' });
        return;
      // Of other sites (`SiteRoles`); of its own role the partner speaks by heartbeats.
      case 'siteActive':
      case 'partnerQuery':
        return;
    }
  }

  /** There is a session with it: a router of another site is to know whom to send to. */
  peerUp(router: RouterId): void {
    const { tunnel } = this.#options;
    const { role, term } = this.#state;
    if (role === 'active' && router !== this.#partner) tunnel.say(router, { type: 'siteActive', term });
  }

  /** A router of another site has said something, whatever it was. */
  otherHeard(): void {
    this.#heardOther = true;
  }

  advertised(priority: number): void {
    this.#step({ type: 'advertisement', priority });
  }

  async take(role: 'active' | 'standby'): Promise<RoleView | string> {
    if (this.#isStopping) return 'the router is stopping';
    if (this.#timer === undefined) return 'the router is not ready yet';
    if (this.#state.role === role) return this.view();
    this.#refusal = undefined;
    this.#step({ type: 'order', role });
    if (this.#refusal !== undefined) return this.#refusal;
    if (await this.#becomes(role, ORDER_MS)) return this.view();
    const reason = `${this.#partner} has not taken over within ${ORDER_MS / 1_000} s; this router stays ${this.#state.role}`;
    this.#options.actions.tell.handOverFailed({ site: this.#options.gndt.self, to: this.#partner, reason });
    return reason;
  }

  view(): RoleView {
    const { clock, gndt, lans, actions } = this.#options;
    const nowMs = clock.nowMs();
    const { role, term, health, partner } = this.#state;
    return {
      site: gndt.self,
      router: gndt.router,
      role,
      draining: role !== 'active' && actions.isDraining(),
      term,
      since: new Date(this.#sinceWallMs).toISOString(),
      cause: this.#cause,
      priority: priorityOf(health),
      health,
      partner: {
        router: this.#partner,
        role: partner?.role ?? null,
        term: partner?.term ?? null,
        priority: partner === undefined ? null : priorityOf(partner.health),
        health: partner?.health ?? null,
        heardAgoMs: rounded(this.#ear.agoMs(nowMs)),
        advertisedAgoMs: rounded(lans.advertisedAgoMs(nowMs)),
      },
      lans: this.#lanViews(nowMs),
    };
  }

  get #isHeard(): boolean {
    const { partner, unheardMs, deadMs } = this.#state;
    return partner !== undefined && unheardMs < deadMs;
  }

  #tick(): void {
    const { clock, witnesses } = this.#options;
    this.#timer = clock.after('pair', TICK_MS, () => this.#tick());
    const nowMs = clock.nowMs();
    const passedMs = this.#tickedMs === undefined ? 0 : nowMs - this.#tickedMs;
    this.#tickedMs = nowMs;
    const wasHeldUp = passedMs > STALL_MS;
    if (wasHeldUp) this.#counters.count('pair_stalls');
    if (wasHeldUp || --this.#untilLook <= 0) this.#look(nowMs, wasHeldUp);
    const heardOther = this.#heardOther;
    this.#heardOther = false;
    this.#step({
      type: 'tick',
      health: this.#health(),
      heardOther,
      witnesses: witnesses.chosen.length,
      nearestRttMs: witnesses.nearestRttMs,
    });
    this.#notePartner();
  }

  /** Every tenth of a second. */
  #look(nowMs: number, wasHeldUp: boolean): void {
    const { lans, witnesses } = this.#options;
    const passedMs = this.#lookedMs === undefined ? 0 : nowMs - this.#lookedMs;
    this.#lookedMs = nowMs;
    this.#untilLook = LOOK_TICKS;
    const { role, deadMs } = this.#state;
    lans.look(nowMs, wasHeldUp ? undefined : passedMs, {
      shouldBeHeard: this.#isHeard && this.#ear.isSettled(nowMs),
      heardVrids: this.#isHeard && role === 'active' ? this.#ear.hears(this.#sinceMs, nowMs) : undefined,
      unheardMs: deadMs / 2,
    });
    witnesses.choose();
    witnesses.ask();
    if (role === 'active') this.#tellAgain(nowMs);
    this.#tellOfLans(nowMs);
  }

  #tellAgain(nowMs: number): void {
    const { witnesses, tunnel, actions } = this.#options;
    const { term } = this.#state;
    if (nowMs - this.#announcedMs >= ANNOUNCE_MS) {
      this.#announcedMs = nowMs;
      actions.announce();
    }
    if (nowMs - this.#toldAllMs >= TELL_ALL_MS) this.#tellRole(term);
    else for (const router of witnesses.chosen) tunnel.say(router, { type: 'siteActive', term });
  }

  #tellRole(term: number): void {
    const { gndt, tunnel, clock } = this.#options;
    this.#toldAllMs = clock.nowMs();
    for (const { id } of gndt.otherRouters()) {
      if (id !== this.#partner) tunnel.say(id, { type: 'siteActive', term });
    }
  }

  #health(): Health {
    const { lans, witnesses } = this.#options;
    return { ...lans.health(), peersUp: witnesses.peersUp };
  }

  #heartbeat(message: PairHeartbeatMessage): void {
    const { clock, gndt, sites, actions } = this.#options;
    this.#counters.count('pair_heartbeats_received');
    const didServe = this.#state.partner?.role === 'active';
    const heartbeat = this.#ear.heard(message, clock.nowMs());
    this.#step({ type: 'heartbeat', heartbeat });
    if (this.#state.role === 'active') sites.setActive(gndt.router);
    else if (heartbeat.role === 'active') {
      sites.setActive(this.#partner);
      if (!didServe) actions.partnerServes();
    }
  }

  #step(event: PairEvent): void {
    const before = this.#state.role;
    const { state, actions } = step(this.#state, event, this.#options.clock.nowMs());
    this.#state = state;
    for (const action of actions) this.#act(action);
    const isActive = this.#state.role === 'active';
    if (isActive !== (before === 'active')) this.#options.actions.settled(isActive);
  }

  #act(action: PairAction): void {
    const { clock, gndt, sites, terms, lans, witnesses, tunnel, actions } = this.#options;
    switch (action.do) {
      case 'store':
        terms.storeOwn(action.term, this.#state.role === 'active' ? gndt.router : this.#partner);
        return;
      case 'become': {
        const { role, term, cause } = action;
        const isActive = role === 'active';
        this.#sinceMs = clock.nowMs();
        this.#sinceWallMs = clock.wallMs();
        this.#cause = cause;
        if (isActive) {
          this.#counters.count('pair_takeovers');
          sites.setActive(gndt.router);
          // To become active is to announce; to be it once more is not.
          if (!this.#isServing) this.#announcedMs = this.#sinceMs;
        }
        this.#isServing = isActive;
        actions.serve(isActive, cause);
        actions.tell.roleChanged({ site: gndt.self, role, term, cause });
        return;
      }
      case 'tell-role':
        this.#tellRole(action.term);
        return;
      case 'announce':
        if (this.#announcedMs !== clock.nowMs()) actions.announce();
        this.#announcedMs = clock.nowMs();
        return;
      case 'heartbeat':
        this.#sayHeartbeat(action.heartbeat);
        return;
      case 'advertise':
        lans.advertise(action.priority);
        return;
      case 'ask':
        witnesses.ask(action.id);
        return;
      case 'hand-over':
        actions.tell.handOver({ site: gndt.self, to: this.#partner, cause: this.#handOverCause });
        tunnel.say(this.#partner, { type: 'handOver' });
        return;
      case 'refuse':
        this.#refusal =
          action.why === 'no-partner'
            ? `${this.#partner} is not heard: nobody would serve the site`
            : `${this.#partner} has no LAN that carries: nobody would serve the site`;
        return;
    }
  }

  #sayHeartbeat({ role, term, health }: Heartbeat): void {
    const { clock, lans, tunnel } = this.#options;
    const nowMs = clock.nowMs();
    this.#counters.count('pair_heartbeats_sent');
    tunnel.say(this.#partner, {
      type: 'pairHeartbeat',
      role,
      term,
      ...health,
      heardVrids: lans.heardVrids(nowMs, this.#state.deadMs / 2),
      virtualVrids: lans.virtualVrids(nowMs),
    });
  }

  #notePartner(): void {
    const isHeard = this.#isHeard;
    if (isHeard === this.#isPartnerHeard) return;
    this.#isPartnerHeard = isHeard;
    const { tell } = this.#options.actions;
    if (isHeard) tell.partnerFound(this.#partner);
    else tell.partnerLost(this.#partner, this.#state.unheardMs);
    // Until a moment ago it may have served the LANs itself, alone: switches have the virtual MAC where it was heard last.
    if (isHeard && this.#state.role === 'active') this.#act({ do: 'announce' });
  }

  /** What is wrong on a LAN, once a second. */
  #tellOfLans(nowMs: number): void {
    if (nowMs - this.#toldOfLansMs < TELL_OF_LANS_MS) return;
    this.#toldOfLansMs = nowMs;
    tellOfLans(this.#lanViews(nowMs), this.#options.actions.tell);
  }

  #lanViews(nowMs: number): readonly RoleLanView[] {
    const { lans } = this.#options;
    const { role, deadMs } = this.#state;
    const own = { advertised: lans.heardVrids(nowMs, deadMs), virtual: lans.virtualVrids(nowMs) };
    const passing = this.#ear.passing(role === 'active' ? this.#sinceMs : undefined, own, nowMs);
    return lans.views(nowMs, this.#mayPartnerSpeak(nowMs), this.#isHeard ? passing : undefined);
  }

  /** Is one who advertises there the partner? While it is silent in the session nobody knows. */
  #mayPartnerSpeak(nowMs: number): boolean {
    return !this.#isHeard || this.#ear.maySpeak(nowMs);
  }

  /** False: not within that time. */
  async #becomes(role: Role, withinMs: number): Promise<boolean> {
    const { clock } = this.#options;
    const untilMs = clock.nowMs() + withinMs;
    const later = (done: () => void): Timer => clock.after('role', 5, done);
    while (this.#state.role !== role && clock.nowMs() < untilMs) await new Promise<void>(later);
    return this.#state.role === role;
  }
}

function rounded(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.max(0, Math.round(ms));
}
