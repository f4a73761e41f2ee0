/**
 * What counting costs: `vined` as it is beside one that counts no flow, in one run, in turn. The product has no switch for it: the
 * other one is a copy of this checkout in build/uncounted, of which two lines are changed before it is compiled.
 * `scripts/bench counting [--rounds 6] [--seconds 4] [--json FILE]`; about a minute a round.
 */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { projectRoot } from '../test/lab/daemon.js';
import { describeMachine, machineLine } from './lib/machine.js';
import { median } from './lib/measure.js';
import type { Figures } from './lib/measured.js';
import { align, type ThroughputReport } from './lib/report.js';
import { outputFile } from './lib/run.js';

const LEAST_RATIO = 0.97;
const ROUND_LIMIT_MS = 900_000;
/** More is better. */
const JUDGED = ['tcp1Mbit', 'tcp4Mbit', 'udpKpps', 'udp4mKpps'] as const satisfies readonly (keyof Figures)[];
const SHOWN = [...JUDGED, 'cpuPerGb'] as const;

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

function measure(root: string, seconds: string, file: string): Figures {
  const options = ['--peers', 'none', '--kernel', 'none', '--ours', 'vine', '--repeat', '1'];
  const more = ['--slow-pings', '0', '--routes', '0', '--seconds', seconds, '--json', file];
  const program = join(root, 'dist/bench/throughput.js');
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--enable-source-maps', program, ...options, ...more],
    { encoding: 'utf8', timeout: ROUND_LIMIT_MS },
  );
  const report = status === 0 ? (JSON.parse(readFileSync(file, 'utf8')) as ThroughputReport) : undefined;
  const [figures] = report?.rows[0]?.runs ?? [];
  if (figures === undefined) throw new Error(`no figures of ${root}: ${stderr}`);
  return figures;
}

interface Round {
  readonly with: Figures;
  readonly without: Figures;
}

/** Who is first changes from round to round: what drifts meets both alike. */
function measureRounds(rounds: number, seconds: string): Round[] {
  const folder = mkdtempSync(join(tmpdir(), 'vine-counting-'));
  try {
    return Array.from({ length: rounds }, (_, i) => {
      const file = join(folder, 'report.json');
      const first = measure(i % 2 === 0 ? projectRoot : copy, seconds, file);
      const second = measure(i % 2 === 0 ? copy : projectRoot, seconds, file);
      const round = i % 2 === 0 ? { with: first, without: second } : { with: second, without: first };
      console.log(
        `[${i + 1}/${rounds}] ${JUDGED.map((figure) => `${figure} ${ratio(round, figure).toFixed(3)}`).join('  ')}`,
      );
      return round;
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const of = (figures: Figures, figure: (typeof SHOWN)[number]): number => figures[figure] ?? Number.NaN;
const ratio = (round: Round, figure: (typeof SHOWN)[number]): number =>
  of(round.with, figure) / of(round.without, figure);

function main(): void {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '6' },
      seconds: { type: 'string', default: '4' },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const rounds = Number(values.rounds);
  if (values.help || !(Number.isInteger(rounds) && rounds > 0)) {
    console.log('scripts/bench counting [--rounds 6] [--seconds 4] [--json FILE]');
    process.exitCode = values.help ? 0 : 2;
    return;
  }
  const machine = describeMachine();
  console.log(machineLine(machine));
  makeUncounted();
  const all = measureRounds(rounds, values.seconds);
  const rows = SHOWN.map((figure) => {
    const isJudged = JUDGED.some((judged) => judged === figure);
    const is = median(all.map((round) => ratio(round, figure)));
    return {
      figure,
      with: median(all.map((round) => of(round.with, figure))),
      without: median(all.map((round) => of(round.without, figure))),
      /** The median of the rounds' ratios: what disturbs one round disturbs both of its halves. */
      ratio: is,
      least: isJudged ? LEAST_RATIO : null,
      verdict: isJudged ? (is >= LEAST_RATIO ? 'holds' : 'FAILS') : 'shown only',
    };
  });
  const file = outputFile(values.json, 'counting');
  const report = { benchmark: 'counting', at: new Date().toISOString(), seconds: Number(values.seconds) };
  writeFileSync(file, `${JSON.stringify({ ...report, machine, rounds: all, rows }, undefined, 2)}\n`);
  const cells = rows.map((row) => [
    row.figure,
    row.with.toFixed(2),
    row.without.toFixed(2),
    row.ratio.toFixed(3),
    row.verdict,
  ]);
  console.log(`\n${align([['figure', 'counting', 'not', 'ratio', ''], ...cells])}\n\nwritten to ${file}`);
  if (rows.some(({ verdict }) => verdict === 'FAILS')) process.exitCode = 1;
}

main();
