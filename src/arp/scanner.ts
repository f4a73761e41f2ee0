/**
 * Makes silent nodes known before they migrate: asks for every LNDT address that has no binding, at start and then
 * every 10 min. A switched LAN shows a router only broadcasts and what is sent to itself.
 */
import type { Timer } from '../net/clock.js';
import { Ip } from '../net/ip.js';
import type { Prefix } from '../net/prefix.js';
import type { LndtEntry, VnetId } from '../tables/model.js';
import { type AskingLan, type AskingPorts, askLan } from './asker.js';

export const SCAN_EVERY_MS = 600_000;
/** Larger prefixes are not walked: their nodes become known when they speak. */
export const SCAN_MAX_PREFIX_SIZE = 1024;
const QUESTIONS_PER_SECOND = 100;
const BATCH = 10;
const BATCH_EVERY_MS = (1000 * BATCH) / QUESTIONS_PER_SECOND;

/** What is asked of the tables, at the time of asking: a reload in between is respected. */
export interface ScanView {
  entries(): readonly LndtEntry[];
  /** The address has a binding. */
  known(vnet: VnetId, ip: Ip): boolean;
}

interface Question {
  readonly lan: AskingLan;
  readonly ip: Ip;
}

export class Scanner {
  readonly #ports: AskingPorts;
  readonly #lans: readonly AskingLan[];
  readonly #view: ScanView;
  #timer: Timer | undefined;

  constructor(ports: AskingPorts, lans: readonly AskingLan[], view: ScanView) {
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

  #batch(questions: Generator<Question>, startedMs: number): void {
    const { clock } = this.#ports;
    for (let asked = 0; asked < BATCH; asked++) {
      const next = questions.next();
      if (next.done === true) {
        const waitMs = Math.max(BATCH_EVERY_MS, startedMs + SCAN_EVERY_MS - clock.nowMs());
        this.#timer = clock.after('scan', waitMs, () => this.#scan());
        return;
      }
      askLan(this.#ports, next.value.lan, next.value.ip);
    }
    this.#timer = clock.after('scan batch', BATCH_EVERY_MS, () => this.#batch(questions, startedMs));
  }

  *#questions(): Generator<Question> {
    for (const entry of this.#view.entries()) {
      if (entry.prefix.size > SCAN_MAX_PREFIX_SIZE) continue;
      const lans = this.#lans.filter((lan) => lan.vnet === entry.vnet);
      if (lans.length === 0) continue;
      for (const ip of hostsOf(entry.prefix)) {
        if (isOwn(ip, lans) || this.#view.known(entry.vnet, ip)) continue;
        for (const lan of lans) yield { lan, ip };
      }
    }
  }
}

function isOwn(ip: Ip, lans: readonly AskingLan[]): boolean {
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
