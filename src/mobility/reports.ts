/** What operators are told of claims that come to nothing: each thing once a minute, however often it happens. */

import type { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import { KeyedRateLimit, onceIn } from '../net/rate-limit.js';
import type { ClaimReason } from '../protocol/table-message.js';
import type { NodeRecord, RouterId, VnetId } from '../tables/model.js';
import { nodeKey } from '../tables/node-key.js';
import type { Context } from './context.js';
import type { ClaimResult } from './destination/claims.js';

const REPORT_INTERVAL_MS = 60_000;

export class Reports {
  readonly #context: Context;
  readonly #limit: KeyedRateLimit;

  constructor(context: Context) {
    this.#context = context;
    this.#limit = new KeyedRateLimit(context.clock, onceIn(REPORT_INTERVAL_MS));
  }

  /** An own claim was refused by another router. */
  refusal(by: RouterId, { vnet, ip, reason, seq }: ClaimResult, mac: Mac): void {
    this.#context.counters.count(`own_claims_refused_${reason}`);
    if (!this.#limit.allow(`refused|${nodeKey(vnet, ip)}|${mac}|${by}|${reason}`)) return;
    this.#context.ports.event({ event: 'claim_refused', vnet, ip, by, reason, seq });
  }

  /** The network's `mobility.allow` does not name this router. */
  notAllowed({ vnet, ip, seq }: NodeRecord): void {
    this.#context.counters.count('moves_not_allowed');
    if (!this.#limit.allow(`allow|${nodeKey(vnet, ip)}`)) return;
    const by = this.#context.self;
    this.#context.ports.event({ event: 'claim_refused', vnet, ip, by, reason: 'not-allowed', seq });
  }

  /** Another router's claim was refused here. */
  refused(from: RouterId, { vnet, ip, seq }: NodeRecord, reason: ClaimReason, by: RouterId): void {
    if (!this.#limit.allow(`refusing|${nodeKey(vnet, ip)}|${from}|${reason}`)) return;
    this.#context.ports.event({ event: 'claim_refused', vnet, ip, by, reason, seq });
  }

  duplicate(vnet: VnetId, ip: Ip, mac: Mac, other: RouterId | Mac): void {
    if (!this.#limit.allow(`duplicate|${nodeKey(vnet, ip)}`)) return;
    this.#context.ports.event({ event: 'duplicate_address', vnet, ip, mac, other });
  }

  /** May a host of this LAN be asked again whether it uses the address that another MAC claims? */
  mayAskNative(vnet: VnetId, ip: Ip, mac: Mac): boolean {
    return this.#limit.allow(`native|${nodeKey(vnet, ip)}|${mac}`);
  }
}
