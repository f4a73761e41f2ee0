/**
 * `scripts/bench soak`: full rate both ways, while a third router changes routes all the time. Judged are the routers'
 * memory, which must stay flat, that no packet comes where it does not belong, and what the changes cost the flow's rate.
 * Exit status 1 when one fails.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { pause, waitFor } from '../test/lab/wait.js';
import { percentile } from './lib/distribution.js';
import { churnReport, counters, startChurn } from './lib/load.js';
import { describeMachine, machineLine } from './lib/machine.js';
import { cpuSeconds, mean, median, prepare, residentMb } from './lib/measure.js';
import { outputFile, progressLine } from './lib/run.js';
import { HOST_A, HOST_B, Topology } from './lib/topology.js';
import { startRouters } from './lib/vine.js';
import { withAndWithout } from './lib/with-and-without.js';

interface Sample {
  readonly second: number;
  readonly rssMb: readonly number[];
}

/** Of any later minute's peak over the peak of the first minute after settling. */
const MAX_GROWTH = 0.05;
const SETTLING_SECONDS = 60;
const WINDOW_SECONDS = 60;
/** A full-rate flow's rate with updates over that without. */
const LEAST_RATIO = 0.9;
/** Packets a second to addresses whose routes come and go. */
const PROBES_PER_SECOND = 1000;

const number = (name: string, text: string, least: number): number => {
  const value = Number(text);
  if (!(value >= least)) throw new Error(`--${name}: a number from ${least} on`);
  return value;
};

interface Options {
  readonly minutes: number;
  readonly updates: number;
  readonly routes: number;
  /** Of phases with and without updates, behind the long part. */
  readonly pairs: number;
  readonly json: string | undefined;
}

function options(): Options {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      updates: { type: 'string', default: '1000' },
      routes: { type: 'string', default: '100000' },
      pairs: { type: 'string', default: '6' },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    console.log(
      'usage: scripts/bench soak [--minutes 10] [--updates PER-SECOND] [--routes HOST-ROUTES] [--pairs 6] [--json FILE]',
    );
    process.exit(0);
  }
  return {
    minutes: number('minutes', values.minutes, 0.2),
    updates: number('updates', values.updates, 0),
    routes: number('routes', values.routes, 1),
    pairs: number('pairs', values.pairs, 1),
    json: values.json,
  };
}

/** Counts, at a host, IPv4 packets for any address but its own, which only a router can have sent to its MAC. */
async function watchHost(topology: Topology, place: 'ha' | 'hb', own: string): Promise<void> {
  const chain = 'netdev soak astray';
  for (const command of [
    'add table netdev soak',
    `add chain ${chain} { type filter hook ingress device "eth0" priority 0; policy accept; }`,
    `add rule ${chain} meta pkttype host ip daddr != { ${own}, 224.0.0.0/4, 255.255.255.255 } counter`,
  ])
    await topology.exec(place, ['nft', command]);
}

async function astrayAt(topology: Topology, place: 'ha' | 'hb'): Promise<number> {
  const listing = await topology.exec(place, ['nft', 'list', 'table', 'netdev', 'soak']);
  const packets = /counter packets (\d+)/.exec(listing)?.[1];
  if (packets === undefined) throw new Error(`no counter in: ${listing}`);
  return Number(packets);
}

/** Sends UDP packets to random ones of the addresses that come and go. */
const prober = (routes: number): string => `
  const socket = require('node:dgram').createSocket('udp4');
  socket.on('error', () => {});
  setInterval(() => {
    for (let i = 0; i < ${PROBES_PER_SECOND / 100}; i++) {
      const n = 0x0a400000 + 1 + Math.floor(Math.random() * ${routes});
      const address = [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255].join('.');
      socket.send(Buffer.alloc(64), 9, address, () => {});
    }
  }, 10);`;

