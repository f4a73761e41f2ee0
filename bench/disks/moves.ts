/**
 * Disks that move while a guest writes: as volumes, and with blockdev-mirror in the same run. The memory goes another way, which is not
 * measured; what crosses the WAN is counted at site a's host.
 */
import { pause, waitFor } from '../../test/lab/wait.js';
import { Following } from './following.js';
import type { DiskGuest } from './guest.js';
import { Mirrored } from './mirror.js';
import { WAN_MB_PER_SECOND, wanBytes, withSites } from './sites.js';

const DISK_MB = 256;
/** Written once, and rewritten here and there as fast, in MB of 2^20 and MB a second. */
const COLD_MB = 64;
const HOT_MB = 24;
const HOT_MB_PER_SECOND = 20;
const UNDISTURBED_MS = 10_000;
/** A mirror that is not ready within this much of the time that the WAN needs never gets ready. */
const PATIENCE = 4;
const BLOCKING_MS = 10_000;
const ASYNC_TIMES = 80;
const ASYNC_COMPUTE_MS = 700;
/** After so much of its work AsyncWR's disk begins to move, and then the guest. */
const ASYNC_BEGIN = 0.1;
const ASYNC_SWITCH = 0.5;
const MIB = 1024 * 1024;

const modifiedMb = ((COLD_MB + HOT_MB) * MIB) / 1e6;
const wanSeconds = modifiedMb / WAN_MB_PER_SECOND;

export interface HotResult {
  readonly modifiedMb: number;
  /** From `move` to the moment when site a is not needed. */
  readonly seconds: number;
  /** Of that, before the guest had gone; the modified bytes at the WAN's rate take. */
  readonly pushSeconds: number;
  readonly wanSeconds: number;
  readonly wanMb: number;
  /** What the guest wrote, MB/s. */
  readonly undisturbed: number;
  readonly whilePushing: number;
  readonly whilePulling: number;
  /** Compared with the program's own copy. */
  readonly sameBytes: number;
}

export interface MirrorResult {
  readonly isReady: boolean;
  /** Until then, or so long it was waited for. */
  readonly seconds: number;
  readonly wanMb: number;
  readonly undisturbed: number;
  readonly whileMirroring: number;
  readonly whileBlocking: number;
}

async function beginHot(guest: DiskGuest): Promise<number> {
  await guest.order(`lab-writer fill /dev/vda 32 ${COLD_MB} >/dev/console; echo FILLED >/dev/console`);
  await waitFor('the disk is filled', () => guest.said.includes('FILLED'), 60_000);
  await guest.order(`lab-writer hot /dev/vda 0 ${HOT_MB} ${HOT_MB_PER_SECOND} >/dev/console &`);
  // The first round is that of a fill.
  await waitFor('it rewrites', () => bytesOf(guest) > 2 * HOT_MB * MIB, 60_000);
  const fromMs = performance.now();
  await pause(UNDISTURBED_MS);
  return guest.rate(fromMs, performance.now());
}

function bytesOf(guest: DiskGuest): number {
  return Number([...guest.said.matchAll(/LAB-WRITER wrote (\d+)/g)].at(-1)?.[1] ?? 0);
}

export function hotVolume(): Promise<HotResult> {
  return withSites(async (lab) => {
    const pair = await Following.start(lab, 'hot', DISK_MB);
    const undisturbed = await beginHot(pair.source);
    const before = await wanBytes(lab);
    const fromMs = performance.now();
    await pair.move();
    await pair.pushed();
    const pushedMs = performance.now();
    await pair.migrate();
    const switchMs = performance.now();
    await pair.released();
    const endMs = performance.now();
    const wanMb = ((await wanBytes(lab)) - before) / 1e6;
    await pair.destination.order('touch /stop');
    const sameBytes = await pair.destination.same();
    const result = {
      ...{ modifiedMb, wanSeconds, wanMb, sameBytes, undisturbed },
      ...{ seconds: (endMs - fromMs) / 1_000, pushSeconds: (pushedMs - fromMs) / 1_000 },
      whilePushing: pair.source.rate(fromMs, pushedMs),
      whilePulling: pair.destination.rate(switchMs, endMs),
    };
    await pair.quit();
    return result;
  });
}

