/** What a verb works with once the global options are read. */
import { once } from 'node:events';
import type { Command } from 'commander';
import type { ControlClient } from './client.js';
import type { Io } from './io.js';
import { coloured, type Look, plain } from './show/text.js';

export const DEFAULT_SOCKET = '/run/vine/control.sock';

export interface GlobalOptions {
  readonly json?: boolean;
  readonly socket?: string;
  readonly color: boolean;
}

export class Context {
  readonly io: Io;
  readonly json: boolean;
  readonly #socket: string;
  readonly #colour: boolean;

  constructor(io: Io, options: GlobalOptions) {
    this.io = io;
    this.json = options.json === true;
    this.#socket = options.socket ?? (io.env.VINE_SOCKET || DEFAULT_SOCKET);
    // https://no-color.org: set and not empty.
    this.#colour = options.color && io.isTerminal && !io.env.NO_COLOR && io.env.TERM !== 'dumb';
  }

  get look(): Look {
    return { paint: this.#colour ? coloured : plain, nowMs: this.io.nowMs() };
  }

  async client(): Promise<ControlClient> {
    const { ControlClient } = await import('./client.js');
    return new ControlClient(this.#socket);
  }

  print(text: string): void {
    this.io.stdout.write(text);
  }

  /** As {@link print}; settles when the reader is ready for more. Rejects when `signal` aborts. */
  async printPaced(text: string, signal: AbortSignal): Promise<void> {
    if (!this.io.stdout.write(text)) await once(this.io.stdout, 'drain', { signal });
  }
}

/** Of the command that runs, wherever the global options stood. */
export function contextOf(io: Io, command: Command): Context {
  return new Context(io, command.optsWithGlobals<GlobalOptions>());
}
