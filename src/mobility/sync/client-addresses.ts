/** The WireGuard clients that connect to this router are nodes of its: it originates their records. */
import { clientMac, isClientMac } from '../../tables/clients.js';
import type { Context } from '../context.js';
import type { UpdateBatcher } from './update-batcher.js';

export class ClientAddresses {
  readonly #context: Context;
  readonly #updates: UpdateBatcher;

  constructor(context: Context, updates: UpdateBatcher) {
    this.#context = context;
    this.#updates = updates;
  }

  /** Places the clients of the file here, and withdraws those that are in it no more. */
  publish(): void {
    const { directory, gndt, self } = this.#context;
    for (const { vnet, ip, publicKey } of gndt.ownClients) {
      const mac = clientMac(publicKey);
      const known = directory.get(vnet, ip);
      if (known?.router === self && known.state === 'here' && known.mac === mac) continue;
      const seq = known === undefined ? 1 : known.router === self ? known.seq : known.seq + 1;
      this.#updates.publish(directory.originate(vnet, ip, mac, seq));
    }
    for (const { vnet, ip, mac, state } of directory.of(self)) {
      if (state !== 'here' || !isClientMac(mac) || gndt.ownClientAt(vnet, ip) !== undefined) continue;
      this.#updates.withdraw(vnet, ip);
    }
  }
}
