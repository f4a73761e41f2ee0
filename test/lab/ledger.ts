/**
 * What a lab has running, on disk, so that any process can take it down: `DIR/state.json`. A process is named by pid
 * and start time, because pids are used again.
 */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { namespacesOf } from './build.js';
import type { SiteLetter, Topology } from './plan.js';
import { runSync, sleepSync, spawnIn } from './shell.js';

/** Short, because Unix socket paths are limited to 107 bytes. */
export const labsDirectory = '/run/vine-lab';

export interface ProcessEntry {
  readonly what: string;
  readonly pid: number;
  /** Clock ticks since boot (proc(5), field 22 of stat). */
  readonly startedTicks: number;
}

export interface LabState {
  readonly name: string;
  readonly topology: Topology;
  readonly moreVms: number;
  readonly daemons: boolean;
  readonly wrongKey: readonly SiteLetter[];
  /** The process that must outlive the lab; undefined for a lab that was started by hand. */
  readonly owner: ProcessEntry | undefined;
  readonly processes: readonly ProcessEntry[];
  /** Where each mover is. */
  readonly places: Readonly<Record<string, SiteLetter>>;
}

export const labDirectory = (name: string): string => join(labsDirectory, name);

/** Letters and digits, short enough for namespace names and socket paths. Throws what is wrong. */
export function checkName(name: string): string {
  if (!/^[a-z0-9]{1,12}$/.test(name)) throw new Error(`lab name "${name}": 1 to 12 of a-z and 0-9`);
  return name;
}

function statFields(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined; // it has gone
  }
}

export function entryOf(what: string, pid: number): ProcessEntry {
  return { what, pid, startedTicks: Number(statFields(pid)?.[19] ?? 0) };
}

/**
 * Starts a program in a namespace, its output appended to a file. Detached: an interrupt at the terminal is for the
 * lab, which then ends its processes in order.
 */
export function startLogged(
  what: string,
  namespace: string,
  command: readonly string[],
  logFile: string,
): ProcessEntry {
  const log = openSync(logFile, 'a');
  const child = spawnIn(namespace, command, { stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  child.unref();
  if (child.pid === undefined) throw new Error(`${what} did not start`);
  return entryOf(what, child.pid);
}

/** A zombie counts as gone: it holds nothing any more. */
export function isAlive(entry: ProcessEntry): boolean {
  const fields = statFields(entry.pid);
  return fields !== undefined && fields[0] !== 'Z' && Number(fields[19]) === entry.startedTicks;
}

const stateFile = (name: string): string => join(labDirectory(name), 'state.json');

export function writeState(state: LabState): void {
  mkdirSync(labDirectory(state.name), { recursive: true });
  const temporary = `${stateFile(state.name)}.${process.pid}`;
  writeFileSync(temporary, JSON.stringify(state, undefined, 2));
  renameSync(temporary, stateFile(state.name));
}

export function readState(name: string): LabState | undefined {
  if (!existsSync(stateFile(name))) return undefined;
  return JSON.parse(readFileSync(stateFile(name), 'utf8')) as LabState;
}

export function removeState(name: string): void {
  rmSync(labDirectory(name), { recursive: true, force: true });
  if (existsSync(labsDirectory) && readdirSync(labsDirectory).length === 0)
    rmSync(labsDirectory, { recursive: true });
}

/** Labs that left something on disk. */
export function knownLabs(): string[] {
  return existsSync(labsDirectory) ? readdirSync(labsDirectory) : [];
}

export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has gone meanwhile, which is what is wanted.
  }
}

/** Blocks until none is alive or the time is up; answers those that still are. */
export function waitGone(entries: readonly ProcessEntry[], limitMs: number): ProcessEntry[] {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const left = entries.filter(isAlive);
    if (left.length === 0 || performance.now() > deadline) return left;
    sleepSync(10);
  }
}

/** Processes in the lab's namespaces, whoever started them. */
export function processesInside(name: string): ProcessEntry[] {
  return namespacesOf(name)
    .flatMap((namespace) => runSync(['ip', 'netns', 'pids', namespace]).split('\n'))
    .filter((pid) => pid !== '')
    .map((pid) => entryOf('inside', Number(pid)));
}
