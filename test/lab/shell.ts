/** Running programs, in lab namespaces and outside. */
import {
  type ChildProcess,
  type ChildProcessWithoutNullStreams,
  type SpawnOptions,
  spawn,
  spawnSync,
} from 'node:child_process';

export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that did not end with 0; the message holds what it wrote. */
export class CommandError extends Error {
  constructor(
    command: readonly string[],
    readonly outcome: Outcome,
  ) {
    super(`${command.join(' ')}: exit ${outcome.status}\n${outcome.stdout}${outcome.stderr}`.trim());
  }
}

/** A program that takes longer, and was not allowed to, stands still. */
const runLimitMs = 120_000;

/**
 * Runs to the end, blocking: for set-up and tear-down, where nothing else should happen. Throws `CommandError`, and when it
 * takes longer than the limit.
 */
export function runSync(command: readonly string[], input?: string, limitMs = runLimitMs): string {
  const [program = '', ...args] = command;
  const result = spawnSync(program, args, {
    encoding: 'utf8',
    timeout: limitMs,
    killSignal: 'SIGKILL',
    ...(input === undefined ? {} : { input }),
  });
  if (result.error !== undefined)
    throw new Error(`${command.join(' ')}: ${result.error.message}`, { cause: result.error });
  const outcome = { status: result.status ?? -1, stdout: result.stdout, stderr: result.stderr };
  if (outcome.status !== 0) throw new CommandError(command, outcome);
  return outcome.stdout;
}

/** Several `ip` commands in one process; the first that fails ends it. */
export function ipBatch(namespace: string | undefined, lines: readonly string[]): void {
  if (lines.length === 0) return;
  const where = namespace === undefined ? [] : ['-n', namespace];
  runSync(['ip', ...where, '-batch', '-'], `${lines.join('\n')}\n`);
}

/** Runs to the end without blocking; killed at the limit. Never rejects for the program's own failure. */
export function run(command: readonly string[], options: { timeoutMs?: number } = {}): Promise<Outcome> {
  const [program = '', ...args] = command;
  const { timeoutMs = runLimitMs } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.once('error', reject);
    child.once('close', (status) => resolve({ status: status ?? -1, stdout, stderr }));
  });
}

export function inNamespace(namespace: string, command: readonly string[]): string[] {
  return ['ip', 'netns', 'exec', namespace, ...command];
}

/** `ip netns exec` replaces itself by the program: the child's pid is the program's. */
export function spawnIn(namespace: string, command: readonly string[], options: SpawnOptions): ChildProcess {
  const [program = '', ...args] = inNamespace(namespace, command);
  return spawn(program, args, options);
}

/** The same with pipes for all three streams. */
export function spawnPiped(namespace: string, command: readonly string[]): ChildProcessWithoutNullStreams {
  const [program = '', ...args] = inNamespace(namespace, command);
  return spawn(program, args);
}

/** For set-up and tear-down only: blocks the thread. */
export function sleepSync(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
