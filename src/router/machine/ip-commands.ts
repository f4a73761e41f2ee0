/** Commands of iproute2's `ip`, many in one process, one process at a time, in the order in which they were given. */
import { spawn } from 'node:child_process';

export class IpCommands {
  readonly #onProblem: (problem: string) => void;
  #waiting: string[] = [];
  #isRunning = false;

  /** @param onProblem what went wrong with commands given to `later` */
  constructor(onProblem: (problem: string) => void) {
    this.#onProblem = onProblem;
  }

  /** All are tried, also after one that fails. Answers what failed; never rejects. */
  async run(lines: readonly string[]): Promise<string[]> {
    // The family is an option of the process: `ip -6` as a word in a batch is no command.
    const isV6 = (line: string): boolean => line.startsWith('-6 ');
    const problems = await runBatch(
      lines.filter((line) => !isV6(line)),
      [],
    );
    return [...problems, ...(await runBatch(lines.filter(isV6), ['-6']))];
  }

  /** As soon as those before it are done. */
  later(lines: readonly string[]): void {
    this.#waiting.push(...lines);
    if (!this.#isRunning) void this.#drain();
  }

  async #drain(): Promise<void> {
    this.#isRunning = true;
    while (this.#waiting.length > 0) {
      const lines = this.#waiting;
      this.#waiting = [];
      for (const problem of await this.run(lines)) this.#onProblem(problem);
    }
    this.#isRunning = false;
  }
}

function runBatch(lines: readonly string[], family: readonly string[]): Promise<string[]> {
  if (lines.length === 0) return Promise.resolve([]);
  const child = spawn('ip', [...family, '-force', '-batch', '-'], {
    stdio: ['pipe', 'ignore', 'pipe'],
    env: { PATH: process.env.PATH },
  });
  return new Promise((resolve) => {
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    // Where it has ended already, `error` or `close` says why.
    child.stdin.on('error', () => {});
    child.once('error', (error: NodeJS.ErrnoException) => {
      resolve([error.code === 'ENOENT' ? 'ip (package iproute2) is not installed' : error.message]);
    });
    child.once('close', () => resolve(problemsOf(said, lines)));
    child.stdin.end(`${lines.map((line) => line.replace(/^-6 /, '')).join('\n')}\n`);
  });
}

/** "RTNETLINK answers: File exists" and "Command failed -:2" become one sentence that names the command. */
function problemsOf(said: string, lines: readonly string[]): string[] {
  const problems: string[] = [];
  let reason = '';
  for (const line of said.split('\n')) {
    const number = /^Command failed -:(\d+)/.exec(line)?.[1];
    if (number === undefined) {
      reason = line.trim() === '' ? reason : line.trim();
      continue;
    }
    problems.push(`ip ${lines[Number(number) - 1] ?? '?'}: ${reason}`);
    reason = '';
  }
  return problems;
}
