/** The measurements, each through both routers from host A to host B, with iperf3 and ping as anybody would use them. */
import { readFileSync } from 'node:fs';
import { pause, waitFor } from '../../test/lab/wait.js';
import type { Figures } from './measured.js';
import { type Ping, parsePings, roundTrips } from './pings.js';
import { HOST_B, type Topology } from './topology.js';
import type { Part, Pinged, Repetition, Stretch } from './undisturbed.js';

/** USER_HZ, in which /proc/PID/stat counts; 100 on every Linux that Debian builds. */
const TICKS_PER_SECOND = 100;
const IPERF_PORT = '5201';
const IDLE_MS = 2_000;
const MEMORY_LOOK_MS = 200;
/** The other traffic beside a ping: datagrams that fit into every carrier's tunnel whole. */
const BESIDE_MBIT = 100;
const BESIDE_BYTES = 1_200;
const BESIDE_STARTS_MS = 500;
/** With less of it the ping was beside something else. */
const BESIDE_LEAST = 0.95;

export interface BusyLoad {
  /** Settles when both routers have the host routes; from then on these change. */
  start(): Promise<void>;
  /** Changes taken over so far. */
  updates(): Promise<number>;
}

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

/** What was measured meanwhile, with when; a figure that is undefined is none. */
async function stretch<T>(
  work: () => Promise<T>,
  figures: (result: T) => Partial<Figures>,
): Promise<Stretch> {
  const fromMs = Date.now();
  const result = await work();
  // The clock of JavaScript leaves out the fraction.
  return { kind: 'stretch', fromMs, untilMs: Date.now() + 1, figures: figures(result) };
}

export interface Effort {
  /** Length of each transfer. */
  readonly seconds: number;
  /** Pings with a second between them; 0: none. */
  readonly slowPings: number;
}

/** @param progress is told what is being done */
export async function measure(
  topology: Topology,
  pids: readonly number[],
  { seconds, slowPings }: Effort,
  progress: (what: string) => void,
): Promise<Repetition> {
  const hasProcess = pids.length > 0;
  const parts: Part[] = [];
  progress('idle');
  if (hasProcess)
    parts.push(
      await stretch(
        () => idleLoad(pids),
        (idlePercent) => ({ idlePercent }),
      ),
    );
  parts.push(pinged(await pingTimes(topology, 400, 0.005), idleFigures));
  if (slowPings > 0) {
    progress('idle, a ping a second');
    parts.push(pinged(await pingTimes(topology, slowPings, 1), slowFigures));
  }
  progress(`ping beside ${BESIDE_MBIT} Mbit/s`);
  const beside = await pingBeside(topology, seconds);
  if (beside !== undefined) parts.push(pinged(beside, besideFigures));
  progress('TCP, 1 stream');
  const cpuBefore = cpuSeconds(pids);
  const one = await stretch(
    () => tcp(topology, seconds, 1),
    ({ mbit, bytes }) => ({
      tcp1Mbit: mbit,
      cpuPerGb: hasProcess ? (cpuSeconds(pids) - cpuBefore) / (bytes / 1e9) : undefined,
    }),
  );
  progress('TCP, 4 streams');
  const four = await stretch(
    () => tcp(topology, seconds, 4),
    ({ mbit }) => ({ tcp4Mbit: mbit }),
  );
  progress('UDP, 64 bytes');
  const small = await stretch(
    () => udp(topology, seconds, []),
    (udpKpps) => ({ udpKpps }),
  );
  const small4m = await stretch(
    () => udp(topology, seconds, ['-w', '4M']),
    (udp4mKpps) => ({ udp4mKpps }),
  );
  parts.push(one, four, small, small4m);
  progress('ping under a TCP flood');
  const flooded = await pingUnderFlood(topology, seconds);
  parts.push(pinged(flooded, (ms) => ({ rttFloodMaxMs: roundTrips(ms).maxMs })));
  if (hasProcess) parts.push({ kind: 'timeless', figures: { rssMb: Math.max(...pids.map(residentMb)) } });
  return parts;
}

