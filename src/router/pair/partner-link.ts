/** Mobility's way to the other router of this one's site. */
import type { Messenger, PartnerPort } from '../../mobility/ports.js';
import type { PartnerMessage } from '../../protocol/table-message.js';
import type { Gndt } from '../../tables/gndt.js';

export class PartnerLink implements PartnerPort {
  readonly #tunnel: Messenger;
  readonly #gndt: Pick<Gndt, 'partner'>;

  /** @param tunnel to routers */
  constructor(tunnel: Messenger, gndt: Pick<Gndt, 'partner'>) {
    this.#tunnel = tunnel;
    this.#gndt = gndt;
  }

  isUp(): boolean {
    const { partner } = this.#gndt;
    return partner !== undefined && this.#tunnel.upPeers().includes(partner);
  }

  send(message: PartnerMessage): void {
    const { partner } = this.#gndt;
    if (partner !== undefined) this.#tunnel.send(partner, message);
  }
}
