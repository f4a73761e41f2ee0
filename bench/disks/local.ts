/**
 * What a volume costs while nothing moves: `qemu-img bench` on the raw file itself, on a volume of a courier, and on `qemu-nbd` of the same
 * file, which shows what of the cost is NBD's. In turn, each round with files of its own in one file system.
 *
 * The raw file is used twice: as QEMU does it by default (`cache=writeback`, the page cache), and past the page cache (`cache=none`), as most
 * hypervisors are told to. What is written sequentially is flushed at its end; latencies are those of one request at a time.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { courierNode } from '../../test/e2e/courier-support.js';
import { projectRoot } from '../../test/lab/daemon.js';
import { run } from '../../test/lab/shell.js';
import { waitFor } from '../../test/lab/wait.js';
import { median } from '../lib/measure.js';
import { progressLine } from '../lib/run.js';

const LIMIT_MS = 120_000;
const MIB = 2 ** 20;
const SIZE = 1024 * MIB;
const SEQUENTIAL = 512;
const SMALL = 2_000;
const FLUSHED = 200;

export const WAYS = ['raw, writeback', 'raw, none', 'qemu-nbd', 'volume'] as const;
export type Way = (typeof WAYS)[number];

interface Work {
  readonly name: string;
  readonly unit: 'MB/s' | 'µs';
  /** Of `qemu-img bench`. */
  readonly words: readonly string[];
  figure(seconds: number): number;
}

const sequential = (seconds: number): number => (SEQUENTIAL * MIB) / 1e6 / seconds;
const each = (count: number) => (seconds: number) => (seconds * 1e6) / count;
/** 1 MiB, eight at once. */
const LARGE = ['-c', String(SEQUENTIAL), '-d', '8', '-s', '1M'];
/** 4 KiB, one at a time, not behind each other. */
const ONE = ['-c', String(SMALL), '-d', '1', '-s', '4k', '-S', '212k'];

const WORK: readonly Work[] = [
  {
    ...{ name: 'sequential write, new', unit: 'MB/s', figure: sequential },
    words: ['-w', '--flush-interval', String(SEQUENTIAL), ...LARGE],
  },
  {
    ...{ name: 'sequential write, again', unit: 'MB/s', figure: sequential },
    words: ['-w', '--flush-interval', String(SEQUENTIAL), ...LARGE],
  },
  { name: 'sequential read', unit: 'MB/s', words: LARGE, figure: sequential },
  { name: 'write of 4 KiB', unit: 'µs', words: ['-w', ...ONE], figure: each(SMALL) },
  { name: 'read of 4 KiB', unit: 'µs', words: ONE, figure: each(SMALL) },
  {
    ...{ name: 'write of 4 KiB and flush', unit: 'µs', figure: each(FLUSHED) },
    words: ['-w', '--flush-interval', '1', '-c', String(FLUSHED), '-d', '1', '-s', '4k', '-S', '212k'],
  },
];

export interface LocalRun {
  readonly way: Way;
  readonly work: string;
  readonly figure: number;
}

export interface LocalRow {
  readonly work: string;
  readonly unit: string;
  /** Medians of the rounds, by the way. */
  readonly medians: Readonly<Record<Way, number>>;
  /** Of the volume to the raw file: a ratio for rates, what is added for latencies. By the raw file's cache. */
  readonly against: Readonly<Record<'writeback' | 'none', number>>;
  /** A ratio of at least 0.7, or at most 100 µs more. */
  readonly verdict: Readonly<Record<'writeback' | 'none', 'holds' | 'FAILS'>>;
}

/** @param directory on the file system that is to be measured */
export async function measureLocal(rounds: number, directory: string): Promise<readonly LocalRun[]> {
  const runs: LocalRun[] = [];
  for (let round = 0; round < rounds; round++)
    // Each way comes first, second … in its turn.
    for (let turn = 0; turn < WAYS.length; turn++) {
      const way = WAYS[(turn + round) % WAYS.length] ?? 'volume';
      progressLine(`round ${round + 1} of ${rounds}: ${way}`);
      runs.push(...(await measureWay(way, directory)));
    }
  progressLine('');
  return runs;
}

