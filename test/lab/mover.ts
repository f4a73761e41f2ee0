/** Moving a namespace "VM": out of one site's switch, into another's, with the announcement that is chosen. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { namespaceOf } from './build.js';
import { projectRoot } from './daemon.js';
import { lanBridge, type MoverPlan, type SiteLetter, switchName } from './plan.js';
import { within } from './wait.js';

/** The kernel changes one bridge at a time, and fifty may be wanted at once. */
const PLUG_LIMIT_MS = 60_000;

export const announcements = ['rarp', 'garp', 'both', 'none'] as const;
/** rarp: QEMU's burst; garp: a virtio guest's gratuitous ARP (and unsolicited NA for IPv6); both; none. */
export type Announcement = (typeof announcements)[number];

export interface MoveOptions {
  readonly announce?: Announcement;
  /** How long it is plugged in nowhere, as during a hypervisor's stop-and-copy. */
  readonly downtimeMs?: number;
  /** Unix milliseconds from which the announcement counts; default: at once. For moves that are to be simultaneous. */
  readonly announceAtMs?: number;
}

export interface MoveTimes {
  /** Unix milliseconds with a fraction, comparable to the traffic tools' times. */
  readonly unpluggedAtMs: number;
  readonly pluggedInAtMs: number;
  /** Resolves when the announcer has sent its last frame (up to 0.8 s later). */
  readonly announced: Promise<void>;
}

export const epochMs = (): number => performance.timeOrigin + performance.now();

function announcer(mover: MoverPlan, kind: Announcement, atMs: number | undefined): string[] {
  if (kind === 'none') return [];
  // At once is when the cable is in, of which lab-replug tells it.
  const when = atMs === undefined ? ['@-'] : [`@${Math.round(atMs * 1000)}`];
  return [`${projectRoot}build/lab-announce`, 'eth0', kind, ...when, mover.ipv4, mover.ipv6];
}

/** Resolves when it is plugged in; `announced` when the announcer has sent its last frame. */
export function replug(
  lab: string,
  mover: MoverPlan,
  from: SiteLetter,
  to: SiteLetter,
  options: MoveOptions,
): Promise<MoveTimes> {
  const child = spawn(
    `${projectRoot}build/lab-replug`,
    [
      ...[namespaceOf(lab, switchName(from)), namespaceOf(lab, switchName(to)), lanBridge, mover.name],
      String(Math.round((options.downtimeMs ?? 0) * 1000)),
      namespaceOf(lab, mover.name),
      ...announcer(mover, options.announce ?? 'rarp', options.announceAtMs),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const announced = new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    // A signal is the lab going down.
    child.once('close', (status) =>
      status === 0 || status === null ? resolve() : reject(new Error(`lab-replug: ${status}`)),
    );
  });
  // The caller may wait for it or not.
  announced.catch(() => undefined);
  const plugged = new Promise<MoveTimes>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', (line) => {
      const [unpluggedUs, pluggedInUs] = line.split(' ').map(Number);
      resolve({
        unpluggedAtMs: (unpluggedUs ?? 0) / 1000,
        pluggedInAtMs: (pluggedInUs ?? 0) / 1000,
        announced,
      });
    });
    announced.then(() => reject(new Error('lab-replug said nothing')), reject);
  });
  const limitMs = (options.downtimeMs ?? 0) + PLUG_LIMIT_MS;
  return within(`${mover.name} plugged in at site ${to}`, plugged, limitMs);
}
