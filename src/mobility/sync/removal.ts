/**
 * Nodes that do not answer any more, and routers that have been taken out of gndt.json: what was known of them is forgotten,
 * and what that had led to is put right.
 */
import type { Ip } from '../../net/ip.js';
import type { SavedRecord } from '../../tables/directory.js';
import type { VnetId } from '../../tables/model.js';
import { type AddressProbe, THOROUGH } from '../address-probe.js';
import type { Context } from '../context.js';
import type { DeferredClaims } from '../destination/deferred-claims.js';
import type { Verification } from '../source/verification.js';
import type { DuplicateSuppression } from '../suppression/duplicate-suppression.js';
import type { AntiEntropy } from './anti-entropy.js';
import type { UpdateBatcher } from './update-batcher.js';

export interface RemovalParts {
  readonly addressProbe: AddressProbe;
  readonly antiEntropy: AntiEntropy;
  readonly deferred: DeferredClaims;
  readonly suppression: DuplicateSuppression;
  readonly updates: UpdateBatcher;
  readonly verification: Verification;
}

export class Removal {
  readonly #context: Context;
  readonly #parts: RemovalParts;

  constructor(context: Context, parts: RemovalParts) {
    this.#context = context;
    this.#parts = parts;
  }

  /**
   * Nodes that the routers had claimed are asked whether they are here, and the other routers whether they know more.
   * @param dropped what `Directory.keepMembers` returned
   */
  membersGone(dropped: readonly SavedRecord[]): void {
    const { addressProbe, antiEntropy, deferred, suppression, verification } = this.#parts;
    const { gndt, self, ports, hwdt } = this.#context;
    suppression.membersGone(dropped);
    verification.membersGone();
    for (const record of dropped) {
      const { vnet, ip, previous } = record;
      // They may have given it another one.
      const mac = record.previousMac ?? record.mac;
      const isHome = gndt.isHome(vnet, ip);
      if (isHome && previous !== undefined) this.#standIn({ ...record, mac });
      const question = { vnet, ip, mac, probes: THOROUGH };
      if (isHome || (previous !== self && hwdt.get(vnet, ip) !== undefined)) {
        addressProbe.ask({ ...question, purpose: { for: 'deferred' } });
      } else if (previous === self) {
        // It was this router's before: if it answers it is again, as after a loss of state.
        const own = { vnet, ip, mac, router: self, seq: 1, state: 'here', stamp: 0 } as const;
        addressProbe.ask({ ...question, purpose: { for: 'returned', record: own, isOwn: false } });
      }
    }
    // They may have been what kept this router from claiming what it had seen.
    deferred.releaseAll();
    if (dropped.length > 0) for (const peer of ports.messenger.upPeers()) antiEntropy.compareWith(peer);
  }

  /** A node no longer answers: see `Mobility.nodeGone`. */
  nodeGone(vnet: VnetId, ip: Ip): void {
    const { hwdt, gndt, ports } = this.#context;
    if (this.#context.isOwnAddress(vnet, ip) || gndt.clientAt(vnet, ip) !== undefined) return;
    const isVisiting = this.#context.isHere(vnet, ip) && !gndt.isHome(vnet, ip);
    if (isVisiting) return;
    hwdt.forget(vnet, ip);
    const tombstone = gndt.isHome(vnet, ip) ? this.#parts.updates.withdraw(vnet, ip) : undefined;
    if (tombstone === undefined) return;
    ports.event({ event: 'node_withdrawn', vnet, ip, mac: tombstone.mac });
  }

  /**
   * A native node of which nothing is known any more but that it was somewhere: it is withdrawn, so that the router where
   * it is may claim it. Nobody else's visitors can be told from thieves of an address.
   */
  #standIn({ vnet, ip, mac }: SavedRecord): void {
    const { directory } = this.#context;
    if (directory.get(vnet, ip) !== undefined) return;
    directory.originate(vnet, ip, mac, 1);
    this.#parts.updates.withdraw(vnet, ip);
  }
}
