/**
 * Is a node that has its record here still there? Nobody need have said that it has gone: a bridge port that is still
 * listening (STP) swallows a whole burst of announcements, and some hypervisors make none. So it is doubted when packets go
 * to it and none comes, or when a host asks for it twice; then it is asked, and one that answers is left in peace for a
 * while: a one-way stream to a healthy node costs a question in five seconds.
 */
import { BoundedMap } from '../../net/bounded-map.js';
import type { Ip } from '../../net/ip.js';
import type { Mac } from '../../net/mac.js';
import { KeyedRateLimit, onceIn, RateLimit } from '../../net/rate-limit.js';
import type { Lan } from '../../tables/lan.js';
import type { NodeRecord, VnetId } from '../../tables/model.js';
import { nodeKey } from '../../tables/node-key.js';
import { type AddressProbe, DOUBTING } from '../address-probe.js';
import type { Context } from '../context.js';
import type { Evidence } from '../evidence.js';
import type { ProbePurpose } from '../follow-up.js';
import type { ActivityView } from '../ports.js';
import { type DoubtCause, type MissingNode, macKey } from './missing.js';
import type { Search } from './search.js';

/** How often it is looked who was sent packets and sent none. */
const LOOK_EVERY_MS = 100;
/** One that answers is not asked again for so long. */
const QUIET_MS = 5_000;
/** A host that asks again within this time has had no answer; Linux asks each second, three times. */
const ASKED_AGAIN_MS = 3_000;
/** Questions of hosts that are remembered. */
const REMEMBERED = 4_096;
/** Machines asked a second; the rest is asked when it is wanted again. */
const DOUBTS = { perSecond: 200, burst: 200 };
/** Addresses of one machine that are asked for. */
const MOST_ADDRESSES = 8;

interface Question {
  readonly asker: Mac;
  readonly atMs: number;
}

export class Doubt {
  readonly #context: Context;
  readonly #addressProbe: AddressProbe;
  readonly #search: Search;
  readonly #activity: ActivityView | undefined;
  /** By machine: since when it is left in peace. */
  readonly #quiet: KeyedRateLimit;
  readonly #budget: RateLimit;
  /** By node: who has asked for it last. */
  readonly #questions = new BoundedMap<string, Question>(REMEMBERED);

  constructor(
    context: Context,
    addressProbe: AddressProbe,
    search: Search,
    activity: ActivityView | undefined,
  ) {
    this.#context = context;
    this.#addressProbe = addressProbe;
    this.#search = search;
    this.#activity = activity;
    this.#quiet = new KeyedRateLimit(context.clock, onceIn(QUIET_MS));
    this.#budget = new RateLimit(context.clock, DOUBTS);
  }

  /** Begins to look who was sent packets and sent none. */
  start(): void {
    if (this.#activity !== undefined) this.#lookLater(this.#activity);
  }

  /** A host asks its LAN for a node: one that asks again has had no answer. */
  asked(lan: Lan, asker: Mac, target: Ip): void {
    const record = this.#own(lan.vnet, target);
    if (record === undefined || record.mac === asker) return;
    const key = nodeKey(lan.vnet, target);
    const nowMs = this.#context.clock.nowMs();
    const last = this.#questions.get(key);
    this.#questions.set(key, { asker, atMs: nowMs });
    if (last === undefined || last.asker !== asker) return;
    if (nowMs - last.atMs <= ASKED_AGAIN_MS) this.#doubt(lan.vnet, record.mac, [record], 'asked-again');
  }

  /** Somebody wants a node and gets nothing from it. One that is no node of this router's is none of its affair. */
  wanted(vnet: VnetId, ip: Ip): void {
    const record = this.#own(vnet, ip);
    if (record !== undefined) this.#doubt(vnet, record.mac, [record], 'wanted');
  }

  /** A node that was asked has answered, or has not. */
  probed(
    { record, askedMs, cause }: Extract<ProbePurpose, { readonly for: 'doubt' }>,
    evidence: Evidence | undefined,
  ): void {
    const { vnet, ip, mac } = record;
    if (evidence !== undefined) {
      this.heard(vnet, mac);
      this.#context.follow({ do: 'consider', evidence });
      return;
    }
    const own = this.#own(vnet, ip);
    if (own?.mac !== mac || this.#wasHeard(vnet, mac, askedMs)) return;
    this.#search.missed(own, cause);
  }

  /** The machine is there. */
  heard(vnet: VnetId, mac: Mac): void {
    this.#search.found(vnet, mac);
  }

  #lookLater(activity: ActivityView): void {
    this.#context.timers.after('activity', LOOK_EVERY_MS, () => {
      const { unanswered, heard } = activity.look(this.#context.clock.nowMs());
      for (const { vnet, mac } of heard) this.heard(vnet, mac);
      for (const { vnet, mac } of unanswered) {
        this.#doubt(vnet, mac, this.#recordsOf(vnet, mac), 'unanswered');
      }
      this.#lookLater(activity);
    });
  }

  #doubt(vnet: VnetId, mac: Mac, records: readonly NodeRecord[], cause: DoubtCause): void {
    const missing = this.#context.missing.get(vnet, mac);
    if (missing !== undefined && isCovered(missing, records)) {
      this.#search.wanted(missing);
      return;
    }
    const asked = records.slice(0, MOST_ADDRESSES);
    const [first] = asked;
    if (first === undefined) return;
    // All of a machine's addresses at once, or the one that is asked for.
    const key = asked.length === 1 ? nodeKey(vnet, first.ip) : macKey(vnet, mac);
    if (this.#quiet.remainingMs(key) > 0 || !this.#budget.allow()) return;
    this.#quiet.allow(key);
    this.#context.counters.count('nodes_doubted');
    const askedMs = this.#context.clock.nowMs();
    for (const record of asked) {
      const { ip } = record;
      const purpose = { for: 'doubt', record, askedMs, cause } as const;
      this.#addressProbe.ask({ vnet, ip, mac, probes: DOUBTING, purpose });
    }
  }

  /** The machine's addresses that this router has; those that it has given up only when they are asked for. */
  #recordsOf(vnet: VnetId, mac: Mac): readonly NodeRecord[] {
    return this.#context.directory
      .byMac(vnet, mac)
      .filter(({ ip, router }) => router === this.#context.self && !this.#context.isFixed(vnet, ip));
  }

  /** The record of a node here, or the tombstone of one that was here last: it is not known to be elsewhere. */
  #own(vnet: VnetId, ip: Ip): NodeRecord | undefined {
    const record = this.#context.directory.get(vnet, ip);
    return record?.router === this.#context.self && !this.#context.isFixed(vnet, ip) ? record : undefined;
  }

  /** Another address of the machine has spoken meanwhile: it has not moved. */
  #wasHeard(vnet: VnetId, mac: Mac, sinceMs: number): boolean {
    return this.#context.hwdt.byMac(vnet, mac).some(({ lastSeenMs }) => lastSeenMs >= sinceMs);
  }
}

function isCovered({ ips }: MissingNode, records: readonly NodeRecord[]): boolean {
  return records.every(({ ip }) => ips.some((missing) => missing.equals(ip)));
}
