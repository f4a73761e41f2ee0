/** The measurements, each through both routers from host A to host B, with iperf3 and ping as anybody would use them. */
import { readFileSync } from 'node:fs';
import { waitFor } from '../../test/lab/wait.js';
import { HOST_B, type Topology } from './topology.js';

/** USER_HZ, in which /proc/PID/stat counts; 100 on every Linux that Debian builds. */
const TICKS_PER_SECOND = 100;
const IPERF_PORT = '5201';
const IDLE_MS = 2_000;
const MEMORY_LOOK_MS = 200;

/** One repetition; undefined where a figure makes no sense (the kernel has no process). */
export interface Figures {
  readonly tcp1Mbit: number;
  readonly tcp4Mbit: number;
  /** 64-byte payloads that arrived, thousands a second; default socket buffer, and 4 MB. */
  readonly udpKpps: number | undefined;
  readonly udp4mKpps: number | undefined;
  readonly rttMeanMs: number;
  readonly rttP99Ms: number;
  /** The longest ping while one TCP stream floods the path. */
  readonly rttFloodMaxMs: number;
  /** Processor seconds of both routers' programs for each GB (10⁹ bytes) of TCP payload, one stream. */
  readonly cpuPerGb: number | undefined;
  /** Resident memory of the larger of the two, after all that. */
  readonly rssMb: number | undefined;
  /** Of one core, per router, with no traffic. */
  readonly idlePercent: number | undefined;
  /** Only of ours over UDP, and measured last: what `measureBusy` finds. */
  readonly rttBusyMaxMs?: number | undefined;
  readonly rssRoutesMb?: number | undefined;
  readonly updatesPerSecond?: number | undefined;
}

/** Of a router that holds many host routes and is told of changes all the time. */
export interface BusyFigures {
  /** The longest ping while one TCP stream floods the path and the routes change. */
  readonly rttBusyMaxMs: number;
  /** Resident memory of the larger of the two: the most that was seen from when the routes were there. */
  readonly rssRoutesMb: number;
  /** Changes of host routes that the first router has taken over, a second. */
  readonly updatesPerSecond: number;
}

export interface BusyLoad {
  /** Settles when both routers have the host routes; from then on these change. */
  start(): Promise<void>;
  /** Changes taken over so far. */
  updates(): Promise<number>;
}

export const FIGURES = [
  'tcp1Mbit',
  'tcp4Mbit',
  'udpKpps',
  'udp4mKpps',
  'rttMeanMs',
  'rttP99Ms',
  'rttFloodMaxMs',
  'cpuPerGb',
  'rssMb',
  'idlePercent',
  'rttBusyMaxMs',
  'rssRoutesMb',
  'updatesPerSecond',
] as const satisfies readonly (keyof Figures)[];

interface IperfReport {
  readonly error?: string;
  readonly end?: {
    readonly sum_received?: { readonly bits_per_second: number; readonly bytes: number };
    readonly sum?: { readonly packets: number; readonly lost_packets: number; readonly seconds: number };
  };
}

/** Starts iperf3's server at host B and waits until pings pass. */
export async function prepare(topology: Topology): Promise<void> {
  topology.start('hb', 'iperf3', ['iperf3', '-s', '-p', IPERF_PORT]);
  await waitFor(
    'pings pass',
    async () => (await topology.attempt('ha', ['ping', '-c', '2', '-W', '1', HOST_B])).status === 0,
    20_000,
  );
}

/** @param progress is told what is being done */
export async function measure(
  topology: Topology,
  pids: readonly number[],
  seconds: number,
  progress: (what: string) => void,
): Promise<Figures> {
  const hasProcess = pids.length > 0;
  progress('idle');
  const idlePercent = hasProcess ? await idleLoad(pids) : undefined;
  const idle = await pingTimes(topology, 400, 0.005);
  progress('TCP, 1 stream');
  const cpuBefore = cpuSeconds(pids);
  const one = await tcp(topology, seconds, 1);
  const cpuPerGb = hasProcess ? (cpuSeconds(pids) - cpuBefore) / (one.bytes / 1e9) : undefined;
  progress('TCP, 4 streams');
  const four = await tcp(topology, seconds, 4);
  progress('UDP, 64 bytes');
  const udpKpps = await udp(topology, seconds, []);
  const udp4mKpps = await udp(topology, seconds, ['-w', '4M']);
  progress('ping under a TCP flood');
  const rttFloodMaxMs = await pingUnderFlood(topology, seconds);
  return {
    tcp1Mbit: one.mbit,
    tcp4Mbit: four.mbit,
    udpKpps,
    udp4mKpps,
    rttMeanMs: mean(idle),
    rttP99Ms: percentile(idle, 99),
    rttFloodMaxMs,
    cpuPerGb,
    rssMb: hasProcess ? Math.max(...pids.map(residentMb)) : undefined,
    idlePercent,
  };
}

