/** "Is the node on our LAN?", asked of the node itself, because tables and bindings only say where it was. */
import { probe } from '../arp/announce.js';
import type { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import { KeyedRateLimit, onceIn } from '../net/rate-limit.js';
import { TimerGroup } from '../net/timer-group.js';
import type { VnetId } from '../tables/model.js';
import { type Context, nodeKey } from './context.js';
import type { Evidence } from './evidence.js';

/** When a node is asked, and when it is taken to be gone; milliseconds. */
export interface Probes {
  readonly timesMs: readonly number[];
  readonly deadlineMs: number;
}

/** 3 probes, 20 ms apart: something waits for the outcome. */
export const QUICK: Probes = { timesMs: [0, 20, 40], deadlineMs: 60 };
/** The same, but an answer that is late counts too. */
export const ATTENTIVE: Probes = { timesMs: [0, 20, 40], deadlineMs: 1_000 };
/** For a node that is served meanwhile. */
export const PATIENT: Probes = { timesMs: [0, 100, 300], deadlineMs: 1_000 };

/** Two machines with one MAC and address answer at two sites for ever: then no more than one contradiction in this time. */
const CONTRADICTION_INTERVAL_MS = 5_000;

export interface PresenceCheck {
  readonly vnet: VnetId;
  readonly ip: Ip;
  readonly mac: Mac;
  readonly probes: Probes;
  /** It spoke, from this MAC, after the check began. */
  readonly found: (evidence: Evidence) => void;
  /** It did not within the deadline. */
  readonly gone: () => void;
}

interface Running {
  readonly checks: PresenceCheck[];
  readonly deadlineMs: number;
  readonly startedMs: number;
  readonly timers: TimerGroup;
}

/** A check that is under way. */
interface Asking {
  readonly check: PresenceCheck;
  readonly timers: TimerGroup;
  readonly fromMs: number;
  readonly gone: () => void;
}

export class AddressProbe {
  readonly #context: Context;
  readonly #running = new Map<string, Running>();
  readonly #found: KeyedRateLimit;
  #stopped = false;
  /** Checks that wait for the LANs to be open; undefined when they are. */
  #waiting: PresenceCheck[] | undefined;

  constructor(context: Context, startsLater = false) {
    this.#context = context;
    if (startsLater) this.#waiting = [];
    this.#found = new KeyedRateLimit(context.clock, onceIn(CONTRADICTION_INTERVAL_MS));
  }

  /** Begins a check. One that runs for the same node and ends no later takes it along. */
  check(check: PresenceCheck): void {
    if (this.#stopped) return;
    if (this.#waiting !== undefined) {
      this.#waiting.push(check);
      return;
    }
    const key = checkKey(check);
    const running = this.#running.get(key);
    const { probes } = check;
    const nowMs = this.#context.clock.nowMs();
    // What is quick changes nothing by itself, so there is nothing to slow down.
    const delayMs = probes === QUICK ? 0 : this.#found.remainingMs(key);
    const deadlineMs = nowMs + delayMs + probes.deadlineMs;
    if (running !== undefined && running.deadlineMs <= deadlineMs && running.startedMs <= nowMs) {
      running.checks.push(check);
      return;
    }
    this.#end(key);
    const timers = new TimerGroup(this.#context.clock);
    const checks = [...(running?.checks ?? []), check];
    this.#running.set(key, { checks, deadlineMs, startedMs: nowMs + delayMs, timers });
    const gone = (): void => {
      this.#end(key);
      for (const one of checks) one.gone();
    };
    // From when it is really asked: probes that were late would otherwise follow one upon the other.
    const ask = (): void => {
      const fromMs = Math.max(nowMs + delayMs, this.#context.clock.nowMs());
      this.#ask({ check, timers, fromMs, gone }, 0);
    };
    // What nobody waits for can be asked when the tables of all nodes are right.
    if (probes === ATTENTIVE && this.#context.burst.isOn) this.#context.burst.later(ask);
    else ask();
  }

  /** From one probe to the next, and to the end: a whole cluster's nodes are asked at once, with one timer each. */
  #ask(asking: Asking, probe: number): void {
    const { check, timers, fromMs, gone } = asking;
    if (timers.stopped) return;
    const { timesMs, deadlineMs } = check.probes;
    const atMs = timesMs[probe];
    const waitMs = fromMs + (atMs ?? deadlineMs) - this.#context.clock.nowMs();
    const next = (): void => {
      this.#probe(check);
      this.#ask(asking, probe + 1);
    };
    if (atMs === undefined) timers.after('address probe deadline', waitMs, gone);
    else if (waitMs <= 0) next();
    else timers.after('address probe', waitMs, next);
  }

  /** A frame was seen. True: it answered a check, and the check's owner has dealt with it. */
  answered(evidence: Evidence): boolean {
    if (evidence.ip === undefined) return false;
    const key = checkKey({ vnet: evidence.lan.vnet, ip: evidence.ip, mac: evidence.mac });
    const running = this.#running.get(key);
    if (running === undefined || evidence.atMs < running.startedMs) return false;
    this.#end(key);
    this.#found.exhaust(key);
    for (const { found } of running.checks) found(evidence);
    return true;
  }

  /** The LANs are open. */
  start(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const check of waiting) this.check(check);
  }

  stop(): void {
    this.#stopped = true;
    for (const key of [...this.#running.keys()]) this.#end(key);
  }

  #end(key: string): void {
    this.#running.get(key)?.timers.stop();
    this.#running.delete(key);
  }

  /** To the node's MAC only, from no address: a host with strict reverse-path checks answers that too. */
  #probe(check: PresenceCheck): void {
    for (const lan of this.#context.lansOf(check.vnet)) {
      this.#context.ports.sendFrame(lan.index, probe(check.ip, lan.mac, check.mac, undefined));
    }
    this.#context.counters.count('presence_probes');
  }
}

function checkKey({ vnet, ip, mac }: Pick<PresenceCheck, 'vnet' | 'ip' | 'mac'>): string {
  return `${nodeKey(vnet, ip)}|${mac}`;
}
