/** Finds this machine's courier and asks it, at its control socket. vinectl knows of it what it answers, and nothing else. */
import { readFileSync } from 'node:fs';
import { codeOf, messageOf } from '../../net/system-error.js';
import { callUnix } from '../../net/unix-http.js';
import { CliError, REFUSED, UNREACHABLE, USAGE } from '../exit.js';

export const DEFAULT_CONTROL = '/run/vine-courier/control.sock';
export const DEFAULT_FILE = '/etc/vine-courier/courier.json';
const ANSWER_MS = 5_000;

/** Where a courier is, as it was named. */
export interface Named {
  readonly socket: string | undefined;
  readonly config: string | undefined;
}

export class CourierClient {
  private constructor(
    readonly socket: string,
    /** Somebody named it: it should be there. */
    readonly isNamed: boolean,
  ) {}

  /** The file's socket, or the one that was named, or `VINE_COURIER_SOCKET`, or that of the default file, or the default. */
  static find({ socket, config }: Named, env: Readonly<Record<string, string | undefined>>): CourierClient {
    const named =
      config === undefined ? (socket ?? (env.VINE_COURIER_SOCKET || undefined)) : controlIn(config);
    return new CourierClient(named ?? controlIfReadable(), named !== undefined);
  }

  get(path: string, accept: 'application/json' | 'text/plain'): Promise<string> {
    return this.#call({ path, accept });
  }

  async post(path: string, body: object): Promise<void> {
    await this.#call({ path, method: 'POST', body: JSON.stringify(body) });
  }

  async #call(call: Omit<Parameters<typeof callUnix>[0], 'socketPath' | 'timeoutMs'>): Promise<string> {
    const { status, text } = await callUnix({
      ...call,
      socketPath: this.socket,
      timeoutMs: ANSWER_MS,
    }).catch((error: unknown) => {
      throw new CliError(UNREACHABLE, this.#why(error), error);
    });
    if (status === 200) return text;
    throw reasonOf(text) ?? new CliError(UNREACHABLE, `what answers on ${this.socket} is not a vine-courier`);
  }

  #why(error: unknown): string {
    const remedy =
      'start it with "systemctl start vine-courier", or name its control socket with --socket PATH or its file with --config FILE';
    switch (codeOf(error)) {
      case 'ENOENT':
        return `no courier on ${this.socket}, there is no such socket: ${remedy}`;
      case 'ECONNREFUSED':
        return `no courier on ${this.socket}, the socket is left over from one that died: ${remedy}`;
      case 'EACCES':
        return `no permission to open ${this.socket}: run as root, or as a member of the group that "ls -l" shows`;
      case 'ETIMEDOUT':
        return `the courier on ${this.socket} does not answer: is it stopped or overloaded?`;
      default:
        return `no courier on ${this.socket}: ${messageOf(error)}; ${remedy}`;
    }
  }
}

/** The refusal in an answer; undefined: it is nothing that a courier says. */
function reasonOf(text: string): CliError | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    return typeof error === 'string' ? new CliError(REFUSED, error) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether all of the file is good is the courier's to say. */
function controlIn(file: string): string {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new CliError(USAGE, `${file}: ${messageOf(error)}`);
  }
  const { control } = (content ?? {}) as { control?: unknown };
  if (control === undefined) return DEFAULT_CONTROL;
  if (typeof control === 'string') return control;
  throw new CliError(USAGE, `${file}: control: expected the path of a socket`);
}

function controlIfReadable(): string {
  try {
    return controlIn(DEFAULT_FILE);
  } catch {
    return DEFAULT_CONTROL;
  }
}
