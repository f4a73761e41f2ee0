/**
 * Is a node that another router has claimed really gone from here? Its old MAC is asked on this LAN; an answer after
 * the claim means that it is here: the claim crossed its return, lost a race, or is false. Then it is claimed back.
 * This is the "act at once, object if it answers" of `verify: "optimistic"` between honest routers.
 */
import type { NodeRecord, RouterId } from '../tables/model.js';
import type { Context } from './context.js';
import type { Evidence } from './evidence.js';
import type { Presence } from './presence.js';

/** The node has spoken here: to be taken as any other frame of a node that the directory places elsewhere. */
export type ClaimBack = (evidence: Evidence) => void;

export class Verification {
  readonly #context: Context;
  readonly #presence: Presence;
  readonly #claimBack: ClaimBack;

  constructor(context: Context, presence: Presence, claimBack: ClaimBack) {
    this.#context = context;
    this.#presence = presence;
    this.#claimBack = claimBack;
  }

  /** @param record the own record that has just been displaced by one of router `to` */
  nodeLeft(record: NodeRecord, to: RouterId): void {
    if (this.#context.config.verify === 'off') return;
    const { vnet, ip, mac } = record;
    this.#presence.check({
      vnet,
      ip,
      mac,
      found: (evidence) => {
        this.#context.counters.count('claims_contradicted');
        this.#context.ports.event({ event: 'move_undone', vnet, ip, mac, other: to });
        this.#claimBack(evidence);
      },
      gone: () => this.#context.counters.count('departures_verified'),
    });
  }
}
