/**
 * What counting costs: `vined` as it is beside one that counts no flow. Two pairs of routers carry the same load at the same time, on
 * processors that the scheduler shares out evenly: in turn, a machine's moods decide (ratios from 0.64 to 1.33 in eight rounds). The product
 * has no switch for it: the other one is a copy of this checkout in build/uncounted, of which two lines are changed before it is compiled.
 * `scripts/bench counting [--rounds 30] [--seconds 3] [--json FILE]`; about ten seconds a round.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { projectRoot } from '../test/lab/daemon.js';
import { describeMachine, machineLine } from './lib/machine.js';
import { mean, median, prepare, tcp, udp } from './lib/measure.js';
import { align } from './lib/report.js';
import { outputFile, progressLine } from './lib/run.js';
import { Topology } from './lib/topology.js';
import { startRouters } from './lib/vine.js';

const LEAST_RATIO = 0.97;
/** More is better. */
const JUDGED = ['tcp1Mbit', 'tcp4Mbit', 'udp4mKpps'] as const;

/** In place of the counting of a packet in the workers, and of the harvest each second in the control thread. */
const CHANGES = [
  {
    file: 'native/engine/flow_memory.cc',
    line: 'void FlowMemory::countPacket(int32_t* entry, const int32_t* d, const uint8_t* packet, size_t length) {\n',
    more: '  return;\n',
  },
  { file: 'dist/src/router/traffic/metering.js', line: '    start() {\n', more: '        return;\n' },
] as const;

const copy = join(projectRoot, 'build/uncounted');
const COPIED = ['native', 'dist', 'bin', 'scripts', 'config', 'binding.gyp', 'package.json'];

/** Compiled by the Node that this is. */
function makeUncounted(): void {
  rmSync(copy, { recursive: true, force: true });
  mkdirSync(copy, { recursive: true });
  for (const name of COPIED)
    cpSync(join(projectRoot, name), join(copy, name), { recursive: true, preserveTimestamps: true });
  symlinkSync(join(projectRoot, 'node_modules'), join(copy, 'node_modules'));
  // The lab's programs; what is compiled for a Node it has of its own.
  mkdirSync(join(copy, 'build'));
  for (const name of readdirSync(join(projectRoot, 'build')))
    if (name !== 'uncounted' && !name.startsWith('abi-'))
      symlinkSync(join(projectRoot, 'build', name), join(copy, 'build', name));
  for (const { file, line, more } of CHANGES) {
    const text = readFileSync(join(copy, file), 'utf8');
    if (text.split(line).length !== 2)
      throw new Error(`${file} has changed: the line that counting begins with is not there once`);
    writeFileSync(join(copy, file), text.replace(line, line + more));
  }
  const { status } = spawnSync('scripts/build-native', { cwd: copy, stdio: 'inherit' });
  if (status !== 0) throw new Error('the copy does not compile');
}

/** Two pairs of routers, of which one counts. */
interface Pairs {
  readonly with: Topology;
  readonly without: Topology;
}

type Figure = (typeof JUDGED)[number];

/** What both carried at the same time, in the figure's unit. */
interface Round {
  readonly figure: Figure;
  readonly with: number;
  readonly without: number;
}

const TRANSFERS: { readonly [Name in Figure]: (topology: Topology, seconds: number) => Promise<number> } = {
  tcp1Mbit: async (topology, seconds) => (await tcp(topology, seconds, 1)).mbit,
  tcp4Mbit: async (topology, seconds) => (await tcp(topology, seconds, 4)).mbit,
  udp4mKpps: async (topology, seconds) => (await udp(topology, seconds, ['-w', '4M'])) ?? Number.NaN,
};

async function startPair(letter: string, root: string): Promise<Topology> {
  const topology = new Topology({ forwarding: false, third: false, letter });
  await startRouters(topology, { cipher: 'chacha20-poly1305', transport: 'udp' }, root);
  await prepare(topology);
  return topology;
}

/** Who is first changes from round to round. */
async function measureRounds(pairs: Pairs, rounds: number, seconds: number): Promise<Round[]> {
  const all: Round[] = [];
  for (let i = 0; i < rounds; i++)
    for (const figure of JUDGED) {
      const transfer = (which: keyof Pairs): Promise<number> => TRANSFERS[figure](pairs[which], seconds);
      const order: (keyof Pairs)[] = i % 2 === 0 ? ['with', 'without'] : ['without', 'with'];
      const [first = Number.NaN, second = Number.NaN] = await Promise.all(order.map(transfer));
      const [withIt, without] = i % 2 === 0 ? [first, second] : [second, first];
      if (!(withIt > 0 && without > 0)) continue;
      all.push({ figure, with: withIt, without });
      progressLine(`[${i + 1}/${rounds}] ${figure} ${(withIt / without).toFixed(3)}`);
    }
  progressLine('');
  return all;
}

function rowOf(figure: Figure, all: readonly Round[]): CountingRow {
  const rounds = all.filter((round) => round.figure === figure);
  const sorted = rounds.map((round) => round.with / round.without).sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN;
  const ratio = sorted.length > 0 ? median(sorted) : Number.NaN;
  return {
    figure,
    with: mean(rounds.map((round) => round.with)),
    without: mean(rounds.map((round) => round.without)),
    ratio,
    middleHalf: [at(0.25), at(0.75)],
    least: LEAST_RATIO,
    verdict: ratio >= LEAST_RATIO ? 'holds' : 'FAILS',
  };
}

interface CountingRow {
  readonly figure: Figure;
  /** Means of all rounds. */
  readonly with: number;
  readonly without: number;
  /** The median of the rounds' ratios. */
  readonly ratio: number;
  /** Between which half of them are. */
  readonly middleHalf: readonly [number, number];
  readonly least: number;
  readonly verdict: 'holds' | 'FAILS';
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '30' },
      seconds: { type: 'string', default: '3' },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)];
  if (values.help || !(Number.isInteger(rounds) && rounds > 0 && Number.isInteger(seconds) && seconds > 0)) {
    console.log('scripts/bench counting [--rounds 30] [--seconds 3] [--json FILE]');
    process.exitCode = values.help ? 0 : 2;
    return;
  }
  const machine = describeMachine();
  console.log(machineLine(machine));
  makeUncounted();
  const pairs = { with: await startPair('a', projectRoot), without: await startPair('b', copy) };
  const all = await measureRounds(pairs, rounds, seconds).finally(() => {
    for (const topology of Object.values(pairs)) topology.close();
  });
  const rows = JUDGED.map((figure) => rowOf(figure, all));
  const file = outputFile(values.json, 'counting');
  const report = { benchmark: 'counting', at: new Date().toISOString(), seconds, machine, rounds: all, rows };
  writeFileSync(file, `${JSON.stringify(report, undefined, 2)}\n`);
  const cells = rows.map((row) => [
    row.figure,
    row.with.toFixed(1),
    row.without.toFixed(1),
    row.ratio.toFixed(3),
    row.middleHalf.map((ratio) => ratio.toFixed(3)).join(' to '),
    row.verdict,
  ]);
  const head = ['figure', 'counting', 'not', 'ratio', 'half of the rounds', ''];
  console.log(`${align([head, ...cells])}\n\nwritten to ${file}`);
  if (rows.some(({ verdict }) => verdict === 'FAILS')) process.exitCode = 1;
}

await main();
