/**
 * Which description of the network a router runs with, when router.json pins the network's key. There are two places: the
 * configuration directory (gndt.json and its signature, as people put them there), and the state directory, where the router
 * keeps what it has heard from the others (it may not write to /etc). The higher version counts.
 *
 * Versions that were undone do not count, wherever they are. A gndt.json without a version is believed from this disk alone,
 * and only while there is no signed one.
 */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Description,
  decodeText,
  readDescription,
  textOf,
  versionOf,
} from '../membership/description.js';
import { joinDocument, MAX_DOCUMENT_BYTES, readSignature } from '../membership/document.js';
import { verify } from '../membership/signature.js';
import {
  knownKeys,
  MAX_SUCCESSION_BYTES,
  readSuccessions,
  type Succession,
} from '../membership/succession.js';
import { codeOf, messageOf } from '../net/system-error.js';
import type { ConfigError, Outcome } from '../tables/files/error.js';
import { GNDT_FILE, SIGNATURE_FILE } from '../tables/files/gndt-file.js';
import type { RouterConfig } from '../tables/model.js';
import { readTrialFile, TRIAL_FILE } from './trial-file.js';

/** In the state directory: the description as it came, and what follows the pinned key. */
export const DESCRIPTION_FILE = 'description';
export const SUCCESSION_FILE = 'succession';

/** What is read as gndt.json. */
export interface DescriptionSource {
  readonly text: Outcome<string>;
  /** Undefined: it is not signed. */
  readonly description: Description | undefined;
  readonly successions: readonly Succession[];
  readonly warnings: readonly string[];
}

/** @param gndt the bytes of the configuration directory's gndt.json */
export function chooseDescription(
  directory: string,
  { network, stateDir }: Pick<RouterConfig, 'network' | 'stateDir'>,
  gndt: Uint8Array,
): DescriptionSource {
  const warnings: string[] = [];
  const successions = readSuccessionFile(stateDir, warnings);
  const plain: DescriptionSource = { text: decode(gndt), description: undefined, successions, warnings };
  if (network === undefined) return { ...plain, warnings: ignored(directory, gndt) };
  const keys = knownKeys(network.publicKey, successions);
  const configured = readConfigured(directory, gndt, keys);
  if ('errors' in configured) return { ...plain, text: configured };
  const { undone } = readTrialFile(stateDir, warnings);
  const heard = readHeard(stateDir, keys, warnings);
  const candidates = [heard, configured.value].filter((found) => found !== undefined);
  const usable = candidates.filter(({ digest }) => !undone.some((one) => one.digest === digest));
  const [first, second] = usable;
  const chosen =
    second !== undefined && first !== undefined && second.version > first.version ? second : first;
  if (chosen === undefined) return configured.value === undefined ? unsigned(plain) : allUndone(plain);
  if (chosen === heard && configured.value !== undefined && heard.version > configured.value.version)
    warnings.push(
      `${GNDT_FILE} in ${directory} is version ${configured.value.version}; the network has version ${heard.version}, which counts ("vinectl network show" prints it)`,
    );
  return { text: textOf(chosen), description: chosen, successions, warnings };
}

function readConfigured(
  directory: string,
  gndt: Uint8Array,
  keys: readonly Uint8Array[],
): Outcome<Description | undefined> {
  const fail = (file: string, message: string): Outcome<Description | undefined> => ({
    errors: [{ file, path: '', message }],
  });
  const text = decode(gndt);
  if ('errors' in text) return text;
  const again = `run "vinectl network sign ${join(directory, GNDT_FILE)}" on the machine that has the network's key`;
  const written = readFile(join(directory, SIGNATURE_FILE), 4_096);
  if (written === undefined) {
    if (versionOf(text.value) === undefined) return { value: undefined };
    return fail(
      SIGNATURE_FILE,
      `there is no such file in ${directory}, and router.json pins a network key; ${again}`,
    );
  }
  if (typeof written === 'string') return fail(SIGNATURE_FILE, written);
  const signature = readSignature(Buffer.from(written).toString('latin1'));
  if (signature === undefined) return fail(SIGNATURE_FILE, `not one line with a signature; ${again}`);
  const description = readDescription(joinDocument({ signature, content: gndt }), keys);
  if (typeof description !== 'string') return { value: description };
  const isSigned = keys.some((key) => verify('description', gndt, signature, key));
  return isSigned
    ? fail(GNDT_FILE, description)
    : fail(
        GNDT_FILE,
        `the signature in ${SIGNATURE_FILE} does not hold: the file was changed after it was signed, or another key than the one in router.json has signed it; ${again}`,
      );
}

/** What is damaged or signed by another key is as if it were not there: the others have it. */
function readHeard(
  stateDir: string,
  keys: readonly Uint8Array[],
  warnings: string[],
): Description | undefined {
  const path = join(stateDir, DESCRIPTION_FILE);
  const document = readFile(path, MAX_DOCUMENT_BYTES);
  if (document === undefined) return undefined;
  const description = typeof document === 'string' ? document : readDescription(document, keys);
  if (typeof description !== 'string') return description;
  warnings.push(`${path} is not used: ${description}`);
  return undefined;
}

function readSuccessionFile(stateDir: string, warnings: string[]): readonly Succession[] {
  const path = join(stateDir, SUCCESSION_FILE);
  const document = readFile(path, MAX_SUCCESSION_BYTES);
  if (document === undefined) return [];
  const chain = typeof document === 'string' ? document : readSuccessions(document);
  if (typeof chain !== 'string') return chain;
  warnings.push(`${path} is not used: ${chain}`);
  return [];
}

function unsigned(plain: DescriptionSource): DescriptionSource {
  return {
    ...plain,
    warnings: [
      ...plain.warnings,
      `${GNDT_FILE} is not signed yet: it is believed because it is on this disk, and the first signed one replaces it`,
    ],
  };
}

function allUndone(plain: DescriptionSource): DescriptionSource {
  const error: ConfigError = {
    file: GNDT_FILE,
    path: 'version',
    message: `this version was undone here, and there is no other (${TRIAL_FILE} in the state directory says so); sign it again, which gives it a new version`,
  };
  return { ...plain, text: { errors: [error] } };
}

/** Somebody has signed it and expects that to matter. */
function ignored(directory: string, gndt: Uint8Array): string[] {
  const text = decode(gndt);
  const isVersioned = 'value' in text && versionOf(text.value) !== undefined;
  const isSigned = typeof readFile(join(directory, SIGNATURE_FILE), 4_096) !== 'undefined';
  if (!isVersioned && !isSigned) return [];
  return [
    `${GNDT_FILE} has a ${isVersioned ? 'version' : 'signature'}, which counts for nothing while router.json pins no network key ("network": {"publicKey": …})`,
  ];
}

/** Undefined: there is none. A string: why it cannot be read. */
function readFile(path: string, mostBytes: number): Uint8Array | string | undefined {
  try {
    const status = statSync(path);
    if (!status.isFile()) return `${path} is not a regular file`;
    if (status.size > mostBytes) return `${path} is larger than ${mostBytes} bytes`;
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    return code === 'EACCES'
      ? `${path} may not be read by this user`
      : `cannot read ${path}: ${messageOf(error)}`;
  }
}

function decode(bytes: Uint8Array): Outcome<string> {
  return decodeText(bytes, GNDT_FILE);
}
