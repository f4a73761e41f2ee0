/**
 * Capture and injection of neighbour frames on one LAN interface, by libpcap (package `cap`). Main thread only.
 *
 * The kernel filters: only ARP, RARP and neighbour discovery reach the process, and nothing that this VR sent itself.
 * When the interface goes down, libpcap's socket is dead for ever; the capture sees that and opens a new one as soon
 * as the interface is up again. (`cap` must be compiled with NDEBUG for that: an assertion in it would otherwise end
 * the process when the interface goes down.)
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type * as CapModule from 'cap';
import type { Clock, Timer } from '../net/clock.js';
import { formatMac, type Mac } from '../net/mac.js';

// `cap` is a CommonJS module whose exports come from its addon, which an `import` by name does not see.
const { Cap } = createRequire(import.meta.url)('cap') as typeof CapModule;

/**
 * libpcap makes a slot of 64 KB for each frame, and where the interface has offloads on, each slot takes 128 KB of
 * memory: 64 frames and 8.4 MB a LAN. More than one burst of announcements; all of it counts as this process's.
 */
const RING_BYTES = 4 * 1024 * 1024;
/** Larger than any frame of an Ethernet LAN that neighbour discovery fits in. */
const FRAME_BYTES = 2048;
const WATCH_EVERY_MS = 250;

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
}

export interface CaptureOptions {
  /** The VR's own MAC on the interface. */
  readonly ownMac: Mac;
  readonly clock: Clock;
}

/** ICMPv6 types 135 and 136 are NS and NA; the type is the first byte behind the 40 of the IPv6 header. */
export function captureFilter(ownMac: Mac): string {
  const wanted = 'arp or rarp or (icmp6 and (ip6[40] == 135 or ip6[40] == 136))';
  return `(${wanted}) and not ether src ${formatMac(ownMac)}`;
}

/**
 * Starts capturing. `onFrame` gets a copy that is its own, and the time of capture on the clock given.
 * Throws an Error that names the interface when it does not exist, is down, is not Ethernet, or may not be opened.
 */
export function openCapture(
  interfaceName: string,
  onFrame: (bytes: Uint8Array, atMs: number) => void,
  options: CaptureOptions,
): Capture {
  return new InterfaceCapture(interfaceName, onFrame, options);
}

/**
 * Every `Cap` that ever was. The addon's destructor touches an event loop handle that a failed `open` never set up
 * and that a closed one is still listed in: collected as garbage, each crashes the process. There are as many as
 * there are LANs and times that one came back.
 */
const everOpened: CapModule.Cap[] = [];

class InterfaceCapture implements Capture {
  readonly counters = { received: 0, sent: 0, sendErrors: 0, reopened: 0 };
  readonly #interfaceName: string;
  readonly #onFrame: (bytes: Uint8Array, atMs: number) => void;
  readonly #options: CaptureOptions;
  #cap: CapModule.Cap;
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
    this.#cap = this.#open();
    this.#watch = this.#watchLater();
  }

  send(frame: Uint8Array): void {
    if (this.#watch === undefined) return;
    try {
      this.#cap.send(Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength), frame.byteLength);
      this.counters.sent++;
    } catch {
      this.counters.sendErrors++;
    }
  }

  close(): void {
    if (this.#watch === undefined) return;
    this.#watch.cancel();
    this.#watch = undefined;
    this.#cap.close();
  }

  #open(): CapModule.Cap {
    const name = this.#interfaceName;
    if (!Cap.deviceList().some((device) => device.name === name)) {
      throw new Error(`interface ${name} does not exist`);
    }
    const cap = new Cap();
    everOpened.push(cap);
    const buffer = Buffer.alloc(FRAME_BYTES);
    const linkType = openOn(cap, name, captureFilter(this.#options.ownMac), buffer);
    if (linkType !== 'ETHERNET') {
      cap.close();
      throw new Error(`interface ${name} is not Ethernet but ${linkType}`);
    }
    cap.on('packet', (lengthBytes) => {
      this.counters.received++;
      this.#onFrame(new Uint8Array(buffer.subarray(0, lengthBytes)), this.#options.clock.nowMs());
    });
    return cap;
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
    const old = this.#cap;
    try {
      this.#cap = this.#open();
    } catch {
      return;
    }
    old.close();
    this.#linkState = state;
    this.counters.reopened++;
  }
}

function openOn(cap: CapModule.Cap, name: string, filter: string, buffer: Buffer): string {
  try {
    return cap.open(name, filter, RING_BYTES, buffer);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`interface ${name} cannot be captured: ${reason}`, { cause: error });
  }
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