export function hotMirror(): Promise<MirrorResult> {
  return withSites(async (lab) => {
    const pair = await Mirrored.start(lab, 'hot', DISK_MB);
    const undisturbed = await beginHot(pair.source);
    const before = await wanBytes(lab);
    const fromMs = performance.now();
    await pair.begin('background');
    const isReady = await pair.isReady(wanSeconds * PATIENCE * 1_000);
    const endMs = performance.now();
    const wanMb = ((await wanBytes(lab)) - before) / 1e6;
    const whileMirroring = pair.source.rate(fromMs, endMs);
    await pair.cancel();
    await pair.begin('write-blocking');
    const blockingMs = performance.now();
    await pause(BLOCKING_MS);
    const whileBlocking = pair.source.rate(blockingMs, performance.now());
    await pair.cancel();
    await pair.source.order('touch /stop');
    await pair.source.same();
    await pair.quit();
    return { isReady, seconds: (endMs - fromMs) / 1_000, wanMb, undisturbed, whileMirroring, whileBlocking };
  });
}

export interface AsyncResult {
  readonly wanMb: number;
  /** What differs from the base at the end, MB of 10^6. */
  readonly modifiedMb: number;
  readonly wroteMb: number;
  readonly seconds: number;
  readonly sameBytes: number;
}

type Pair = Pick<Following | Mirrored, 'source' | 'destination' | 'migrate'>;

/** AsyncWR, whose disk begins to move after a tenth of its work and whose guest goes after half of it. */
async function asyncWr(
  lab: Parameters<typeof wanBytes>[0],
  pair: Pair,
  begin: () => Promise<void>,
  beforeSwitch: () => Promise<unknown>,
): Promise<Omit<AsyncResult, 'modifiedMb'>> {
  const wanted = ASYNC_TIMES * 10 * MIB;
  const wrote = (share: number): Promise<unknown> =>
    waitFor(`${share} of the work is done`, () => bytesOf(pair.source) >= share * wanted, 300_000);
  const startMs = performance.now();
  await pair.source.order(`lab-writer async /dev/vda 0 ${ASYNC_TIMES} ${ASYNC_COMPUTE_MS} >/dev/console &`);
  await wrote(ASYNC_BEGIN);
  const before = await wanBytes(lab);
  await begin();
  await wrote(ASYNC_SWITCH);
  await beforeSwitch();
  await pair.migrate();
  const { destination } = pair;
  await waitFor(
    'the work is done',
    () => /LAB-WRITER (?:same|differs|failed)/.test(destination.said),
    300_000,
  );
  const sameBytes = await destination.same();
  const wanMb = ((await wanBytes(lab)) - before) / 1e6;
  const wroteMb = bytesOf(destination) / 1e6;
  return { wanMb, wroteMb, sameBytes, seconds: (performance.now() - startMs) / 1_000 };
}

export function asyncVolume(): Promise<AsyncResult> {
  return withSites(async (lab) => {
    const pair = await Following.start(lab, 'async', DISK_MB);
    const result = await asyncWr(
      lab,
      pair,
      () => pair.move(),
      async () => undefined,
    );
    await pair.released();
    const { modified } = await pair.view('b');
    await pair.quit();
    return { ...result, modifiedMb: (modified * 256 * 1024) / 1e6 };
  });
}

export function asyncMirror(): Promise<AsyncResult> {
  return withSites(async (lab) => {
    const pair = await Mirrored.start(lab, 'async', DISK_MB);
    const result = await asyncWr(
      lab,
      pair,
      () => pair.begin('background'),
      async () => {
        if (!(await pair.isReady(60_000))) throw new Error('the mirror of AsyncWR does not get ready');
      },
    );
    await pair.quit();
    return { ...result, modifiedMb: (10 * MIB) / 1e6 };
  });
}
