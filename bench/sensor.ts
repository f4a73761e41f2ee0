/**
 * `scripts/bench sensor`: what vine-sensor costs the host whose bridge it listens to. Two machines on one bridge talk, with the sensor
 * and without it in turn: a TCP flow as fast as it goes, and small UDP packets at a given rate.
 * Which of the two comes first changes with each round, and a round is compared with itself: what else the machine does shifts both.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Prefix } from '../src/net/prefix.js';
import { systemClock } from '../src/net/system-clock.js';
import { SensorListener } from '../src/router/traffic/sensor-listener.js';
import type { GndtConfig } from '../src/tables/model.js';
import { trafficCounters } from '../src/traffic/asking/authority.js';
import { projectRoot } from '../test/lab/daemon.js';
import { Lab } from '../test/lab/lab.js';
import { lanBridge, switchName } from '../test/lab/plan.js';
import { pause, waitFor } from '../test/lab/wait.js';
import { describeMachine, machineLine } from './lib/machine.js';
import { cpuSeconds } from './lib/measure.js';
import { outputFile, progressLine } from './lib/run.js';
import { type Round, type SensorRun, sensorSummary, type WithSensor } from './lib/sensor-figures.js';

const UDP_BYTES = 200;
const SECONDS = 5;
const ROUNDS = 6;
/** The sensor tells every ten; what it has told then is compared with what was sent. */
const TELLING_MS = 11_000;

interface Iperf {
  readonly end: {
    readonly sum_received?: { readonly bits_per_second: number };
    readonly sum: { readonly packets: number; readonly lost_packets: number };
  };
}

interface Sensor {
  readonly pid: number;
  readonly said: () => string;
  stop(): Promise<void>;
}

async function startSensor(lab: Lab, socket: string, key: string): Promise<Sensor> {
  const where = ['--interface', lanBridge, '--router', `unix:${socket}`, '--token-file', key];
  const child = lab.spawn(switchName('a'), [process.execPath, `${projectRoot}bin/vine-sensor`, ...where]);
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await waitFor('the sensor counts', () => said.includes('accepted'));
  return {
    pid: child.pid ?? 0,
    said: () => said,
    stop: async () => {
      child.kill('SIGTERM');
      await waitFor('the sensor has ended', () => child.exitCode !== null);
    },
  };
}

async function iperf(lab: Lab, ...words: readonly string[]): Promise<Iperf> {
  const address = '10.1.0.12';
  const server = lab.spawn('a2', ['iperf3', '-s', '-1', '--forceflush']);
  await new Promise((resolve) => server.stdout.once('data', resolve));
  const client = ['iperf3', '-J', '-c', address, '-t', String(SECONDS), ...words];
  return JSON.parse(await lab.exec('a1', client, { timeoutMs: 60_000 })) as Iperf;
}

async function tcpGbps(lab: Lab): Promise<number> {
  return ((await iperf(lab)).end.sum_received?.bits_per_second ?? Number.NaN) / 1e9;
}

async function udp(lab: Lab, rate: number): Promise<{ packets: number; lost: number }> {
  const { sum } = (await iperf(lab, '-u', '-l', String(UDP_BYTES), '-b', String(rate * UDP_BYTES * 8))).end;
  return { packets: sum.packets, lost: sum.lost_packets };
}

/** What runs meanwhile takes of one processor. */
async function percentOf<T>(pid: number, work: () => Promise<T>): Promise<readonly [T, number]> {
  const before = cpuSeconds([pid]);
  const result = await work();
  return [result, ((cpuSeconds([pid]) - before) / SECONDS) * 100];
}

function options(): { rate: number; json: string | undefined } {
  const { values } = parseArgs({
    options: {
      rate: { type: 'string', default: '20000' },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) {
    console.log('usage: scripts/bench sensor [--rate PACKETS-A-SECOND] [--json FILE]');
    process.exit(0);
  }
  const rate = Number(values.rate);
  if (!(rate >= 1)) throw new Error('--rate: a number from 1 on');
  return { rate, json: values.json };
}

interface Router {
  readonly socket: string;
  readonly key: string;
  readonly told: () => number;
  readonly stop: () => void;
}

/** The router's ears, here: what has been told. */
async function listen(directory: string): Promise<Router> {
  const [socket, key] = [join(directory, 'socket'), join(directory, 'key')];
  writeFileSync(key, Buffer.alloc(32, 7).toString('base64'), { mode: 0o600 });
  const networks = [{ prefix: Prefix.of('10.1.0.0/24') }];
  let packets = 0;
  const listener = new SensorListener({
    clock: systemClock,
    gndt: { config: { vnets: [], networks } as unknown as GndtConfig },
    counters: trafficCounters(),
    told: ({ flows }) => {
      for (const flow of flows) packets += flow.packets;
    },
  });
  const problem = await listener.start({ listen: { path: socket }, tokenFile: key });
  if (problem !== undefined) throw new Error(problem);
  return { socket, key, told: () => packets, stop: () => listener.stop() };
}

async function roundWithout(lab: Lab, rate: number): Promise<Round> {
  const gbps = await tcpGbps(lab);
  const { lost, packets } = await udp(lab, rate);
  return { tcpGbps: gbps, udpLost: lost, udpPackets: packets };
}

async function roundWith(lab: Lab, rate: number, router: Router): Promise<WithSensor> {
  const sensor = await startSensor(lab, router.socket, router.key);
  const [gbps, tcpPercent] = await percentOf(sensor.pid, () => tcpGbps(lab));
  await pause(TELLING_MS);
  const toldBefore = router.told();
  const [{ packets, lost }, udpPercent] = await percentOf(sensor.pid, () => udp(lab, rate));
  await pause(TELLING_MS);
  const missed = Math.max(0, packets - lost - (router.told() - toldBefore));
  await sensor.stop();
  return { tcpGbps: gbps, udpLost: lost, udpPackets: packets, tcpPercent, udpPercent, missed };
}

const { rate, json } = options();
const file = outputFile(json, 'sensor');
const startedAt = new Date().toISOString();
const machine = describeMachine();
console.log(machineLine(machine));
const directory = mkdtempSync(join(tmpdir(), 'vine-bench-'));
const lab = await Lab.up({ topology: 'two-site', daemons: false });
const router = await listen(directory);
const without: Round[] = [];
const withSensor: WithSensor[] = [];
try {
  for (let round = 1; round <= ROUNDS; round++) {
    progressLine(`round ${round} of ${ROUNDS}`);
    if (round % 2 === 1) without.push(await roundWithout(lab, rate));
    withSensor.push(await roundWith(lab, rate, router));
    if (round % 2 === 0) without.push(await roundWithout(lab, rate));
  }
} finally {
  router.stop();
  await lab.down();
  rmSync(directory, { recursive: true, force: true });
}
progressLine('');
const run: SensorRun = { startedAt, machine, rate, seconds: SECONDS, without, withSensor };
console.log(sensorSummary(run));
writeFileSync(file, `${JSON.stringify(run, undefined, 2)}\n`);
console.log(file);
