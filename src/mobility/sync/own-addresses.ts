/**
 * The gateway machine's own LAN addresses, and those that the router itself answers for, are nodes too: a node that has moved
 * away must be told about them.
 */
import type { Ip } from '../../net/ip.js';
import type { Mac } from '../../net/mac.js';
import { servingMac } from '../../tables/gateway.js';
import type { Lan } from '../../tables/lan.js';
import type { LanIndex } from '../../tables/model.js';
import type { Context } from '../context.js';
import type { UpdateBatcher } from './update-batcher.js';

export class OwnAddresses {
  readonly #context: Context;
  readonly #updates: UpdateBatcher;

  constructor(context: Context, updates: UpdateBatcher) {
    this.#context = context;
    this.#updates = updates;
  }

  /** Those that lie in a network that this router may speak for; link-local ones are on every LAN and mean nothing elsewhere. */
  publish(): void {
    for (const lan of this.#context.lans.current()) this.#publishAll(lan);
  }

  /** The addresses on a LAN are others now. */
  readdressed(after: Lan, before: Lan): void {
    const { directory, hwdt } = this.#context;
    const left = new Set(ownOf(after).map(({ ip }) => ip.key));
    for (const { ip, mac } of ownOf(before)) {
      if (left.has(ip.key) || this.#context.isOwnAddress(before.vnet, ip)) continue;
      hwdt.forget(before.vnet, ip);
      const own = directory.here(before.vnet, ip);
      if (own?.mac === mac) this.#updates.withdraw(before.vnet, ip);
    }
    this.#publishAll(after);
  }

  /** This router serves the LAN from now on. */
  taken(index: LanIndex): void {
    const lan = this.#context.lan(index);
    if (lan !== undefined) this.#publishAll(lan);
  }

  /** Of the addresses that a site's routers share that one speaks which serves the LAN. */
  #publishAll(lan: Lan): void {
    const { gndt, self, lans } = this.#context;
    const isActive = lans.isActive(lan.index);
    for (const { ip, mac, isShared } of ownOf(lan)) {
      if (isShared && !isActive) continue;
      if (!ip.isLinkLocal && gndt.mayClaim(lan.vnet, ip, self)) this.#publish(lan, ip, mac);
    }
  }

  #publish(lan: Lan, ip: Ip, mac: Mac): void {
    const { directory, hwdt, self } = this.#context;
    hwdt.learn(lan.index, lan.vnet, mac, ip, 'static');
    const known = directory.get(lan.vnet, ip);
    if (known?.router === self && known.state === 'here' && known.mac === mac) return;
    const seq = known === undefined ? 1 : known.router === self ? known.seq : known.seq + 1;
    this.#updates.publish(directory.originate(lan.vnet, ip, mac, seq));
  }
}

/** The machine's own addresses, then the gateway addresses: each with the MAC that it has. */
function ownOf(lan: Lan): readonly { readonly ip: Ip; readonly mac: Mac; readonly isShared: boolean }[] {
  return [
    ...lan.addresses.map((ip) => ({ ip, mac: lan.mac, isShared: false })),
    ...(lan.gateway ?? []).map((ip) => ({ ip, mac: servingMac(lan, ip.family), isShared: true })),
  ];
}