async function measureWay(way: Way, parent: string): Promise<LocalRun[]> {
  const directory = mkdtempSync(join(parent, 'local-'));
  const servers: ChildProcess[] = [];
  try {
    const target = await targetOf(way, directory, servers);
    const runs: LocalRun[] = [];
    for (const { name, words, figure } of WORK) {
      const cache = way === 'raw, none' ? 'none' : 'writeback';
      const command = ['qemu-img', 'bench', '-f', 'raw', '-t', cache, ...words, target];
      const { status, stdout, stderr } = await run(command, { timeoutMs: LIMIT_MS });
      const seconds = Number(/completed in ([0-9.]+) seconds/.exec(stdout)?.[1]);
      if (status !== 0 || !(seconds > 0)) throw new Error(`${command.join(' ')}\n${stdout}${stderr}`);
      runs.push({ way, work: name, figure: figure(seconds) });
    }
    return runs;
  } finally {
    for (const server of servers) {
      const gone = once(server, 'exit');
      server.kill('SIGTERM');
      await gone;
    }
    rmSync(directory, { recursive: true, force: true });
  }
}

async function targetOf(way: Way, directory: string, servers: ChildProcess[]): Promise<string> {
  const [image, socket] = [join(directory, 'image'), join(directory, 'nbd.sock')];
  const begin = async (program: string, ...words: readonly string[]): Promise<string> => {
    servers.push(spawn(program, words, { stdio: 'ignore' }));
    await waitFor('the server listens', () => existsSync(socket), LIMIT_MS);
    return `nbd+unix:///?socket=${socket}`;
  };
  if (way === 'volume') {
    const config = {
      ...{ name: 'a', tokenFile: 'token', control: join(directory, 'control.sock') },
      store: { memoryMb: 16, directory: join(directory, 'store') },
      volumes: [{ name: 'v', listen: `unix:${socket}`, size: SIZE, directory: join(directory, 'v') }],
    };
    writeFileSync(join(directory, 'token'), 'the courier of a benchmark has this token');
    writeFileSync(join(directory, 'courier.json'), JSON.stringify(config));
    const words = ['serve', '--config', join(directory, 'courier.json')];
    return begin(courierNode(), join(projectRoot, 'bin/vine-courier'), ...words);
  }
  const created = await run(['qemu-img', 'create', '-q', '-f', 'raw', image, String(SIZE)], {
    timeoutMs: LIMIT_MS,
  });
  if (created.status !== 0) throw new Error(created.stderr);
  return way === 'qemu-nbd' ? begin('qemu-nbd', '-f', 'raw', '-t', '-k', socket, image) : image;
}

const LEAST_RATIO = 0.7;
const MOST_ADDED_US = 100;

export function localRows(runs: readonly LocalRun[]): readonly LocalRow[] {
  return WORK.map(({ name, unit }) => {
    const of = (way: Way): number =>
      median(runs.filter((one) => one.way === way && one.work === name).map(({ figure }) => figure));
    const medians = Object.fromEntries(WAYS.map((way) => [way, of(way)])) as Record<Way, number>;
    const [isRate, volume] = [unit === 'MB/s', medians.volume];
    const compare = (raw: number): number => (isRate ? volume / raw : volume - raw);
    const against = { writeback: compare(medians['raw, writeback']), none: compare(medians['raw, none']) };
    const judge = (is: number): 'holds' | 'FAILS' =>
      (isRate ? is >= LEAST_RATIO : is <= MOST_ADDED_US) ? 'holds' : 'FAILS';
    const verdict = { writeback: judge(against.writeback), none: judge(against.none) };
    return { work: name, unit, medians, against, verdict };
  });
}
