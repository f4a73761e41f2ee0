/**
 * "Is the node on our LAN?", asked of the node itself (RFC 5227 §2.1.1; RFC 4861 §7.2.2 for IPv6), because tables and
 * bindings only say where it was. What an answer, or silence, means is the affair of whoever asked: see `ProbePurpose`.
 */
import { probe } from '../arp/announce.js';
import type { Timer } from '../net/clock.js';
import type { Ip } from '../net/ip.js';
import { BROADCAST_MAC, type Mac } from '../net/mac.js';
import { KeyedRateLimit, type Rate } from '../net/rate-limit.js';
import type { RouterId, VnetId } from '../tables/model.js';
import { nodeKey } from '../tables/node-key.js';
import type { Context } from './context.js';
import type { Evidence } from './evidence.js';
import type { ProbePurpose } from './follow-up.js';

/** When a node is asked, and when it is taken to be gone; milliseconds. */
export interface Probes {
  readonly timesMs: readonly number[];
  readonly deadlineMs: number;
  /** Answers may lead to claims for ever, so the next question waits: see `SPACED`. */
  readonly isSpaced: boolean;
  /** From this question on everybody on the LAN is asked, not the node's MAC alone. */
  readonly toAllFrom?: number;
}

/** 3 probes, 20 ms apart: something waits for the outcome. */
export const QUICK: Probes = { timesMs: [0, 20, 40], deadlineMs: 60, isSpaced: false };
/** Silence would cost a node that is served its place: it gets a second. */
export const THOROUGH: Probes = { timesMs: [0, 100, 300], deadlineMs: 1_000, isSpaced: false };
/** The same, but an answer that is late counts too. */
export const ATTENTIVE: Probes = { timesMs: [0, 20, 40], deadlineMs: 1_000, isSpaced: false };
/** For a node that is served meanwhile. */
export const PATIENT: Probes = { timesMs: [0, 100, 300], deadlineMs: 1_000, isSpaced: true };
/** Nobody has said that it has gone: at its MAC, and once by broadcast, for a switch that does not know the MAC any more. */
export const DOUBTING: Probes = {
  timesMs: [0, 40, 80, 120],
  deadlineMs: 200,
  isSpaced: false,
  toAllFrom: 3,
};

/**
 * Two machines with one MAC and address answer at two sites for ever: then no more than one such answer in 5 s. But lies
 * about one node at several routers are found out one after the other.
 */
const SPACED: Rate = { perSecond: 0.2, burst: 3 };
/** A host answers a question sooner, as a rule. */
const ANSWERED_WITHIN_MS = 100;
/** Nodes asked at a time. Only nodes of this router's LANs are; what is beyond is not asked, and counted. */
const MOST_RUNNING = 8_192;
/** Of one node. */
const MOST_PURPOSES = 64;

export interface ProbeRequest {
  readonly vnet: VnetId;
  readonly ip: Ip;
  readonly mac: Mac;
  readonly probes: Probes;
  readonly purpose: ProbePurpose;
  /** The router on whose word it is asked: what one says does not put off what another says. */
  readonly toldBy?: RouterId | undefined;
}

/** A node that is being asked, for one purpose or several. */
interface Running {
  readonly request: ProbeRequest;
  readonly purposes: ProbePurpose[];
  /** Requests that came when the last question had been asked: silence says nothing to them. */
  readonly late: ProbeRequest[];
  /** On whose words it is asked, as keys of `#found`. */
  readonly words: Set<string>;
  readonly startedMs: number;
  readonly deadlineMs: number;
  timer: Timer | undefined;
  ended: boolean;
  /** The last question has been asked; what is left is to wait. */
  isAsked: boolean;
  /** When it was asked for another reason, past these questions; undefined: it was not. */
  otherwiseMs: number | undefined;
}

export class AddressProbe {
  readonly #context: Context;
  readonly #running = new Map<string, Running>();
  readonly #found: KeyedRateLimit;
  #stopped = false;
  /** Requests that wait for the LANs to be open; undefined when they are. */
  #waiting: ProbeRequest[] | undefined;

  constructor(context: Context, startsLater = false) {
    this.#context = context;
    if (startsLater) this.#waiting = [];
    this.#found = new KeyedRateLimit(context.clock, SPACED);
  }

  /** Nodes that are being asked now. */
  get running(): number {
    return this.#running.size;
  }

