/** What an advice goes by: the description of the network as it runs, and advice.json. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { splitDocument } from '../../membership/document.js';
import { checkAdvice } from '../../tables/files/advice-checks.js';
import { ADVICE_FILE, type AdviceFile, adviceSchema } from '../../tables/files/advice-file.js';
import { type ConfigError, formatConfigError, type Outcome } from '../../tables/files/error.js';
import { checkGndt } from '../../tables/files/gndt-checks.js';
import { GNDT_FILE, type GndtFile, gndtSchema } from '../../tables/files/gndt-file.js';
import { parseFile } from '../../tables/files/schema.js';
import type { ControlClient } from '../client.js';
import { CliError, REFUSED } from '../exit.js';

/** Where the description is signed, the one that the router runs with, else the directory's gndt.json. */
export async function readGndt(client: ControlClient, directory: string): Promise<GndtFile> {
  const text = (await signedDescription(client)) ?? readText(join(directory, GNDT_FILE));
  if (text === undefined)
    throw new CliError(
      REFUSED,
      `there is no ${join(directory, GNDT_FILE)}: name its directory with --config`,
    );
  const parsed = parseFile(GNDT_FILE, text, gndtSchema);
  const errors = 'errors' in parsed ? parsed.errors : checkGndt(parsed.value);
  if ('errors' in parsed || errors.length > 0) throw inFile(directory, errors);
  return parsed.value;
}

async function signedDescription(client: ControlClient): Promise<string | undefined> {
  try {
    const { body } = await client.get<{ readonly description: string }>('/v1/network/description');
    const parts = splitDocument(Buffer.from(body.description, 'base64'));
    return parts === undefined ? undefined : new TextDecoder().decode(parts.content);
  } catch (failure) {
    // It is not signed.
    if (failure instanceof CliError && failure.status === REFUSED) return undefined;
    throw failure;
  }
}

/** Without the file: nothing but defaults. */
export function readAdviceFile(directory: string, gndt: GndtFile): AdviceFile {
  const outcome = adviceIn(directory, gndt);
  if ('errors' in outcome) throw inFile(directory, outcome.errors);
  return outcome.value;
}

/** What is wrong with it; nothing when there is none. */
export function adviceErrors(directory: string, gndt: GndtFile): readonly ConfigError[] {
  const outcome = adviceIn(directory, gndt);
  return 'errors' in outcome ? outcome.errors : [];
}

function adviceIn(directory: string, gndt: GndtFile): Outcome<AdviceFile> {
  const parsed = parseFile(ADVICE_FILE, readText(join(directory, ADVICE_FILE)) ?? '{}', adviceSchema);
  if ('errors' in parsed) return parsed;
  const errors = checkAdvice(parsed.value, gndt);
  return errors.length > 0 ? { errors } : parsed;
}

/** Undefined: there is no such file. */
function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw new CliError(
      REFUSED,
      `cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

function inFile(directory: string, errors: readonly ConfigError[]): CliError {
  return new CliError(REFUSED, `${directory}:\n${errors.map(formatConfigError).join('\n')}`);
}
