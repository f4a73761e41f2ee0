/**
 * How many neighbour frames of one LAN are worked on. A frame costs 1 to 12 µs of the control thread (decoding, classifying,
 * tables; measured), and one that is answered a system call more; a machine on the LAN can send a million a second. So
 * before anything else is done with it, a frame has to have a place in two budgets: its sender's, and one of the LAN.
 *
 * Senders that have a record somewhere in the overlay, the machines that move, have a LAN budget of their own: a flood
 * from made-up MACs takes none of it. All budgets together are 3,000 frames a second, some 4 % of a processor; fifty moves
 * within one second (each RARP, ARP and NA, five times) beside a thousand hosts that chat are 1,750.
 */
import type { Clock } from '../net/clock.js';
import type { Mac } from '../net/mac.js';
import { KeyedRateLimit, type Rate, RateLimit } from '../net/rate-limit.js';

export const FRAMES_OF_A_MAC: Rate = { perSecond: 200, burst: 400 };
export const FRAMES_OF_NODES: Rate = { perSecond: 2_000, burst: 4_000 };
export const FRAMES_OF_STRANGERS: Rate = { perSecond: 1_000, burst: 2_000 };

export class FrameBudget {
  readonly #macs: KeyedRateLimit<Mac>;
  readonly #nodes: RateLimit;
  readonly #strangers: RateLimit;
  #overLan = 0;
  #overMac = 0;

  constructor(clock: Pick<Clock, 'nowMs'>) {
    this.#macs = new KeyedRateLimit<Mac>(clock, FRAMES_OF_A_MAC);
    this.#nodes = new RateLimit(clock, FRAMES_OF_NODES);
    this.#strangers = new RateLimit(clock, FRAMES_OF_STRANGERS);
  }

  /**
   * Is there work to be done on a frame? False is counted.
   * @param from its Ethernet source @param isNode that MAC has a record, wherever its node is
   */
  takes(from: Mac, isNode: boolean): boolean {
    // First: one sender alone must not use up what is for all.
    if (!this.#macs.allow(from)) {
      this.#overMac++;
      return false;
    }
    if ((isNode ? this.#nodes : this.#strangers).allow()) return true;
    this.#overLan++;
    return false;
  }

  counters(): { readonly arp_frames_over_budget_lan: number; readonly arp_frames_over_budget_mac: number } {
    return { arp_frames_over_budget_lan: this.#overLan, arp_frames_over_budget_mac: this.#overMac };
  }
}
