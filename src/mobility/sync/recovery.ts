/**
 * Own records that another router has kept, from before this one lost its state. Of a node that is known here such a record
 * says only a number. One of which nothing is known here is another router's word alone, so its node is asked first: when it
 * answers the record is issued anew, with the other's number and a stamp of this router's own. When it does not, nothing is
 * kept that others could make grow: who gave the record back is told to forget it (`UpdateBatcher.disown`), or the two
 * would differ, and it would be given back, for ever.
 */
import { BoundedMap } from '../../net/bounded-map.js';
import type { Ip } from '../../net/ip.js';
import { KeyedRateLimit, type Rate } from '../../net/rate-limit.js';
import type { ReturnedMessage } from '../../protocol/table-message.js';
import type { DirectoryChange } from '../../tables/directory.js';
import type { BindingChange } from '../../tables/hwdt.js';
import type { Lan } from '../../tables/lan.js';
import type { NodeRecord, RouterId, VnetId } from '../../tables/model.js';
import { nodeKey } from '../../tables/node-key.js';
import { compareRecords, isDisowned } from '../../tables/record.js';
import { type AddressProbe, PATIENT } from '../address-probe.js';
import type { Context } from '../context.js';
import type { Arrival } from '../destination/arrival.js';
import type { Evidence } from '../evidence.js';
import type { ProbePurpose } from '../follow-up.js';
import type { UpdateBatcher } from './update-batcher.js';

/** Nodes that are asked at a time on one router's word; it gives back what is beyond when tables are compared again. */
const MOST_ASKED_FOR_ONE = 2_048;
/** Silent nodes that are remembered, of all routers that gave them back … */
const MOST_SILENT = 4_096;
/** … and of one. */
const SILENT_OF_ONE: Rate = { perSecond: 512 / 86_400, burst: 512 };
/** Native nodes for which one router has asked, and for how long that is remembered: by then tables have been compared. */
const WANTED_BY_ONE = 256;
const WANTED_MS = 60_000;

type ReturnedProbe = Extract<ProbePurpose, { readonly for: 'returned' }>;

interface Asked {
  /** The highest that has come. */
  readonly record: NodeRecord;
  readonly first: RouterId;
  readonly givers: Set<RouterId>;
}

export interface RecoveryParts {
  readonly arrival: Arrival;
  readonly addressProbe: AddressProbe;
  readonly updates: UpdateBatcher;
}

export class Recovery {
  readonly #context: Context;
  readonly #parts: RecoveryParts;
  /** Nodes of which nothing is known here, by address and MAC. */
  readonly #asked = new Map<string, Asked>();
  /** How many of them, by the router that gave them back first. */
  readonly #askedFor = new Map<RouterId, number>();
  /**
   * Nodes that did not answer: asleep, behind a switch port that is not forwarding yet, or gone elsewhere while nobody
   * heard of it. What is known of them is looked at again when they speak here, or at another router that asks for them.
   */
  readonly #silent = new BoundedMap<string, NodeRecord>(MOST_SILENT);
  readonly #silentOf: KeyedRateLimit<RouterId>;
  /** By router: when it asked last for native nodes that were not here. */
  readonly #wanted = new Map<RouterId, BoundedMap<string, number>>();

