/** The part of the addon that counts packets by pair of addresses, by libpcap and without JavaScript for each. */

/** In one `take`; what is beyond is only summed. */
export const MOST_COUNTED_PAIRS = 65_536;
/** native/capture/pair_counter.h, `CountedPair`: source and destination, 16 bytes each, then packets, bytes and family as doubles. */
export const COUNTED_PAIR_BYTES = 56;

export interface PairCaptureOptions {
  readonly interface: string;
  /** pcap-filter(7); the kernel runs it. */
  readonly filter: string;
  /** Only what comes in by the interface, not what goes out by it. */
  readonly inboundOnly: boolean;
  /** So long the kernel may collect frames before they are counted; 1 to 1,000. */
  readonly collectMs: number;
  /** Size of the kernel's ring, 1 MB to 64 MB; what does not fit is lost and counted. */
  readonly ringBytes: number;
}

export interface PairCapture {
  /** Frames that the ring had no room for since it was opened, modulo 2^32; 0 when closed. */
  drops(): number;
  /** Nothing more is counted of it. Harmless when done already. */
  close(): void;
}

export interface PairCounts {
  /** `COUNTED_PAIR_BYTES` each, in this machine's byte order. */
  readonly pairs: ArrayBuffer;
  /** Of any kind. */
  readonly frames: number;
  /** Of packets for whose pair there was no room. */
  readonly restBytes: number;
}

export interface PairCounter {
  /**
   * Promiscuous, in the event loop of the calling thread, which goes on as long as it is open. Several count into one counter.
   * An interface that goes down and comes up again is still captured; one that was made anew is not.
   * Throws as `openCapture` of `arp/pcap` does.
   */
  openCapture(options: PairCaptureOptions): PairCapture;
  /**
   * The kernel's number of an interface of this process's network namespace; one that was made anew has another. 0: there is none.
   * (/sys/class/net would show the namespace in which /sys was mounted.)
   */
  interfaceIndex(name: string): number;
  /** What was counted since the last time. */
  take(): PairCounts;
}

export interface PairCounterAddon {
  /** For IP packets in Ethernet frames, also behind VLAN tags, with the length that they say themselves. */
  createPairCounter(): PairCounter;
}
