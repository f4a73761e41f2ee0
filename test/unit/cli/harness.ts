/** Runs vinectl within the test, or as a process of its own. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { type Io, runInShell } from '../../../src/cli/io.js';
import { main } from '../../../src/cli/main.js';
import { NOW } from '../control/fake-router.js';

export interface Result {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Options {
  readonly socket?: string;
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly isTerminal?: boolean;
  readonly isReadableByOthers?: boolean;
  /** Undefined: time passes at once. */
  readonly sleep?: Io['sleep'];
  /** Undefined: commands are run. */
  readonly run?: Io['run'];
  /** Undefined: always `NOW`. */
  readonly nowMs?: Io['nowMs'];
  /** Called with all of standard output so far and a Ctrl-C to press. */
  readonly onOutput?: (out: string, interrupt: () => void) => void;
}

/** `main` with streams of its own. */
export async function vinectl(argv: readonly string[], options: Options = {}): Promise<Result> {
  const { io, result } = ioFor(options);
  const status = await main(argv, io);
  return { status, ...result() };
}

/** What `main` is handed, and what has been written so far. */
export function ioFor(options: Options): { readonly io: Io; result(): Omit<Result, 'status'> } {
  let out = '';
  let err = '';
  const interrupts = new Set<() => void>();
  const interrupt = (): void => {
    for (const listener of interrupts) listener();
  };
  const io: Io = {
    stdin: chunks(options.stdin ?? ''),
    stdout: sink((text) => {
      out += text;
      options.onOutput?.(out, interrupt);
    }),
    stderr: sink((text) => {
      err += text;
    }),
    env: { ...(options.socket && { VINE_SOCKET: options.socket }), ...options.env },
    isTerminal: options.isTerminal ?? false,
    isReadableByOthers: options.isReadableByOthers ?? false,
    nowMs: options.nowMs ?? (() => Date.parse(NOW)),
    // Time passes at once; what is under way goes on first.
    sleep: options.sleep ?? (() => new Promise((resolve) => setImmediate(resolve))),
    run: options.run ?? runInShell,
    onInterrupt(listener) {
      interrupts.add(listener);
      return () => interrupts.delete(listener);
    },
  };
  return { io, result: () => ({ out, err }) };
}

async function* chunks(text: string): AsyncGenerator<string> {
  yield text;
}

function sink(onText: (text: string) => void): Writable {
  return new Writable({
    decodeStrings: false,
    write(chunk, _encoding, done) {
      onText(String(chunk));
      done();
    },
  });
}

/** From dist/test/unit/cli to the checkout's bin/vinectl. */
const PROGRAM = fileURLToPath(new URL('../../../../bin/vinectl', import.meta.url));

export function spawnVinectl(argv: readonly string[], socket?: string): ChildProcessWithoutNullStreams {
  const env = { ...process.env, ...(socket && { VINE_SOCKET: socket }) };
  return spawn(PROGRAM, argv, { env });
}

/** The program itself, to its end. */
export async function runProgram(argv: readonly string[], options: Options = {}): Promise<Result> {
  const child = spawnVinectl(argv, options.socket);
  let out = '';
  let err = '';
  child.stdout.on('data', (part) => {
    out += part;
  });
  child.stderr.on('data', (part) => {
    err += part;
  });
  child.stdin.end(options.stdin ?? '');
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, out, err };
}
