/**
 * A machine of its own for a test: the fresh root (scripts/fresh-root) under a layer that takes all changes, with its
 * own processes, mounts and host name, in the network namespace of a lab's node. It runs a Debian's own dpkg and shell.
 * When its first process ends, the kernel takes away everything that was its own.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { projectRoot } from '../daemon.js';
import { CommandError, inNamespace, type Outcome, run } from '../shell.js';
import { waitFor } from '../wait.js';

const freshRoot = `${projectRoot}build/fresh-root`;

/** Of a later Debian than this machine's. */
export const laterRoot = `${freshRoot}-trixie`;

/** Why there can be no machines of that root here; false when there can. */
function whyNoMachines(root: string): string | false {
  if (process.getuid?.() !== 0) return 'needs root for namespaces';
  return existsSync(`${root}/.complete`) ? false : `needs ${root}: scripts/setup --tests`;
}

export const noMachines = whyNoMachines(freshRoot);
export const noLaterMachines = whyNoMachines(laterRoot);

const runLimitMs = 120_000;

export interface MachineOptions {
  /** Host name. */
  readonly name: string;
  /** Network namespace. */
  readonly namespace: string;
  /** Folder of the host that is /media/files there, for reading. */
  readonly files: string;
  /** The fresh root that it begins as; this Debian's unless given. */
  readonly root?: string | undefined;
}

export class Machine {
  readonly name: string;
  readonly #holder: ChildProcessWithoutNullStreams;
  #firstPid = '';

  private constructor({ name, namespace, files, root = freshRoot }: MachineOptions) {
    this.name = name;
    const script = `${projectRoot}test/lab/machine/machine.sh`;
    const isolate = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--uts', '--ipc'];
    const [program = '', ...args] = inNamespace(namespace, [...isolate, script, root, name, files]);
    this.#holder = spawn(program, args);
  }

  static async start(options: MachineOptions): Promise<Machine> {
    const machine = new Machine(options);
    const holder = machine.#holder;
    let said = '';
    for (const stream of [holder.stdout, holder.stderr]) {
      stream.on('data', (text) => {
        said += String(text);
      });
    }
    try {
      await waitFor(`machine ${options.name}`, () => {
        if (holder.exitCode !== null) throw new Error(said);
        return said.includes('up\n');
      });
      machine.#firstPid = readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8').trim();
    } catch (error) {
      machine.stop();
      throw error;
    }
    return machine;
  }

  /** The command line of a program that is started there, as root, with a login's bare environment. */
  command(command: readonly string[]): string[] {
    return [
      ...['nsenter', `--target=${this.#firstPid}`, '--mount', '--net', '--uts', '--ipc', '--pid'],
      ...[
        '--root',

        'env',
        '-i',
        '--chdir=/root',
        'HOME=/root',
        'LANG=C.UTF-8',
        'DEBIAN_FRONTEND=noninteractive',
      ],
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

  /** vined's log, for a failing test's report. */
  async log(): Promise<string> {
    const { stdout } = await this.attempt('tail -n 25 /var/log/vined.log');
    return `--- vined of ${this.name}, last lines of its log\n${stdout}`;
  }

  /** Ends all its processes. */
  stop(): void {
    this.#holder.kill('SIGKILL');
  }
}