  constructor(context: Context, parts: RecoveryParts) {
    this.#context = context;
    this.#parts = parts;
    this.#silentOf = new KeyedRateLimit(context.clock, SILENT_OF_ONE);
    context.atEnd(context.hwdt.subscribe((vnet, ip, change) => this.#bound(vnet, ip, change)));
    context.atEnd(context.directory.subscribe((change) => this.#changed(change)));
  }

  /** The gate has left what names this router, and what it may claim. */
  returned(from: RouterId, { records }: ReturnedMessage): void {
    for (const record of records) {
      const { vnet, ip } = record;
      const known = this.#context.directory.get(vnet, ip);
      if (known !== undefined && compareRecords(record, known) <= 0) continue;
      if (known?.router === this.#context.self && known.state === 'here') this.#renumber(record, known);
      // These are where the configuration has them, and nowhere else.
      else if (!this.#context.isFixed(vnet, ip)) this.#unknown(from, record);
    }
  }

  /** A node whose record has come back was asked. */
  probed({ record, isOwn }: ReturnedProbe, evidence: Evidence | undefined): void {
    const asked = this.#ended(record);
    const highest = asked?.record ?? record;
    if (evidence === undefined) this.#isSilent(highest, asked?.givers ?? new Set(), isOwn);
    else this.#isHere(highest, evidence);
  }

  /** It is here: all but the number is this router's to say. */
  #renumber(record: NodeRecord, { mac, state }: NodeRecord): void {
    const { vnet, ip } = record;
    const own = { ...record, mac, state };
    this.#issue(own);
    if (!this.#context.isFixed(vnet, ip)) this.#ask(own, true);
  }

  #unknown(from: RouterId, record: NodeRecord): void {
    const { vnet, ip, mac, state } = record;
    // It has left, as far as the record says; but it may have been seen here since.
    const isSeen = state === 'here' || this.#context.hwdt.get(vnet, ip)?.mac === mac;
    if (!isSeen) {
      this.#isSilent(record, new Set([from]), false);
      return;
    }
    const key = nodeMacKey(record);
    const asked = this.#asked.get(key);
    if (asked !== undefined) {
      asked.givers.add(from);
      if (compareRecords(record, asked.record) > 0) this.#asked.set(key, { ...asked, record });
      return;
    }
    const count = this.#askedFor.get(from) ?? 0;
    if (count >= MOST_ASKED_FOR_ONE || !this.#ask(record)) return;
    this.#askedFor.set(from, count + 1);
    this.#asked.set(key, { record, first: from, givers: new Set([from]) });
  }

  #ended(record: NodeRecord): Asked | undefined {
    const key = nodeMacKey(record);
    const asked = this.#asked.get(key);
    if (asked === undefined) return undefined;
    this.#asked.delete(key);
    const left = (this.#askedFor.get(asked.first) ?? 1) - 1;
    if (left > 0) this.#askedFor.set(asked.first, left);
    else this.#askedFor.delete(asked.first);
    return asked;
  }

  #isHere(record: NodeRecord, { lan, source }: Evidence): void {
    const { vnet, ip, mac, seq } = record;
    const { directory, gndt, self, hwdt } = this.#context;
    if (!gndt.mayClaim(vnet, ip, self)) return;
    hwdt.learn(lan.index, vnet, mac, ip, source);
    const known = directory.get(vnet, ip);
    const isOwn = known?.router === self;
    if (isOwn && known.state === 'here') return;
    if (known !== undefined && (isOwn ? compareRecords(record, known) < 0 : seq < known.seq)) return;
    this.#silent.delete(nodeKey(vnet, ip));
    this.#issue({ ...record, state: 'here' });
    if (!gndt.isHome(vnet, ip) || known !== undefined) this.#redirect(lan, record);
  }

  /** It had come here, or home, and who was to say that on the LAN did not live to do so. */
  #redirect(lan: Lan, { vnet, mac }: NodeRecord): void {
    const { directory, self } = this.#context;
    const own = directory.byMac(vnet, mac).filter(({ router }) => router === self);
    this.#parts.arrival.redirect({ lan, mac, ips: own.map(({ ip }) => ip) }, () => {});
  }

  /** @param wasOwn when it was asked. One that has come since has been seen here by other means. */
  #isSilent(record: NodeRecord, givers: ReadonlySet<RouterId>, wasOwn: boolean): void {
    const { vnet, ip, mac } = record;
    const { directory, self } = this.#context;
    const own = directory.get(vnet, ip);
    if (own?.router === self) {
      if (own.state === 'withdrawn') this.#issue({ ...record, state: 'withdrawn' });
      else if (wasOwn && own.mac === mac) this.#parts.updates.withdrawUnchanged(record);
      else if (compareRecords(record, own) > 0) this.#renumber(record, own);
      return;
    }
    const isRemembered = this.#silent.get(nodeKey(vnet, ip))?.mac === mac;
    // One of them is enough: a liar that has used up its share must not take the others' word from them.
    const isRoom = (): boolean => [...givers].some((giver) => this.#silentOf.allow(giver));
    if (isRemembered || isRoom()) this.#remember(record);
    for (const giver of givers) this.#parts.updates.disown(giver, record);
  }

  #remember(record: NodeRecord): void {
    const { vnet, ip, mac } = record;
    const { hwdt } = this.#context;
    // So that it counts as new when it is seen again.
    if (hwdt.get(vnet, ip)?.mac === mac) hwdt.forget(vnet, ip);
    const key = nodeKey(vnet, ip);
    const other = this.#silent.get(key);
    if (other === undefined || compareRecords(record, other) > 0) this.#silent.set(key, record);
    const sinceMs = this.#context.clock.nowMs() - WANTED_MS;
    const isWanted = [...this.#wanted.values()].some((asked) => (asked.get(key) ?? sinceMs) > sinceMs);
    if (isWanted) this.#makeKnown(vnet, ip);
  }

  /**
   * Another router has seen an address that nobody knows. A node that is native here may be claimed where it is when it is
   * known to be withdrawn; nobody could tell it from a thief of its address otherwise. It may be known here only later
   * that nobody has the node.
   */
  askedFor(from: RouterId, vnet: VnetId, ip: Ip): void {
    const { gndt, clock } = this.#context;
    if (!gndt.isHome(vnet, ip) || this.#context.isHere(vnet, ip)) return;
    const asked = this.#wanted.get(from) ?? new BoundedMap<string, number>(WANTED_BY_ONE);
    asked.set(nodeKey(vnet, ip), clock.nowMs());
    this.#wanted.set(from, asked);
    this.#makeKnown(vnet, ip);
  }

  #makeKnown(vnet: VnetId, ip: Ip): void {
    const key = nodeKey(vnet, ip);
    const record = this.#silent.get(key);
    if (record === undefined || this.#context.directory.get(vnet, ip) !== undefined) return;
    this.#silent.delete(key);
    this.#issue({ ...record, state: 'withdrawn' });
  }

  /** A router has disowned a node that is native here: nobody knows where it is, but that there is one. */
  #changed({ before, after }: DirectoryChange): void {
    if (before?.state !== 'here' || !isDisowned(after)) return;
    if (!this.#context.gndt.isHome(after.vnet, after.ip)) return;
    if (this.#silentOf.allow(after.router)) this.#remember(before);
  }

  /** Has a node spoken that was silent? */
  #bound(vnet: VnetId, ip: Ip, change: BindingChange): void {
    if (this.#silent.size === 0) return;
    const key = nodeKey(vnet, ip);
    const record = this.#silent.get(key);
    if (record === undefined || change !== 'seen') return;
    const { directory, hwdt } = this.#context;
    if (hwdt.get(vnet, ip)?.mac !== record.mac) return;
    if (directory.here(vnet, ip) === undefined) this.#ask(record);
    else this.#silent.delete(key);
  }

  #issue({ vnet, ip, mac, router, seq, stamp, state }: NodeRecord): void {
    const { directory, self, counters } = this.#context;
    counters.count('records_recovered');
    if (router === self) directory.heardOwn(stamp);
    const issued = directory.originate(vnet, ip, mac, seq);
    const record = state === 'withdrawn' ? directory.withdraw(vnet, ip) : issued;
    // A claim that was agreed to when its answer no longer counted is known to one router only.
    if (record !== undefined) this.#parts.updates.publish(record);
  }

  #ask(record: NodeRecord, isOwn = false): boolean {
    const { vnet, ip, mac } = record;
    const purpose: ReturnedProbe = { for: 'returned', record, isOwn };
    return this.#parts.addressProbe.ask({ vnet, ip, mac, probes: PATIENT, purpose });
  }
}

function nodeMacKey({ vnet, ip, mac }: NodeRecord): string {
  return `${nodeKey(vnet, ip)}|${mac}`;
}
