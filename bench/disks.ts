/**
 * Volumes of a courier: `scripts/bench disks [--rounds 5] [--directory DIR] [--json FILE] [CASE ...]`.
 *   local   what a volume costs while nothing moves, beside QEMU on the raw file (bench/disks/local.ts)
 *   hot     a guest that rewrites 24 MB faster than the WAN goes to another site, and beside it blockdev-mirror (bench/disks/moves.ts)
 *   async   the same with AsyncWR, which computes and then writes 10 MB, 80 times
 */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { localRows, measureLocal, WAYS } from './disks/local.js';
import { asyncMirror, asyncVolume, hotMirror, hotVolume } from './disks/moves.js';
import { asyncVerdicts, hotVerdicts, line, type Verdict } from './disks/verdicts.js';
import { describeMachine, machineLine } from './lib/machine.js';
import { align } from './lib/report.js';
import { outputFile } from './lib/run.js';

const USAGE = 'scripts/bench disks [--rounds 5] [--directory DIR] [--json FILE] [local] [hot] [async]';

interface Options {
  readonly rounds: number;
  readonly directory: string;
}

async function local({ rounds, directory }: Options): Promise<object> {
  const runs = await measureLocal(rounds, directory);
  const rows = localRows(runs);
  const cells = rows.map(({ work, unit, medians, against, verdict }) => {
    const text = (is: number): string => (unit === 'MB/s' ? is.toFixed(2) : `+${is.toFixed(0)} µs`);
    return [
      ...[work, unit, ...WAYS.map((way) => medians[way].toFixed(0))],
      ...[`${text(against.writeback)} ${verdict.writeback}`, `${text(against.none)} ${verdict.none}`],
    ];
  });
  console.log(align([['work', '', ...WAYS, 'against writeback', 'against none'], ...cells]));
  return { rounds, runs, rows };
}

function told<Result extends { readonly verdicts: readonly Verdict[] }>(result: Result): Result {
  for (const verdict of result.verdicts) console.log(line(verdict));
  return result;
}

async function hot(): Promise<object> {
  const [volume, mirror] = [await hotVolume(), await hotMirror()];
  return told({ volume, mirror, verdicts: hotVerdicts(volume, mirror) });
}

async function asyncWr(): Promise<object> {
  const [volume, mirror] = [await asyncVolume(), await asyncMirror()];
  return told({ volume, mirror, verdicts: asyncVerdicts(volume, mirror) });
}

const CASES: Readonly<Record<string, (options: Options) => Promise<object>>> = { local, hot, async: asyncWr };

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: 'string', default: '5' },
      directory: { type: 'string', default: tmpdir() },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const rounds = Number(values.rounds);
  const names = positionals.length === 0 ? Object.keys(CASES) : positionals;
  const areKnown = names.every((name) => Object.hasOwn(CASES, name));
  if (values.help || !areKnown || !(Number.isInteger(rounds) && rounds > 0)) {
    console.log(USAGE);
    process.exitCode = values.help ? 0 : 2;
    return;
  }
  const machine = describeMachine();
  console.log(machineLine(machine));
  const report: Record<string, unknown> = { benchmark: 'disks', at: new Date().toISOString(), machine };
  for (const name of names) report[name] = await CASES[name]?.({ rounds, directory: values.directory });
  const file = outputFile(values.json, 'disks');
  writeFileSync(file, `${JSON.stringify(report, undefined, 2)}\n`);
  console.log(`written to ${file}`);
}

await main();
