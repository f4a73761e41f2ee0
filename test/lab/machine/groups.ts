/** The control groups of a lab's machines: systemd makes one for each unit there, and the kernel keeps them when it has ended. */
import { existsSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { sleepSync } from '../shell.js';

/** Those that machine.sh uses: one hierarchy for all, or the two of a system that still has the old ones. */
const hierarchies = ['/sys/fs/cgroup', '/sys/fs/cgroup/unified', '/sys/fs/cgroup/systemd'];
/** A process that was killed is a member until it has been reaped. */
const emptyLimitMs = 3_000;

/** @param prefix of the network namespaces' names, of which machine.sh makes the groups' names */
export function removeGroups(prefix: string): void {
  for (const hierarchy of hierarchies) {
    if (!existsSync(hierarchy)) continue;
    for (const name of readdirSync(hierarchy))
      if (name.startsWith(`vine-${prefix}`)) removeGroup(join(hierarchy, name));
  }
}

function removeGroup(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) removeGroup(join(path, entry.name));
  const deadline = performance.now() + emptyLimitMs;
  for (;;) {
    try {
      rmdirSync(path);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY' || performance.now() > deadline) throw error;
      sleepSync(10);
    }
  }
}
