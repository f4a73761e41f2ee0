/** Moving a namespace "VM": out of one site's switch, into another's, with the announcement that is chosen. */
import { type ChildProcess, spawn } from 'node:child_process';
import { namespaceOf } from './build.js';
import { projectRoot } from './daemon.js';
import { lanBridge, type MoverPlan, type SiteLetter, switchName } from './plan.js';
import { inNamespace, ipBatch } from './shell.js';
import { pause } from './wait.js';

export const announcements = ['rarp', 'garp', 'both', 'none'] as const;
/** rarp: QEMU's burst; garp: a virtio guest's gratuitous ARP (and unsolicited NA for IPv6); both; none. */
export type Announcement = (typeof announcements)[number];

export interface MoveOptions {
  readonly announce?: Announcement;
  /** How long it is plugged in nowhere, as during a hypervisor's stop-and-copy. */
  readonly downtimeMs?: number;
}

export interface MoveTimes {
  /** Unix milliseconds with a fraction, comparable to the traffic tools' times. */
  readonly unpluggedAtMs: number;
  readonly pluggedInAtMs: number;
  /** Resolves when the announcer has sent its last frame (up to 0.8 s later). */
  readonly announced: Promise<void>;
}

export const epochMs = (): number => performance.timeOrigin + performance.now();

/** Rejects if it fails. The process is handed out so that a lab that goes down early can end it. */
export function announce(
  lab: string,
  mover: MoverPlan,
  kind: Announcement,
): { process: ChildProcess | undefined; done: Promise<void> } {
  if (kind === 'none') return { process: undefined, done: Promise.resolve() };
  const command = [`${projectRoot}build/lab-announce`, 'eth0', kind, mover.ipv4, mover.ipv6];
  const [program = '', ...args] = inNamespace(namespaceOf(lab, mover.name), command);
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const done = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    // A signal is the lab going down.
    child.once('exit', (status) =>
      status === 0 || status === null ? resolve() : reject(new Error(`lab-announce: ${status}`)),
    );
  });
  return { process: child, done };
}

export async function replug(
  lab: string,
  mover: MoverPlan,
  from: SiteLetter,
  to: SiteLetter,
  downtimeMs: number,
): Promise<{ unpluggedAtMs: number; pluggedInAtMs: number }> {
  const unpluggedAtMs = epochMs();
  ipBatch(namespaceOf(lab, switchName(from)), [`link set ${mover.name} nomaster`]);
  if (downtimeMs > 0) await pause(downtimeMs);
  ipBatch(namespaceOf(lab, switchName(to)), [`link set ${mover.name} master ${lanBridge}`]);
  return { unpluggedAtMs, pluggedInAtMs: epochMs() };
}
