/**
 * Feeds the addon nonsense until the time is up: `node run.js ADDON [--target NAME] [--seconds N] [--seed N]`, in a
 * network namespace of its own. scripts/fuzz-native builds the addon with sanitizers and runs this; whatever they find
 * ends the process. Prints the seed at once, and the rounds every half minute.
 */
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import type { PcapAddon } from '../../../src/arp/pcap.js';
import type { NativeAddon } from '../../../src/dataplane/engine.js';
import { nativeWorld } from '../../contract/native-world.js';
import { runSync } from '../../lab/shell.js';
import { Random } from '../random.js';
import { openNative } from './targets.js';

const PROGRESS_MS = 30_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    target: { type: 'string', default: 'addon' },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string' },
  },
});
const path = positionals[0];
if (path === undefined) throw new Error('usage: run.js ADDON [--target NAME] [--seconds N] [--seed N]');
const seed = Number(values.seed ?? Math.floor(Math.random() * 0x7fffffff) + 1);
const startMs = performance.now();
const endMs = startMs + Number(values.seconds) * 1000;

runSync(['ip', 'link', 'set', 'lo', 'up']);
writeFileSync('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1');
const addon = createRequire(import.meta.url)(path) as NativeAddon & PcapAddon;
console.log(`seed ${seed}`);
const fuzzer = await openNative(values.target, addon, nativeWorld(addon, undefined), new Random(seed));
let rounds = 0;
let toldMs = startMs;
for (let nowMs = startMs; nowMs < endMs; nowMs = performance.now()) {
  await fuzzer.round();
  rounds++;
  // Timers and the captures' events want their turn, and the garbage collector its finalizers.
  if (rounds % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  if (nowMs - toldMs < PROGRESS_MS) continue;
  toldMs = nowMs;
  console.log(`${rounds} rounds after ${Math.round((nowMs - startMs) / 1000)} s`);
}
fuzzer.close();
console.log(`${rounds} rounds, nothing found; ${fuzzer.report()}`);
// Captures keep the loop alive.
process.exit(0);
