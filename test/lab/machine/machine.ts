/**
 * A machine of its own for a test: a fresh root (scripts/fresh-root) under a layer that takes all changes, booted with its
 * own systemd, in the network namespace of a lab's node. It ends with the lab at the latest, and forgets everything.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { projectRoot } from '../daemon.js';
import type { Lab } from '../lab.js';
import { CommandError, type Outcome, run } from '../shell.js';
import { waitFor } from '../wait.js';

export type Suite = 'bookworm' | 'trixie';

const freshRoot = (suite: Suite): string => `${projectRoot}build/roots/${suite}`;

/** Why there can be no machine of that kind here; false when there can. */
export function noMachine(suite: Suite): string | false {
  if (process.getuid?.() !== 0) return 'needs root for namespaces';
  if (!existsSync('/usr/bin/systemd-nspawn')) return 'needs systemd-nspawn: scripts/setup --tests';
  return existsSync(`${freshRoot(suite)}/`)
    ? false
    : `needs build/roots/${suite}: scripts/fresh-root ${suite}`;
}

const runLimitMs = 120_000;
/** About a second on a machine that has nothing else to do. */
const bootLimitMs = 60_000;
const offLimitMs = 30_000;

export interface MachineOptions {
  /** Of the lab; the machine is in its network namespace. */
  readonly node: string;
  /** Host name; default: the node's. */
  readonly name?: string;
  /** Default: bookworm. */
  readonly suite?: Suite;
  /** Folder of the host that is /media/files there, for reading. */
  readonly files: string;
}

export class Machine {
  readonly name: string;
  readonly #holder: ChildProcessWithoutNullStreams;
  /** What it shows at its console. */
  #console = '';
  /** Its systemd, as this machine counts processes. */
  #firstPid = 0;

  private constructor(name: string, suite: Suite, files: string, namespace: string) {
    this.name = name;
    const script = `${projectRoot}test/lab/machine/machine.sh`;
    const isolate = [
      '--mount',
      '--propagation',
      'private',
      '--pid',
      '--fork',
      '--kill-child',
      '--mount-proc',
    ];
    this.#holder = spawn('unshare', [...isolate, script, freshRoot(suite), name, files, namespace]);
    for (const stream of [this.#holder.stdout, this.#holder.stderr])
      stream.on('data', (text) => {
        this.#console += String(text);
      });
  }

  /** Resolves when it has booted. */
  static async boot(lab: Lab, options: MachineOptions): Promise<Machine> {
    const { node, name = node, suite = 'bookworm', files } = options;
    const machine = new Machine(name, suite, files, lab.namespace(node));
    try {
      lab.adopt(`machine-${node}`, machine.#holder.pid);
      await waitFor(`machine ${name} has booted`, () => machine.#hasBooted(), bootLimitMs);
    } catch (error) {
      machine.stop();
      throw new Error(`${String(error)}\n${machine.#console}`, { cause: error });
    }
    return machine;
  }

  async #hasBooted(): Promise<boolean> {
    if (this.#holder.exitCode !== null) throw new Error(`it ended with ${this.#holder.exitCode}`);
    this.#firstPid = firstProcess(this.#holder.pid ?? 0);
    if (this.#firstPid === 0) return false;
    const { stdout } = await this.attempt('systemctl is-system-running');
    return /^(running|degraded)$/m.test(stdout);
  }

  /** The command line of a program that is started there, as root, with a login's bare environment. */
  command(command: readonly string[]): string[] {
    return [
      ...['nsenter', `--target=${this.#firstPid}`, '--mount', '--net', '--uts', '--ipc', '--pid', '--cgroup'],
      ...['--root', 'env', '-i', '--chdir=/root', 'HOME=/root', 'LANG=C.UTF-8'],
      ...['DEBIAN_FRONTEND=noninteractive', 'SYSTEMD_PAGER=', 'SYSTEMD_COLORS=0'],
      ...['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...command],
    ];
  }

  /** Runs lines of shell, the first that fails ending them. Never rejects for their failure. */
  attempt(script: string): Promise<Outcome> {
    return run(this.command(['bash', '-euo', 'pipefail', '-c', script]), { timeoutMs: runLimitMs });
  }

  /** The same; rejects with `CommandError` unless they end with 0. Answers what they print. */
  async sh(script: string): Promise<string> {
    const outcome = await this.attempt(script);
    if (outcome.status !== 0) throw new CommandError([`${this.name}:`, script], outcome);
    return outcome.stdout;
  }

  /** The pid here of a process that has another one there; throws when it has gone. */
  hostPid(pid: number): number {
    const found = descendants(this.#firstPid).find((here) => pidsOf(here).at(-1) === pid);
    if (found === undefined) throw new Error(`${this.name} has no process ${pid}`);
    return found;
  }

  /** vined's log, for a failing test's report. */
  async log(): Promise<string> {
    const { stdout } = await this.attempt('journalctl --no-pager --unit=vined --lines=40 --output=cat');
    return `--- vined of ${this.name}, last lines of its journal\n${stdout}`;
  }

  /** Switches it off in order, as `poweroff` does. Resolves when it is off. */
  async powerOff(): Promise<void> {
    await this.attempt('systemctl --no-block poweroff');
    await waitFor(`machine ${this.name} is off`, () => this.#holder.exitCode !== null, offLimitMs);
  }

  /** Pulls its plug: the kernel ends all its processes. */
  stop(): void {
    this.#holder.kill('SIGKILL');
  }
}

function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return text === '' ? [] : text.split(' ').map(Number);
  } catch {
    return []; // it has gone
  }
}

function descendants(pid: number): number[] {
  return [pid, ...childrenOf(pid).flatMap(descendants)];
}

/** Of one process, from this machine's own to that of the innermost namespace (proc(5)). */
function pidsOf(pid: number): number[] {
  try {
    const list = /^NSpid:\s*(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';
    return list.split('\t').map(Number);
  } catch {
    return [];
  }
}

/** Process 1 of the innermost namespace (nspawn is that of the outer one), once it is systemd itself; 0 before. */
function firstProcess(holder: number): number {
  const outermost = pidsOf(holder).length;
  const pid = descendants(holder).find((each) => {
    const pids = pidsOf(each);
    return pids.length === outermost + 2 && pids.at(-1) === 1;
  });
  if (pid === undefined) return 0;
  return readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'systemd' ? pid : 0;
}
