/**
 * With it an engine forwards by itself what it has been told of: `receive` hands up only what no entry of the memory is for,
 * and does not return for other packets. An entry is used while its generation is the key's now, for packets that are plain:
 * IPv4 without options, IPv6 without extension headers, no fragment, no TCP SYN, with a hop to spend where one is spent,
 * not larger than the path carries where only the sender may cut it, from the overlay with all its hops, not the first of a
 * session. Everything else is handed up, and with it what comes behind it of the same entry in the same call.
 */
export interface EngineFlows {
  /** Of `createFlowMemory`. */
  readonly memory: SharedArrayBuffer;
  /** `Generations`, from the word `generationsWord` of an Int32Array on. */
  readonly generations: SharedArrayBuffer;
  readonly generationsWord: number;
  /** The worker's own Float64Arrays, by `E.counter` and `E.vnetCounter`. */
  readonly packetCounters: SharedArrayBuffer;
  readonly vnetCounters: SharedArrayBuffer;
  /** Int32Array: packets to each machine by its number, then packets from each (`NodeActivity`). */
  readonly activity: SharedArrayBuffer;
  /** Int32Array: `receive` returns when its first word is not 0. */
  readonly stop: SharedArrayBuffer;
  /** Int32Array: `receive` adds to its first word each time round its loop, at least five times a second. */
  readonly turns: SharedArrayBuffer;
}