function startTraffic(topology: Topology, seconds: number, routes: number): void {
  const iperf = ['iperf3', '-c', HOST_B, '-p', '5201', '-t', String(seconds), '--bidir', '-J'];
  topology.start('ha', 'traffic', iperf);
  topology.start('ha', 'prober', [process.execPath, '-e', prober(routes)]);
  topology.start('ha', 'ping', ['ping', '-n', '-i', '0.1', '-c', String((seconds - 1) * 10), HOST_B]);
}

async function sampleFor(seconds: number, pids: readonly number[], topology: Topology): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (let second = 1; second <= seconds; second++) {
    await pause(1000);
    if (!pids.every((pid) => isAliveAt(pid))) throw new Error(`a router ended\n${topology.logs()}`);
    const rssMb = pids.map(residentMb);
    samples.push({ second, rssMb });
    const churn = churnReport(topology);
    progressLine(
      `${second}/${seconds} s: ${rssMb.map((mb) => mb.toFixed(0)).join(' and ')} MB, ${churn?.updates ?? 0} updates`,
    );
  }
  progressLine('');
  return samples;
}

function isAliveAt(pid: number): boolean {
  try {
    return residentMb(pid) > 0;
  } catch {
    return false;
  }
}

interface Memory {
  /** MB, by router and then by minute after settling (shorter windows in a run of less than three minutes). */
  readonly peaks: readonly (readonly number[])[];
  readonly medians: readonly (readonly number[])[];
  /** By router: the highest peak of a later minute, against the first one's. This is judged. */
  readonly growth: readonly number[];
}

/**
 * A garbage collector's memory is a sawtooth, so single samples say nothing; but no tooth may be higher than those of
 * the beginning by more than is allowed, whatever comes after it.
 */
function memory(samples: readonly Sample[]): Memory {
  const isShort = samples.length < SETTLING_SECONDS + 2 * WINDOW_SECONDS;
  const settled = samples.slice(isShort ? Math.floor(samples.length / 4) : SETTLING_SECONDS);
  const size = isShort ? Math.ceil(settled.length / 3) : WINDOW_SECONDS;
  const windows = Array.from({ length: Math.floor(settled.length / size) }, (_, n) =>
    settled.slice(n * size, (n + 1) * size),
  );
  const each = (summary: (rssMb: number[]) => number): number[][] =>
    [0, 1].map((router) => windows.map((window) => summary(window.map(({ rssMb }) => rssMb[router] ?? 0))));
  const peaks = each((rssMb) => Math.max(...rssMb));
  const growth = peaks.map(([first = 0, ...later]) => Math.max(...later) / first - 1);
  return { peaks, medians: each(median), growth };
}

interface Traffic {
  readonly mbit: readonly number[];
  readonly pingMs: { readonly mean: number; readonly p99: number; readonly max: number };
}

function traffic(topology: Topology): Traffic {
  interface Iperf {
    readonly end: {
      readonly sum_received: { bits_per_second: number };
      readonly sum_received_bidir_reverse?: { bits_per_second: number };
    };
  }
  const { end } = JSON.parse(readFileSync(topology.logFile('traffic'), 'utf8')) as Iperf;
  const directions = [end.sum_received, end.sum_received_bidir_reverse];
  const times = [...readFileSync(topology.logFile('ping'), 'utf8').matchAll(/time=([\d.]+) ms/g)].map(
    ([, ms]) => Number(ms),
  );
  return {
    mbit: directions.flatMap((sum) => (sum === undefined ? [] : [sum.bits_per_second / 1e6])),
    pingMs: { mean: mean(times), p99: percentile(times, 99), max: Math.max(...times) },
  };
}

