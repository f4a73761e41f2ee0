/**
 * How fast a stream goes through two couriers on one machine, over loopback without a WAN, and what of a processor each takes for it.
 *   scripts/bench courier-drain [--other CHECKOUT] [--megabytes N] [--rounds N] [--json FILE]
 * Both couriers, and the hypervisors' part, share this machine's processors, where a courier of a site has them for itself. What carries
 * over is therefore the processor's time for each GB of the stream, of a courier's main thread and of its other threads.
 * With --other the same is done with another checkout's couriers, in turn, and a round is compared with itself.
 *
 *   mixed: a third of the guest's pages zeroes (which QEMU sends as nine bytes), a third known, a third new, which compress to a half
 *   new:   all pages new, and nothing compresses
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes, randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { ask } from '../src/courier/control.js';
import type { JobView } from '../src/courier/job/job.js';
import { PAGE_BYTES } from '../src/courier/stream/token.js';
import { courierNode } from '../test/e2e/courier-support.js';
import { projectRoot } from '../test/lab/daemon.js';
import { waitFor } from '../test/lab/wait.js';
import * as stream from '../test/unit/courier/streams.js';
import { describeMachine, machineLine } from './lib/machine.js';

const TICKS = 100;
/** QEMU gives its socket up to 64 pieces at once, of which every second is a page. */
const PIECE_BYTES = 128 * 1024;
const KNOWN_PAGES = 256;
const CASES = ['mixed', 'new'] as const;
type Case = (typeof CASES)[number];

/** Seconds of a processor. */
interface Cpu {
  readonly main: number;
  readonly others: number;
}

interface Run {
  readonly which: 'this' | 'other';
  readonly round: number;
  readonly name: Case;
  readonly streamBytes: number;
  readonly wanBytes: number;
  readonly mbitPerSecond: number;
  /** For each GB of the stream, at the source's and at the destination's courier. */
  readonly source: Cpu;
  readonly destination: Cpu;
}

function halfRandom(page: Buffer): void {
  page.fill(0x20);
  for (let at = 0; at < page.length; at += 64) randomFillSync(page, at, 32);
}

/** A whole migration of about so many bytes. */
function streamOf(name: Case, bytes: number): Buffer {
  const pages: Buffer[] = [];
  const known = Array.from({ length: KNOWN_PAGES }, () => randomBytes(PAGE_BYTES));
  for (let number = 0, length = 0; length < bytes; number++) {
    const at = number * PAGE_BYTES;
    const block = number === 0 ? 'pc.ram' : undefined;
    if (name === 'mixed' && number % 3 === 1) {
      pages.push(stream.fill(at, 0));
      continue;
    }
    const content = known[number % KNOWN_PAGES] ?? Buffer.alloc(PAGE_BYTES);
    const page = stream.page(at, content, block);
    const place = page.subarray(page.length - PAGE_BYTES);
    if (name === 'new') randomFillSync(place);
    else if (number % 3 === 0) halfRandom(place);
    pages.push(page);
    length += page.length;
  }
  return Buffer.concat([
    ...[stream.HEAD, stream.configuration(), stream.start(2, 'ram'), stream.blocks({ 'pc.ram': 2 ** 32 })],
    ...[stream.eos, stream.footer(2), stream.part(2), ...pages, stream.eos, stream.footer(2)],
    ...[stream.end(2), stream.eos, stream.footer(2), stream.DEVICES],
  ]);
}

/** Of a process's threads, the main one first among them. */
function cpuOf(pid: number): Cpu {
  const cpu = { main: 0, others: 0 };
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const seconds = (Number(fields[11]) + Number(fields[12])) / TICKS;
    cpu[Number(thread) === pid ? 'main' : 'others'] += seconds;
  }
  return cpu;
}

class Pair {
  readonly #directory = mkdtempSync(join(tmpdir(), 'courier-drain-'));
  readonly #children: ChildProcess[] = [];

