/** How much a thread of this process has worked, as the kernel counts it: asking costs the thread nothing. */
import { readFileSync } from 'node:fs';

const NS_PER_SECOND = 1e9;
/** USER_HZ, which /proc's times are in on every Linux. */
const TICKS_PER_SECOND = 100;

/** Seconds on a processor, user and kernel (proc_pid_schedstat(5), else proc_pid_stat(5)); 0 when it cannot be told. */
export function cpuSeconds(thread: number): number {
  const directory = `/proc/self/task/${thread}`;
  const exact = Number(read(`${directory}/schedstat`).split(' ')[0]);
  if (exact > 0) return exact / NS_PER_SECOND;
  // Fields 14 and 15; the second is a name that may hold spaces and parentheses.
  const fields = read(`${directory}/stat`).split(') ').pop()?.split(' ') ?? [];
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / TICKS_PER_SECOND || 0;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // The thread is gone, or there is no /proc.
  }
}
