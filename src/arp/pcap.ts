/** libpcap, as the native addon has it: capture and injection of frames on one Ethernet interface. */

export interface PcapOptions {
  readonly interface: string;
  /** pcap-filter(7); the kernel runs it. */
  readonly filter: string;
  /** Longer frames are cut; 64 to 262,144. */
  readonly frameBytes: number;
  /** Size of the kernel's ring, 64 KB to 64 MB; what does not fit is lost and counted. */
  readonly ringBytes: number;
}

export interface PcapHandle {
  /** Puts a frame on the wire at once. False when the interface does not take it, or it is closed. */
  send(frame: Uint8Array): boolean;
  /** Frames that the ring had no room for since it was opened, modulo 2^32; 0 when closed. */
  drops(): number;
  /** No frame follows. Harmless when done already. */
  close(): void;
}

/**
 * Gets copies of its own, 64 at most in a turn of the event loop. `agesMs[i]` is how long ago frame `i` was captured, by
 * the kernel's wall clock: anything, also below 0, when that was set meanwhile.
 */
export type FramesListener = (frames: readonly Uint8Array[], agesMs: Float64Array) => void;

export interface PcapAddon {
  /**
   * Promiscuous, each frame at once, in the event loop of the calling thread, which goes on as long as it is open. An
   * interface that goes down and comes up again is still captured; one that was made anew is not.
   * Throws ENODEV when there is no such interface, and with libpcap's words when it is down, is not Ethernet, or may
   * not be opened.
   */
  openCapture(options: PcapOptions, onFrames: FramesListener): PcapHandle;
}
