/** The router's own threads before other programs on the gateway machine. */
import { setPriority } from 'node:os';

/** Nine times the weight of an ordinary thread (sched(7)). */
const NICE = -10;

/**
 * For the calling thread alone, and what it starts from now on: a packet that waits for a processor is late for every one
 * of its flow, and a move that waits is an outage. Without the right to it (CAP_SYS_NICE, or LimitNICE= in the unit)
 * everything stays as it is.
 */
export function takePrecedence(): void {
  try {
    // 0 is the calling thread, not the process (setpriority(2), "C library/kernel differences").
    setPriority(0, NICE);
  } catch {
    // Not allowed.
  }
}
