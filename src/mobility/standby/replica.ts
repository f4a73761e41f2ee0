/**
 * The standby's part in keeping its directory like the active router's: it takes what that one sends, and says now and then
 * what it knows. What follows from a record for the HWDT is done too, so that it can forward at once when it takes over.
 */
import type { PartnerRecordsMessage, PartnerWholeMessage } from '../../protocol/table-message.js';
import { chunks } from '../../tables/chunks.js';
import { TOMBSTONE_MS } from '../../tables/directory.js';
import type { LanIndex, NodeRecord } from '../../tables/model.js';
import { DISOWNED_STAMP } from '../../tables/record.js';
import type { Context } from '../context.js';
import type { PartnerPort } from '../ports.js';
import type { PartnerGate } from './gate.js';
import { Surplus } from './surplus.js';

const DIGEST_INTERVAL_MS = 10_000;
const SITES_PER_MESSAGE = 16;

export class Replica {
  readonly #context: Context;
  readonly #partner: PartnerPort | undefined;
  readonly #gate: PartnerGate;
  readonly #surplus: Surplus;

  /** @param partner undefined: there is none, and tombstones only grow old */
  constructor(context: Context, partner: PartnerPort | undefined, gate: PartnerGate) {
    this.#context = context;
    this.#partner = partner;
    this.#gate = gate;
    this.#surplus = new Surplus(context.directory, context.clock);
  }

  start(): void {
    this.compare();
    this.#compareLater();
  }

  /** Says what is known here of each site. The active router sends what it has otherwise. */
  compare(): void {
    if (this.#partner?.isUp() !== true) return;
    const { gndt, directory } = this.#context;
    this.#surplus.asked();
    const digests = [...gndt.siteIds].map((site) => ({ site, ...directory.digest(site) }));
    for (const part of chunks(digests, SITES_PER_MESSAGE)) {
      this.#partner.send({ type: 'partnerDigests', digests: part });
    }
  }

  records(message: PartnerRecordsMessage): void {
    for (const record of this.#gate.records(message)) {
      if (this.#isExpired(record)) continue;
      const before = this.#context.directory.get(record.vnet, record.ip);
      const outcome = this.#context.directory.apply(record);
      if (outcome === 'applied') {
        this.#context.counters.count('partner_records_applied');
        this.#unbind(before, record);
      }
      if (outcome === 'stale') continue;
      this.#bind(record);
      this.#surplus.received(record);
    }
    this.#dropSurplus();
  }

  /** All records of a site have been sent. */
  whole(message: PartnerWholeMessage): void {
    if (!this.#gate.isWhole(message)) return;
    this.#surplus.whole(message);
    this.#dropSurplus();
  }

  #dropSurplus(): void {
    for (const record of this.#surplus.take()) {
      this.#context.directory.drop(record);
      this.#context.counters.count('partner_surplus_dropped');
      this.#unbind(record, { ...record, state: 'withdrawn' });
    }
  }

  /** A tombstone that the active router is about to drop: taken now, it would count its 24 h from now on. */
  #isExpired({ vnet, ip, router, state, stamp }: NodeRecord): boolean {
    const { directory, clock } = this.#context;
    if (state !== 'withdrawn' || stamp === DISOWNED_STAMP) return false;
    return stamp / 1_000 < clock.wallMs() - TOMBSTONE_MS && directory.here(vnet, ip)?.router !== router;
  }

  #compareLater(): void {
    this.#context.timers.after('partner digests', DIGEST_INTERVAL_MS, () => {
      this.#context.directory.expire();
      this.compare();
      this.#compareLater();
    });
  }

  /** A node is not here any more: its binding goes, and those of its link-local addresses, which have no records. */
  #unbind(before: NodeRecord | undefined, after: NodeRecord): void {
    const { hwdt, self } = this.#context;
    if (before?.router !== self || before.state !== 'here') return;
    if (after.router === self && after.state === 'here') return;
    const { vnet, ip, mac } = before;
    if (this.#context.isOwnAddress(vnet, ip)) return;
    if (hwdt.get(vnet, ip)?.mac === mac) hwdt.forget(vnet, ip);
    if (after.router === self) return;
    for (const binding of hwdt.byMac(vnet, mac)) if (binding.ip.isLinkLocal) hwdt.forget(vnet, binding.ip);
  }

  /** The binding follows from the record, as with RARP, unless this router has heard another one since. */
  #bind(record: NodeRecord): void {
    const { hwdt, self } = this.#context;
    const { vnet, ip, mac, router, state } = record;
    if (router !== self || state !== 'here' || this.#context.isFixed(vnet, ip)) return;
    const bound = hwdt.get(vnet, ip);
    if (bound?.mac === mac || (bound !== undefined && this.#isHeardSince(bound.lastSeenMs, record))) return;
    const lan = this.#lanOf(record);
    if (lan !== undefined) hwdt.learn(lan, vnet, mac, ip, 'rarp');
  }

  #isHeardSince(lastSeenMs: number, { stamp }: NodeRecord): boolean {
    const { clock } = this.#context;
    return clock.wallMs() - (clock.nowMs() - lastSeenMs) >= stamp / 1_000;
  }

  /** Where the machine was heard, or the only one that it can be on. */
  #lanOf({ vnet, mac }: NodeRecord): LanIndex | undefined {
    const [heard] = this.#context.hwdt.byMac(vnet, mac);
    if (heard !== undefined) return heard.lan;
    const [only, ...others] = this.#context.lansOf(vnet);
    return others.length === 0 ? only?.index : undefined;
  }
}
