/**
 * What a live migration by pre-copy takes: all memory is sent, then again and again what was written meanwhile, until the rest
 * fits into the downtime (Clark et al., NSDI 2005; Akoush et al., MASCOTS 2010). Memory ÷ bandwidth × rounds, with the dirty rate.
 */

export interface MachineLoad {
  readonly memoryBytes: number;
  /** How much memory is written to a second; a page that is written twice counts once. */
  readonly dirtyBytesPerSecond: number;
  /** Of its disk, sent once where storage is not shared; 0: it stays or is shared. */
  readonly diskBytes: number;
}

export interface MigrationCost {
  readonly bytes: number;
  readonly seconds: number;
  /** Of `seconds`, those in which the machine stands still. */
  readonly downtimeSeconds: number;
  readonly rounds: number;
  /** False: memory is written faster than it is sent, and the machine is stopped although much is left. */
  readonly converges: boolean;
}

/** QEMU's `downtime-limit`. */
export const DOWNTIME_SECONDS = 0.3;
/** When Xen stops copying although more than that is left: after 29 rounds, or three times the memory. */
export const MOST_ROUNDS = 29;
export const MOST_COPIES = 3;

/** @param bytesPerSecond of the path that the migration has, over 0 */
export function migrationCost(load: MachineLoad, bytesPerSecond: number): MigrationCost {
  const { memoryBytes, dirtyBytesPerSecond, diskBytes } = load;
  const fits = DOWNTIME_SECONDS * bytesPerSecond;
  let [left, sent, rounds] = [memoryBytes, 0, 0];
  while (left > fits && rounds < MOST_ROUNDS && sent + left <= MOST_COPIES * memoryBytes) {
    sent += left;
    rounds++;
    left = Math.min(memoryBytes, (left / bytesPerSecond) * dirtyBytesPerSecond);
  }
  const bytes = diskBytes + sent + left;
  return {
    bytes,
    seconds: bytes / bytesPerSecond,
    downtimeSeconds: left / bytesPerSecond,
    rounds: rounds + 1,
    converges: left <= fits,
  };
}
