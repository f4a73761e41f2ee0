/** The gateway machine's own LAN addresses are nodes too: a node that has moved away must be told about them. */
import type { Ip } from '../../net/ip.js';
import type { Lan } from '../../tables/lan.js';
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

  /** The machine's addresses on a LAN are others now. */
  readdressed(after: Lan, before: Lan): void {
    const { directory, hwdt } = this.#context;
    const left = new Set(after.addresses.map(({ key }) => key));
    for (const ip of before.addresses) {
      if (left.has(ip.key) || this.#context.isOwnAddress(before.vnet, ip)) continue;
      hwdt.forget(before.vnet, ip);
      const own = directory.here(before.vnet, ip);
      if (own?.mac === before.mac) this.#updates.withdraw(before.vnet, ip);
    }
    this.#publishAll(after);
  }

  #publishAll(lan: Lan): void {
    const { gndt, self } = this.#context;
    for (const ip of lan.addresses) {
      if (!ip.isLinkLocal && gndt.mayClaim(lan.vnet, ip, self)) this.#publish(lan, ip);
    }
  }

  #publish(lan: Lan, ip: Ip): void {
    const { directory, hwdt, self } = this.#context;
    hwdt.learn(lan.index, lan.vnet, lan.mac, ip, 'static');
    const known = directory.get(lan.vnet, ip);
    if (known?.router === self && known.state === 'here' && known.mac === lan.mac) return;
    const seq = known === undefined ? 1 : known.router === self ? known.seq : known.seq + 1;
    this.#updates.publish(directory.originate(lan.vnet, ip, lan.mac, seq));
  }
}
