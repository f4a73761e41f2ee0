/**
 * One LAN's neighbour frames and its DHCP: captured, held to one budget, decoded, counted by drop reason, handed on; and
 * the way to send a frame.
 */
import { type Capture, openCapture } from '../../arp/capture.js';
import { type DhcpDropReason, type DhcpFrame, decodeDhcpFrame, isUdpFrame } from '../../arp/dhcp/frame.js';
import { decodeNeighbourFrame, type NeighbourDropReason, type NeighbourFrame } from '../../arp/frame.js';
import { FrameBudget } from '../../arp/frame-budget.js';
import type { PcapAddon } from '../../arp/pcap.js';
import type { Clock } from '../../net/clock.js';
import { isGroupMac, type Mac, readMac } from '../../net/mac.js';
import { isVirtualMac, macsOf } from '../../tables/gateway.js';
import type { Lan } from '../../tables/lan.js';
import type { LanCounts } from './lan-counters.js';

/** Where a frame says from whom it is. */
const SOURCE_OFFSET = 6;

/** Who hears of frames. `capturedMs`: when the kernel took the frame, on the monotonic clock. */
export interface LanListener {
  neighbour(frame: NeighbourFrame, capturedMs: number): void;
  dhcp(frame: DhcpFrame, capturedMs: number): void;
  /** Another machine has sent something to all, or to a group. Told first. */
  toGroup(capturedMs: number): void;
  /** Another machine has sent something to all from one of the LAN's virtual MACs. */
  virtualMac(capturedMs: number): void;
}

export class LanCapture {
  readonly #capture: Capture;
  readonly #drops = new Map<`neighbour_${NeighbourDropReason}` | `dhcp_${DhcpDropReason}`, number>();
  readonly #budget: FrameBudget;

  /**
   * Throws when the interface cannot be captured.
   * @param isNode has the MAC a record in the directory?
   */
  constructor(lan: Lan, pcap: PcapAddon, clock: Clock, listener: LanListener, isNode: (mac: Mac) => boolean) {
    const sharedMacs = macsOf(lan).filter(isVirtualMac);
    this.#budget = new FrameBudget(clock);
    this.#capture = openCapture(
      lan.interface,
      (bytes, capturedMs) => {
        const from = readMac(bytes, SOURCE_OFFSET);
        if (!this.#budget.takes(from, isNode(from))) return;
        if (isGroupMac(readMac(bytes, 0))) listener.toGroup(capturedMs);
        if (sharedMacs.includes(from)) listener.virtualMac(capturedMs);
        else if (isUdpFrame(bytes)) this.#dhcp(bytes, capturedMs, listener);
        else this.#neighbour(bytes, capturedMs, listener);
      },
      { pcap, ownMacs: [lan.mac], sharedMacs, clock },
    );
  }

  #neighbour(bytes: Uint8Array, capturedMs: number, listener: LanListener): void {
    const frame = decodeNeighbourFrame(bytes);
    if (typeof frame === 'string') this.#drop(`neighbour_${frame}`);
    else listener.neighbour(frame, capturedMs);
  }

  #dhcp(bytes: Uint8Array, capturedMs: number, listener: LanListener): void {
    const frame = decodeDhcpFrame(bytes);
    if (typeof frame === 'string') this.#drop(`dhcp_${frame}`);
    else listener.dhcp(frame, capturedMs);
  }

  #drop(reason: `neighbour_${NeighbourDropReason}` | `dhcp_${DhcpDropReason}`): void {
    this.#drops.set(reason, (this.#drops.get(reason) ?? 0) + 1);
  }

  send(frame: Uint8Array): void {
    this.#capture.send(frame);
  }

  close(): void {
    this.#capture.close();
  }

  counters(): LanCounts {
    const { received, sent, sendErrors, reopened } = this.#capture.counters;
    const drops = [...this.#drops].map(([reason, count]) => [`drop_${reason.replaceAll('-', '_')}`, count]);
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
