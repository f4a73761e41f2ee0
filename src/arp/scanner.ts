/**
 * Makes silent nodes known before they migrate: asks for every LNDT address that has no binding, at start and then
 * every 10 min. A switched LAN shows a router only broadcasts and what is sent to itself.
 * Once, soon after start, it asks the nodes that are said to be elsewhere: one that came while no router was here to hear
 * its announcement is found by that. Each is asked at its own MAC, so that no other host is disturbed.
 */
import type { Timer } from '../net/clock.js';
import { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import type { Prefix } from '../net/prefix.js';
import type { Lan } from '../tables/lan.js';
import type { LndtEntry, VnetId } from '../tables/model.js';
import { probe } from './announce.js';
import { type AskingLans, type AskingPorts, askLan } from './asker.js';

export const SCAN_EVERY_MS = 600_000;
/** Larger prefixes are not walked: their nodes become known when they speak. */
export const SCAN_MAX_PREFIX_SIZE = 1024;
/** Nodes elsewhere that are asked: of more, those whose records are the newest. What moves often has moved lately. */
export const SCAN_MAX_ELSEWHERE = 1024;
/** After that time at the latest the other routers have told where their nodes are. */
export const ARRIVALS_AFTER_MS = 500;
const QUESTIONS_PER_SECOND = 100;
const BATCH = 10;
/** Addresses passed over in a row: those that are known cost no question, but time. */
const MOST_PASSED_OVER = 256;
const BATCH_EVERY_MS = (1000 * BATCH) / QUESTIONS_PER_SECOND;

/** What is asked of the tables, at the time of asking: a reload in between is respected. */
export interface ScanView {
  entries(): readonly LndtEntry[];
  /** The address has a binding. */
  known(vnet: VnetId, ip: Ip): boolean;
  /** Nodes that are said to be at other routers now. */
  elsewhere(): Iterable<ElsewhereNode>;
}

export interface ElsewhereNode {
  readonly vnet: VnetId;
  readonly ip: Ip;
  readonly mac: Mac;
  readonly stamp: number;
}

type Ask = () => void;
/** `later`: it has passed over many addresses without finding one to ask for. */
type Step = Ask | 'later';

export class Scanner {
  readonly #ports: AskingPorts;
  readonly #lans: AskingLans;
  readonly #view: ScanView;
  #timer: Timer | undefined;
  #arrivalsAsked = false;

  constructor(ports: AskingPorts, lans: AskingLans, view: ScanView) {
    this.#ports = ports;
    this.#lans = lans;
    this.#view = view;
  }

  /** Starts the first scan at once; harmless when it runs already. */
  start(): void {
    if (this.#timer === undefined) this.#scan();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #scan(): void {
    const startedMs = this.#ports.clock.nowMs();
    this.#batch(this.#questions(), startedMs);
  }

  #batch(rest: Generator<Step>, startedMs: number): void {
    const { clock } = this.#ports;
    const questions = this.#withArrivals(rest, startedMs);
    for (let asked = 0; asked < BATCH; asked++) {
      const next = questions.next();
      if (next.done === true) {
        this.#afterLast(questions, startedMs);
        return;
      }
      if (next.value === 'later') break;
      next.value();
    }
    this.#timer = clock.after('scan batch', BATCH_EVERY_MS, () => this.#batch(questions, startedMs));
  }

  #afterLast(none: Generator<Step>, startedMs: number): void {
    const { clock } = this.#ports;
    const everyMs = this.#arrivalsAsked ? SCAN_EVERY_MS : ARRIVALS_AFTER_MS;
    const waitMs = Math.max(BATCH_EVERY_MS, startedMs + everyMs - clock.nowMs());
    const next = this.#arrivalsAsked ? () => this.#scan() : () => this.#batch(none, startedMs);
    this.#timer = clock.after('scan', waitMs, next);
  }

  /** Puts the arrivals before the rest, when it is time and they have not been asked for yet. */
  #withArrivals(rest: Generator<Step>, startedMs: number): Generator<Step> {
    if (this.#arrivalsAsked || this.#ports.clock.nowMs() < startedMs + ARRIVALS_AFTER_MS) return rest;
    this.#arrivalsAsked = true;
    return chain(this.#arrivals(), rest);
  }

  *#questions(): Generator<Step> {
    let passedOver = 0;
    for (const entry of this.#view.entries()) {
      if (entry.prefix.size > SCAN_MAX_PREFIX_SIZE) continue;
      if (this.#lans.of(entry.vnet).length === 0) continue;
      for (const ip of hostsOf(entry.prefix)) {
        const lans = this.#lans.of(entry.vnet);
        if (isOwn(ip, lans) || this.#view.known(entry.vnet, ip)) {
          if (++passedOver % MOST_PASSED_OVER === 0) yield 'later';
          continue;
        }
        passedOver = 0;
        for (const lan of lans) yield () => askLan(this.#ports, lan, ip);
      }
    }
  }

  *#arrivals(): Generator<Ask> {
    const vnets = new Set(this.#lans.current().map(({ vnet }) => vnet));
    for (const { vnet, ip, mac } of newest(this.#view.elsewhere(), vnets)) {
      for (const lan of this.#lans.of(vnet)) {
        yield () => this.#ports.sendFrame(lan.index, probe(ip, lan.mac, mac, undefined));
      }
    }
  }
}

/** The newest nodes of these vnets, newest first: there may be 131,072, and they are not all to be sorted. */
function newest(nodes: Iterable<ElsewhereNode>, vnets: ReadonlySet<VnetId>): readonly ElsewhereNode[] {
  let kept: ElsewhereNode[] = [];
  let oldestKept = -1;
  const cut = (): void => {
    kept = kept.sort((a, b) => b.stamp - a.stamp).slice(0, SCAN_MAX_ELSEWHERE);
    if (kept.length === SCAN_MAX_ELSEWHERE) oldestKept = kept.at(-1)?.stamp ?? -1;
  };
  for (const node of nodes) {
    if (node.stamp <= oldestKept || !vnets.has(node.vnet)) continue;
    if (kept.push(node) === 2 * SCAN_MAX_ELSEWHERE) cut();
  }
  cut();
  return kept;
}

function* chain<T>(first: Iterable<T>, second: Iterable<T>): Generator<T> {
  yield* first;
  yield* second;
}

function isOwn(ip: Ip, lans: readonly Lan[]): boolean {
  return lans.some((lan) => lan.addresses.some((own) => own.equals(ip)));
}

/**
 * The addresses of a small prefix that a host can have. IPv4 without the network's and the broadcast address, except
 * in /31 and /32 (RFC 3021); IPv6 without the routers' anycast address, except in /127 and /128 (RFC 6164).
 */
export function* hostsOf(prefix: Prefix): Generator<Ip> {
  const { address, size } = prefix;
  const [w0, w1, w2, w3] = address.words;
  const first = size > 2 ? 1 : 0;
  const end = size > 2 && prefix.family === 4 ? size - 1 : size;
  for (let i = first; i < end; i++) yield Ip.fromWords(address.family, [w0, w1, w2, (w3 + i) >>> 0]);
}
