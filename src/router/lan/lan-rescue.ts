/**
 * Opens the LAN sockets for frames to other MACs: while some node is not where its neighbours think, to take them, and else
 * to overhear who is wanted and who is there (`Overhearing` says when that costs too much).
 */

import type { LanSocket, NativeAddon } from '../../dataplane/engine.js';
import type { Clock, Timer } from '../../net/clock.js';
import { messageOf } from '../../net/system-error.js';
import type { Directory } from '../../tables/directory.js';
import { MacTable } from '../../tables/forwarding/mac-table.js';
import { Rescue } from '../../tables/forwarding/rescue.js';
import type { Gndt } from '../../tables/gndt.js';
import type { Lans } from '../../tables/lan.js';
import type { VnetId } from '../../tables/model.js';
import type { EventHub } from '../view/event-hub.js';

/** Not in the middle of a move, which is what it is needed for: the kernel takes a lock of its own for it. */
const SOON_MS = 1;
/** Nodes that come and go do not make the interfaces enter and leave promiscuous mode each time. */
const LINGER_MS = 10_000;

export interface LanRescueOptions {
  readonly native: Pick<NativeAddon, 'setRescue'>;
  readonly clock: Clock;
  readonly gndt: Gndt;
  readonly directory: Directory;
  readonly lans: Lans;
  readonly lanSockets: readonly LanSocket[];
  readonly hub: Pick<EventHub, 'emit'>;
}

export class LanRescue {
  /** For the packet workers. */
  readonly macs = MacTable.create();
  readonly #options: LanRescueOptions;
  readonly #rescue: Rescue;
  readonly #on = new Set<VnetId>();
  #overhears = false;
  /** Vnets with more or fewer displaced nodes than before; what follows for the sockets is found out when there is time. */
  readonly #concerned = new Set<VnetId>();
  /** By vnet: the change that is to come. */
  readonly #pending = new Map<VnetId, Timer>();

  constructor(options: LanRescueOptions) {
    this.#options = options;
    const { gndt, directory } = options;
    this.#rescue = new Rescue(gndt, directory, this.macs, (vnet) => void this.#concerned.add(vnet));
    directory.subscribeLater(() => this.#followRescue());
    this.#followRescue();
  }

  /** GNDT has adopted a new configuration. */
  rebuild(): void {
    this.#rescue.rebuild();
    this.#followRescue();
  }

  /** Is a node of the vnet not where its neighbours think? */
  isForNodes(vnet: VnetId): boolean {
    return this.#rescue.isNeeded(vnet);
  }

  /** @param overhears also while no node is away */
  overhear(overhears: boolean): void {
    if (this.#overhears === overhears) return;
    this.#overhears = overhears;
    for (const { vnet } of this.#options.lans.current()) this.#changed(vnet, this.#rescue.isNeeded(vnet));
  }

  stop(): void {
    for (const timer of this.#pending.values()) timer.cancel();
  }

  #followRescue(): void {
    for (const vnet of this.#concerned) this.#changed(vnet, this.#rescue.isNeeded(vnet));
    this.#concerned.clear();
  }

  #changed(vnet: VnetId, isForNodes: boolean): void {
    const isNeeded = this.#overhears || isForNodes;
    this.#pending.get(vnet)?.cancel();
    this.#pending.delete(vnet);
    if (isNeeded === this.#on.has(vnet)) return;
    const change = (): void => {
      this.#pending.delete(vnet);
      this.#set(vnet, isNeeded);
    };
    const delayMs = isNeeded ? SOON_MS : LINGER_MS;
    this.#pending.set(vnet, this.#options.clock.after('rescue', delayMs, change));
  }

  #set(vnet: VnetId, on: boolean): void {
    const { lans, lanSockets, native, hub } = this.#options;
    if (on) this.#on.add(vnet);
    else this.#on.delete(vnet);
    for (const lan of lans.of(vnet)) {
      const socket = lanSockets[lan.index];
      if (socket === undefined) continue;
      try {
        for (const fd of socket.receivers ?? [socket.fd]) native.setRescue(fd, on, socket.vrid ?? 0);
      } catch (error) {
        const fields = { lan: lan.interface, reason: messageOf(error) };
        hub.emit('warn', 'rescue_failed', 'frames to other MACs cannot be taken', fields);
      }
    }
  }
}
