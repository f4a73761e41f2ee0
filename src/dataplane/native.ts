/** Finds and loads the native addon. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PcapAddon } from '../arp/pcap.js';
import { DESCRIPTOR_WORDS, EngineCounter, type NativeAddon, PeerStat, SCRATCH_SLOTS } from './engine.js';
import { FLOW_ENTRY_WORDS, FLOW_MAGIC } from './flows/flow-memory.js';
import type { NameLookupAddon } from './name-lookup.js';
import { COUNTED_PAIR_BYTES, type PairCounterAddon } from './pair-counter.js';

export type LoadedAddon = NativeAddon & PcapAddon & NameLookupAddon & PairCounterAddon;

const ADDON = 'vine_native.node';

/** What the addon was compiled with; named as in native/binding/addon.cc. */
const LAYOUT: Readonly<Record<string, number>> = {
  descriptorWords: DESCRIPTOR_WORDS,
  scratchSlots: SCRATCH_SLOTS,
  counters: EngineCounter.count,
  flowEntryWords: FLOW_ENTRY_WORDS,
  flowMagic: FLOW_MAGIC,
  countedPairBytes: COUNTED_PAIR_BYTES,
  peerStats: PeerStat.count,
};

/**
 * The addon, shared by all threads of the process; the first call in each thread loads it.
 * Throws an error that names the remedy when it is missing, does not load, or was built from other sources.
 */
export function loadNative(): LoadedAddon {
  const path = compiledPath(ADDON);
  if (!existsSync(path)) throw new Error(`${path} is missing: run ./scripts/setup`);
  const addon: unknown = requireAddon(path);
  if (!isCurrent(addon)) throw new Error(`${path} was built from other sources: run ./scripts/setup`);
  return addon;
}

/**
 * Where `scripts/build-native` puts what it compiles for the Node that this is: a folder for each module ABI, so that several
 * Nodes can stand side by side.
 */
export function compiledPath(name: string): string {
  return join(packageRoot(), 'build', `abi-${process.versions.modules}`, name);
}

function requireAddon(path: string): unknown {
  try {
    return createRequire(import.meta.url)(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${path} does not load (${reason}): run ./scripts/setup`, { cause: error });
  }
}

function isCurrent(addon: unknown): addon is LoadedAddon {
  const layout = property(addon, 'layout');
  return Object.entries(LAYOUT).every(([name, size]) => property(layout, name) === size);
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

/** The compiled code lies in dist/, two or three folders below the root: the root is where our package.json is. */
function packageRoot(): string {
  const start = dirname(fileURLToPath(import.meta.url));
  for (let at = start; ; at = dirname(at)) {
    const manifest = join(at, 'package.json');
    if (
      existsSync(manifest) &&
      property(JSON.parse(readFileSync(manifest, 'utf8')), 'name') === 'vine-router'
    ) {
      return at;
    }
    if (at === dirname(at)) throw new Error(`no package.json of vine-router above ${start}`);
  }
}
