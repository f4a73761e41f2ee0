/**
 * Capture and injection of neighbour frames on one LAN interface, by libpcap. Main thread only.
 *
 * The kernel filters: only ARP, RARP, neighbour discovery and DHCP reach the process, and nothing that this VR sent itself.
 * Of what another machine sends from a MAC that it shares with this one, only what is for all: that it is heard is all that
 * matters, and it may announce a whole cluster's move to every host.
 * An interface that was down, or was made anew, is opened again.
 */
import { readFileSync } from 'node:fs';
import type { Clock, Timer } from '../net/clock.js';
import { formatMac, type Mac } from '../net/mac.js';
import type { PcapAddon, PcapHandle } from './pcap.js';

/** Some 650 frames: more than one burst of announcements. All of it counts as this process's memory. */
const RING_BYTES = 1024 * 1024;
/** What an Ethernet LAN carries, with a VLAN tag; neighbour discovery fits in less. Two to a page of the ring. */
const FRAME_BYTES = 1522;
const WATCH_EVERY_MS = 250;
/** No frame waits longer for a thread that is alive (the watchdog's limit is below it). */
const OLDEST_FRAME_MS = 120_000;

export interface Capture {
  /** Puts a complete frame on the wire at once. A frame that the interface refuses is counted, never thrown. */
  send(frame: Uint8Array): void;
  /** Stops capturing and sending; harmless when done already. */
  close(): void;
  readonly counters: {
    readonly received: number;
    readonly sent: number;
    readonly sendErrors: number;
    /** Times that the interface went away and the capture was opened again. */
    readonly reopened: number;
  };
  /** Frames that the kernel had no room for. */
  queueDrops(): number;
}

export interface CaptureOptions {
  readonly pcap: PcapAddon;
  /** The VR's own MACs on the interface. */
  readonly ownMacs: readonly Mac[];
  /** MACs that whichever router of the site is active sends from. */
  readonly sharedMacs?: readonly Mac[];
  readonly clock: Clock;
}

/**
 * ICMPv6 types 135 and 136 are NS and NA; the type is the first byte behind the 40 of the IPv6 header. DHCP between
 * clients and servers is known by its ports, whoever it is for: a question to one server is worth knowing too. What relays
 * say to servers and hear from them has the servers' port at both ends.
 *
 * Of the frames from shared MACs the one that comes first of all may be missed: libpcap looks at it itself, and cannot tell
 * which way it goes.
 */
export function captureFilter(ownMacs: readonly Mac[], sharedMacs: readonly Mac[] = []): string {
  const neighbours = 'arp or rarp or (icmp6 and (ip6[40] == 135 or ip6[40] == 136))';
  const dhcp = 'ip and udp and ((src port 68 and dst port 67) or (src port 67 and dst port 68))';
  const dhcp6 = 'ip6 and udp and ((src port 546 and dst port 547) or dst port 546)';
  const wanted = `${neighbours} or (${dhcp}) or (${dhcp6})`;
  const others = ownMacs.map((own) => `not ether src ${formatMac(own)}`);
  const heard = sharedMacs.map(
    (shared) => `not (ether src ${formatMac(shared)} and (outbound or not ether multicast))`,
  );
  return [`(${wanted})`, ...others, ...heard].join(' and ');
}

/**
 * When a frame was captured, on the monotonic clock whose reading is `nowMs`, given its age by the wall clock. An age
 * that cannot be, because the wall clock was set meanwhile, says nothing: the frame is taken as captured now.
 */
export function capturedAtMs(nowMs: number, ageMs: number): number {
  return ageMs >= 0 && ageMs <= OLDEST_FRAME_MS ? nowMs - ageMs : nowMs;
}

/**
 * Starts capturing. `onFrame` gets a copy that is its own, and the time of capture on the clock given: of the kernel's
 * taking the frame, however much later this thread reads it.
 * Throws an Error that names the interface when it does not exist, is down, is not Ethernet, or may not be opened.
 */
export function openCapture(
  interfaceName: string,
  onFrame: (bytes: Uint8Array, atMs: number) => void,
  options: CaptureOptions,
): Capture {
  return new InterfaceCapture(interfaceName, onFrame, options);
}

class InterfaceCapture implements Capture {
  readonly counters = { received: 0, sent: 0, sendErrors: 0, reopened: 0 };
  readonly #interfaceName: string;
  readonly #onFrame: (bytes: Uint8Array, atMs: number) => void;
  readonly #options: CaptureOptions;
  #handle: PcapHandle;
  /** Of handles that were closed. */
  #earlierDrops = 0;
  #linkState: string | undefined;
  #watch: Timer | undefined;

  constructor(
    interfaceName: string,
    onFrame: (bytes: Uint8Array, atMs: number) => void,
    options: CaptureOptions,
  ) {
    this.#interfaceName = interfaceName;
    this.#onFrame = onFrame;
    this.#options = options;
    this.#linkState = linkState(interfaceName);
    this.#handle = this.#open();
    this.#watch = this.#watchLater();
  }

  send(frame: Uint8Array): void {
    if (this.#watch === undefined) return;
    if (this.#handle.send(frame)) this.counters.sent++;
    else this.counters.sendErrors++;
  }

  queueDrops(): number {
    return this.#earlierDrops + this.#handle.drops();
  }

  close(): void {
    if (this.#watch === undefined) return;
    this.#watch.cancel();
    this.#watch = undefined;
    this.#end(this.#handle);
  }

  #open(): PcapHandle {
    const { pcap, ownMacs, sharedMacs, clock } = this.#options;
    const name = this.#interfaceName;
    const options = {
      interface: name,
      filter: captureFilter(ownMacs, sharedMacs),
      frameBytes: FRAME_BYTES,
      ringBytes: RING_BYTES,
    };
    try {
      return pcap.openCapture(options, (frames, agesMs) => {
        const nowMs = clock.nowMs();
        this.counters.received += frames.length;
        for (let i = 0; i < frames.length; i++) {
          const bytes = frames[i];
          if (bytes === undefined || this.#watch === undefined) return;
          this.#onFrame(bytes, capturedAtMs(nowMs, agesMs[i] ?? 0));
        }
      });
    } catch (error) {
      throw openError(name, error);
    }
  }

  #end(handle: PcapHandle): void {
    this.#earlierDrops += handle.drops();
    handle.close();
  }

  #watchLater(): Timer {
    return this.#options.clock.after('capture link', WATCH_EVERY_MS, () => {
      this.#watch = this.#watchLater();
      const state = linkState(this.#interfaceName);
      if (state !== undefined && state !== this.#linkState) this.#reopen(state);
    });
  }

  /** The new one first, so that no frame falls between. If it fails, the next look tries again. */
  #reopen(state: string): void {
    const old = this.#handle;
    try {
      this.#handle = this.#open();
    } catch {
      return;
    }
    this.#end(old);
    this.#linkState = state;
    this.counters.reopened++;
  }
}

function openError(name: string, error: unknown): Error {
  if (error instanceof Error && 'code' in error && error.code === 'ENODEV') {
    return new Error(`interface ${name} does not exist`, { cause: error });
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new Error(`interface ${name} cannot be captured: ${reason}`, { cause: error });
}

/** Changes whenever the interface was down, also for a moment, or was made anew; undefined while it is down. */
function linkState(name: string): string | undefined {
  try {
    const read = (file: string): string => readFileSync(`/sys/class/net/${name}/${file}`, 'latin1').trim();
    const isUp = (Number(read('flags')) & 1) !== 0;
    return isUp ? `${read('ifindex')} ${read('carrier_changes')}` : undefined;
  } catch {
    return undefined;
  }
}
