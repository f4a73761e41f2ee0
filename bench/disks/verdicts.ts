/** What the contract wants of disks that follow, beside what was measured. Pure. */
import type { AsyncResult, HotResult, MirrorResult } from './moves.js';

export interface Verdict {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly wanted: string;
  readonly holds: boolean;
}

function atMost(what: string, value: number, limit: number, unit: string): Verdict {
  return { what, value, unit, wanted: `at most ${limit.toFixed(2)}`, holds: value <= limit };
}

function atLeast(what: string, value: number, limit: number, unit: string): Verdict {
  return { what, value, unit, wanted: `at least ${limit.toFixed(2)}`, holds: value >= limit };
}

export function hotVerdicts(volume: HotResult, mirror: MirrorResult): readonly Verdict[] {
  const slowed = mirror.whileBlocking / mirror.undisturbed;
  return [
    atMost('hot set: until site a is not needed', volume.seconds, 2 * volume.wanSeconds, 's'),
    {
      what: 'hot set: blockdev-mirror gets ready in the background',
      ...{ value: mirror.isReady ? 1 : 0, unit: '', wanted: 'no, or its writes blocked below 0.60' },
      holds: !mirror.isReady || slowed < 0.6,
    },
    atMost('hot set: what the guest writes with a mirror that blocks, of undisturbed', slowed, 0.6, ''),
    atLeast(
      'what the guest writes while it is pushed, of undisturbed',
      volume.whilePushing / volume.undisturbed,
      0.9,
      '',
    ),
    atLeast(
      'what the guest writes while it is pulled, of undisturbed',
      volume.whilePulling / volume.undisturbed,
      0.6,
      '',
    ),
  ];
}

export function asyncVerdicts(volume: AsyncResult, mirror: AsyncResult): readonly Verdict[] {
  return [
    atMost('AsyncWR: bytes on the WAN, of blockdev-mirror’s', volume.wanMb / mirror.wanMb, 0.2, ''),
    atMost('AsyncWR: bytes on the WAN, of what differs', volume.wanMb / volume.modifiedMb, 1.2, ''),
  ];
}

export function line({ what, value, unit, wanted, holds }: Verdict): string {
  return `${what}: ${value.toFixed(2)} ${unit} (${wanted}: ${holds ? 'holds' : 'DOES NOT HOLD'})`;
}
