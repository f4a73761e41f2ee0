/**
 * Keeps `Lans` in step with the kernel: an operator adds an address to an interface, a router advertisement another. What
 * is down keeps the addresses that it had.
 */
import type { Clock, Timer } from '../../net/clock.js';
import { formatMac } from '../../net/mac.js';
import type { Lans } from '../../tables/lan.js';
import { type InterfaceState, lanWarnings, readInterfaces } from './interfaces.js';

/** Asking takes 0.1 ms, or a millisecond on a machine with a thousand addresses. */
const LOOK_MS = 2_000;

export interface LanWatchOptions {
  readonly clock: Clock;
  readonly lans: Lans;
  readonly read?: (names: readonly string[]) => readonly InterfaceState[];
  /** An interface has another MAC: sockets and captures were made for the one before. */
  readonly onFailure: (error: Error) => void;
}

export class LanWatch {
  readonly #options: LanWatchOptions;
  readonly #read: (names: readonly string[]) => readonly InterfaceState[];
  #timer: Timer | undefined;

  constructor(options: LanWatchOptions) {
    this.#options = options;
    this.#read = options.read ?? readInterfaces;
  }

  start(): void {
    this.#timer = this.#options.clock.after('lan-watch', LOOK_MS, () => {
      this.start();
      this.look();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** What an operator should know of the interfaces. */
  warnings(): readonly string[] {
    return lanWarnings(this.#options.lans.current());
  }

  look(): void {
    const { lans, onFailure } = this.#options;
    const known = lans.current();
    const states = this.#read(known.map((lan) => lan.interface));
    for (const [i, lan] of known.entries()) {
      const { mac, addresses } = states[i] ?? { mac: undefined, addresses: undefined };
      if (mac !== undefined && mac !== lan.mac) {
        const macs = `${formatMac(mac)} instead of ${formatMac(lan.mac)}`;
        onFailure(new Error(`${lan.interface} has another MAC than at the start (${macs})`));
      } else if (addresses !== undefined) lans.readdress(lan.index, addresses);
    }
  }
}
