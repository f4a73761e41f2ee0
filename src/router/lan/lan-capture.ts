/** One LAN's neighbour frames: captured, held to a budget, decoded, counted by drop reason, handed on; and the way to send one. */
import { type Capture, openCapture } from '../../arp/capture.js';
import { decodeNeighbourFrame, type NeighbourDropReason, type NeighbourFrame } from '../../arp/frame.js';
import { FrameBudget } from '../../arp/frame-budget.js';
import type { PcapAddon } from '../../arp/pcap.js';
import type { Clock } from '../../net/clock.js';
import { type Mac, readMac } from '../../net/mac.js';
import type { Lan } from '../../tables/lan.js';
import type { LanCounts } from './lan-counters.js';

/** Where a frame says from whom it is. */
const SOURCE_OFFSET = 6;

export class LanCapture {
  readonly #capture: Capture;
  readonly #drops = new Map<NeighbourDropReason, number>();
  readonly #budget: FrameBudget;

  /**
   * Throws when the interface cannot be captured.
   * @param isNode has the MAC a record in the directory?
   */
  constructor(
    lan: Lan,
    pcap: PcapAddon,
    clock: Clock,
    onFrame: (frame: NeighbourFrame, capturedMs: number) => void,
    isNode: (mac: Mac) => boolean,
  ) {
    this.#budget = new FrameBudget(clock);
    this.#capture = openCapture(
      lan.interface,
      (bytes, capturedMs) => {
        const from = readMac(bytes, SOURCE_OFFSET);
        if (!this.#budget.takes(from, isNode(from))) return;
        const frame = decodeNeighbourFrame(bytes);
        if (typeof frame === 'string') this.#drops.set(frame, (this.#drops.get(frame) ?? 0) + 1);
        else onFrame(frame, capturedMs);
      },
      { pcap, ownMac: lan.mac, clock },
    );
  }

  send(frame: Uint8Array): void {
    this.#capture.send(frame);
  }

  close(): void {
    this.#capture.close();
  }

  counters(): LanCounts {
    const { received, sent, sendErrors, reopened } = this.#capture.counters;
    const drops = [...this.#drops].map(([reason, count]) => [
      `drop_neighbour_${reason.replaceAll('-', '_')}` as const,
      count,
    ]);
    return {
      neighbour_frames_received: received,
      neighbour_frames_sent: sent,
      neighbour_send_errors: sendErrors,
      drop_neighbour_queue_full: this.#capture.queueDrops(),
      capture_reopened: reopened,
      ...this.#budget.counters(),
      ...Object.fromEntries(drops),
    };
  }
}