  path(name: string): string {
    return join(this.#directory, name);
  }

  /** @param checkout whose couriers they are */
  async start(checkout: string): Promise<void> {
    writeFileSync(this.path('token'), 'the couriers of a bench have this token');
    const common = { tokenFile: 'token', store: { memoryMb: 256, directory: this.path('store') } };
    const wan = `tcp:127.0.0.1:${7800 + (process.pid % 1000)}`;
    const send = [{ listen: `unix:${this.path('to-vm')}`, peer: 'b', destination: 'vm' }];
    const receive = { vm: { connect: `unix:${this.path('for-vm')}` } };
    await this.#serve(checkout, 'b', { ...common, listen: wan, receive });
    await this.#serve(checkout, 'a', { ...common, peers: { b: wan }, send });
  }

  async #serve(checkout: string, name: 'a' | 'b', config: object): Promise<void> {
    const file = this.path(`${name}.json`);
    writeFileSync(file, JSON.stringify({ name, control: this.path(`${name}.sock`), ...config }));
    const command = [join(checkout, 'bin/vine-courier'), 'serve', '--config', file];
    const child = spawn(courierNode(), command, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#children.push(child);
    let said = '';
    child.stderr.on('data', (text: Buffer) => {
      said += text.toString();
    });
    await waitFor(`courier ${name} is ready: ${said}`, () => said.includes(': ready'));
  }

  /** At the destination's courier, and at the source's. */
  cpu(): readonly Cpu[] {
    return this.#children.map(({ pid }) => cpuOf(pid ?? 0));
  }

  async job(name: 'a' | 'b'): Promise<JobView | undefined> {
    return (JSON.parse(await ask(this.path(`${name}.sock`), '/v1/jobs')) as readonly JobView[]).at(-1);
  }

  async stop(): Promise<void> {
    for (const child of this.#children) {
      child.kill();
      if (child.exitCode === null) await once(child, 'exit');
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Writes it as QEMU does, and reads it to its end at the other side; answers in what time. */
async function carried(pair: Pair, bytes: Buffer): Promise<number> {
  let arrived = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('data', (piece: Buffer) => {
      arrived += piece.length;
    });
    socket.on('end', () => socket.end());
  });
  server.listen(pair.path('for-vm'));
  await once(server, 'listening');
  const source = connect({ path: pair.path('to-vm'), allowHalfOpen: true });
  await once(source, 'connect');
  const beganMs = performance.now();
  const ended = once(source.resume(), 'end');
  for (let at = 0; at < bytes.length; at += PIECE_BYTES)
    if (!source.write(bytes.subarray(at, at + PIECE_BYTES))) await once(source, 'drain');
  source.end();
  await ended;
  const seconds = (performance.now() - beganMs) / 1000;
  server.close();
  if (arrived !== bytes.length) throw new Error(`${arrived} of ${bytes.length} bytes have arrived`);
  return seconds;
}

async function run(which: Run['which'], checkout: string, round: number, name: Case): Promise<Run> {
  const bytes = sources[name];
  const pair = new Pair();
  try {
    await pair.start(checkout);
    const before = pair.cpu();
    const seconds = await carried(pair, bytes);
    const [destination, source] = pair.cpu().map((cpu, end) => perGb(cpu, before[end], bytes.length));
    const job = await waitFor('the job is over', async () => {
      const view = await pair.job('a');
      return view?.state === 'complete' && view;
    });
    if (destination === undefined || source === undefined || job.identical !== true)
      throw new Error(`not the same at both ends: ${JSON.stringify(job)}`);
    const wanBytes = job.wanBytesSent + job.wanBytesReceived;
    const mbitPerSecond = (bytes.length * 8) / seconds / 1e6;
    return { which, round, name, streamBytes: bytes.length, wanBytes, mbitPerSecond, source, destination };
  } finally {
    await pair.stop();
  }
}

function perGb(after: Cpu, before: Cpu | undefined, bytes: number): Cpu {
  const per = (now: number, then = 0): number => (now - then) / (bytes / 1e9);
  return { main: per(after.main, before?.main), others: per(after.others, before?.others) };
}

const positive = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('not a whole number above 0');
  return value;
};

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

function* summaryOf(runs: readonly Run[]): Generator<string> {
  const all = (one: Cpu): number => one.main + one.others;
  for (const name of CASES)
    for (const which of ['this', 'other'] as const) {
      const these = runs.filter((one) => one.name === name && one.which === which);
      if (these.length === 0) continue;
      const of = (value: (one: Run) => number): number => median(these.map(value));
      const cpu = (end: 'source' | 'destination'): string =>
        `${of((one) => all(one[end])).toFixed(1)} s/GB (${of((one) => one[end].main).toFixed(1)} main thread)`;
      yield `${name}, ${which}: ${of((one) => one.mbitPerSecond).toFixed(0)} Mbit/s of stream; source ${cpu('source')}, destination ${cpu('destination')}`;
      if (which === 'this') continue;
      const ratio = (value: (one: Run) => number): string => {
        const ratios = these.map((other) => {
          const ours = runs.find(
            (one) => one.which === 'this' && one.name === name && one.round === other.round,
          );
          return ours === undefined ? Number.NaN : value(ours) / value(other);
        });
        return median(ratios).toFixed(2);
      };
      yield `${name}, this to the other: rate × ${ratio((one) => one.mbitPerSecond)}, source's processor × ${ratio(({ source }) => all(source))}, destination's × ${ratio(({ destination }) => all(destination))}`;
    }
}

const options = new Command('bench courier-drain')
  .option('--other <checkout>', 'another checkout, compiled, that is measured in turn')
  .option('--megabytes <n>', 'of the stream', positive, 200)
  .option('--rounds <n>', 'of each case', positive, 5)
  .option('--json <file>', 'where the result goes', `${projectRoot}bench/results/courier-drain.json`)
  .parse()
  .opts<{ other?: string; megabytes: number; rounds: number; json: string }>();
const machine = describeMachine();
console.log(machineLine(machine));
const sources = {
  mixed: streamOf('mixed', options.megabytes * 1e6),
  new: streamOf('new', options.megabytes * 1e6),
};
const { other } = options;
const runs: Run[] = [];
for (let round = 0; round < options.rounds; round++)
  for (const name of CASES) {
    const ours = (): Promise<Run> => run('this', projectRoot, round, name);
    const theirs = async (): Promise<Run[]> =>
      other === undefined ? [] : [await run('other', other, round, name)];
    // Whoever comes first changes with each round.
    if (round % 2 === 0) runs.push(await ours(), ...(await theirs()));
    else runs.push(...(await theirs()), await ours());
  }
for (const line of summaryOf(runs)) console.log(line);
mkdirSync(dirname(options.json), { recursive: true });
writeFileSync(options.json, `${JSON.stringify({ machine, runs }, undefined, 2)}\n`);
