/** The figures of a throughput run. */

/** Of one repetition, or medians; undefined where a figure makes no sense (the kernel has no process). */
export interface Figures {
  readonly tcp1Mbit: number;
  readonly tcp4Mbit: number;
  /** 64-byte payloads that arrived, thousands a second; default socket buffer, and 4 MB. */
  readonly udpKpps: number | undefined;
  readonly udp4mKpps: number | undefined;
  /** A ping every 5 ms with nothing else on the path. */
  readonly rttMeanMs: number;
  readonly rttP50Ms?: number | undefined;
  readonly rttP99Ms: number;
  /** One every second: caches and processors have cooled down in between. */
  readonly rtt1sMeanMs?: number | undefined;
  readonly rtt1sP50Ms?: number | undefined;
  readonly rtt1sP99Ms?: number | undefined;
  /** One every 10 ms beside 100 Mbit/s of other traffic the same way. */
  readonly rttBesideP50Ms?: number | undefined;
  readonly rttBesideP99Ms?: number | undefined;
  /** The longest ping while one TCP stream floods the path. */
  readonly rttFloodMaxMs: number;
  /** Processor seconds of both routers' programs for each GB (10⁹ bytes) of TCP payload, one stream. */
  readonly cpuPerGb: number | undefined;
  /** Resident memory of the larger of the two, after all that. */
  readonly rssMb: number | undefined;
  /** Of one core, per router, with no traffic. */
  readonly idlePercent: number | undefined;
  /** Only of ours over UDP, and measured last: what `measureBusy` of measure.ts finds. */
  readonly rttBusyMaxMs?: number | undefined;
  readonly rssRoutesMb?: number | undefined;
  readonly updatesPerSecond?: number | undefined;
}

export const FIGURES = [
  'tcp1Mbit',
  'tcp4Mbit',
  'udpKpps',
  'udp4mKpps',
  'rttMeanMs',
  'rttP50Ms',
  'rttP99Ms',
  'rtt1sMeanMs',
  'rtt1sP50Ms',
  'rtt1sP99Ms',
  'rttBesideP50Ms',
  'rttBesideP99Ms',
  'rttFloodMaxMs',
  'cpuPerGb',
  'rssMb',
  'idlePercent',
  'rttBusyMaxMs',
  'rssRoutesMb',
  'updatesPerSecond',
] as const satisfies readonly (keyof Figures)[];
