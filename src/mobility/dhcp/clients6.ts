/**
 * Which node a DHCPv6 message is of: a server's answer says the client's DUID and the transaction, and no MAC. Both
 * sides remember what they have carried.
 */
import type { Dhcp6Message } from '../../arp/dhcp/dhcp6.js';
import { BoundedMap } from '../../net/bounded-map.js';
import type { Ip } from '../../net/ip.js';
import type { Mac } from '../../net/mac.js';
import type { LanIndex, VnetId } from '../../tables/model.js';

const MOST = 4_096;

/** Where a visiting node has asked from. */
export interface Asker {
  readonly lan: LanIndex;
  readonly source: Ip;
  readonly clientId: string | undefined;
}

/** At the router where the nodes are. */
export class Askers {
  readonly #askers = new BoundedMap<string, Asker>(MOST);

  asked(vnet: VnetId, mac: Mac, asker: Asker): void {
    this.#askers.set(`${vnet}|${mac}`, asker);
  }

  /** Undefined: the node has asked nothing as that client. */
  askerOf(vnet: VnetId, mac: Mac, { clientId }: Dhcp6Message): Asker | undefined {
    const asker = this.#askers.get(`${vnet}|${mac}`);
    return clientId === undefined || asker?.clientId === clientId ? asker : undefined;
  }
}

/** At the home router. */
export class Transactions {
  readonly #open = new BoundedMap<string, Mac>(MOST);
  /** By DUID alone: a RECONFIGURE is in answer to nothing. */
  readonly #clients = new BoundedMap<string, Mac>(MOST);

  asked(vnet: VnetId, mac: Mac, message: Dhcp6Message): void {
    this.#open.set(transactionOf(vnet, message), mac);
    if (message.clientId !== undefined) this.#clients.set(`${vnet}|${message.clientId}`, mac);
  }

  /** The node whose message this answers. */
  nodeOf(vnet: VnetId, message: Dhcp6Message): Mac | undefined {
    return message.kind === 'reconfigure'
      ? this.#clients.get(`${vnet}|${message.clientId}`)
      : this.#open.get(transactionOf(vnet, message));
  }
}

function transactionOf(vnet: VnetId, { xid, clientId }: Dhcp6Message): string {
  return `${vnet}|${xid}|${clientId}`;
}