async function main(): Promise<void> {
  const { minutes, updates, routes, pairs, json } = options();
  const machine = describeMachine();
  console.log(machineLine(machine));
  const topology = new Topology({ forwarding: false, third: true });
  const routers = await startRouters(topology, {
    cipher: 'chacha20-poly1305',
    transport: 'udp',
    churn: true,
  });
  const pids = routers.map(({ pid }) => pid);
  const idleRssMb = pids.map(residentMb);
  progressLine(`loading ${routes} host routes`);
  const source = await startChurn(topology, routes, updates);
  const loadedRssMb = pids.map(residentMb);
  await prepare(topology);
  await watchHost(topology, 'ha', HOST_A);
  await watchHost(topology, 'hb', HOST_B);
  const seconds = Math.round(minutes * 60);
  const before = { churn: churnReport(topology), counters: await counters(topology, 'ra') };
  const cpuBefore = cpuSeconds(pids);
  startTraffic(topology, seconds, routes);
  const samples = await sampleFor(seconds, pids, topology);
  const cores = (cpuSeconds(pids) - cpuBefore) / seconds;
  const after = { churn: churnReport(topology), counters: await counters(topology, 'ra') };
  await waitFor('iperf3 has ended', () => traffic(topology).mbit.length > 0, 20_000);
  const cost = await withAndWithout(topology, pairs, { ...source, routers: pids });
  const { peaks, medians, growth } = memory(samples);
  const astray = {
    hostA: await astrayAt(topology, 'ha'),
    hostB: await astrayAt(topology, 'hb'),
    thirdRouter: churnReport(topology)?.astray ?? -1,
  };
  const drops = Object.entries(after.counters)
    .map(([name, count]) => [name, count - (before.counters[name] ?? 0)] as const)
    .filter(([name, count]) => name.startsWith('drop_') && count > 0);
  const report = {
    benchmark: 'soak',
    at: new Date().toISOString(),
    machine,
    minutes,
    routes,
    updatesPerSecond: ((after.churn?.updates ?? 0) - (before.churn?.updates ?? 0)) / seconds,
    appliedPerSecond:
      ((after.counters.mobility_records_accepted ?? 0) - (before.counters.mobility_records_accepted ?? 0)) /
      seconds,
    probesArrived: (after.churn?.received ?? 0) - (before.churn?.received ?? 0),
    ...traffic(topology),
    cores,
    idleRssMb,
    loadedRssMb,
    endRssMb: samples.at(-1)?.rssMb ?? [],
    peakRssMb: [0, 1].map((router) => Math.max(...samples.map(({ rssMb }) => rssMb[router] ?? 0))),
    peakByMinuteMb: peaks,
    medianByMinuteMb: medians,
    growth,
    withAndWithout: cost,
    astray,
    drops: Object.fromEntries(drops),
    samples,
  };
  const file = outputFile(json, 'soak');
  writeFileSync(file, `${JSON.stringify(report, undefined, 2)}\n`);
  const { samples: _, machine: __, withAndWithout: ___, ...shown } = report;
  console.log(JSON.stringify(shown, undefined, 2));
  const flat = growth.every((each) => each < MAX_GROWTH);
  const straight = Object.values(astray).every((count) => count === 0);
  const lively = report.appliedPerSecond >= updates * 0.9 && report.mbit.every((mbit) => mbit > 1);
  const cheap = cost.ratioWithoutSource >= LEAST_RATIO;
  console.log(`memory flat: ${flat ? 'yes' : 'NO'}; no packet astray: ${straight ? 'yes' : 'NO'}`);
  console.log(
    `both ways ${cost.withMbit.toFixed(0)} Mbit/s with ${updates} updates a second, ${cost.withoutMbit.toFixed(0)} without, in turn: ` +
      `${cost.ratio.toFixed(2)}; for each processor that their source, another site's router, leaves: ` +
      `${cost.ratioWithoutSource.toFixed(2)} (at least ${LEAST_RATIO}): ${cheap ? 'holds' : 'FAILS'}`,
  );
  const { routers: own, source: others } = cost.cores;
  console.log(
    `processors in use with and without updates: both routers ${own.with.toFixed(2)} and ${own.without.toFixed(2)}, ` +
      `the updates' source ${others.with.toFixed(2)} and ${others.without.toFixed(2)}`,
  );
  if (!lively) console.log('NOT the load that was asked for: see appliedPerSecond and mbit');
  console.log(`written to ${file}`);
  topology.close();
  if (!flat || !straight || !cheap || !lively) process.exitCode = 1;
}

await main();
