/**
 * Feeds the addon nonsense until the time is up: `node run.js ADDON [--seconds N] [--seed N]`, in a network namespace of
 * its own. scripts/fuzz-native builds the addon with sanitizers and runs this; whatever they find ends the process.
 */
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';
import type { NativeAddon } from '../../../src/dataplane/engine.js';
import { nativeWorld } from '../../contract/native-world.js';
import { runSync } from '../../lab/shell.js';
import { CallFuzzer } from './calls.js';
import { PacketFuzzer } from './packets.js';
import { Random } from '../random.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' } },
});
const path = positionals[0];
if (path === undefined) throw new Error('usage: run.js ADDON [--seconds N] [--seed N]');
const seed = Number(values.seed ?? Math.floor(Math.random() * 0x7fffffff) + 1);
const endMs = performance.now() + Number(values.seconds) * 1000;

runSync(['ip', 'link', 'set', 'lo', 'up']);
writeFileSync('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1');
const addon = createRequire(import.meta.url)(path) as NativeAddon;
console.log(`seed ${seed}`);
const random = new Random(seed);
const world = nativeWorld(addon, undefined);
const packets = await PacketFuzzer.open(world, random);
const calls = new CallFuzzer(addon, random);
let rounds = 0;
while (performance.now() < endMs) {
  packets.round();
  calls.round();
  rounds++;
  // Timers and the captures' events want their turn, and the garbage collector its finalizers.
  if (rounds % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
}
packets.close();
console.log(`${rounds} rounds, nothing found; engines said: ${JSON.stringify(packets.counters())}`);
// Captures keep the loop alive, and must not be collected (native-world.ts).
process.exit(0);