const pinged = (pings: readonly Ping[], figuresOf: Pinged['figuresOf']): Pinged => ({
  kind: 'pings',
  pings,
  figuresOf,
});

function idleFigures(ms: readonly number[]): Partial<Figures> {
  const { meanMs, p50Ms, p99Ms } = roundTrips(ms);
  return { rttMeanMs: meanMs, rttP50Ms: p50Ms, rttP99Ms: p99Ms };
}

function slowFigures(ms: readonly number[]): Partial<Figures> {
  const { meanMs, p50Ms, p99Ms } = roundTrips(ms);
  return { rtt1sMeanMs: meanMs, rtt1sP50Ms: p50Ms, rtt1sP99Ms: p99Ms };
}

function besideFigures(ms: readonly number[]): Partial<Figures> {
  const { p50Ms, p99Ms } = roundTrips(ms);
  return { rttBesideP50Ms: p50Ms, rttBesideP99Ms: p99Ms };
}

/** The last measurement with these routers: their tables are full afterwards. */
export async function measureBusy(
  topology: Topology,
  pids: readonly number[],
  seconds: number,
  load: BusyLoad,
  progress: (what: string) => void,
): Promise<Repetition> {
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
    const pings = await pingUnderFlood(topology, seconds);
    const updates = (await load.updates()) - before.updates;
    const updatesPerSecond = updates / ((performance.now() - before.ms) / 1000);
    look();
    return [
      pinged(pings, (ms) => ({ rttBusyMaxMs: roundTrips(ms).maxMs })),
      { kind: 'timeless', figures: { rssRoutesMb, updatesPerSecond } },
    ];
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
export async function udp(
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

/** Rejects when more than one in ten is lost. */
async function pingTimes(topology: Topology, count: number, interval: number): Promise<Ping[]> {
  const limitMs = (count * interval + 30) * 1000;
  const { stdout } = await topology.attempt(
    'ha',
    ['ping', '-D', '-n', '-c', String(count), '-i', String(interval), '-W', '2', HOST_B],
    limitMs,
  );
  const pings = parsePings(stdout);
  if (pings.length < count * 0.9) throw new Error(`only ${pings.length} of ${count} pings were answered`);
  return pings;
}

export async function pingUnderFlood(topology: Topology, seconds: number): Promise<Ping[]> {
  const flood = tcp(topology, seconds + 1, 1);
  const [, pings] = await Promise.all([flood, pingTimes(topology, Math.round(seconds / 0.02), 0.02)]);
  return pings;
}

/** Undefined, with a word about it, when the other traffic did not get through. */
async function pingBeside(topology: Topology, seconds: number): Promise<Ping[] | undefined> {
  // With its default socket buffer the receiving program itself loses some when it is not scheduled for 9 ms.
  const datagrams = ['-u', '-b', `${BESIDE_MBIT}M`, '-l', String(BESIDE_BYTES), '-w', '4M'];
  const flow = iperf(topology, seconds + 1, datagrams);
  const pinging = pause(BESIDE_STARTS_MS).then(() => pingTimes(topology, Math.round(seconds / 0.01), 0.01));
  const [{ end }, pings] = await Promise.all([flow, pinging]);
  const { packets = 0, lost_packets: lost = 0, seconds: took = 1 } = end?.sum ?? {};
  const mbit = ((packets - lost) * BESIDE_BYTES * 8) / took / 1e6;
  if (mbit >= BESIDE_MBIT * BESIDE_LEAST) return pings;
  console.error(`! no figure for pings beside ${BESIDE_MBIT} Mbit/s: only ${mbit.toFixed(0)} arrived`);
  return undefined;
}

async function idleLoad(pids: readonly number[]): Promise<number> {
  const before = cpuSeconds(pids);
  await pause(IDLE_MS);
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

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
