/**
 * Whether this machine's port gets frames whose destination no switch knows. A host that has not heard of a move sends to the
 * node's MAC, which nobody on the LAN has any more; without such frames it reaches the node only when it has asked again.
 *
 * No such frame may be needed for hours, so one is asked for. A machine of the LAN is asked whether it is there, twice, by
 * ARP probes (sender 0.0.0.0, RFC 5227 §2.1.1), from which nobody learns. The sender's hardware address is this machine's own
 * in the one, and in the other a MAC that nobody has and that no frame was ever sent from: the answer goes there (RFC 826,
 * "send the packet to the (new) target hardware address"), and switches give it to all.
 */
import { strayProbe } from '../../../arp/announce.js';
import { ArpOperation, type NeighbourFrame } from '../../../arp/frame.js';
import type { Clock } from '../../../net/clock.js';
import type { Ip } from '../../../net/ip.js';
import type { Mac } from '../../../net/mac.js';
import type { Lan } from '../../../tables/lan.js';
import type { LanIndex } from '../../../tables/model.js';

/** A machine on the LAN answers in less; one that is busy within some tens of milliseconds. */
const WAIT_MS = 500;
/** One that does not answer at all says nothing. */
export const MOST_ASKED = 5;

/** `silent`: none of those asked has answered in whichever way. */
export type StrayVerdict = 'passes' | 'kept' | 'silent';

export interface StrayProbeOptions {
  readonly clock: Pick<Clock, 'after'>;
  readonly sendFrame: (lan: LanIndex, frame: Uint8Array) => void;
}

interface Trial {
  readonly stray: Mac;
  readonly own: Mac;
  readonly machines: ReadonlySet<Mac>;
  toOwn: boolean;
  toStray: boolean;
}

export interface Asked {
  readonly ip: Ip;
  readonly mac: Mac;
}

export class StrayProbe {
  readonly #options: StrayProbeOptions;
  /** One at a time on each LAN. */
  readonly #trials = new Map<LanIndex, Trial>();

  constructor(options: StrayProbeOptions) {
    this.#options = options;
  }

  /** Asks IPv4 machines of the LAN that were heard lately; those beyond five are left out. */
  try({ index, mac: own }: Pick<Lan, 'index' | 'mac'>, machines: readonly Asked[]): Promise<StrayVerdict> {
    const asked = machines.slice(0, MOST_ASKED);
    const macs = new Set(asked.map(({ mac }) => mac));
    const trial: Trial = { own, machines: macs, stray: strayMac(own), toOwn: false, toStray: false };
    this.#trials.set(index, trial);
    for (const { ip, mac } of asked) {
      for (const sender of [own, trial.stray])
        this.#options.sendFrame(index, strayProbe(ip, own, sender, mac));
    }
    return new Promise((resolve) => {
      this.#options.clock.after('stray probe', WAIT_MS, () => {
        if (this.#trials.get(index) === trial) this.#trials.delete(index);
        resolve(verdictOf(trial));
      });
    });
  }

  frameSeen(lan: LanIndex, frame: NeighbourFrame): void {
    const trial = this.#trials.get(lan);
    if (trial === undefined || frame.kind !== 'arp' || frame.operation !== ArpOperation.reply) return;
    if (!trial.machines.has(frame.ethernetSource)) return;
    if (frame.ethernetDestination === trial.own) trial.toOwn = true;
    if (frame.ethernetDestination === trial.stray) trial.toStray = true;
  }
}

function verdictOf({ toOwn, toStray }: Trial): StrayVerdict {
  if (toStray) return 'passes';
  return toOwn ? 'kept' : 'silent';
}

/**
 * Locally administered, and not a group's (IEEE 802 §8.2): the machine's own with its first byte replaced, so that two routers
 * of a LAN have different ones.
 */
export function strayMac(own: Mac): Mac {
  const rest = own % 0x100_0000_0000;
  const first = Math.floor(own / 0x100_0000_0000) === 0xae ? 0xa6 : 0xae;
  return (first * 0x100_0000_0000 + rest) as Mac;
}
