/**
 * `scripts/bench figures [--check]`: writes what README.md and documents in docs quote from the kept runs
 * bench/results/throughput.json, advice.json, sensor.json and, when there is one, soak.json.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { quoted } from './lib/quoted.js';

const { values } = parseArgs({
  options: { check: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h' } },
});
if (values.help === true) {
  console.log(
    'usage: scripts/bench figures [--check]   --check: change nothing, status 1 when something would',
  );
  process.exit(0);
}
for (const { file, path, text } of quoted()) {
  if (readFileSync(path, 'utf8') === text) continue;
  if (values.check) {
    console.error(`${file} does not quote what bench/results says: scripts/bench figures`);
    process.exitCode = 1;
  } else {
    writeFileSync(path, text);
    console.log(`${file}: written`);
  }
}
