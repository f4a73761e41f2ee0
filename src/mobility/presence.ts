/** "Is the node on our LAN?", asked of the node itself, because tables and bindings only say where it was. */
import { probe } from '../arp/announce.js';
import type { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import type { VnetId } from '../tables/model.js';
import { RateLimit } from './bounded.js';
import { type Context, nodeKey } from './context.js';
import type { Evidence } from './evidence.js';
import { TimerGroup } from './timer-group.js';

const PROBE_TIMES_MS = [0, 100, 300] as const;
const DEADLINE_MS = 1_000;
/** Two machines with one MAC and address answer at two sites for ever: then no more than one contradiction in this time. */
const CONTRADICTION_INTERVAL_MS = 5_000;

export interface PresenceCheck {
  readonly vnet: VnetId;
  readonly ip: Ip;
  readonly mac: Mac;
  /** It spoke, from this MAC, after the check began. */
  readonly found: (evidence: Evidence) => void;
  /** It did not within the deadline. */
  readonly gone: () => void;
}

interface Running {
  readonly check: PresenceCheck;
  readonly startedMs: number;
  readonly timers: TimerGroup;
}

export class Presence {
  readonly #context: Context;
  readonly #running = new Map<string, Running>();
  readonly #found: RateLimit;
  #stopped = false;

  constructor(context: Context) {
    this.#context = context;
    this.#found = new RateLimit(context.clock, CONTRADICTION_INTERVAL_MS);
  }

  /** Begins a check; it replaces one that runs for the same address. */
  check(check: PresenceCheck): void {
    if (this.#stopped) return;
    const key = nodeKey(check.vnet, check.ip);
    this.#end(key);
    const timers = new TimerGroup(this.#context.clock);
    const delayMs = this.#found.remainingMs(key);
    const running = { check, startedMs: this.#context.clock.nowMs() + delayMs, timers };
    this.#running.set(key, running);
    for (const atMs of PROBE_TIMES_MS) {
      if (delayMs + atMs === 0) this.#probe(check);
      else timers.after('presence probe', delayMs + atMs, () => this.#probe(check));
    }
    timers.after('presence deadline', delayMs + DEADLINE_MS, () => {
      this.#end(key);
      check.gone();
    });
  }

  /** A frame was seen. True: it answered a check, and the check's owner has dealt with it. */
  answered(evidence: Evidence): boolean {
    if (evidence.ip === undefined) return false;
    const key = nodeKey(evidence.lan.vnet, evidence.ip);
    const running = this.#running.get(key);
    if (running === undefined || running.check.mac !== evidence.mac) return false;
    if (evidence.atMs < running.startedMs) return false;
    this.#end(key);
    this.#found.begin(key);
    running.check.found(evidence);
    return true;
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
