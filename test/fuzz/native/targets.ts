/** The fuzz targets of the addon, by name. */
import type { NativeAddon } from '../../../src/dataplane/engine.js';
import type { World } from '../../contract/world.js';
import type { Random } from '../random.js';
import { CallFuzzer } from './calls.js';
import { HandshakeFuzzer } from './handshakes.js';
import { PacketFuzzer } from './packets.js';
import { RelayedFuzzer } from './relayed.js';
import { StreamFuzzer } from './streams.js';
import type { NativeFuzzer } from './target.js';

type Open = (addon: NativeAddon, world: World, random: Random) => Promise<NativeFuzzer>;

const OPEN: Readonly<Record<string, Open>> = {
  /** Packets, descriptors, and every function with what TypeScript would never let pass. */
  addon: async (addon, world, random) => {
    const packets = await PacketFuzzer.open(world, random);
    const calls = new CallFuzzer(addon, random);
    return {
      round: () => {
        packets.round();
        calls.round();
      },
      report: () => `engines said: ${JSON.stringify(packets.counters())}`,
      close: () => packets.close(),
    };
  },
  /** Packets again, for engines with flow memories in which others write too. */
  flows: async (_addon, world, random) => {
    const packets = await PacketFuzzer.open(world, random, true);
    return {
      round: () => packets.round(),
      report: () => `engines said: ${JSON.stringify(packets.counters())}`,
      close: () => packets.close(),
    };
  },
  streams: (_addon, world, random) => StreamFuzzer.open(world, random),
  handshakes: (_addon, world, random) => HandshakeFuzzer.open(world, random),
  relayed: async (_addon, world, random) => new RelayedFuzzer(world, random),
};

export const NATIVE_TARGETS: readonly string[] = Object.keys(OPEN);

/** Throws for a name that none has. */
export function openNative(
  name: string,
  addon: NativeAddon,
  world: World,
  random: Random,
): Promise<NativeFuzzer> {
  const open = OPEN[name];
  if (open === undefined) throw new Error(`no target "${name}"; there are ${NATIVE_TARGETS.join(', ')}`);
  return open(addon, world, random);
}
