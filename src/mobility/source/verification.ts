/**
 * Is a node that another router claims really gone from here? Its old MAC is asked on this LAN.
 *
 * `optimistic`: the claim is acted on at once; an answer after it means that the node is here (the claim crossed its
 * return, lost a race, or is false): then it is claimed back by an objection. The router whose claim that undoes asks
 * its own LAN, and says so if it gets an answer as well: then there are two, and the node stays frozen where it was.
 * `strict`: the claim is acted on only when three questions were not answered.
 * `off`: claims are believed. But for one: that of an address for another MAC is never believed unasked.
 */
import type { NodeRecord, RouterId } from '../../tables/model.js';
import { type AddressProbe, ATTENTIVE, QUICK } from '../address-probe.js';
import type { Context } from '../context.js';
import type { DeferredClaims } from '../destination/deferred-claims.js';
import type { Evidence } from '../evidence.js';

/** The node has spoken here after it was claimed elsewhere. False: it is not to be had (frozen there meanwhile). */
export type ClaimBack = (evidence: Evidence) => boolean;

export class Verification {
  readonly #context: Context;
  readonly #addressProbe: AddressProbe;
  readonly #deferred: DeferredClaims;
  readonly #claimBack: ClaimBack;

  constructor(context: Context, addressProbe: AddressProbe, deferred: DeferredClaims, claimBack: ClaimBack) {
    this.#context = context;
    this.#addressProbe = addressProbe;
    this.#deferred = deferred;
    this.#claimBack = claimBack;
  }

  /** Has a claim of this record to wait until the node is known to be gone from here? */
  mustPrecede(record: NodeRecord): boolean {
    const own = this.#context.directory.here(record.vnet, record.ip);
    if (own === undefined || own.router !== this.#context.self || record.state !== 'here') return false;
    return this.isAskedFirst(own, record);
  }

  /** Is an own node asked before a claim of it is believed, not after? */
  isAskedFirst(own: NodeRecord, claimed: NodeRecord): boolean {
    return this.#context.config.verify === 'strict' || own.mac !== claimed.mac;
  }

  /** Asks for own nodes with these addresses before another router may have them. One call of one of the two follows. */
  precede(records: readonly NodeRecord[], here: () => void, gone: () => void): void {
    const { directory, counters } = this.#context;
    let left = records.length;
    let isOpen = true;
    for (const { vnet, ip } of records) {
      const mac = directory.here(vnet, ip)?.mac;
      const notHere = (): void => {
        if (--left > 0 || !isOpen) return;
        isOpen = false;
        counters.count('departures_verified');
        gone();
      };
      const found = (): void => {
        if (!isOpen) return;
        isOpen = false;
        counters.count('claims_contradicted');
        here();
      };
      if (mac === undefined) notHere();
      else this.#addressProbe.check({ vnet, ip, mac, probes: QUICK, found, gone: notHere });
    }
  }

  /** @param record the own record that has just been displaced by one of router `to` */
  nodeLeft(record: NodeRecord, to: RouterId): void {
    if (this.#context.config.verify === 'off') return;
    const { vnet, ip, mac } = record;
    this.#addressProbe.check({
      vnet,
      ip,
      mac,
      probes: ATTENTIVE,
      found: (evidence) => {
        if (this.#context.isHere(vnet, ip)) return;
        this.#context.counters.count('claims_contradicted');
        const move = this.#context.journal.latest(vnet, mac);
        const isAtClaimer = this.#context.directory.get(vnet, ip)?.router === to;
        move?.step('contradicted');
        if (!this.#claimBack(evidence)) return;
        if (isAtClaimer) move?.judge('undone', 'it answers here');
        this.#context.ports.event({ event: 'move_undone', vnet, ip, mac, other: to });
      },
      gone: () => {
        this.#context.journal.latest(vnet, mac)?.stepOnce('verified');
        this.#context.counters.count('departures_verified');
      },
    });
  }

  /**
   * The router that had the node has undone this router's claim of it.
   * @param object tells that router that the node answers here
   */
  claimUndone(record: NodeRecord, by: RouterId, object: () => void): void {
    const { vnet, ip, mac } = record;
    const move = this.#context.journal.latest(vnet, mac);
    move?.stepOnce('undone');
    move?.judge('undone', `it answers at ${by}`);
    this.#context.ports.event({ event: 'move_undone', vnet, ip, mac, other: by });
    this.#addressProbe.check({
      vnet,
      ip,
      mac,
      probes: QUICK,
      found: (evidence) => {
        this.#deferred.remember({ ...evidence, ip });
        object();
      },
      gone: () => this.#context.counters.count('false_claims'),
    });
  }
}