  /**
   * Asks. A question to the same node that is under way and ends no later takes this one along; when all its questions have
   * been asked by then, the node is asked anew after them: it may have come since.
   * @returns false: too many are being asked, and nothing follows
   */
  ask(request: ProbeRequest): boolean {
    if (this.#stopped) return false;
    if (this.#waiting !== undefined) {
      if (this.#waiting.length >= MOST_RUNNING) return false;
      this.#waiting.push(request);
      return true;
    }
    const key = probeKey(request);
    const running = this.#running.get(key);
    const { probes, purpose } = request;
    const word = `${key}|${request.toldBy ?? ''}`;
    const nowMs = this.#context.clock.nowMs();
    const delayMs = probes.isSpaced ? this.#found.remainingMs(word) : 0;
    const startedMs = nowMs + delayMs;
    const deadlineMs = startedMs + probes.deadlineMs;
    if (running !== undefined && running.deadlineMs <= deadlineMs && running.startedMs <= nowMs) {
      if (running.purposes.length + running.late.length >= MOST_PURPOSES) return false;
      if (running.isAsked) running.late.push(request);
      else running.purposes.push(purpose);
      running.words.add(word);
      return true;
    }
    if (running === undefined && this.#running.size >= MOST_RUNNING) {
      this.#context.counters.count('presence_probes_refused');
      return false;
    }
    this.#end(key);
    const purposes = [...(running === undefined ? [] : purposesOf(running)), purpose];
    const words = new Set([...(running?.words ?? []), word]);
    const times = { startedMs, deadlineMs };
    const rest = { timer: undefined, ended: false, isAsked: false, otherwiseMs: undefined };
    const started: Running = { request, purposes, late: [], words, ...times, ...rest };
    this.#running.set(key, started);
    // From when it is really asked: probes that were late would otherwise follow one upon the other.
    const begin = (): void => this.#probe(started, Math.max(startedMs, this.#context.clock.nowMs()), 0);
    // What nobody waits for can be asked when the tables of all nodes are right.
    if (probes === ATTENTIVE && this.#context.burst.isOn) this.#context.burst.later(begin);
    else begin();
    return true;
  }

  /** A frame was seen. True: it answered a question, and whoever asked deals with it. */
  answered(evidence: Evidence): boolean {
    if (evidence.ip === undefined) return false;
    const key = probeKey({ vnet: evidence.lan.vnet, ip: evidence.ip, mac: evidence.mac });
    const running = this.#running.get(key);
    if (running === undefined || evidence.atMs < running.startedMs) return false;
    this.#end(key);
    for (const word of running.words) this.#found.allow(word);
    this.#follow(purposesOf(running), isToOther(running) ? { ...evidence, isAnswer: false } : evidence);
    return true;
  }

  /**
   * The node was heard here, and is asked because of that. An answer that comes when these questions are long over is to
   * that one: the node speaks by itself, and may have come back.
   */
  askedOtherwise({ vnet, ip, mac }: Pick<ProbeRequest, 'vnet' | 'ip' | 'mac'>): void {
    const running = this.#running.get(probeKey({ vnet, ip, mac }));
    if (running !== undefined) running.otherwiseMs = this.#context.clock.nowMs();
  }

  /** The LANs are open. */
  start(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const request of waiting) this.ask(request);
  }

  stop(): void {
    this.#stopped = true;
    for (const key of [...this.#running.keys()]) this.#end(key);
  }

  /** From one probe to the next, and to the end: a whole cluster's nodes are asked at once, with one timer each. */
  #probe(running: Running, fromMs: number, question: number): void {
    if (running.ended) return;
    const { timers, clock } = this.#context;
    const { timesMs, deadlineMs } = running.request.probes;
    const atMs = timesMs[question];
    const waitMs = fromMs + (atMs ?? deadlineMs) - clock.nowMs();
    if (atMs === undefined) {
      running.isAsked = true;
      running.timer = timers.after('address probe deadline', waitMs, () => this.#silent(running));
      return;
    }
    const next = (): void => {
      this.#send(running.request, question);
      this.#probe(running, fromMs, question + 1);
    };
    if (waitMs <= 0) next();
    else running.timer = timers.after('address probe', waitMs, next);
  }

  #silent(running: Running): void {
    this.#end(probeKey(running.request));
    this.#follow(running.purposes, undefined);
    for (const request of running.late) this.ask(request);
  }

  /**
   * A departure's answer first: it says that another router's word about the node is false. An objection that went first
   * would have the node back here, and nobody would hear of the contradiction.
   */
  #follow(purposes: readonly ProbePurpose[], evidence: Evidence | undefined): void {
    const isDeparture = ({ for: why }: ProbePurpose): boolean => why === 'departure';
    const inOrder = [...purposes.filter(isDeparture), ...purposes.filter((p) => !isDeparture(p))];
    for (const purpose of inOrder) this.#context.follow({ do: 'probed', purpose, evidence });
  }

  #end(key: string): void {
    const running = this.#running.get(key);
    if (running === undefined) return;
    running.ended = true;
    running.timer?.cancel();
    this.#running.delete(key);
  }

  /** To the node's MAC, from no address: a host with strict reverse-path checks answers that too. */
  #send({ vnet, ip, mac, probes }: ProbeRequest, question: number): void {
    const to = question >= (probes.toAllFrom ?? Number.POSITIVE_INFINITY) ? BROADCAST_MAC : mac;
    for (const lan of this.#context.lansOf(vnet)) {
      this.#context.ports.sendFrame(lan.index, probe(ip, lan.mac, to, undefined));
    }
    this.#context.counters.count('presence_probes');
  }
}

function probeKey({ vnet, ip, mac }: Pick<ProbeRequest, 'vnet' | 'ip' | 'mac'>): string {
  return `${nodeKey(vnet, ip)}|${mac}`;
}

function purposesOf({ purposes, late }: Running): readonly ProbePurpose[] {
  return [...purposes, ...late.map(({ purpose }) => purpose)];
}

function isToOther({ request, startedMs, otherwiseMs }: Running): boolean {
  const lastMs = startedMs + (request.probes.timesMs.at(-1) ?? 0);
  return otherwiseMs !== undefined && otherwiseMs > lastMs + ANSWERED_WITHIN_MS;
}
