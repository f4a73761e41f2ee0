/**
 * What is said about an address in the last seconds of a history with a mad router, and where each router then has it:
 *   node mad-trace.js SEED ADDRESS [LAST-MS]
 */
import type { TableMessage } from '../../src/protocol/table-message.js';
import { BLUE } from '../support/sim-lan-world.js';
import { playMadHistory } from './mad-histories.js';
import { inWords } from './mad-watch.js';
import type { MadWorld } from './mad-world.js';

const [seed = '1', address = '', lastMs = '1000'] = process.argv.slice(2);
const lines: [atMs: number, text: string][] = [];
let nowMs = (): number => 0;

function note(text: string): void {
  lines.push([nowMs(), text]);
}

/** Without what is about others. */
function shorten(message: TableMessage): string {
  const only = JSON.stringify(message, (_, value: unknown) =>
    Array.isArray(value) && value.length > 1
      ? value.filter((element) => typeof element !== 'object' || JSON.stringify(element).includes(address))
      : value,
  );
  return only.replaceAll('"', '');
}

function follow(all: MadWorld): void {
  nowMs = () => all.world.clock.nowMs();
  all.wan.tap = (from, to, message) => {
    if (JSON.stringify(message).includes(address)) note(`${from} to ${to}: ${shorten(message)}`);
  };
  for (const site of all.honest) {
    const { watch } = site;
    site.watch = (by, change) => {
      const { ip } = change.after;
      if (ip.key === address) note(`   ${by.id} has it at ${inWords(by.directory.get(BLUE, ip))}`);
      watch?.(by, change);
    };
  }
}

let outcome = 'holds';
try {
  playMadHistory(Number(seed), { lies: true, onWorld: follow });
} catch (error) {
  outcome = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
}
const endMs = nowMs();
for (const [atMs, text] of lines) {
  if (atMs >= endMs - Number(lastMs)) console.log(`${(atMs - endMs).toFixed(1)} ms  ${text}`);
}
console.log(outcome);