/** The last measurement with these routers: their tables are full afterwards. */
export async function measureBusy(
  topology: Topology,
  pids: readonly number[],
  seconds: number,
  load: BusyLoad,
  progress: (what: string) => void,
): Promise<BusyFigures> {
  progress('loading host routes');
  await load.start();
  let rssRoutesMb = 0;
  const look = (): void => {
    rssRoutesMb = Math.max(rssRoutesMb, ...pids.map(residentMb));
  };
  look();
  const watch = setInterval(look, MEMORY_LOOK_MS);
  try {
    progress('ping under a TCP flood and table updates');
    const before = { updates: await load.updates(), ms: performance.now() };
    const rttBusyMaxMs = await pingUnderFlood(topology, seconds);
    const updates = (await load.updates()) - before.updates;
    const updatesPerSecond = updates / ((performance.now() - before.ms) / 1000);
    look();
    return { rttBusyMaxMs, rssRoutesMb, updatesPerSecond };
  } finally {
    clearInterval(watch);
  }
}

async function iperf(topology: Topology, seconds: number, more: readonly string[]): Promise<IperfReport> {
  const command = ['iperf3', '-c', HOST_B, '-p', IPERF_PORT, '-J', '-t', String(seconds), ...more];
  const { stdout, stderr } = await topology.attempt('ha', command, (seconds + 30) * 1000);
  const report = parseJson(stdout);
  if (report?.end === undefined || report.error !== undefined)
    throw new Error(`${command.join(' ')}: ${report?.error ?? `${stdout.slice(-300)}${stderr}`}`);
  return report;
}

function parseJson(text: string): IperfReport | undefined {
  try {
    return JSON.parse(text) as IperfReport;
  } catch {
    return undefined;
  }
}

/** Where TCP is carried in TCP, iperf3's own connection is sometimes reset at the end of a transfer: tried three times. */
export async function tcp(
  topology: Topology,
  seconds: number,
  streams: number,
): Promise<{ mbit: number; bytes: number }> {
  const transfer = (): Promise<IperfReport> => iperf(topology, seconds, ['-P', String(streams)]);
  const { end } = await transfer().catch(transfer).catch(transfer);
  const sum = end?.sum_received;
  if (sum === undefined) throw new Error('iperf3 says nothing of what was received');
  return { mbit: sum.bits_per_second / 1e6, bytes: sum.bytes };
}

/** The flood may drown iperf3's own connection, on which it exchanges its counts: tried twice, then left out. */
async function udp(
  topology: Topology,
  seconds: number,
  more: readonly string[],
): Promise<number | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      const { end } = await iperf(topology, seconds, ['-u', '-b', '0', '-l', '64', ...more]);
      const sum = end?.sum;
      if (sum === undefined) throw new Error('iperf3 says nothing of the datagrams');
      return (sum.packets - sum.lost_packets) / sum.seconds / 1e3;
    } catch (error) {
      if (attempt === 2) {
        console.error(`! no figure for small UDP packets: ${error instanceof Error ? error.message : error}`);
        return undefined;
      }
    }
  }
}

/** Round trip times in milliseconds; rejects when more than one in ten is lost. */
async function pingTimes(topology: Topology, count: number, interval: number): Promise<number[]> {
  const { stdout } = await topology.attempt('ha', [
    ...['ping', '-n', '-c', String(count), '-i', String(interval), '-W', '2', HOST_B],
  ]);
  const times = [...stdout.matchAll(/time=([\d.]+) ms/g)].map(([, ms]) => Number(ms));
  if (times.length < count * 0.9) throw new Error(`only ${times.length} of ${count} pings were answered`);
  return times;
}

export async function pingUnderFlood(topology: Topology, seconds: number): Promise<number> {
  const flood = tcp(topology, seconds + 1, 1);
  const pings = pingTimes(topology, Math.round(seconds / 0.02), 0.02);
  const [, times] = await Promise.all([flood, pings]);
  return Math.max(...times);
}

async function idleLoad(pids: readonly number[]): Promise<number> {
  const before = cpuSeconds(pids);
  await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
  return ((cpuSeconds(pids) - before) / pids.length / (IDLE_MS / 1000)) * 100;
}

/** Processor time of processes, user and system, all threads. */
export function cpuSeconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Fields 14 and 15 (proc(5)); the program's name, field 2, may hold spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / TICKS_PER_SECOND;
}

/** VmRSS, in units of 10⁶ bytes. */
export function residentMb(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return (Number(kib ?? 0) * 1024) / 1e6;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The smallest value that at least `percent` % of the values do not exceed. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
