/**
 * Another router searches for a node: the machine is asked on this router's LANs, once by broadcast, and after that quietly
 * for as long as the searcher wishes, by frames that concern it alone. If it answers, that is evidence as any other.
 */
import { probe } from '../../arp/announce.js';
import type { Ip } from '../../net/ip.js';
import { BROADCAST_MAC, type Mac } from '../../net/mac.js';
import { RateLimit } from '../../net/rate-limit.js';
import type { SearchMessage } from '../../protocol/table-message.js';
import type { RouterId, VnetId } from '../../tables/model.js';
import type { AddressProbe } from '../address-probe.js';
import type { Context } from '../context.js';
import { macKey } from './missing.js';

/** Machines listened for at a time; and of one searcher. */
const MOST_SOUGHT = 1_024;
const MOST_OF_ONE = 256;
/** Frames a second that searches may cost the LANs; what is beyond is asked at the next time. */
const FRAMES = { perSecond: 1_000, burst: 1_000 };
/** When a machine is asked, after the first time. */
const AGAIN_MS = 100;
const LISTEN_EVERY_MS = 1_000;
/** An answer that comes so long after the last question is one to it. */
const ANSWERED_WITHIN_MS = 2_000;

interface Sought {
  readonly vnet: VnetId;
  readonly mac: Mac;
  ips: readonly Ip[];
  readonly from: RouterId;
  /** It is asked until then. Monotonic milliseconds. */
  untilMs: number;
  /** When it was asked last. */
  askedMs: number;
}

export class SoughtNodes {
  readonly #context: Context;
  readonly #addressProbe: AddressProbe;
  readonly #sought = new Map<string, Sought>();
  readonly #frames: RateLimit;
  #listening = false;

  constructor(context: Context, addressProbe: AddressProbe) {
    this.#context = context;
    this.#addressProbe = addressProbe;
    this.#frames = new RateLimit(context.clock, FRAMES);
  }

  /** Machines that are listened for. */
  get size(): number {
    return this.#sought.size;
  }

  /** As far as the gate lets it through. */
  search(from: RouterId, { vnet, mac, ips, listenSeconds }: SearchMessage): void {
    if (ips.length === 0 || this.#context.lansOf(vnet).length === 0) return;
    const nowMs = this.#context.clock.nowMs();
    const untilMs = nowMs + listenSeconds * 1_000;
    const key = macKey(vnet, mac);
    const known = this.#sought.get(key);
    if (known === undefined && !this.#hasRoom(from)) {
      this.#context.counters.count('searches_refused');
      return;
    }
    const sought = known ?? { vnet, mac, ips, from, untilMs, askedMs: nowMs };
    sought.ips = ips;
    sought.untilMs = Math.max(sought.untilMs, untilMs);
    this.#sought.set(key, sought);
    this.#context.counters.count('searches_received');
    this.#ask(sought, mac);
    this.#ask(sought, BROADCAST_MAC);
    this.#context.timers.after('search', AGAIN_MS, () => this.#ask(sought, mac));
    this.#listen();
  }

  /** Has the machine been asked here a moment ago, because another router searches for it? */
  isSought(vnet: VnetId, mac: Mac): boolean {
    const sought = this.#sought.get(macKey(vnet, mac));
    return sought !== undefined && this.#context.clock.nowMs() - sought.askedMs <= ANSWERED_WITHIN_MS;
  }

  #hasRoom(from: RouterId): boolean {
    if (this.#sought.size >= MOST_SOUGHT) return false;
    let ofOne = 0;
    for (const sought of this.#sought.values()) if (sought.from === from) ofOne++;
    return ofOne < MOST_OF_ONE;
  }

  #listen(): void {
    if (this.#listening || this.#sought.size === 0) return;
    this.#listening = true;
    this.#context.timers.after('search', LISTEN_EVERY_MS, () => {
      this.#listening = false;
      const nowMs = this.#context.clock.nowMs();
      for (const [key, sought] of this.#sought) {
        if (!this.#isOver(sought, nowMs)) this.#ask(sought, sought.mac);
        else if (nowMs - sought.askedMs > ANSWERED_WITHIN_MS) this.#sought.delete(key);
      }
      this.#listen();
    });
  }

  /** It is known to be where it was sought, or is known to be here. */
  #isOver({ vnet, mac, ips, untilMs }: Sought, nowMs: number): boolean {
    const { directory, self } = this.#context;
    if (nowMs > untilMs) return true;
    return !ips.some((ip) => {
      const record = directory.get(vnet, ip);
      return record === undefined || (record.mac === mac && record.router !== self);
    });
  }

  /** From no address, as all questions about presence: a host with strict reverse-path checks answers that too. */
  #ask(sought: Sought, to: Mac): void {
    const { vnet, ips } = sought;
    for (const lan of this.#context.lansOf(vnet)) {
      for (const ip of ips) {
        if (!this.#frames.allow()) return;
        this.#addressProbe.askedOtherwise({ vnet, ip, mac: sought.mac });
        this.#context.ports.sendFrame(lan.index, probe(ip, lan.mac, to, undefined));
      }
    }
    sought.askedMs = this.#context.clock.nowMs();
    this.#context.counters.count('sought_asked');
  }
}
