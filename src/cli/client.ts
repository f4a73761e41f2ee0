/** Speaks to the router's control API; one connection per call. */
import { type IncomingMessage, type RequestOptions, request } from 'node:http';
import { ANSWER_PATIENCE_MS } from '../control/http-server.js';
import { CliError, REFUSED, UNREACHABLE } from './exit.js';

export type Query = Readonly<Record<string, string | undefined>>;

/** An answer as it came and as it reads. */
export interface Answer<Body> {
  readonly text: string;
  readonly body: Body;
}

/** Every method rejects with {@link CliError}: `REFUSED` with the router's words, or `UNREACHABLE`. */
export class ControlClient {
  readonly #signal: AbortSignal | undefined;

  /** @param signal ends all of its calls */
  constructor(
    readonly socket: string,
    signal?: AbortSignal,
  ) {
    this.#signal = signal;
  }

  /** To the same router. */
  until(signal: AbortSignal): ControlClient {
    return new ControlClient(this.socket, signal);
  }

  get<Body>(path: string, query: Query = {}, timeout = ANSWER_PATIENCE_MS): Promise<Answer<Body>> {
    return this.#call({ method: 'GET', path: withQuery(path, query), timeout }, undefined);
  }

  post<Body>(path: string, body: object): Promise<Answer<Body>> {
    return this.#call({ method: 'POST', path, timeout: ANSWER_PATIENCE_MS }, JSON.stringify(body));
  }

  /**
   * Calls `onLine` for each line of the answer, the next one when it has settled. Settles when `signal` aborts;
   * rejects when the router ends the stream.
   */
  async follow(path: string, onLine: (line: string) => Promise<void>, signal: AbortSignal): Promise<void> {
    try {
      const response = await this.#send({ method: 'GET', path, signal }, undefined);
      if (response.statusCode !== 200)
        refuse(response.statusCode ?? 0, await this.#readAll(response), this.socket);
      await this.#readLines(response, onLine);
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    if (!signal.aborted) throw stopped(this.socket);
  }

  async #call<Body>(options: RequestOptions, body: string | undefined): Promise<Answer<Body>> {
    const response = await this.#send(options, body);
    const text = await this.#readAll(response);
    if (response.statusCode !== 200) refuse(response.statusCode ?? 0, text, this.socket);
    const parsed = parse(text);
    if (parsed === undefined) throw stranger(this.socket);
    return { text, body: parsed as Body };
  }

  #send(options: RequestOptions, body: string | undefined): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const signal = this.#signal && { signal: this.#signal };
      const call = request({ ...signal, ...options, socketPath: this.socket, agent: false }, resolve);
      call.on('timeout', () => call.destroy(new CliError(UNREACHABLE, silent(this.socket))));
      call.on('error', (error) => reject(unreachable(error, this.socket)));
      call.end(body);
    });
  }

  async #readAll(response: IncomingMessage): Promise<string> {
    let text = '';
    response.setEncoding('utf8');
    try {
      for await (const part of response) text += String(part);
    } catch (error) {
      throw unreachable(error, this.socket);
    }
    return text;
  }

  async #readLines(response: IncomingMessage, onLine: (line: string) => Promise<void>): Promise<void> {
    let rest = '';
    response.setEncoding('utf8');
    try {
      for await (const part of response) {
        const lines = (rest + String(part)).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) await onLine(line);
      }
    } catch (error) {
      throw isConnectionError(error) ? stopped(this.socket) : error;
    }
  }
}

/** As against a fault of what was done with a line. */
function isConnectionError(error: unknown): boolean {
  return error instanceof Error && 'code' in error;
}

function withQuery(path: string, query: Query): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function refuse(status: number, text: string, socket: string): never {
  const body = parse(text);
  if (typeof body === 'object' && body !== null && 'error' in body) {
    throw new CliError(status === 503 || status === 408 ? UNREACHABLE : REFUSED, String(body.error));
  }
  throw stranger(socket);
}

function stranger(socket: string): CliError {
  return new CliError(
    UNREACHABLE,
    `what answers on ${socket} is not a vined: name its socket with --socket PATH`,
  );
}

function stopped(socket: string): CliError {
  return new CliError(UNREACHABLE, `the router on ${socket} has stopped`);
}

/** What to tell people of a connection to `socket` that failed. */
export function explain(error: unknown, socket: string): string {
  return unreachable(error, socket).message;
}

function unreachable(error: unknown, socket: string): CliError {
  if (error instanceof CliError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return new CliError(UNREACHABLE, (REMEDIES[code] ?? REMEDIES.other)(socket, error));
}

type Remedy = (socket: string, error: unknown) => string;

function closedByRouter(socket: string): string {
  return `the router on ${socket} closed the connection: it has just stopped, or it has 64 control connections already`;
}

function silent(socket: string): string {
  return `the router on ${socket} does not answer: is it stopped or overloaded?`;
}

const START = 'start it with "systemctl start vined", or name its socket with --socket PATH or VINE_SOCKET';

const REMEDIES: Readonly<Record<string, Remedy>> & { readonly other: Remedy } = {
  ENOENT: (socket) => `no router on ${socket}, there is no such socket: ${START}`,
  ECONNREFUSED: (socket) => `no router on ${socket}, the socket is left over from one that died: ${START}`,
  EACCES: (socket) =>
    `no permission to open ${socket}: run as root, or as a member of the group that "ls -l" shows`,
  ECONNRESET: closedByRouter,
  EPIPE: closedByRouter,
  ETIMEDOUT: silent,
  HPE_INVALID_CONSTANT: (socket) => stranger(socket).message,
  other: (socket, error) =>
    `no router on ${socket}: ${error instanceof Error ? error.message : String(error)}; ${START}`,
};
