/**
 * Volumes of a courier: `scripts/bench disks [--case local] [--rounds 5] [--directory DIR] [--json FILE]`.
 *   local   what a volume costs while nothing moves, beside QEMU on the raw file (bench/disks/local.ts)
 * What a move costs is not measured yet.
 */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { localRows, measureLocal, WAYS } from './disks/local.js';
import { describeMachine, machineLine } from './lib/machine.js';
import { align } from './lib/report.js';
import { outputFile } from './lib/run.js';

const USAGE = 'scripts/bench disks [--case local] [--rounds 5] [--directory DIR] [--json FILE]';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      case: { type: 'string', default: 'local' },
      rounds: { type: 'string', default: '5' },
      directory: { type: 'string', default: tmpdir() },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const rounds = Number(values.rounds);
  if (values.help || values.case !== 'local' || !(Number.isInteger(rounds) && rounds > 0)) {
    console.log(USAGE);
    process.exitCode = values.help ? 0 : 2;
    return;
  }
  const machine = describeMachine();
  console.log(machineLine(machine));
  const runs = await measureLocal(rounds, values.directory);
  const rows = localRows(runs);
  const report = {
    benchmark: 'disks',
    case: 'local',
    at: new Date().toISOString(),
    machine,
    rounds,
    runs,
    rows,
  };
  const file = outputFile(values.json, 'disks');
  writeFileSync(file, `${JSON.stringify(report, undefined, 2)}\n`);
  const cells = rows.map(({ work, unit, medians, against, verdict }) => {
    const text = (is: number): string => (unit === 'MB/s' ? is.toFixed(2) : `+${is.toFixed(0)} µs`);
    return [
      ...[work, unit, ...WAYS.map((way) => medians[way].toFixed(0))],
      ...[`${text(against.writeback)} ${verdict.writeback}`, `${text(against.none)} ${verdict.none}`],
    ];
  });
  const head = ['work', '', ...WAYS, 'against writeback', 'against none'];
  console.log(`${align([head, ...cells])}\n\nwritten to ${file}`);
}

await main();
