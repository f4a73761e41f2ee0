/** vinectl. */
import { CommanderError } from 'commander';
import { CliError, OK, REFUSED, USAGE } from './exit.js';
import { type Io, processIo } from './io.js';
import { createProgram } from './program.js';

/**
 * Runs one verb.
 * @param argv what follows the program's name
 * @returns the exit status, see exit.ts; never rejects
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  try {
    await createProgram(io).parseAsync(argv, { from: 'user' });
    return OK;
  } catch (error) {
    // Commander has written its message by itself.
    if (error instanceof CommanderError) return error.exitCode === 0 ? OK : USAGE;
    if (error instanceof CliError) {
      io.stderr.write(`vinectl: ${error.message}\n`);
      return error.status;
    }
    const fault = error instanceof Error ? (error.stack ?? error.message) : String(error);
    io.stderr.write(`vinectl: this is a fault of vinectl itself, or vined is of another version: ${fault}\n`);
    return REFUSED;
  }
}

/** The process's own arguments and streams; what bin/vinectl calls. */
export async function runVinectl(): Promise<void> {
  process.exitCode = await main(process.argv.slice(2), processIo());
}
